"""pip install ./cmd/capture, into a virtual environment and without a network."""

import os
import pathlib
import subprocess
import unittest

from capturing import ROOT, SANITIZED, CaptureCase, environment, pythons


class Pip(CaptureCase):
    def make_environment(self, python, folder):
        """The pip of the interpreter, which installs into an environment that has none; None if it cannot."""
        made = subprocess.run([python, "-m", "venv", "--clear", "--without-pip", folder], capture_output=True)
        pip = [python, "-m", "pip", "--python", f"{folder}/bin/python"]
        done = subprocess.run([*pip, "--version"], capture_output=True, cwd=self.folder)
        return pip if made.returncode == 0 and done.returncode == 0 else None

    def test_install(self):
        if SANITIZED:
            print(f"not run: {self.id()}: what pip builds is never sanitized")
            return
        folder = self.folder / "env"
        for python in reversed(pythons.FOUND.values()):
            pip = self.make_environment(python, folder)
            if pip is not None:
                break
        else:
            print(f"not run: {self.id()}: no interpreter has a pip that installs elsewhere")
            return
        done = subprocess.run([*pip, "install", "--no-index", "--disable-pip-version-check", ROOT / "cmd/capture"],
                              cwd=self.folder, capture_output=True, text=True, env=environment(**self.clean))
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.check(folder)
        subprocess.run([*pip, "uninstall", "-y", "snaptools"], check=True, capture_output=True, cwd=self.folder)
        self.assertEqual([path for path in folder.rglob("*snap*") if path.is_file()], [])

    def check(self, folder):
        """What it brought is whole, and none of it comes from the tree."""
        program = self.write("""
            import snapcapture
            print(snapcapture.__file__)
            kept = [bytearray(100) for _ in range(1000)]
        """)
        path = f"{folder}/bin:/usr/bin:/bin"
        done = self.run_tool(folder / "bin/snaprun", "-o", self.snaps, "--mode", "exact", "--top", "3", "--",
                             folder / "bin/python", "-B", program, env={**self.clean, "PATH": path})
        self.assertEqual((done.status, done.out.decode()), (0, f"{folder}/lib/snaptools/snapcapture.so\n"), done.err)
        self.assertRegex(done.err, r"\Aprocess ")
        snap, = self.only_series()
        self.assertGreaterEqual(self.blocks_at(snap, "program.py", 4), 2000)
        snap.unlink()
        (self.folder / "own").mkdir(exist_ok=True)
        program = self.write("""
            import snapcapture
            print(snapcapture.__file__)
            with snapcapture.start("own"):
                pass
        """)
        out = self.expect(folder / "bin/python", "-B", program, env={**self.clean, "PATH": path}).decode()
        self.assertEqual(pathlib.Path(out.strip()).parent.name, "site-packages")
        self.assertEqual(len(os.listdir(self.folder / "own")), 1)
        for file in (self.folder / "own").iterdir():
            self.expect(folder / "bin/snapinfo", "--check", file, out=None)
            file.unlink()


if __name__ == "__main__":
    unittest.main()
