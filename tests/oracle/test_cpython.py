"""The tools against CPython's own tracemalloc: the same rows in the same order, the same printed lines, and
nothing lost, for random snapshots, for dumps of every Python at hand, and for one of this Python itself."""

import collections
import concurrent.futures
import io
import json
import os
import pathlib
import pickle
import random
import shutil
import subprocess
import sys
import tempfile
import tracemalloc
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import snapdump  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BIN = pathlib.Path(os.environ.get("SNAP_BIN", ROOT / "build/bin")).resolve()
DUMPS = ROOT / "testdata/foreign/tracemalloc"

PROGRAMS = 110  # two snapshots of each
WAYS = [(key, mode) for key in ("filename", "lineno") for mode in ("self", "once", "frames")] + [("traceback", "self")]
# Sanitized tools take ten times as long, and what they rank is checked without: of each some will do.
SANITIZED_WAYS = 2


# ---------------------------------------------------------------- what tracemalloc says

def with_four_fields(snapshot):
    """A snapshot of 3.4 to 3.8 as this Python wants it."""
    def whole(trace):
        if len(trace) == 2:
            return (0, *trace, None)
        return trace if len(trace) == 4 else (*trace, None)
    return tracemalloc.Snapshot([whole(t) for t in snapshot.traces._traces], snapshot.traceback_limit)


def grouped(snapshot, key, mode):
    """Statistics by traceback; mode "self", "frames" (cumulative as CPython counts) or "once" (a block
    counts once for a group, however often the group recurs in its stack)."""
    if mode != "once":
        return {s.traceback: s for s in snapshot.statistics(key, mode == "frames")}
    sums = collections.defaultdict(lambda: [0, 0])
    for _, size, frames, _ in snapshot.traces._traces:
        for group in {(name, 0 if key == "filename" else line) for name, line in frames}:
            sums[group][0] += size
            sums[group][1] += 1
    tracebacks = {group: tracemalloc.Traceback((group,)) for group in sums}
    return {tracebacks[g]: tracemalloc.Statistic(tracebacks[g], *sums[g]) for g in sums}


def statistics(snapshots, key, mode):
    """Of one snapshot, or the comparison of two (old, new)."""
    if mode == "self" and len(snapshots) == 2:
        return snapshots[1].compare_to(snapshots[0], key)
    groups = [grouped(s, key, mode) for s in snapshots]
    if len(groups) == 1:
        stats = groups[0].values()
    else:
        none = tracemalloc.Statistic(None, 0, 0)
        stats = []
        for traceback in {**groups[0], **groups[1]}:
            old, new = (g.get(traceback, none) for g in groups)
            stats.append(tracemalloc.StatisticDiff(
                traceback, new.size, new.size - old.size, new.count, new.count - old.count))
    return sorted(stats, reverse=True, key=lambda s: s._sort_key())


def shown(name):
    """What JSON shows of a name; a lone surrogate is no UTF-8."""
    return name.encode("utf-8", "surrogatepass").decode("utf-8", "replace")


def rows_of_statistics(stats):
    return [([(shown(f.filename), f.lineno) for f in s.traceback], s.size, s.count)
            + ((s.size_diff, s.count_diff) if hasattr(s, "size_diff") else ()) for s in stats]


# ---------------------------------------------------------------- what the tools say

def run(*argv, stdin=b""):
    env = {**os.environ, "LC_ALL": "C"}
    done = subprocess.run([str(BIN / argv[0]), *map(str, argv[1:])], input=stdin, capture_output=True, env=env,
                          timeout=300)
    if done.returncode != 0 or done.stderr:
        raise AssertionError(f"{argv}: exit {done.returncode}, {done.stderr.decode(errors='replace')}")
    return done.stdout


def rows_of_json(text):
    doc = json.loads(text)
    rows = []
    for row in doc["rows"]:
        frames = [(f["file"], f.get("line", 0)) for f in row["traceback"]]
        values = [row[name] for name in ("size", "count", "size_diff", "count_diff") if name in row]
        rows.append((frames, *values))
    return rows, doc


def difference(got, wanted):
    """The first one, in a sentence; None where there is none."""
    for i, (a, b) in enumerate(zip(got, wanted)):
        if a != b:
            return f"row {i}: {a!r}, wanted {b!r}"
    return None if len(got) == len(wanted) else f"{len(got)} rows, wanted {len(wanted)}"


