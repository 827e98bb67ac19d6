#!/usr/bin/env python3
"""`make bench`: the tools against CPython's own tracemalloc on the same dumps, whole processes, in turns, in one run; then
the sizes of files. Makes the data it needs first. Exit status 2 when something could not be measured."""

import argparse
import datetime
import os
import platform
import subprocess
import sys

import peers
from measuring import FEWEST, SHORT, Failed, Launcher, compare, median, repeated

HERE = os.path.dirname(os.path.abspath(__file__))
FRAMES = (1, 10, 25)
MEBIBYTE = 1024 * 1024
# Where the issue names targets for one data set, it is this one.
JUDGED = "1000000x25"


class Targets:
    """What was asked for, and how much of it was reached."""

    def __init__(self):
        self.reached = 0
        self.missed = []
        self.failures = []

    def judge(self, name, value, wanted, at_most=False):
        """A word for the end of the line; `wanted` None means that nothing was promised."""
        if wanted is None:
            return ""
        reached = value <= wanted if at_most else value >= wanted
        if reached:
            self.reached += 1
        else:
            self.missed.append(name)
        return "ok" if reached else "SHORT"

    def fail(self, name, reason):
        self.failures.append(name)
        print("  %-34s FAILED: %s" % (name, reason), flush=True)

    def summary(self):
        print("\n%d targets reached, %d short, %d not measured" % (self.reached, len(self.missed), len(self.failures)))
        for name in self.missed:
            print("  short: " + name)
        for name in self.failures:
            print("  not measured: " + name)


class Operation:
    """One line of the table: our command or pipe against a program for python3 -c."""

    def __init__(self, name, ours, peer, arguments, faster=None, memory=None):
        self.name = name
        self.ours = ours
        self.peer = peer
        self.arguments = arguments
        self.faster = faster
        self.memory = memory


