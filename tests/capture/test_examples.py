"""The examples of snaprun's and snaptake's man pages and of --help, run."""

import re
import shutil
import subprocess
import sys
import unittest

from capturing import ROOT, CaptureCase, environment

SERVICE = """
    import os, sys, time
    kept = []
    until = time.time() + (float(sys.argv[1]) if len(sys.argv) > 1 else 0)
    with open("service.pid", "w") as file:
        file.write(str(os.getpid()))
    while True:
        kept.append(bytearray(100))
        time.sleep(0.01)
        if time.time() > until:
            break
"""


class Examples(CaptureCase):
    python = sys.executable

    def run_examples(self, lines):
        self.assertTrue(lines)
        (self.folder / "bin").mkdir(exist_ok=True)
        if not (self.folder / "bin/python3").exists():
            self.write(f'#!/bin/sh\nexec "{sys.executable}" -B "$@"\n', "bin/python3").chmod(0o755)
        path = f"{self.folder}/bin:{environment()['PATH']}"
        for line in lines:
            with self.subTest(line=line):
                done = self.shell(f"set -o pipefail; {line}", **{**self.clean, "PATH": path})
                self.assertEqual((done.status, done.err), (0, ""))
                if "-o" not in line.split():
                    self.assertTrue(done.out)

    def of_page(self, tool):
        return re.findall(r"^\$ (.*)$", (ROOT / f"cmd/{tool}.1").read_text(), re.M)

    def of_help(self, tool):
        return re.findall(r"^  (snap.*)$", self.expect(tool, "--help").decode().partition("Examples:\n")[2], re.M)

    def test_snaprun(self):
        self.write(SERVICE, "service.py")
        self.run_examples(self.of_page("snaprun"))
        for name in ("snaps", "often"):
            shutil.rmtree(self.folder / name)
        self.run_examples(self.of_help("snaprun"))

    def test_snaptake(self):
        service = self.begin(self.write(SERVICE, "service.py"), "60")
        pid = self.folder / "service.pid"
        self.wait_until(lambda: pid.exists() and subprocess.run(["snaptake", str(service.pid)], capture_output=True,
                                                               env=environment()).returncode == 0, "the service")
        self.run_examples(self.of_page("snaptake") + self.of_help("snaptake"))

    def test_man_pages_name_every_option(self):
        for tool in ("snaprun", "snaptake"):
            items = re.findall(r"^\.It (.*)$", (ROOT / f"cmd/{tool}.1").read_text(), re.M)
            documented = {name for item in items for name in re.findall(r"Fl Fl ([a-z-]+)", item)}
            options = set(re.findall(r"^  .{4}--([a-z-]+)", self.expect(tool, "--help").decode(), re.M))
            self.assertEqual(documented, options, tool)


if __name__ == "__main__":
    unittest.main()
