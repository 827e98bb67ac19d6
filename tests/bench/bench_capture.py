#!/usr/bin/env python3
"""`make bench-capture`: what it costs to have a program under snaprun, in each mode, beside the program alone, hooks
that do nothing, and tracemalloc; the same programs in turns, in one run, under every interpreter at hand. Exit status 2
when something could not be measured."""

import argparse
import glob
import json
import math
import os
import platform
import shutil
import subprocess
import sys
from unittest import mock

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, os.pardir, "capture"))

import pythons  # noqa: E402
from measuring import Failed, Launcher, median  # noqa: E402

PROGRAMS = ("trees", "documents", "pickles", "words", "pages", "tasks", "particles", "requests_of_flask", "requests_of_django")
NEEDS = {"requests_of_flask": "flask", "requests_of_django": "django"}
# What an interpreter without them borrows from Debian's. They are Python, so that they fit every version that their
# code does; markupsafe is faster by an extension, which is for one version, and goes without elsewhere.
DEBIAN = "/usr/lib/python3/dist-packages"
LENT = ("flask", "werkzeug", "jinja2", "markupsafe", "itsdangerous", "click", "blinker",
        "django", "asgiref", "sqlparse", "pytz")
FRAMES = 25
MODES = ("sampled", "exact")
PAUSES = 5
PAUSE_LIMITS = {"exact": 30, "sampled": 10}  # milliseconds
FACTOR_LIMITS = {"sampled": 1.10, "exact": 2.0}
# Hooks cannot save time: a mean below this tells of the machine, not of them.
LEAST_FACTOR = 0.95
# Of what tracemalloc with as many frames adds.
LESS_THAN_TRACEMALLOC = 10
# Python goes on where a sitecustomize fails, without hooks.
LOADER = """\
import ctypes, os
try:
    installed = ctypes.CDLL(os.environ["FORWARD_HOOKS"]).install() == 0
except (OSError, AttributeError):
    installed = False
if not installed:
    os._exit(3)
"""


def script(program):
    return os.path.join(HERE, "capture", program + ".py")


