"""Runs programs under snaprun, in a folder of their own, with each interpreter that is at hand."""

import os
import pathlib
import re
import signal
import subprocess
import sys
import textwrap
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "tests/cli"), str(ROOT / "tests/oracle")]

import pythons  # noqa: E402
import snapdump  # noqa: E402
from running import BIN, ToolCase, environment  # noqa: E402

AGENT = BIN.parent / "lib/snaptools"
NAME = re.compile(r"\A(.+)-(\d{8}T\d{6}Z)-(\d+)(\.\d+)?-(\d{6})\.snap\Z")
SANITIZED = os.environ.get("SNAP_VARIANT") == "asan"
PATIENCE = 60 if SANITIZED else 30


def sanitizer():
    """What a program needs that was not built for the sanitizer and loads an agent that was."""
    if not SANITIZED:
        return {}
    library = subprocess.run(["gcc", "-print-file-name=libasan.so"], check=True, capture_output=True, text=True)
    options = os.environ.get("ASAN_OPTIONS", "")
    return {"LD_PRELOAD": os.path.realpath(library.stdout.strip()), "ASAN_OPTIONS": f"{options}:detect_leaks=0"}


class CaptureCase(ToolCase):
    python = None
    mode = "exact"  # unless a test's options name another

    def setUp(self):
        super().setUp()
        self.snaps = self.folder / "snaps"
        # The machine's own container may be full.
        self.clean = {"PYTHONPATH": None, "PYTHONTRACEMALLOC": None, "PYTHONSTARTUP": None,
                      "SNAP_CGROUP_ROOT": str(self.folder / "no-groups"), **sanitizer()}

    def write(self, text, name="program.py"):
        path = self.folder / name
        path.write_text(textwrap.dedent(text))
        return path

    def command(self, program, *arguments, options=(), command=None):
        if program is not None and not isinstance(program, pathlib.Path):
            program = self.write(program)
        command = command or [self.python, "-B", program]
        return [os.fspath(part) for part in ("snaprun", "-o", self.snaps, "--mode", self.mode, *options, "--", *command, *arguments)]

    def capture(self, program, *arguments, options=(), command=None, status=0, out=None, err="", env=None, **more):
        """Runs a program to its end; returns what it printed."""
        return self.expect(*self.command(program, *arguments, options=options, command=command), status=status,
                           out=out, err=err, env={**self.clean, **(env or {})}, **more)

    def begin(self, program, *arguments, options=(), command=None, **more):
        """Runs a program and leaves it running; its output is read from .stdout."""
        more.setdefault("stderr", subprocess.PIPE)
        more.setdefault("stdin", subprocess.DEVNULL)
        process = subprocess.Popen(self.command(program, *arguments, options=options, command=command),
                                   cwd=self.folder, env=environment(**self.clean),
                                   stdout=subprocess.PIPE, text=True, bufsize=1, **more)
        self.addCleanup(self.end, process)
        return process

    def end(self, process):
        if process.poll() is None:
            process.kill()
        process.communicate()

    def ready(self, process):
        self.assertEqual(process.stdout.readline(), "ready\n", process.poll())

    def triggers(self, paths):
        return [self.meta(path)["capture.trigger"] for path in paths]

    def finish(self, process, status=0, err=""):
        if process.stdin is not None:
            process.stdin.close()
            process.stdin = None
        process.stdout.read()
        said = process.stderr.read()
        self.assertEqual((process.wait(PATIENCE), said), (status, err))

    def wait_until(self, condition, what):
        limit = time.monotonic() + PATIENCE
        while not condition():
            self.assertLess(time.monotonic(), limit, f"waited in vain for {what}")
            time.sleep(0.01)

    def series(self):
        """{pid: [path, …]} in the order of time."""
        found = {}
        for path in sorted(self.snaps.iterdir() if self.snaps.exists() else ()):
            self.assertRegex(path.name, NAME)
            found.setdefault(int(NAME.match(path.name)[3]), []).append(path)
        return found

    def only_series(self):
        series = self.series()
        self.assertEqual(len(series), 1, series)
        return next(iter(series.values()))

    def read(self, path):
        """The one member of a file, by the second decoder."""
        self.assertEqual(path.stat().st_mode & 0o7777, 0o600)
        members = list(snapdump.read_members(path.read_bytes()))
        self.assertEqual(len(members), 1)
        return members[0]

    def meta(self, path):
        return {key.decode(): value.decode() for key, value in self.read(path).meta}

    def blocks_at(self, path, name, line):
        """Blocks whose newest frame is this line."""
        return sum(values[0] for frames, _, _, _, values in self.read(path).rows()
                   if frames[0][0].decode().endswith(name) and frames[0][1] == line)

    def request(self, *arguments):
        return pathlib.Path(self.expect("snaptake", *map(str, arguments)).decode().rstrip("\n"))


def chosen_pythons(few):
    """What differs in each version is tested in all of them, the rest in the oldest, the newest and the system's, and
    what the sanitizer slows down in the last two. SNAP_PYTHONS names others."""
    if "SNAP_PYTHONS" in os.environ or not (few or SANITIZED):
        return pythons.FOUND
    by_age = sorted(pythons.FOUND, key=lambda version: int(version.split()[0].split(".")[1]))
    ends = by_age[-1:] if SANITIZED else (by_age[0], by_age[-1])
    chosen = {version: path for version, path in pythons.FOUND.items()
              if version in ends or os.path.realpath(path).startswith("/usr/bin/")}
    for version in pythons.FOUND.keys() - chosen.keys():
        print(f"not run: {os.path.basename(sys.argv[-1])} with CPython {version}: {', '.join(chosen)} stand for it")
    return chosen


def classes(cases, found, **members):
    """One for each case and interpreter, by name."""
    made = {}
    for version, path in found.items():
        for case in cases:
            name = f"{case.__name__}_{re.sub(r'[^0-9A-Za-z]+', '_', version)}"
            made[name] = type(name, (case, CaptureCase), {"python": path, **members})
    return made


def for_each_python(*cases, few=False):
    """Says which versions cannot be tested here."""
    for version in pythons.MISSING:
        print(f"not run: CPython {version} is not at hand")
    return classes(cases, chosen_pythons(few))


def for_each_unknown_python(*cases):
    """Those that our tracer does not know."""
    if not pythons.FOUND_UNKNOWN:
        print(f"not run: CPython {', '.join(pythons.UNKNOWN)} is not at hand")
    return classes(cases, pythons.FOUND_UNKNOWN, mode="tracemalloc")


__all__ = ["AGENT", "BIN", "CaptureCase", "PATIENCE", "ROOT", "SANITIZED", "environment", "for_each_python", "for_each_unknown_python", "pythons", "signal", "snapdump"]