def check_rankings(name, snapshots, source, rng):
    """Yields what differs. `source` is a file, or the bytes that stand in a pipe."""
    stdin, files = (source, ()) if isinstance(source, bytes) else (b"", (source,))
    ways = rng.sample(WAYS, SANITIZED_WAYS) if os.environ.get("SNAP_VARIANT") == "asan" else WAYS
    for key, mode in ways:
        stats = statistics(snapshots, key, mode)
        cumulative = () if mode == "self" else ("-c",)
        here = f"{name}, {key}, {mode}"
        top = rng.choice((0, 0, 1, 3, 10))
        wanted = stats[:top] if top else stats
        if mode != "frames":
            rows, doc = rows_of_json(run("snaptop", "--json", *cumulative, "-g", key, top, *files, stdin=stdin))
            wrong = difference(rows, rows_of_statistics(wanted))
            if wrong is None and doc["groups"] != len(stats):
                wrong = f"{doc['groups']} groups, wanted {len(stats)}"
            total = sum(trace[1] for trace in snapshots[-1].traces._traces)
            if wrong is None and doc["total"]["size"] != total:
                wrong = f"a total of {doc['total']['size']}, wanted {total}"
            if wrong is not None:
                yield f"{here}: {wrong}"
        if mode != "once":
            text = run("snaptop", "--format", "tracemalloc", *cumulative, "-g", key, top, *files, stdin=stdin)
            printed = io.StringIO(newline="")
            for stat in wanted:
                print(stat, file=printed)
            if text != printed.getvalue().encode("utf-8", "surrogateescape"):
                yield f"{here}, printed: {text!r}, wanted {printed.getvalue()!r}"[:1000]


def rows_of_diff(old, new):
    """Rows with the columns of a diff, from those of two dumps."""
    rows = [(*row[:4], (*row[4], 0, 0)) for row in new] + [(*row[:4], (0, 0, *row[4])) for row in old]
    return snapdump.merge_rows(rows)


def rows_of_snap(data):
    members = list(snapdump.read_members(data))
    if len(members) != 1:
        raise AssertionError(f"{len(members)} members")
    return members[0].rows()


# ---------------------------------------------------------------- made-up programs

NAMES = ["a.py", "a.pyc", "a", "b.py", "B.py", "/srv/app/a.py", "/srv/app/b c.py", "/srv/ä/ü.py", "line\nbreak.py",
         "tab\tand \"quotes\".py", "\x01\x1b[31m.py", "back\\slash.py", "<unknown>", "<string>", "",
         "<frozen importlib._bootstrap>", "escaped\udcff\udc80.py", "\udce9.py", "\uffff.py", "\U0001f40d.py",
         "\U0010ffff", "é.py", "e\u0301.py", "x" * 300 + ".py", "x" * 300 + ".pyx"]
LINES = [0, 1, 2, 3, 9, 10, 99, 65535, 65536, 65537, 1 << 24, (1 << 32) - 1]
SIZES = [0, 0, 1, 8, 56, 64, 512, 1000, 10239, 10240, 102400, 1 << 20, 1 << 32, (1 << 32) + 1, 5 << 30, 1 << 40]
DOMAINS = [0, 0, 0, 0, 1, 389047, (1 << 32) - 1]


class Program:
    """A call graph with recursion, of which blocks are recorded."""

    def __init__(self, rng):
        self.rng = rng
        names = rng.sample(NAMES, rng.randint(1, len(NAMES)))
        self.frames = [(rng.choice(names), rng.choice(LINES) if rng.random() < .3 else rng.randrange(1, 40))
                       for _ in range(rng.randint(1, 60))]
        fan = rng.randint(1, 4)
        self.callees = {f: rng.choices(self.frames, k=fan) for f in self.frames}
        self.deepest = rng.choice((1, 3, 12, 40, 70))
        self.kept = {}
        self.odd_totals = rng.random() < .2

    def stack(self):
        """Newest first, as it really was."""
        frame = self.rng.choice(self.frames[:3])
        calls = [frame]
        for _ in range(self.rng.randrange(self.deepest)):
            frame = self.rng.choice(self.callees[frame])
            calls.append(frame)
        return tuple(reversed(calls))

    def snapshot(self, limit):
        rng = self.rng
        if rng.random() < .05:
            return tracemalloc.Snapshot([], limit)
        stacks = [self.stack() for _ in range(rng.randint(1, 40))]
        traces = []
        for _ in range(rng.randint(1, 150)):
            calls = rng.choice(stacks)
            total = len(calls)
            if self.odd_totals:
                total = rng.choice((total, total + rng.randrange(5), 65535))
            size = rng.choice(SIZES) if rng.random() < .5 else 8 * rng.randrange(80)
            traces.append((rng.choice(DOMAINS), size, calls[:limit], total))
        # Most of what was alive before is alive in the next snapshot too.
        before = self.kept.get(limit, [])
        traces += [t for t in before if rng.random() < .8]
        self.kept[limit] = traces
        rng.shuffle(traces)
        return tracemalloc.Snapshot(traces, limit)