class Bench:
    def __init__(self, options):
        self.snaprun = os.path.join(options.bin, "snaprun")
        self.snapinfo = os.path.join(options.bin, "snapinfo")
        self.folder = options.data
        self.runs = options.runs
        self.programs = options.only or PROGRAMS
        self.hooks = os.path.abspath(options.hooks)
        self.short = []
        self.failures = 0
        os.makedirs(self.folder, exist_ok=True)
        self.launcher = Launcher(options.measure, self.folder)
        self.loader = os.path.join(self.folder, "loader")
        os.makedirs(self.loader, exist_ok=True)
        with open(os.path.join(self.loader, "sitecustomize.py"), "w") as file:
            file.write(LOADER)
        self.lent = os.path.abspath(os.path.join(self.folder, "lent"))
        shutil.rmtree(self.lent, ignore_errors=True)
        for package in LENT:
            # Links to files, in folders of our own, for that is where bytecode goes.
            if os.path.isdir(os.path.join(DEBIAN, package)):
                shutil.copytree(os.path.join(DEBIAN, package), os.path.join(self.lent, package),
                                ignore=shutil.ignore_patterns("__pycache__"), copy_function=os.symlink)

    def borrowed(self, python, program):
        """The folders of modules to be lent to the interpreter for that program. Failed says what it cannot import even
        with them."""
        need = NEEDS.get(program)
        if not need or subprocess.run([python, "-c", "import " + need], stderr=subprocess.DEVNULL).returncode == 0:
            return []
        # A whole run, for some imports come late. It leaves bytecode, as Debian's python3 has it: compiling is not what
        # is measured.
        done = subprocess.run([python, script(program)], stderr=subprocess.PIPE, text=True,
                              env={**os.environ, "PYTHONPATH": self.lent, "PYTHONDONTWRITEBYTECODE": ""})
        last = done.stderr.strip().rpartition("\n")[2]
        if last.startswith(("ImportError:", "ModuleNotFoundError:")):
            raise Failed(last)
        return [self.lent]

    def captured(self, mode, python, program, *arguments):
        snaps = os.path.join(self.folder, "snaps")
        shutil.rmtree(snaps, ignore_errors=True)
        return [self.snaprun, "-o", snaps, "--mode", mode, "--frames", str(FRAMES), "--", python, program, *arguments]

    def configurations(self, python, program, borrowed):
        """Name, variables and command of each, in the order of the table."""
        plain = [python, program]
        # Bytecode is kept, as it is where services run: the empty program, which comes first, leaves it.
        path = {"PYTHONDONTWRITEBYTECODE": "", **({"PYTHONPATH": ":".join(borrowed)} if borrowed else {})}
        yield "alone", path, plain
        yield "hooks", {**path, "PYTHONPATH": ":".join([self.loader, *borrowed]), "FORWARD_HOOKS": self.hooks}, plain
        for mode in MODES:
            yield mode, path, self.captured(mode, python, program)
        for frames in (1, 10, FRAMES):
            yield "tm %d" % frames, {**path, "PYTHONTRACEMALLOC": str(frames)}, plain

    def cost(self, name, variables, command):
        # Not by env, whose start would be a tenth of that of Python.
        with mock.patch.dict(os.environ, variables):
            try:
                cost = self.launcher.run(command)
            except Failed as why:
                raise Failed("%s: %s" % (name, why)) from why
        if name in MODES and not glob.glob(os.path.join(self.folder, "snaps", "*.snap")):
            raise Failed("%s left no snapshot" % " ".join(command))
        return cost

    def measure(self, python, program, borrowed):
        """{name: (times that of the program alone, processor seconds, peak bytes)}, of each the median. The machine
        changes its pace, so runs are held against that of the program alone in the same turn. Under tracemalloc a program
        runs ten times as long, so that once is enough. None, said in the table, where one failed."""
        costs = {}
        try:
            for turn in range(self.runs):
                for name, *how in self.configurations(python, script(program), borrowed):
                    if turn == 0 or not name.startswith("tm "):
                        costs.setdefault(name, []).append(self.cost(name, *how))
        except Failed as why:
            print("  %-18s FAILED: %s" % (program, why))
            self.failures += 1
            return None
        return {name: (median([cost.cpu / alone.cpu for cost, alone in zip(runs, costs["alone"])]),
                       median([cost.cpu for cost in runs]), median([cost.peak for cost in runs]))
                for name, runs in costs.items()}

    def judge(self, what, value, limit):
        if value > limit:
            self.short.append("%s: %.4g, limit %.4g" % (what, value, limit))

    def table(self, version, python):
        print("\n%s: processor time, times that of the program alone (peak memory in MiB)" % version)
        start = self.measure(python, "empty", [])
        if start is None:
            return
        print("  %-18s %s" % ("", "".join("%15s" % name for name in start)))
        factors = {}
        for program in self.programs:
            try:
                borrowed = self.borrowed(python, program)
            except Failed as why:
                print("  %-18s not run: %s" % (program, why))
                continue
            costs = self.measure(python, program, borrowed)
            if costs is None:
                continue
            cells = []
            for name, (factor, cpu, peak) in costs.items():
                factors.setdefault(name, []).append(factor)
                shown = "%.2f s" % cpu if name == "alone" else "%.2f" % factor
                cells.append("%15s" % ("%s (%d)" % (shown, peak / 1048576)))
            print("  %-18s %s" % (program, "".join(cells)), flush=True)
        means = {name: math.exp(sum(map(math.log, values)) / len(values)) for name, values in factors.items()}
        print("  %-18s %s" % ("geometric mean", "".join("%15.3f" % mean for mean in means.values())))
        # Start and end, which are in each figure above.
        cells = ["%15s" % ("%.1f ms" % (cpu * 1000)) for _, cpu, _ in start.values()]
        print("  %-18s %s" % ("empty program", "".join(cells)))
        if min(means.values(), default=1) < LEAST_FACTOR:
            print("  %-18s FAILED: less than alone, so the machine was not quiet enough" % "geometric mean")
            self.failures += 1
            return
        for mode in MODES:
            if mode in means:
                self.judge("%s: %s" % (version, mode), means[mode], FACTOR_LIMITS[mode])
                share = (means[mode] - 1) / (means["tm %d" % FRAMES] - 1)
                self.judge("%s: %s, what it adds of what tracemalloc adds" % (version, mode), share, 1 / LESS_THAN_TRACEMALLOC)
                print("  %-18s adds %s of what tracemalloc with %d frames adds" % (
                    mode, "1/%.0f" % (1 / share) if share > 0.001 else "less than 1/1000", FRAMES))

    def pauses(self, version, python):
        program = script("heap")
        for mode in (*MODES, "tracemalloc"):
            count = PAUSES if mode in MODES else 1
            done = subprocess.run(self.captured(mode, python, program, str(count)), stdout=subprocess.PIPE, text=True)
            paths = done.stdout.split()
            if done.returncode != 0 or len(paths) != count:
                print("  %-18s FAILED: exit status %d" % (mode, done.returncode))
                self.failures += 1
                continue
            infos = [json.loads(subprocess.run([self.snapinfo, "--json", path], stdout=subprocess.PIPE, check=True).stdout)
                     for path in paths]
            metas = [info["members"][0]["meta"] for info in infos]
            waits = [float(meta["capture.pause_ms"]) for meta in metas]
            print("  %-18s %.1f ms for the first snapshot, %.1f ms for a later one (median), %s bytes of its own" % (
                mode, waits[0], median(waits[1:] or waits), metas[-1].get("tracer_bytes", "?")), flush=True)
            if mode in PAUSE_LIMITS:
                self.judge("%s: pause, %s, ms" % (version, mode), median(waits[1:]), PAUSE_LIMITS[mode])

    def run(self):
        print("%s, %d processors, the median of %d turns (1 under tracemalloc)" % (platform.platform(), os.cpu_count(), self.runs))
        for version, python in pythons.FOUND.items():
            self.table(version, python)
            print("  a snapshot of a million blocks holds the interpreter for")
            self.pauses(version, python)
        for version in pythons.MISSING:
            print("not run: CPython %s is not at hand" % version)
        print("\n%d figures short of their target" % len(self.short))
        for line in self.short:
            print("  short: " + line)
        return 2 if self.failures else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", required=True, metavar="DIR", help="the tools")
    parser.add_argument("--data", required=True, metavar="DIR", help="for what is written meanwhile")
    parser.add_argument("--hooks", required=True, metavar="FILE", help="built from forward_hooks.c")
    parser.add_argument("--measure", required=True, metavar="FILE", help="built from measure.c")
    parser.add_argument("--runs", type=int, default=5, metavar="N")
    parser.add_argument("--only", action="append", choices=PROGRAMS, metavar="PROGRAM")
    return Bench(parser.parse_args()).run()


if __name__ == "__main__":
    sys.exit(main())
