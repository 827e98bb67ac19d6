"""The README's questions in SQL, on what the demo leaves, exactly as they stand there."""

import os
import re
import subprocess
import sys
import unittest

import extension
from running import BIN, ROOT, ToolCase


class Questions(ToolCase):
    def test_they_are_answered(self):
        subprocess.run([ROOT / "testdata/demo/run.sh", BIN, self.folder / "build/demo"], cwd=ROOT, check=True,
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                       env={**os.environ, **extension.environment(leaks=False), "PYTHON": sys.executable})
        (block,) = re.findall(r"^```sh\n(snapload .*?)^```$", (ROOT / "README.md").read_text(), re.M | re.S)
        load, *questions = block.split("\n\n")
        self.assertEqual(len(questions), 5)
        self.assertEqual(self.shell(load), (0, b"", ""))
        answers = []
        for question in questions:
            result = self.shell("set -e\n" + question)
            self.assertEqual((result.status, result.err), (0, ""), question)
            answers.append([row.split("|") for row in result.out.decode().splitlines()])
            self.assertTrue(answers[-1], question)
        biggest, grown, steady, callers, packages = answers
        # Where Python's own modules are large, these hold most.
        biggest = [row for row in biggest if not row[0].startswith("<frozen importlib")]
        packages = [row for row in packages if row[0] != "(stdlib)"]
        for rows in (biggest, grown, steady):
            self.assertTrue(rows[0][0].endswith("/pricing.py"), rows)
            self.assertEqual(rows[0][1], "21")
        self.assertEqual(steady[0][-1], "4/4")
        self.assertTrue(all(row[0].endswith("/handlers.py") for row in callers), callers)
        self.assertTrue(packages[0][0].endswith("/demo/shop"), packages)


if __name__ == "__main__":
    unittest.main()
