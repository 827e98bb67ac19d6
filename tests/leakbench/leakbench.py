#!/usr/bin/env python3
"""How well snaptrend finds leaks in synthetic series whose leaks are known (generate.py), beside two naive ways.

A suspect (a row with a verdict of leak) is right when at least half of its growth is a leak's and it covers at
least 30 % of that leak. One that is mostly grey (see generate.py) counts neither for nor against; any other is
false. The naive ways are judged more kindly: a leak is found when 2 % of its growth is in one of their entries.

Parameters of the method were chosen on seeds below 10000; only those from 10000 on are for reporting."""

import argparse
import collections
import concurrent.futures
import json
import os
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile

import generate

LENGTHS = (5, 10, 20, 50)
FEW = 10  # entries of the naive ways
SHUFFLES = 2  # of each series, which then should show nothing


def growth_of(row):
    return row.bytes[-1] - row.bytes[0]


def leak_growth(row):
    return row.leak[-1] - row.leak[0]


class Judged:
    """Entries of a method, best first, each as a list of rows."""

    def __init__(self, series, entries, strict):
        self.found, self.false, self.right, self.first = set(), 0, 0, None
        self.guilty_shown = []
        self.false_kinds = collections.Counter()
        for rows, frames in entries:
            verdict = self.judge(series, rows, strict)
            if verdict is None:
                continue
            if self.first is None:
                self.first = bool(verdict)
            if not verdict:
                self.false += 1
                self.false_kinds[self.main_kind(rows)] += 1
                continue
            self.right += 1
            for number in verdict:
                self.found.add(number)
            best = max(verdict, key=verdict.get)
            self.guilty_shown.append(series.leaks[best]["guilty"] in frames)

    @staticmethod
    def main_kind(rows):
        """Of what most of the growth is."""
        kinds = collections.Counter()
        for row in rows:
            kinds[row.kind] += growth_of(row)
        return max(kinds, key=kinds.get, default="nothing")

    @staticmethod
    def judge(series, rows, strict):
        """Leaks that it is right about, none, or None for grey."""
        growth = sum(growth_of(row) for row in rows)
        parts = collections.Counter()
        for row in rows:
            if row.leak_number is not None:
                parts[row.leak_number] += leak_growth(row)
        need, cover = (0.5, 0.3) if strict else (0.0, 0.02)
        if not strict or sum(parts.values()) >= need * max(growth, 1):
            covered = {k: v for k, v in parts.items() if v >= cover * series.leaks[k]["growth"]}
            if covered:
                return covered
        grey = sum(growth_of(row) for row in rows if row.grey)
        return None if grey >= 0.5 * max(growth, 1) else {}


class Tally:
    def __init__(self):
        self.series = self.leaks = self.found = self.detectable = self.found_detectable = 0
        self.false = self.first = self.with_first = self.guilty = self.shown = 0
        self.by_kind = collections.defaultdict(lambda: [0, 0])
        self.false_kinds = collections.Counter()

    def add(self, series, judged):
        self.series += 1
        self.false += judged.false
        self.false_kinds += judged.false_kinds
        if series.leaks and judged.first is not None:
            self.with_first += 1
            self.first += judged.first
        self.guilty += sum(judged.guilty_shown)
        self.shown += len(judged.guilty_shown)
        for number, leak in enumerate(series.leaks):
            hit = number in judged.found
            self.leaks += 1
            self.found += hit
            self.detectable += leak["detectable"]
            self.found_detectable += hit and leak["detectable"]
            self.by_kind[leak["kind"]][0] += hit
            self.by_kind[leak["kind"]][1] += 1

    def merge(self, other):
        for key, value in vars(other).items():
            if key != "by_kind":
                setattr(self, key, getattr(self, key) + value)
        for kind, (hit, of) in other.by_kind.items():
            self.by_kind[kind][0] += hit
            self.by_kind[kind][1] += of

    def figures(self):
        part = lambda a, b: a / b if b else float("nan")
        return (
            part(self.found_detectable, self.detectable),
            part(self.found, self.leaks),
            part(self.false, self.series),
            part(self.first, self.with_first),
            part(self.guilty, self.shown),
        )


TITLES = ("recall, detectable leaks", "recall, all planted leaks", "false suspects a series", "first is a leak", "guilty frame shown")


def chain_matches(row, suspect):
    """Whether a suspect stands for a stack: its frames down to the blamed one, newest first, are the first own ones."""
    if suspect["all_through"]:
        return suspect["blamed"] in row.frames
    wanted = suspect["chain"]
    own = list(dict.fromkeys(frame for frame in row.frames if frame in suspect["names"]))
    return own[: len(wanted)] == wanted


def write(series, path, writer, order=None):
    text = "\n".join(series.lines(order)) + "\n"
    subprocess.run([writer, path], input=text.encode(), check=True)


def frame_name(frame):
    return f"{frame['file']}:{frame.get('line', 0)}"


def ask(tool, path):
    done = subprocess.run([tool, "--json", "0", path], capture_output=True, check=True)
    return [row for row in json.loads(done.stdout)["rows"] if row["verdict"].startswith("leak")]


