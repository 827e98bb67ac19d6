"""Runs whole processes and says what they cost: wall time, processor time, peak memory."""

import os
import statistics
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))


class Failed(Exception):
    """A command that did not do its work; its figures would mean nothing."""


class Cost:
    def __init__(self, wall, cpu, peak):
        self.wall = wall
        self.cpu = cpu
        self.peak = peak


class Launcher:
    """Starts commands through `program`, built from measure.c; compiles it where the Makefile has not."""

    def __init__(self, program, folder):
        self.program = program
        self.report = os.path.join(folder, "measure.txt")
        if not os.path.exists(program):
            self.program = os.path.join(folder, "measure")
            compiler = os.environ.get("CC", "cc").split()
            subprocess.run(compiler + ["-std=c11", "-O2", "-o", self.program, os.path.join(HERE, "measure.c")], check=True)

    def run(self, command):
        done = subprocess.run([self.program, self.report] + command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        if done.returncode != 0:
            raise Failed("%s: exit status %d\n%s" % (" ".join(command), done.returncode, done.stderr.decode(errors="replace")))
        return self.reported(self.report)

    def run_pipe(self, commands):
        """Commands as a shell joins them; Cost.peak is the list of their peaks, the rest is of the whole."""
        parts = []
        reports = ["%s.%d" % (self.report, number) for number in range(len(commands))]
        cost = self.run(["sh", "-c", " | ".join(quoted(command) for command in commands)])
        for report, command in zip(reports, commands):
            parts.append(quoted([self.program, report] + command))
        # Once more for the peaks, so that the launchers inside the pipe do not count as time.
        self.run(["sh", "-c", " | ".join(parts)])
        cost.peak = [self.reported(report).peak for report in reports]
        return cost

    def reported(self, path):
        with open(path) as report:
            wall, user, system, peak, _ = map(int, report.read().split())
        return Cost(wall / 1e9, (user + system) / 1e6, peak * 1024)


def quoted(command):
    return " ".join("'" + word.replace("'", "'\\''") + "'" for word in command)


class Pairs:
    """Costs of two rivals who ran in turns. The machine changes its pace, so ratios are taken pair by pair."""

    def __init__(self):
        self.ours = []
        self.theirs = []

    def add(self, ours, theirs):
        self.ours.append(ours)
        self.theirs.append(theirs)

    def ratios(self, figure):
        return [figure(theirs) / figure(ours) for ours, theirs in zip(self.ours, self.theirs)]

    def faster(self):
        return self.ratios(lambda cost: max(cost.wall, 1e-6))

    def faster_cpu(self):
        return self.ratios(lambda cost: max(cost.cpu, 1e-6))


# Seconds below which one run says more about what ran before it, and about the clock, than about itself.
SHORT = 0.1
FEWEST = 3


def repeated(run):
    """The Cost of run(), or, where that is short, the median of as many as fill SHORT, at least FEWEST. The first comes
    with cold caches, behind a rival who needs gigabytes; in use these commands follow each other."""
    costs = [run()]
    if costs[0].wall >= SHORT:
        return costs[0]
    while len(costs) < FEWEST or sum(cost.wall for cost in costs) < SHORT:
        costs.append(run())
    peaks = [cost.peak for cost in costs]
    peak = list(map(median, zip(*peaks))) if isinstance(peaks[0], list) else median(peaks)
    return Cost(median([cost.wall for cost in costs]), median([cost.cpu for cost in costs]), peak)


def compare(ours, theirs, runs):
    """ours() and theirs() each run their process once and return its Cost."""
    pairs = Pairs()
    for _ in range(runs):
        pairs.add(ours(), theirs())
    return pairs


def median(values):
    return statistics.median(values)
