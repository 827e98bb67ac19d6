#!/usr/bin/env python3
"""Runs regression tests of CPython itself under snaprun: for the program nothing may be different.

Each interpreter that ships its tests runs each of them in each mode. What fails is run again without
snaprun, and in mode tracemalloc with Python's own tracing alone, which begins where snaprun's does: it counts where it
passes then. One line for each test, and status 1 when anything counts.

usage: regression.py --bin DIR [--mode MODE]… [--python PATH]… [TEST]…"""

import argparse
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time

import pythons
from stress import MODES, clean_environment

TESTS = ("test_gc", "test_json", "test_pickle", "test_threading", "test_subprocess", "test_asyncio")
PATIENCE = 1800
TROUBLE = re.compile(r"^(?:(?:ERROR|FAIL): .*|Warning -- .*|\S*Error: .*|Fatal Python error.*|snapcapture\[.*)$", re.M)


def run(command, environment):
    """(passed, what it said)"""
    with tempfile.TemporaryDirectory(prefix="snap-regression-") as folder:
        with open(os.path.join(folder, "said"), "w+b") as said:
            try:
                status = subprocess.run(command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=said,
                                        stderr=said, timeout=PATIENCE).returncode
            except subprocess.TimeoutExpired:
                status = None
            said.seek(0)
            return status == 0, said.read().decode("utf-8", "backslashreplace")


def passes_under_tracemalloc(command):
    with tempfile.TemporaryDirectory(prefix="snap-regression-") as folder:
        pathlib.Path(folder, "sitecustomize.py").write_text("import tracemalloc\ntracemalloc.start(10)\n")
        return run(command, {**clean_environment(), "PYTHONPATH": folder})[0]


def has_tests(python):
    return subprocess.run([python, "-c", "import test.test_gc"], capture_output=True).returncode == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", type=pathlib.Path, required=True, help="folder of the tools")
    parser.add_argument("--mode", action="append", choices=MODES)
    parser.add_argument("--python", action="append")
    parser.add_argument("tests", nargs="*", default=TESTS)
    options = parser.parse_args()
    failed = False
    # In the background of a shell it is ignored, and some of these tests would wait for it for ever.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for version, python in ({path: path for path in options.python} if options.python else pythons.FOUND).items():
        if not has_tests(python):
            print(f"not run: CPython {version} comes without its tests")
            continue
        for mode in options.mode or MODES:
            for test in options.tests:
                plain = [python, "-m", "test", test]
                with tempfile.TemporaryDirectory(prefix="snap-regression-") as snaps:
                    started = time.monotonic()
                    passed, said = run([options.bin.resolve() / "snaprun", "-o", snaps, "--mode", mode, "--every", "1s",
                                        "--keep", "3", "--", *plain], clean_environment())
                    seconds, files = time.monotonic() - started, len(os.listdir(snaps))
                verdict = "passed"
                if not passed:
                    name = "without snaprun"
                    passes_alone, _ = run(plain, clean_environment())
                    if passes_alone and mode == "tracemalloc":
                        name = "under tracemalloc alone"
                        passes_alone = passes_under_tracemalloc(plain)
                    verdict = "FAILED" if passes_alone else f"failed, and so it does {name}"
                    failed |= passes_alone
                print(f"{version:24} {mode:12} {test:16} {seconds:4.0f} s, {files:4} files: {verdict}", flush=True)
                for line in [] if passed else TROUBLE.findall(said)[:20] + said.splitlines()[-5:]:
                    print("    " + line, flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())
