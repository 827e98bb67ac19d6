#!/usr/bin/env python3
"""Whether what the tools say of samples is so: one process captures one mixed stream of blocks over and over, each time
with another seed, and `snaptop --json` estimates from each snapshot what is known exactly. The mean over all seeds has to
be that, within its own standard error; and the true value has to lie within ± as often as the tools promise, where there
are enough samples for that.

usage: estimates.py --bin DIR [--python PATH] [--seeds N]"""

import argparse
import json
import math
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

import pythons

# Bytes of a block, and how many there are, on a line each. The mixture is 1 : 50 : 500 and so on, not one after the other.
SITES = {64: 100_000, 4096: 2_000, 1 << 20: 200}
PERIODS = (1 << 16, 1 << 19)
ENOUGH = 50  # samples at a line
PROGRAM = """
import os, sys
sys.path.insert(0, os.environ["AGENT"])
import snapcapture
small, middle, large = bytes(31), bytes(4063), bytes((1 << 20) - 33)
assert [sys.getsizeof(kind) for kind in (small, middle, large)] == [64, 4096, 1 << 20]
folder, period = sys.argv[1], int(sys.argv[2])
for seed in range(1, int(sys.argv[3]) + 1):
    os.environ["SNAPRUN_SEED"] = str(seed)
    kept = [None] * 102_200
    capture = snapcapture.start(folder, mode="sampled", period=period)
    for n in range(100_000):
        kept[n] = bytes(31)
        if n % 50 == 0:
            kept[100_000 + n // 50] = bytes(4063)
        if n % 500 == 0:
            kept[102_000 + n // 500] = bytes((1 << 20) - 33)
    snapcapture.stop()
    del kept
"""
LINES = {next(number for number, line in enumerate(PROGRAM.splitlines(), 1) if f"= {text}" in line and "kept[" in line): size
         for text, size in (("bytes(31)", 64), ("bytes(4063)", 4096), ("bytes((1 << 20)", 1 << 20))}


def estimates_of(bin, path):
    """{block size: (bytes, error)}"""
    done = subprocess.run([bin / "snaptop", "--json", "0", path], check=True, capture_output=True, text=True)
    rows = {}
    for row in json.loads(done.stdout)["rows"]:
        frame = row["traceback"][0]
        if frame["file"].endswith("/stream.py") and frame["line"] in LINES:
            rows[LINES[frame["line"]]] = (row["size"], row["size_error"])
    return {size: rows.get(size, (0, 0)) for size in SITES}


def judge(size, period, found, errors):
    """(line to show, what is wrong or None)"""
    truth = size * SITES[size]
    mean, deviation = statistics.mean(value for value, _ in found), statistics.pstdev(value for value, _ in found)
    # Of blocks that are all sampled only what is rounded off is missing.
    away = (mean - truth) / max(deviation / math.sqrt(len(found)), truth / 1e6)
    covered = sum(abs(value - truth) <= error for value, error in found) / len(found)
    samples = SITES[size] * -math.expm1(-size / period)
    shown = (f"{period >> 10:>4} KiB a sample, {SITES[size]:>6} blocks of {size:>7} B: mean {mean / truth - 1:+.3%}, "
             f"{away:+.1f} standard errors; the truth is within ± in {covered:.1%}")
    # One standard deviation of that share, three of which are allowed.
    slack = 3 * math.sqrt(0.95 * 0.05 / len(found))
    if abs(away) > errors:
        return shown, f"{shown}: biased"
    few = samples < ENOUGH or SITES[size] - samples < 1
    if not few and not 0.95 - slack <= covered <= 0.95 + slack:
        return shown, f"{shown}: ± is wrong"
    return shown, None


def measure(bin, python, seeds, errors, environment):
    """(lines to show, what is wrong)"""
    lines, wrong = [], []
    with tempfile.TemporaryDirectory(prefix="snap-estimates-") as folder:
        program = pathlib.Path(folder, "stream.py")
        program.write_text(PROGRAM)
        for period in PERIODS:
            snaps = pathlib.Path(folder, str(period))
            snaps.mkdir()
            subprocess.run([python, "-B", program, snaps, str(period), str(seeds)], check=True,
                           env={**environment, "AGENT": str(bin.parent / "lib/snaptools"), "PYTHONHASHSEED": "0"})
            found = [estimates_of(bin, path) for path in sorted(snaps.iterdir())]
            assert len(found) == seeds, f"{len(found)} snapshots of {seeds}"
            for size in SITES:
                line, complaint = judge(size, period, [estimates[size] for estimates in found], errors)
                lines.append(line)
                if complaint:
                    wrong.append(complaint)
    return lines, wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    parser.add_argument("--python", default=next(iter(pythons.FOUND.values()), None))
    parser.add_argument("--seeds", type=int, default=1000)
    args = parser.parse_args()
    lines, wrong = measure(args.bin.resolve(), args.python, args.seeds, 3, dict(os.environ))
    print(f"estimates over {args.seeds} seeds, with {args.python}", *lines, *(f"WRONG {line}" for line in wrong), sep="\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