class Bench:
    def __init__(self, options):
        self.bin = options.bin
        self.data = options.data
        self.python = options.python
        self.runs = options.runs
        self.slow = options.slow
        self.decode_helper = options.decode or self.helper("bench_decode")
        self.targets = Targets()
        self.launcher = Launcher(self.helper("measure"), options.data)

    def tool(self, name):
        return os.path.join(self.bin, name)

    def helper(self, name):
        tests = os.path.join(os.path.dirname(os.path.normpath(self.bin)), "tests")
        beside = os.path.join(tests, name)
        return beside if os.path.exists(beside) else os.path.join(tests, "bench", name)

    def file(self, name):
        return os.path.join(self.data, name)

    def operations(self, name):
        judged = name == JUDGED
        dumps = [self.file(name + "-a.pickle"), self.file(name + "-b.pickle")]
        old, new = self.file(name + "-a.snap"), self.file(name + "-b.snap")
        convert = [self.tool("snapcat"), "-o", old, dumps[0]]

        def top(title, options, peer, faster=None):
            return Operation(title, [self.tool("snaptop")] + options + ["25", old], peer, dumps[:1], faster)

        return [
            Operation("snapcat / pickle.load", convert, peers.LOAD, dumps[:1], 2 if judged else None, 3 if judged else None),
            Operation("snapcat / the same, gc off", convert, peers.LOAD_WITHOUT_COLLECTOR, dumps[:1]),
            top("snaptop 25", [], peers.statistics("lineno"), 150 if judged else None),
            top("snaptop -c 25", ["-c"], peers.statistics("lineno", True), 500 if judged else None),
            top("snaptop -g filename 25", ["-g", "filename"], peers.statistics("filename")),
            top("snaptop -g traceback 25", ["-g", "traceback"], peers.TRACEBACKS),
            Operation("snapfilter -a, 3 excludes", self.excludes() + [old], peers.FILTER, dumps[:1], 200 if judged else None),
            Operation("snapdiff | snaptop 25", [[self.tool("snapdiff"), old, new], [self.tool("snaptop"), "25"]],
                      peers.COMPARISON, dumps, 50 if judged else None, 15 if judged else None),
        ]

    def excludes(self):
        return [self.tool("snapfilter"), "-a"] + [word for glob in peers.NOISE for word in ("-x", glob)]

    def prepare(self, name):
        """Makes what the operations read, and has every file in the page cache."""
        for letter in "ab":
            dump, snap = self.file("%s-%s.pickle" % (name, letter)), self.file("%s-%s.snap" % (name, letter))
            self.convert(snap, [dump])
            for path in (dump, snap):
                with open(path, "rb") as file:
                    while file.read(MEBIBYTE):
                        pass

    def convert(self, snap, dumps):
        """Never leaves the file of an earlier run, whose size would be taken for this one's."""
        if os.path.exists(snap):
            os.unlink(snap)
        return self.launcher.run([self.tool("snapcat"), "-o", snap] + dumps)

    def run_ours(self, command):
        return self.launcher.run_pipe(command) if isinstance(command[0], list) else self.launcher.run(command)

    def run_peer(self, operation):
        return self.launcher.run([self.python, "-c", operation.peer] + operation.arguments)

    def measure(self, name, operation):
        pairs = compare(lambda: repeated(lambda: self.run_ours(operation.ours)), lambda: self.run_peer(operation), self.runs)
        peaks = [cost.peak if isinstance(cost.peak, list) else [cost.peak] for cost in pairs.ours]
        largest, together = median([max(peak) for peak in peaks]), median([sum(peak) for peak in peaks])
        their_peak = median([cost.peak for cost in pairs.theirs])
        wall, cpu = pairs.faster(), pairs.faster_cpu()
        line = "  %-27s %8.1f %9.1f  %7s (%s-%s) %7s  %6.1f %7.1f  1/%-5s" % (
            operation.name, median([cost.wall for cost in pairs.ours]) * 1e3, median([cost.wall for cost in pairs.theirs]) * 1e3,
            times(median(wall)), times(min(wall)), times(max(wall)), times(median(cpu)), largest / MEBIBYTE,
            their_peak / MEBIBYTE, times(their_peak / largest))
        if together > largest:
            line += " (sum %.1f MiB, 1/%s)" % (together / MEBIBYTE, times(their_peak / together))
        title = "%s %s" % (name, operation.name)
        if operation.faster:
            # Whoever waits sees wall time, whoever pays sees processor time; both have to hold.
            word = self.targets.judge(title + ", time", min(median(wall), median(cpu)), operation.faster)
            line += "  target %dx: %s" % (operation.faster, word)
        if operation.memory:
            line += "  memory 1/%d: %s" % (
                operation.memory, self.targets.judge(title + ", memory", their_peak / largest, operation.memory))
        print(line, flush=True)

    def speed(self, name):
        print("\n%s: %s of pickle" % (name, size_of(self.file(name + "-a.pickle"))))
        print("  %-27s %8s %9s  %7s %-11s %7s  %6s %7s  %s" % (
            "", "ours ms", "python ms", "faster", "(min-max)", "in CPU", "MiB", "python", "memory"), flush=True)
        try:
            self.prepare(name)
        except (Failed, OSError) as error:
            self.targets.fail(name, error)
            return
        for operation in self.operations(name):
            try:
                self.measure(name, operation)
            except (Failed, OSError) as error:
                self.targets.fail("%s %s" % (name, operation.name), error)

    def ratio(self, title, ours, theirs, wanted=None):
        word = self.targets.judge(title, theirs / ours, wanted)
        print("  %-44s %11d / %-9d = %7.1f%s" % (
            title, theirs, ours, theirs / ours, "   target %d: %s" % (wanted, word) if wanted else ""), flush=True)

    def sizes(self, name):
        dump, snap = self.file(name + "-a.pickle"), self.file(name + "-a.snap")
        try:
            self.ratio(name + ", pickle / snap", os.path.getsize(snap), os.path.getsize(dump), 90 if name == JUDGED else None)
            packed = self.packed(dump)
            if packed is None:
                print("  %-44s needs --slow: zstd -19 takes its time" % (name + ", pickle.zst-19 / snap"))
            else:
                self.ratio(name + ", pickle.zst-19 / snap", os.path.getsize(snap), packed, 6)
        except (OSError, subprocess.CalledProcessError) as error:
            self.targets.fail(name + ", sizes", error)

    def packed(self, dump):
        """Size under zstd -19, from an earlier run where there was one."""
        packed = dump + ".zst"
        if not os.path.exists(packed) or os.path.getmtime(packed) < os.path.getmtime(dump):
            if not self.slow and os.path.getsize(dump) > 5e6:
                return None
            subprocess.run(["zstd", "-q", "-19", "-f", "-o", packed + ".part", dump], check=True)
            os.replace(packed + ".part", packed)
        return os.path.getsize(packed)

    def series(self):
        """Twenty snapshots of one service: alone, in one file, and what each further one adds."""
        dumps = [self.file("series-%02d.pickle" % number) for number in range(1, 21)]
        together, shorter = self.file("series-20.snap"), self.file("series-10.snap")
        try:
            alone = 0
            for dump in dumps:
                snap = self.file("alone.snap")
                self.convert(snap, [dump])
                alone += os.path.getsize(snap)
            cost = self.convert(together, dumps)
            self.convert(shorter, dumps[:10])
        except (Failed, OSError) as error:
            self.targets.fail("series", error)
            return
        whole = os.path.getsize(together)
        pickles = sum(map(os.path.getsize, dumps))
        self.ratio("series of 20, pickles / one .snap", whole, pickles)
        self.ratio("series of 20, single .snap files / one .snap", whole, alone, 15)
        further = (whole - os.path.getsize(shorter)) / 10
        print("  %-44s %11d bytes (mean of the last ten)   target 1000: %s" % (
            "a further snapshot", further, self.targets.judge("a further snapshot", further, 1000, at_most=True)))
        print("  %-44s %11.1f ms, %.1f MiB" % ("converting the series", cost.wall * 1e3, cost.peak / MEBIBYTE), flush=True)

    def decoding(self, name):
        """How long the reader takes against zstd's own decompression of the same columns; the helper measures both, and
        what zstd takes with as many bytes written behind it as the tables have."""
        title = name + ", decoding / zstd alone"
        ours, theirs, floors = [], [], []
        try:
            for _ in range(self.runs):
                done = subprocess.run([self.decode_helper, self.file(name + "-a.snap")], stdout=subprocess.PIPE, check=True)
                decode, plain, floor = map(int, done.stdout.split()[:3])
                ours.append(decode)
                theirs.append(plain)
                floors.append(floor)
            ratios = [a / b for a, b in zip(ours, theirs)]
            least = median([a / b for a, b in zip(floors, theirs)])
        except (OSError, ValueError, ZeroDivisionError, subprocess.CalledProcessError) as error:
            self.targets.fail(title, error)
            return
        print("  %-44s %8.2f ms / %6.2f ms = %.1f (%.1f-%.1f)   floor %.1f   target 4: %s" % (
            title, median(ours) / 1e6, median(theirs) / 1e6, median(ratios), min(ratios), max(ratios), least,
            self.targets.judge(title, median(ratios), 4, at_most=True)), flush=True)


