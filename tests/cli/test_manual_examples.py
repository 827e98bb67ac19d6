"""The examples of the man pages and of --help, run."""

import re
import unittest

import dumps
from running import ROOT, ToolCase

TOOLS = ("snapcat", "snapdiff", "snapfilter", "snapinfo", "snaptop")
PAGES = [*(f"cmd/{tool}.1" for tool in TOOLS), "schema/snap.7"]


class Examples(ToolCase):
    def setUp(self):
        super().setUp()
        dumps.write_pair(self.folder)
        for name in ("during-1", "during-2"):
            dumps.write(self.folder / f"{name}.pickle", *dumps.AFTER)
        for name in ("before", "after"):
            self.expect("snapcat", "-o", f"{name}.snap", f"{name}.pickle")
        for name in ("worker-1", "worker-2"):
            self.expect("snapcat", "-o", f"{name}.snap", "after.pickle")
        self.expect(
            "snapcat",
            "-o",
            "service.snap",
            *(f"{name}.pickle" for name in ("before", "during-1", "during-2", "after")),
        )
        self.expect("snapcat", "-o", "cut.snap", "before.pickle", "after.pickle")
        (self.folder / "key.bin").write_bytes(bytes(range(32)))
        cut = self.folder / "cut.snap"
        cut.write_bytes(cut.read_bytes()[:-100])

    def run_examples(self, name, lines):
        self.assertTrue(lines, name)
        for line in lines:
            with self.subTest(page=name, line=line):
                result = self.shell(f"set -o pipefail; {line}")
                self.assertEqual(result.status, 0, result.err)
                if "-o" not in line.split() and ">" not in line:
                    self.assertTrue(result.out)
                if "--salvage" not in line:
                    self.assertEqual(result.err, "")

    def test_man_pages(self):
        for page in PAGES:
            text = (ROOT / page).read_text()
            self.assertIn(".Sh EXAMPLES", text)
            self.run_examples(page, re.findall(r"^\$ (.*)$", text, re.M))

    def test_readme(self):
        lines = re.findall(r"^ {3,4}(snap[a-z]+ .*)$", (ROOT / "README.md").read_text(), re.M)
        self.assertGreaterEqual(len(lines), 10)
        self.run_examples("README.md", lines)

    def test_help(self):
        for tool in TOOLS:
            text = self.expect(tool, "--help").decode()
            self.run_examples(tool, re.findall(r"^  (snap.*)$", text.partition("Examples:\n")[2], re.M))

    def test_man_pages_name_every_option(self):
        for tool in TOOLS:
            page = (ROOT / f"cmd/{tool}.1").read_text()
            items = re.findall(r"^\.It (.*)$", page, re.M)
            documented = {name for item in items for name in re.findall(r"Fl Fl ([a-z-]+)", item)}
            options = set(re.findall(r"^  .{4}--([a-z-]+)", self.expect(tool, "--help").decode(), re.M))
            self.assertEqual(documented, options, tool)


if __name__ == "__main__":
    unittest.main()
