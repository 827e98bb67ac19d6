#!/usr/bin/env python3
"""Puts the capture under fire: each interpreter in each mode runs stress_program.py for a while.

Nothing may crash, hang or fail; every file that is left must pass `snapinfo --check`, and say that the sites
of the tracer add up to what it has counted (capture.self_check). One line for each run, and status 1 when
anything was not so.

usage: stress.py --bin DIR [--seconds N] [--mode MODE]… [--python PATH]… [--seed N]"""

import argparse
import collections
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

import pythons

HERE = pathlib.Path(__file__).resolve().parent
MODES = ("sampled", "exact", "tracemalloc")
# Python's own words where a finalizer runs at the bottom of a recursion.
TOO_DEEP = re.compile(r"^(Exception ignored in.*|Traceback .*|  File .*|    .*|RecursionError: .*)\n", re.M)
PATIENCE = 240  # seconds beyond those of the run: on a machine that has other work to do


def check_files(bin, paths):
    """(what is wrong, Counter of triggers)"""
    wrong, triggers = [], collections.Counter()
    for path in paths:
        done = subprocess.run([bin / "snapinfo", "--check", "--json", path], capture_output=True, text=True)
        if done.returncode != 0:
            wrong.append(f"{path.name}: {done.stderr.strip()}")
            continue
        for member in members_of(json.loads(done.stdout)):
            meta = member["meta"]
            triggers[meta.get("capture.trigger")] += 1
            if meta["capture.mode"] != "tracemalloc" and meta.get("capture.self_check") != "ok":
                wrong.append(f"{path.name}: capture.self_check is {meta.get('capture.self_check')}")
            if meta.get("capture.lost_blocks", "0") != "0":
                wrong.append(f"{path.name}: {meta['capture.lost_blocks']} blocks are lost")
    return wrong, triggers


def members_of(shown):
    """The snapshots in what `snapinfo --json` says."""
    if isinstance(shown, dict):
        if "meta" in shown:
            yield shown
        else:
            for value in shown.values():
                yield from members_of(value)
    elif isinstance(shown, list):
        for value in shown:
            yield from members_of(value)


def stress(bin, python, mode, seconds, seed, environment):
    """Returns ([what is wrong], a line that tells what was done)."""
    with tempfile.TemporaryDirectory(prefix="snap-stress-") as folder:
        folder = pathlib.Path(folder)
        result, snaps = folder / "result", folder / "snaps"
        command = [bin / "snaprun", "-o", snaps, "--mode", mode, "--every", "50ms", "--keep", "6", "--", python, "-B",
                   "-X", "faulthandler", HERE / "stress_program.py", str(seconds), str(seed), mode, result]
        started = time.monotonic()
        with open(folder / "said", "w+b") as said:
            try:
                status = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, cwd=folder,
                                        env=environment, timeout=seconds + PATIENCE).returncode
            except subprocess.TimeoutExpired:
                status = "none: it did not end"
            said.seek(0)
            text = said.read().decode("utf-8", "backslashreplace")
            if "RecursionError" in text:
                text = TOO_DEEP.sub("", text)
        wrong = [] if status == 0 else [f"exit status {status}"]
        if text:
            wrong.append("it said:\n" + text[:20000])
        done, errors = {}, []
        if result.exists():
            shown = json.loads(result.read_text())
            done, errors = shown["done"], shown["errors"]
        wrong += errors
        paths = sorted(snaps.iterdir()) if snaps.exists() else []
        wrong += [f"{path.name}: not the name of a snapshot" for path in paths if not path.name.endswith(".snap")]
        found, triggers = check_files(bin, [path for path in paths if path.name.endswith(".snap")])
        wrong += found
        if not {"code", "interval"} <= triggers.keys() and seconds >= 3:
            wrong.append(f"snapshots were left by {dict(triggers)} only")
        line = (f"{time.monotonic() - started:4.0f} s, {sum(done.values())} turns, {done.get('fork', 0)} forks, "
                f"{done.get('stop_and_start', 0)} stops, {len(paths)} files")
        return wrong, line


def clean_environment():
    strange = re.compile(r"PYTHON(PATH|TRACEMALLOC|STARTUP|HOME|MALLOC)\Z|SNAPRUN_")
    return {key: value for key, value in os.environ.items() if not strange.match(key)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", type=pathlib.Path, required=True, help="folder of the tools")
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--mode", action="append", choices=MODES)
    parser.add_argument("--python", action="append")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    found = {path: path for path in options.python} if options.python else pythons.FOUND
    failed = False
    for version in pythons.MISSING if not options.python else ():
        print(f"not run: CPython {version} is not at hand")
    for version, path in found.items():
        for mode in options.mode or MODES:
            wrong, line = stress(options.bin.resolve(), path, mode, options.seconds, options.seed, clean_environment())
            print(f"{version:24} {mode:12} {line}, seed {options.seed}: {'FAILED' if wrong else 'ok'}", flush=True)
            for what in wrong:
                print("    " + what.replace("\n", "\n    "), flush=True)
            failed |= bool(wrong)
    return failed


if __name__ == "__main__":
    sys.exit(main())