Case = collections.namedtuple("Case", "name path snapshot seed")


class Cpython(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="snap-oracle-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.cases = []
        for number in range(PROGRAMS):
            rng = random.Random(number)
            program = Program(rng)
            limit = rng.randint(1, 40)
            for turn in range(2):
                snapshot = program.snapshot(rng.randint(1, 40) if rng.random() < .1 else limit)
                path = cls.folder / f"{number}-{turn}.tm"
                with open(path, "wb") as f:
                    pickle.dump(snapshot, f, rng.randint(2, pickle.HIGHEST_PROTOCOL))
                cls.cases.append(Case(path.stem, path, snapshot, 2 * number + turn))

    def pairs(self):
        """Snapshots of one program, and some of two that have nothing to do with each other."""
        found = list(zip(self.cases[::2], self.cases[1::2]))
        return found + list(zip(self.cases[1::20], self.cases[4::20]))

    def all_of(self, check, items):
        """Runs a generator of complaints on each item; tools run side by side."""
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            wrong = [w for found in pool.map(lambda item: list(check(item)), items) for w in found]
        self.assertFalse(wrong, f"{len(wrong)} differences, the first:\n" + "\n".join(wrong[:5]))

    def test_random_snapshots(self):
        self.assertGreaterEqual(len(self.cases), 200)
        self.all_of(lambda c: check_rankings(c.name, [c.snapshot], c.path, random.Random(c.seed)), self.cases)

    def test_random_diffs(self):
        def check(pair):
            old, new = pair
            diff = run("snapdiff", old.path, new.path)
            name = f"{old.name} against {new.name}"
            yield from check_rankings(name, [old.snapshot, new.snapshot], diff, random.Random(old.seed))
            wanted = rows_of_diff(snapdump.rows_of_pickle(old.path), snapdump.rows_of_pickle(new.path))
            wrong = difference(rows_of_snap(diff), wanted)
            if wrong is not None:
                yield f"{name}: {wrong}"
        self.all_of(check, self.pairs())

    def test_nothing_is_lost(self):
        paths = [c.path for c in self.cases]
        files = [path.with_suffix(".snap") for path in paths]
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(lambda pair: run("snapcat", pair[0], "-o", pair[1]), zip(paths, files)))
        data = [file.read_bytes() for file in files]
        snapdump.prefetch(data)
        for path, snap in zip(paths, data):
            wrong = difference(rows_of_snap(snap), snapdump.rows_of_pickle(path))
            self.assertIsNone(wrong, path.name)

    def test_diffs_that_were_archived(self):
        for old, new in self.pairs()[::8]:
            file = self.folder / f"{old.name}-{new.name}.snap"
            run("snapdiff", "-o", file, old.path, new.path)
            found = check_rankings(file.name, [old.snapshot, new.snapshot], file, random.Random(old.seed))
            self.assertEqual(list(found), [])

    def test_dumps_of_every_python(self):
        cases = []
        for path in sorted(DUMPS.glob("*.tm")):
            if not path.stem.endswith(("proto0", "proto1")):  # refused by design
                with open(path, "rb") as f:
                    cases.append(Case(path.name, path, with_four_fields(pickle.load(f)), len(cases)))
        self.assertGreaterEqual(len(cases), 15)
        self.all_of(lambda c: check_rankings(c.name, [c.snapshot], c.path, random.Random(c.seed)), cases)

        def check(pair):
            old, new = pair
            diff = run("snapdiff", old.path, new.path)
            yield from check_rankings(f"{old.name} against {new.name}", [old.snapshot, new.snapshot], diff,
                                      random.Random(old.seed))
        self.all_of(check, list(zip(cases, cases[1:])))

    def test_this_python(self):
        for limit in (1, 10, 25):
            tracemalloc.start(limit)
            try:
                kept = [json.loads(json.dumps([list(range(20)), {"a": [str(i)]}])) for i in range(200)]
                old = tracemalloc.take_snapshot()
                kept += [collections.OrderedDict.fromkeys(map(str, range(i))) for i in range(100)]
                del kept[:50]
                new = tracemalloc.take_snapshot()
            finally:
                tracemalloc.stop()
            paths = [self.folder / f"this-{limit}-{turn}.tm" for turn in range(2)]
            for snapshot, path in zip((old, new), paths):
                snapshot.dump(str(path))
            diff = run("snapdiff", *paths)
            rng = random.Random(limit)
            for snapshots, source in (([old], paths[0]), ([new], paths[1]), ([old, new], diff)):
                self.assertEqual(list(check_rankings(f"limit {limit}", snapshots, source, rng)), [])


if __name__ == "__main__":
    unittest.main()
