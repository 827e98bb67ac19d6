#!/usr/bin/env python3
"""Runs the tests of one or more build folders and ends with one line, "N passed, N failed".

A test program (BUILD/tests/*/*) ends with such a line of its own; a Python file (tests/*/test_*.py) is
run by unittest, one process a file, and its methods are counted. A skipped test has not passed, so it
counts as failed; so does a program that crashes, hangs, or tests nothing. What a machine has not got, such
as another interpreter, is named in lines "not run: …", which are always shown.

Python tests find in the environment: SNAP_BIN (folder of the tools), SNAP_BUILD (build folder),
SNAP_VARIANT (plain, asan or clang), SNAP_ROOT (the source tree).
"""

import argparse
import concurrent.futures
import io
import os
import pathlib
import re
import signal
import subprocess
import sys
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent
TIME_LIMIT = 3600  # seconds, for the longest takes 1500 where others run beside it
SANITIZER_EXIT = "99"

VARIANTS = {"asan", "clang"}
# Rooms that look at sources and not at what a variant does: once is enough.
ONCE = {"lint"}
FAST = {"unit", "cli", "lint", "pipes"}
# Rooms whose programs run for minutes start first.
SLOW = {"fault", "oracle"}


class Job:
    """One test program or Python file, against one build."""

    def __init__(self, build, path):
        self.build = build
        self.path = path
        self.is_python = path.suffix == ".py"
        base = ROOT / "tests" if self.is_python else build / "tests"
        self.room = path.relative_to(base).parts[0]
        shown = os.path.relpath(path, ROOT)
        self.title = f"{shown} ({build.name})" if self.is_python else shown

    def command(self):
        if self.is_python:
            return [sys.executable, "-B", __file__, "--file", str(self.path)]
        if self.room == "fuzz":
            return [str(self.path), *map(str, fuzz_seeds(self.path.name))]
        return [str(self.path)]

    def environment(self):
        env = dict(os.environ)
        env["SNAP_ROOT"] = str(ROOT)
        env["SNAP_BUILD"] = str(self.build)
        env["SNAP_BIN"] = str(self.build / "bin")
        env["SNAP_VARIANT"] = self.build.name if self.build.name in VARIANTS else "plain"
        env["PYTHONDONTWRITEBYTECODE"] = "1"
        # An exit status that no tool has, so that no test takes a finding for an answer.
        env["ASAN_OPTIONS"] = f"allocator_may_return_null=1:exitcode={SANITIZER_EXIT}:detect_leaks=1"
        env["LSAN_OPTIONS"] = f"exitcode={SANITIZER_EXIT}"
        env["UBSAN_OPTIONS"] = f"print_stacktrace=1:exitcode={SANITIZER_EXIT}"
        return env


def fuzz_seeds(name):
    """What a fuzz target replays: its corpus, and every example of the formats there is."""
    folders = [ROOT / "testdata/corpus" / name.removeprefix("fuzz_"), ROOT / "testdata/golden", ROOT / "testdata/bad",
               ROOT / "testdata/foreign"]
    return [folder for folder in folders if folder.is_dir()]


def find_jobs(builds, rooms, patterns):
    jobs = []
    for number, build in enumerate(builds):
        # By source, since a program may have outlived its own.
        sources = sorted((ROOT / "tests").glob("unit/test_*.c")) + sorted((ROOT / "tests").glob("fuzz/fuzz_*.c"))
        found = [build / "tests" / source.relative_to(ROOT / "tests").with_suffix("") for source in sources]
        found += sorted((ROOT / "tests").glob("*/test_*.py"))
        for path in found:
            job = Job(build, path)
            if rooms and job.room not in rooms:
                continue
            if job.room in ONCE and number > 0:
                continue
            if patterns and not any(p in job.title for p in patterns):
                continue
            jobs.append(job)
    return sorted(jobs, key=lambda job: job.room not in SLOW)


CLOSING = re.compile(r"^(\d+) passed, (\d+) failed$", re.M)


