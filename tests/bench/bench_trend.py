#!/usr/bin/env python3
"""`make bench`, third part: how long snaptrend takes for so many sites and snapshots, in one file and in one for each
snapshot. Processor time, the least of three runs. Exit status 2 when something could not be measured."""

import argparse
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from measuring import Failed, Launcher  # noqa: E402

SITES = (25000, 50000, 100000)
SNAPSHOTS = (10, 25, 50)
RUNS = 3
SECONDS_MOST, MEBIBYTES_MOST = 2, 300  # of the largest


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", default="build/bin", help="folder of the tools (default: build/bin)")
    parser.add_argument("--aids", default="build/tests/bench", help="folder of make_series and measure")
    parser.add_argument("--data", default="build/bench", help="folder for data and results (default: build/bench)")
    options = parser.parse_args()
    os.makedirs(options.data, exist_ok=True)
    launcher = Launcher(os.path.join(options.aids, "measure"), options.data)
    tool = lambda name: os.path.join(options.bin, name)

    def least(operands):
        runs = [launcher.run([tool("snaptrend"), "-q", *operands]) for _ in range(RUNS)]
        return min(runs, key=lambda cost: cost.cpu)

    def judged(cost):
        good = cost.cpu <= SECONDS_MOST and cost.peak <= MEBIBYTES_MOST * 1048576
        return "%.0f MiB   at most %d s and %d MiB: %s" % (
            cost.peak / 1048576, SECONDS_MOST, MEBIBYTES_MOST, "ok" if good else "SHORT")

    print("\ntrend: seconds, and nanoseconds for each site and snapshot, of one file")
    print("  %-20s" % "sites" + "".join("%19s" % ("%d snapshots" % count) for count in SNAPSHOTS))
    for sites in SITES:
        line = "  %-20d" % sites
        for count in SNAPSHOTS:
            series = os.path.join(options.data, "trend.snap")
            subprocess.run([os.path.join(options.aids, "make_series"), series, str(count), str(sites)], check=True)
            cost = least([series])
            line += "%19s" % ("%.2f (%.0f)" % (cost.cpu, cost.cpu * 1e9 / sites / count))
        print(line, flush=True)
    print("  %-44s %7.2f s, %s" % ("the largest", cost.cpu, judged(cost)))
    parts = []
    for number in range(1, SNAPSHOTS[-1] + 1):
        parts.append(os.path.join(options.data, "trend-%02d.snap" % number))
        subprocess.run([tool("snapcat"), "-q", "-f", "-o", parts[-1], "%s@%d" % (series, number)], check=True)
    cost = least(parts)
    print("  %-44s %7.2f s, %s" % ("the same in a file for each snapshot", cost.cpu, judged(cost)))
    for path in (series, *parts):
        os.unlink(path)


if __name__ == "__main__":
    try:
        main()
    except (Failed, OSError, subprocess.CalledProcessError) as error:
        print("bench_trend.py: %s" % error, file=sys.stderr)
        sys.exit(2)
