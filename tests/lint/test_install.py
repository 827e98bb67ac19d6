"""`make install` puts everything where it belongs, programs build against it, `make uninstall` leaves
nothing."""

import os
import pathlib
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(os.environ["SNAP_ROOT"])

PROGRAM = """
#include <snap/output.h>
#include <snap/source.h>
#include <stdio.h>
#include <string.h>

int main(void)
{
	struct snap_source *source;
	struct snap_input *in;
	struct snap_error err;
	if (snap_input_from_memory(&in, "neither", 7, &err) < 0)
		return 1;
	if (snap_source_open(&source, in, NULL, &err) != SNAP_ERR_UNSUPPORTED)
		return 2;
	printf("%s\\n", snap_version());
	return 0;
}
"""


class Install(unittest.TestCase):
    def make(self, *arguments):
        env = {key: value for key, value in os.environ.items() if key not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
        done = subprocess.run(["make", "-C", ROOT, f"BUILD={os.environ['SNAP_BUILD']}", *arguments], env=env,
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_install_use_and_uninstall(self):
        with tempfile.TemporaryDirectory() as folder:
            stage = pathlib.Path(folder)
            self.make("install", f"DESTDIR={stage}", "PREFIX=/opt/snap")
            prefix = stage / "opt/snap"
            installed = {str(p.relative_to(prefix)) for p in prefix.rglob("*") if not p.is_dir()}
            wanted = {f"include/snap/{h.name}" for h in ROOT.glob("libsnap/include/snap/*.h")}
            wanted |= {f"bin/{source.stem}" for source in ROOT.glob("cmd/snap*.c")}
            wanted |= {f"share/man/man{p.suffix[1:]}/{p.name}" for d in ("cmd", "schema") for p in ROOT.glob(f"{d}/*.[1-8]")}
            wanted |= {f"lib/{name}" for name in ("libsnap.a", "libsnap.so", "libsnap.so.0", "libsnap.so.0.1.0",
                                                  "libsnap_sqlite.so", "snaptools/snapcapture.so",
                                                  "snaptools/sitecustomize.py", "snaptools/snaprun_aside.py",
                                                  "pkgconfig/snap.pc")}
            self.assertLessEqual(wanted, installed)
            # The second is there where the system has a Python.
            rest = {name for name in installed - wanted
                    if not name.startswith(("share/doc/snaptools/", "lib/snaptools/__pycache__/"))}
            self.assertEqual(rest, set())
            self.assertIn("share/doc/snaptools/LICENSE", installed)

            version = subprocess.run([prefix / "bin/snapcat", "--version"], check=True, capture_output=True, text=True)
            self.assertIn("0.1.0", version.stdout)
            self.check_program(stage, prefix)

            self.make("uninstall", f"DESTDIR={stage}", "PREFIX=/opt/snap")
            left = [str(p) for p in stage.rglob("*") if not p.is_dir()]
            self.assertEqual(left, [])

    def check_program(self, stage, prefix):
        source = stage / "program.c"
        source.write_text(PROGRAM)
        env = dict(os.environ, PKG_CONFIG_LIBDIR=f"{prefix}/lib/pkgconfig", PKG_CONFIG_SYSROOT_DIR=str(stage))
        flags = subprocess.run(["pkg-config", "--cflags", "--libs", "snap"], env=env, check=True, capture_output=True,
                               text=True).stdout.split()
        subprocess.run(["cc", source, "-o", stage / "shared", *flags], check=True)
        run = subprocess.run([stage / "shared"], env={"LD_LIBRARY_PATH": str(prefix / "lib")}, check=True,
                             capture_output=True, text=True)
        self.assertEqual(run.stdout, "0.1.0\n")
        flags = subprocess.run(["pkg-config", "--static", "--cflags", "--libs", "snap"], env=env, check=True,
                               capture_output=True, text=True).stdout.split()
        subprocess.run(["cc", source, "-o", stage / "static", *["-l:libsnap.a" if f == "-lsnap" else f for f in flags]],
                       check=True)
        run = subprocess.run([stage / "static"], check=True, capture_output=True, text=True)
        self.assertEqual(run.stdout, "0.1.0\n")
        for name in ("program.c", "shared", "static"):
            (stage / name).unlink()

    def test_programs_build_against_the_tree(self):
        flags = subprocess.run(["pkg-config", "--cflags", "--libs", "snap"], check=True, capture_output=True, text=True,
                               env=dict(os.environ, PKG_CONFIG_PATH=f"{os.environ['SNAP_BUILD']}/lib/pkgconfig"))
        with tempfile.TemporaryDirectory() as folder:
            source = pathlib.Path(folder) / "program.c"
            source.write_text(PROGRAM)
            subprocess.run(["cc", source, "-o", f"{folder}/program", *flags.stdout.split()], check=True)


if __name__ == "__main__":
    unittest.main()