def run(job):
    """Returns (passed, failed, seconds, output)."""
    started = time.monotonic()
    if not job.path.exists():
        return 0, 1, 0.0, f"{job.path} is not built\n"
    process = subprocess.Popen(job.command(), env=job.environment(), cwd=ROOT, stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        output, _ = process.communicate(timeout=TIME_LIMIT)
        problem = ""
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output, _ = process.communicate()
        problem = f"did not end within {TIME_LIMIT} s"
    text = output.decode("utf-8", "backslashreplace")
    counts = CLOSING.findall(text)
    passed, failed = map(int, counts[-1]) if counts else (0, 0)
    if not problem and process.returncode < 0:
        problem = f"killed by {signal.Signals(-process.returncode).name}"
    elif not problem and failed == 0 and process.returncode != 0:
        problem = f"exit status {process.returncode}"
    elif not problem and passed + failed == 0:
        problem = "tests nothing"
    if problem:
        failed += 1
        text += f"FAILED: {problem}\n"
    return passed, failed, time.monotonic() - started, text


class CountingResult(unittest.TestResult):
    def __init__(self, stream):
        super().__init__()
        self.stream = stream
        self.passed = 0
        self.failed = 0
        self.hurt = set()

    def note(self, test, what, detail):
        """A test counts once, however many of its subtests fail."""
        name = test.id()
        if name not in self.hurt:
            self.failed += 1
            self.hurt.add(name)
        self.stream.write(f"{what} {name}\n{detail.rstrip()}\n")

    def addSuccess(self, test):
        if test.id() not in self.hurt:
            self.passed += 1

    def addFailure(self, test, err):
        self.note(test, "FAILED", self._exc_info_to_string(err, test))

    addError = addFailure

    def addSubTest(self, test, subtest, err):
        if err is not None:
            self.note(test, f"FAILED {subtest}:", self._exc_info_to_string(err, test))

    def addSkip(self, test, reason):
        self.note(test, "SKIPPED, which counts as failed:", reason)

    def addExpectedFailure(self, test, err):
        self.note(test, "FAILED as expected, which counts as failed:", self._exc_info_to_string(err, test))

    def addUnexpectedSuccess(self, test):
        self.note(test, "UNEXPECTED SUCCESS", "")


def run_file(path):
    """Runs one Python file in this process."""
    path = pathlib.Path(path)
    sys.path.insert(0, str(path.parent))
    stream = io.TextIOWrapper(sys.stdout.buffer, "utf-8", "backslashreplace", line_buffering=True)
    suite = unittest.defaultTestLoader.loadTestsFromName(path.stem)
    result = CountingResult(stream)
    suite.run(result)
    stream.write(f"{result.passed} passed, {result.failed} failed\n")
    return 0 if result.failed == 0 and result.passed > 0 else 1


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("builds", nargs="*", metavar="BUILD", help="build folders (default: build)")
    parser.add_argument("--fast", action="store_true", help="only what takes seconds: " + ", ".join(sorted(FAST)))
    parser.add_argument("--only", action="append", metavar="ROOM", help="only tests/ROOM")
    parser.add_argument("-k", action="append", metavar="TEXT", help="only programs with TEXT in their name")
    parser.add_argument("-j", type=int, default=os.cpu_count(), metavar="N", help="programs at a time")
    parser.add_argument("-v", action="store_true", help="show what passing programs print as well")
    parser.add_argument("--file", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.file:
        return run_file(args.file)

    # A shell ignores it for what it runs in the background, and tests of Ctrl-C would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    builds = [pathlib.Path(b).resolve() for b in args.builds or ["build"]]
    rooms = set(args.only or []) | (FAST if args.fast else set())
    jobs = find_jobs(builds, rooms, args.k)
    passed = failed = 0
    with concurrent.futures.ThreadPoolExecutor(args.j) as pool:
        for job, result in zip(jobs, pool.map(run, jobs)):
            job_passed, job_failed, seconds, text = result
            if job_failed or args.v:
                print(text, end="" if text.endswith("\n") else "\n")
            elif "\nnot run: " in f"\n{text}":
                print("".join(f"{line}\n" for line in text.splitlines() if line.startswith("not run: ")), end="")
            print(f"{'FAILED' if job_failed else 'ok':6} {job.title}: {job_passed} passed, {job_failed} failed,"
                  f" {seconds:.1f} s", flush=True)
            passed += job_passed
            failed += job_failed
    print(f"{passed} passed, {failed} failed")
    return 0 if passed > 0 and failed == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
