"""The man pages are there and clean."""

import os
import pathlib
import re
import subprocess
import unittest

ROOT = pathlib.Path(os.environ["SNAP_ROOT"])
PAGES = sorted(ROOT.glob("cmd/*.[1-8]")) + sorted(ROOT.glob("schema/*.[1-8]"))


class Manuals(unittest.TestCase):
    def test_every_tool_has_a_page(self):
        pages = {page.name for page in PAGES}
        tools = {f"{source.stem}.1" for source in ROOT.glob("cmd/snap*.c")}
        self.assertEqual(pages, tools | {"snap.5", "snap.7", "snap_sqlite.3"})

    def test_mandoc_finds_nothing(self):
        names = {page.name for page in PAGES}
        for page in PAGES:
            with self.subTest(page=page.name):
                done = subprocess.run(["mandoc", "-Tlint", page], capture_output=True, text=True)
                findings = []
                for line in (done.stdout + done.stderr).splitlines():
                    # Pages of ours that are not installed on this machine.
                    missing = re.search(r"referenced manual not found: Xr (\S+) (\d)", line)
                    if not (missing and f"{missing[1]}.{missing[2]}" in names):
                        findings.append(line)
                self.assertEqual(findings, [])

    def test_cross_references_lead_somewhere(self):
        names = {page.name for page in PAGES}
        for page in PAGES:
            for name, section in re.findall(r"^\.Xr (snap\w*) (\d)", page.read_text(), re.M):
                with self.subTest(page=page.name):
                    self.assertIn(f"{name}.{section}", names)


if __name__ == "__main__":
    unittest.main()