def entries_of(series, rows):
    """What own frames are is the tool's business: a row belongs to the suspect whose chain begins its own chain."""
    main = "/srv/app/main.py:26"
    own = {f for row in series.rows for f in row.frames if f.startswith("/srv/app/")} - {main}
    entries = []
    for row in rows:
        frames = [frame_name(frame) for frame in reversed(row["traceback"])]
        blamed = frame_name(row["blame"])
        suspect = {
            "all_through": row["all_through"],
            "blamed": blamed,
            "chain": frames[: frames.index(blamed) + 1],
            "names": own,
        }
        entries.append(([r for r in series.rows if chain_matches(r, suspect)], frames))
    return entries


# The naive ways.


def by_key(series, key):
    groups = collections.defaultdict(list)
    for row in series.rows:
        groups[key(row)].append(row)
    return groups


def last_minus_first(series):
    groups = by_key(series, lambda row: row.frames[0])
    ranked = sorted(groups.values(), key=lambda rows: -sum(map(growth_of, rows)))[:FEW]
    return [(rows, rows[0].frames[:1]) for rows in ranked if sum(map(growth_of, rows)) > 0]


def kendall(y):
    return sum((b > a) - (b < a) for j, b in enumerate(y) for a in y[:j])


def theil_sen(series):
    """Tracebacks whose Mann-Kendall test says p < .05, by slope, after a trim of the first fifth."""
    n = series.count - series.count // 5
    entries = []
    for rows in by_key(series, lambda row: row.frames).values():
        y = [sum(values) for values in zip(*(row.bytes for row in rows))][series.count - n :]
        if y[-1] <= y[0]:
            continue
        s = kendall(y)
        if (s - 1) / (n * (n - 1) * (2 * n + 5) / 18) ** 0.5 < 1.96:
            continue
        slopes = [(y[j] - y[i]) / (j - i) for j in range(n) for i in range(j)]
        entries.append((statistics.median(slopes), rows))
    entries.sort(key=lambda entry: -entry[0])
    return [(rows, rows[0].frames[:1]) for _, rows in entries]


def run_one(job):
    seed, count, tool, writer, shifted, naive = job
    tallies = {"snaptrend": Tally()}
    series = generate.Series(seed, count, shifted)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "series.snap")
        write(series, path, writer)
        rows = ask(tool, path)
        judged = Judged(series, entries_of(series, rows), True)
        tallies["snaptrend"].add(series, judged)
        control = 0
        for turn in range(SHUFFLES):
            order = list(range(count))
            random.Random(f"{seed}/{turn}").shuffle(order)
            write(series, path, writer, order)
            control += len(ask(tool, path)) / SHUFFLES
    if naive:
        for name, method in (("last - first, by line, 10", last_minus_first), ("Theil-Sen + Mann-Kendall", theil_sen)):
            tallies[name] = Tally()
            tallies[name].add(series, Judged(series, method(series), False))
    for tally in tallies.values():
        tally.by_kind = dict(tally.by_kind)
    return count, tallies, control


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", default="build/bin")
    parser.add_argument("--writer", default="build/tests/leakbench/write_series")
    parser.add_argument("--seeds", default="10000-10059", metavar="A-B")
    parser.add_argument("--lengths", default=",".join(map(str, LENGTHS)))
    parser.add_argument("--shifted", action="store_true", help="smaller leaks, more distractors, wilder sizes")
    parser.add_argument("--no-naive", action="store_true")
    parser.add_argument("--kinds", action="store_true", help="recall by kind of leak, false suspects by what they are")
    options = parser.parse_args()
    first, last = map(int, options.seeds.split("-"))
    lengths = list(map(int, options.lengths.split(",")))
    tool = str(pathlib.Path(options.bin, "snaptrend").resolve())
    writer = str(pathlib.Path(options.writer).resolve())
    jobs = [
        (seed, count, tool, writer, options.shifted, not options.no_naive)
        for count in lengths
        for seed in range(first, last + 1)
    ]
    total = collections.defaultdict(lambda: collections.defaultdict(Tally))
    controls = collections.defaultdict(list)
    with concurrent.futures.ProcessPoolExecutor() as pool:
        for count, tallies, control in pool.map(run_one, jobs, chunksize=2):
            for name, tally in tallies.items():
                total[name][count].merge(tally)
            controls[count].append(control)
    print(f"seeds {options.seeds}{', shifted' if options.shifted else ''}: {last - first + 1} series for each N")
    for name, by_count in total.items():
        print(f"\n{name:32}" + "".join(f"{'N=%d' % count:>8}" for count in lengths))
        figures = [by_count[count].figures() for count in lengths]
        for i, title in enumerate(TITLES):
            print(f"  {title:30}" + "".join(f"{column[i]:8.2f}" for column in figures))
        if name == "snaptrend":
            print(f"  {'shuffled: suspects a series':30}" + "".join(f"{statistics.mean(controls[c]):8.2f}" for c in lengths))
        if options.kinds and name == "snaptrend":
            for kind in sorted(set(generate.LEAKS)):
                pairs = [by_count[count].by_kind.get(kind, (0, 0)) for count in lengths]
                print(f"    {kind:28}" + "".join(f"{'%d/%d' % tuple(p):>8}" for p in pairs))
            for kind in ("background", "leak", "nothing", *generate.DISTRACTORS):
                print(f"    false: {kind:21}" + "".join(f"{by_count[c].false_kinds[kind]:8}" for c in lengths))


if __name__ == "__main__":
    sys.exit(main())
