"""The examples of the man pages and of --help, run."""

import re
import unittest

import dumps
import extension
from running import ROOT, ToolCase

TOOLS = ("snapcat", "snapdiff", "snapfilter", "snapinfo", "snapload", "snaptop", "snaptrend")
PAGES = [*(f"cmd/{tool}.1" for tool in TOOLS), "schema/snap.7"]
SQLITE_PAGE = "schema/snap_sqlite.3"


class Examples(ToolCase):
    def setUp(self):
        super().setUp()
        dumps.write_pair(self.folder)
        for number in (1, 2):
            (_, size, traceback), *rest = dumps.AFTER
            dumps.write(
                self.folder / f"during-{number}.pickle",
                (15 * number, size, traceback),
                *rest,
                time=dumps.TIME + 600 * number,
            )
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
        (self.folder / "snaps").mkdir()
        for name in ("before", "after"):
            self.expect("snapcat", "-o", f"snaps/{name}.snap", f"{name}.pickle")
        (self.folder / "key.bin").write_bytes(bytes(range(32)))
        cut = self.folder / "cut.snap"
        cut.write_bytes(cut.read_bytes()[:-100])

    def run_examples(self, name, lines, **changes):
        self.assertTrue(lines, name)
        for line in lines:
            with self.subTest(page=name, line=line):
                result = self.shell(f"set -o pipefail; {line}", **changes)
                self.assertEqual(result.status, 0, result.err)
                if "snapload" in line:
                    self.assertRegex(result.err, r"\A(snapload: [^\n]+: \d [a-z0-9, ]+\n)+\Z")
                    continue
                if "-o" not in line.split() and ">" not in line:
                    self.assertTrue(result.out)
                if "--salvage" not in line:
                    self.assertEqual(result.err, "")

    def test_man_pages(self):
        for page in PAGES:
            text = (ROOT / page).read_text()
            self.assertIn(".Sh EXAMPLES", text)
            # An example goes on in lines that are indented.
            self.run_examples(page, re.findall(r"^\$ (.*(?:\n    .*)*)$", text, re.M))

    def test_readme(self):
        # Those of snaprun are in tests/capture.
        lines = re.findall(r"^ {3,4}(snap(?!run)[a-z]+ .*)$", (ROOT / "README.md").read_text(), re.M)
        self.assertGreaterEqual(len(lines), 10)
        self.run_examples("README.md", lines)

    def test_sqlite_page(self):
        """Each example is a script for the sqlite3 shell."""
        text = (ROOT / SQLITE_PAGE).read_text().partition(".Sh EXAMPLES")[2]
        examples = re.findall(r"^\.Bd -literal.*?\n(.*?)^\.Ed", text, re.M | re.S)
        for number, example in enumerate(examples):
            (self.folder / f"{number}.sql").write_text(example.replace("\\e", "\\"))
        lines = [f"sqlite3 -batch -cmd '.load libsnap_sqlite' :memory: <{n}.sql" for n in range(len(examples))]
        self.run_examples(SQLITE_PAGE, lines, **extension.environment(leaks=False))

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