def times(ratio):
    return "%.0f" % ratio if ratio >= 20 else "%.1f" % ratio


def size_of(path):
    return "%.1f MB" % (os.path.getsize(path) / 1e6)


def introduction(bench, options):
    version = subprocess.run([options.python, "-V"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=True).stdout
    start = median([bench.launcher.run([options.python, "-c", peers.NOTHING]).wall for _ in range(options.runs)])
    print("%s, %s, %s, %d cores, load %.1f" % (
        version.decode().strip(), datetime.datetime.now().strftime("%Y-%m-%d %H:%M"), platform.machine(), os.cpu_count(),
        os.getloadavg()[0]))
    print("Figures of this one run. Whole processes from start to exit, ours and Python's in turns, %d times each; medians,"
          % options.runs)
    print("ratios pair by pair. What takes us less than %.0f ms runs several times in its turn, at least %d times and until as"
          % (SHORT * 1e3, FEWEST))
    print("much is spent, and the median counts: a single run would mostly tell what Python has left in the caches. Python")
    print("runs once. Files are in the page cache, output goes to /dev/null. Python's garbage collector is on, as by")
    print("default; starting Python alone takes %.0f ms of each of its figures. Peak memory of a pipe is that of its largest"
          % (start * 1e3))
    print("process, with the sum beside it. Times are judged by the worse of wall and processor time.", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", default="build/bin", help="folder of the tools (default: build/bin)")
    parser.add_argument("--data", default="build/bench", help="folder for dumps and results (default: build/bench)")
    parser.add_argument("--python", default=sys.executable, help="the Python to compare with (default: this one)")
    parser.add_argument("--decode", metavar="PROGRAM",
                        help="prints decode_ns, zstd_ns and floor_ns (default: bench_decode in BIN/../tests)")
    parser.add_argument("--runs", type=int, default=5, help="times that each side runs (default: 5)")
    parser.add_argument("--quick", action="store_true", help="only the dumps of a hundred thousand blocks")
    parser.add_argument("--only", metavar="DUMP", help="only this dump, 1000000x25 for example, and no series")
    parser.add_argument("--slow", action="store_true", help="zstd -19 of large dumps as well; its result is kept")
    options = parser.parse_args()
    make_data = ["sh", os.path.join(HERE, "make-data.sh"), options.data, options.python] + (["quick"] if options.quick else [])
    try:
        subprocess.run(make_data, check=True)
        bench = Bench(options)
        introduction(bench, options)
    except (Failed, OSError, subprocess.CalledProcessError) as error:
        print("bench.py: %s" % error, file=sys.stderr)
        sys.exit(2)
    names = ["%dx%d" % (blocks, frames) for blocks in ([100000] if options.quick else [100000, 1000000]) for frames in FRAMES]
    if options.only:
        names = [name for name in names if name == options.only]
    for name in names:
        bench.speed(name)
    print("\nfile sizes in bytes, level 3")
    for name in names:
        bench.sizes(name)
    if not options.only:
        bench.series()
    print("\ndecoding: processor time in a process that has done it before and was told to keep the memory it had then;")
    print("floor: zstd with as many bytes written behind it as the tables have, over zstd")
    for name in names:
        bench.decoding(name)
    bench.targets.summary()
    sys.exit(2 if bench.targets.failures else 0)


if __name__ == "__main__":
    main()
