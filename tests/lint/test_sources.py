"""What must hold for every text file: nothing of the machine it was written on, no untidy ends."""

import os
import pathlib
import re
import unittest

ROOT = pathlib.Path(os.environ["SNAP_ROOT"])
SUFFIXES = {".c", ".h", ".py", ".sh", ".md", ".1", ".3", ".5", ".7", ".in", ".tsv", ".txt", ""}
# A home or build folder; what stands in examples is spelled otherwise.
MACHINE = re.compile(r"/(root|work|home)/[a-z.]+/|/tmp/[a-z]{2,}\d|\bpyenv\b")


def sources():
    for top in ("cmd", "libsnap", "schema", "tests", "testdata/demo", ".ci"):
        for path in sorted((ROOT / top).rglob("*")):
            if path.is_file() and path.suffix in SUFFIXES and "__pycache__" not in path.parts:
                yield path
    yield from (ROOT / name for name in ("Makefile", "README.md"))


class Sources(unittest.TestCase):
    def test_text_is_tidy(self):
        for path in sources():
            with self.subTest(file=str(path.relative_to(ROOT))):
                text = path.read_text("utf-8")
                self.assertTrue(text.endswith("\n") and not text.endswith("\n\n"), "ends with one line break")
                self.assertNotRegex(text, r"[ \t]\n", "space before a line break")
                self.assertNotIn("\r", text)

    def test_nothing_of_the_machine(self):
        for path in sources():
            if path != pathlib.Path(__file__):
                with self.subTest(file=str(path.relative_to(ROOT))):
                    self.assertIsNone(MACHINE.search(path.read_text("utf-8")))

    def test_scripts_can_be_run(self):
        for path in sources():
            with self.subTest(file=str(path.relative_to(ROOT))):
                begins = path.read_bytes().startswith(b"#!")
                self.assertEqual(begins, os.access(path, os.X_OK), "a #! line and the mode belong together")


if __name__ == "__main__":
    unittest.main()
