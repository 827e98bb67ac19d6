"""snapfilter against CPython's own filter_traces: random sets of filters over random dumps and those of every
Python at hand; and what must hold of filters whatever they are."""

import os
import pathlib
import pickle
import random
import shutil
import sys
import tempfile
import tracemalloc
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import snapdump  # noqa: E402
from test_cpython import DOMAINS, DUMPS, NAMES, Program, difference, rows_of_snap, run, with_four_fields  # noqa: E402

# Sanitized tools take ten times as long.
PROGRAMS = 60 if os.environ.get("SNAP_VARIANT") == "asan" else 250


class Filters:
    """A random set of filters, as tracemalloc's and as options."""

    def __init__(self, rng, frames):
        self.filters, self.options = [], []
        all_frames = rng.random() < .5
        if all_frames:
            self.options.append("-a")
        for _ in range(rng.choice((1, 1, 2, 3, 5))):
            inclusive = rng.random() < .5
            if rng.random() < .2:
                domain = rng.choice(DOMAINS)
                self.filters.append(tracemalloc.DomainFilter(inclusive, domain))
                self.options += ["-d" if inclusive else "-D", str(domain)]
                continue
            name, line = rng.choice(frames)
            glob = self.glob(rng, rng.choice((name, rng.choice(NAMES))))
            line = line if rng.random() < .3 else None
            self.filters.append(tracemalloc.Filter(inclusive, glob, line, all_frames))
            text = self.not_a_line(glob) if line is None else f"{glob}:{line}"
            self.options += ["-i" if inclusive else "-x", text]

    @staticmethod
    def not_a_line(glob):
        head, colon, digits = glob.rpartition(":")
        return f"{head}[:]{digits}" if colon and digits.isascii() and digits.isdigit() else glob

    @staticmethod
    def glob(rng, name):
        way = rng.randrange(8)
        if not name or way == 0:
            return rng.choice(("*", "*.py", "/srv/*", "?.py", "*/[ab].py", "*[!c].py", "[b-a]*", "*.py?", "<*>", ""))
        at = rng.randrange(len(name))
        return {1: name, 2: "*" + name[at:], 3: name[:at] + "*", 4: name[:at] + "?" + name[at + 1:],
                5: name[:at] + "[" + name[at] + "x-z]" + name[at + 1:], 6: name[:at] + "[!" + name[at] + "]" + name[at + 1:],
                7: name[:at] + "*" + name[at:]}[way]


def rows_of_snapshot(snapshot, path):
    with open(path, "wb") as file:
        pickle.dump(snapshot, file, 4)
    return snapdump.rows_of_pickle(path)


def frames_of(snapshot):
    return sorted({frame for _, _, frames, _ in snapshot.traces._traces for frame in frames}) or [("a.py", 1)]


def cut(snap, *options):
    return run("snapfilter", "--no-history", *options, stdin=snap)


class OverCpython(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="snap-filter-"))
        self.addCleanup(shutil.rmtree, self.folder)

    def check(self, name, snapshot, path, rng):
        filters = Filters(rng, frames_of(snapshot))
        got = rows_of_snap(run("snapfilter", *filters.options, path))
        wanted = rows_of_snapshot(snapshot.filter_traces(filters.filters), self.folder / "wanted.tm")
        self.assertIsNone(difference(got, wanted), (name, filters.options))
        return len(wanted), len(snapshot.traces._traces)

    def test_random_snapshots(self):
        kept, all_of_them = 0, 0
        for number in range(PROGRAMS):
            rng = random.Random(number)
            snapshot = Program(rng).snapshot(rng.randint(1, 40))
            path = self.folder / "dump.tm"
            with open(path, "wb") as file:
                pickle.dump(snapshot, file, 4)
            for _ in range(2):
                some, whole = self.check(number, snapshot, path, rng)
                kept += some
                all_of_them += whole
        # The filters are of use: neither everything stays, nor nothing.
        self.assertTrue(.05 < kept / all_of_them < .7, (kept, all_of_them))

    def test_dumps_of_every_python(self):
        rng = random.Random(4)
        paths = [p for p in sorted(DUMPS.glob("*.tm")) if not p.stem.endswith(("proto0", "proto1"))]
        self.assertGreaterEqual(len(paths), 15)
        for path in paths:
            with open(path, "rb") as file:
                snapshot = with_four_fields(pickle.load(file))
            for _ in range(3):
                self.check(path.name, snapshot, path, rng)


class Laws(unittest.TestCase):
    """Of diffs and snapshots alike, by rows."""

    @classmethod
    def setUpClass(cls):
        cls.pairs = []
        folder = pathlib.Path(tempfile.mkdtemp(prefix="snap-laws-"))
        cls.addClassCleanup(shutil.rmtree, folder)
        for number in range(25):
            rng = random.Random(1000 + number)
            program = Program(rng)
            limit = rng.randint(1, 40)
            snaps = []
            for turn in range(2):
                snapshot = program.snapshot(limit)
                path = folder / f"{number}-{turn}.tm"
                with open(path, "wb") as file:
                    pickle.dump(snapshot, file, 4)
                snaps.append(run("snapcat", path))
                (folder / f"{number}-{turn}.snap").write_bytes(snaps[-1])
            paths = [folder / f"{number}-{turn}.snap" for turn in range(2)]
            cls.pairs.append((rng, frames_of(snapshot), snaps, run("snapdiff", *paths)))
        cls.folder = folder

    def diff(self, old, new):
        for name, data in (("old.snap", old), ("new.snap", new)):
            (self.folder / name).write_bytes(data)
        return run("snapdiff", self.folder / "old.snap", self.folder / "new.snap")

    def test_a_filtered_diff_is_the_diff_of_what_is_filtered(self):
        for rng, frames, (old, new), diff in self.pairs:
            options = Filters(rng, frames).options + rng.choice(([], ["--min-size", "64"], ["--max-size", "512"]))
            self.assertIsNone(difference(rows_of_snap(cut(diff, *options)),
                                         rows_of_snap(self.diff(cut(old, *options), cut(new, *options)))), options)

    def test_include_and_exclude_part_the_whole(self):
        for rng, frames, _, diff in self.pairs:
            glob = Filters.not_a_line(Filters.glob(rng, rng.choice(frames)[0]))
            all_frames = rng.choice(([], ["-a"]))
            parts = rows_of_snap(cut(diff, *all_frames, "-i", glob)) + rows_of_snap(cut(diff, *all_frames, "-x", glob))
            self.assertIsNone(difference(snapdump.merge_rows(parts), rows_of_snap(diff)), glob)

    def test_changes_part_the_whole(self):
        for _, _, _, diff in self.pairs:
            changed = [row for part in ("grown", "shrunk", "new", "gone") for row in rows_of_snap(cut(diff, "--only", part))]
            together = rows_of_snap(cut(diff, "--only", "grown,shrunk,new,gone"))
            self.assertIsNone(difference(snapdump.merge_rows(changed), together))
            sums = {}
            for traceback, _, _, _, values in rows_of_snap(diff):
                sums[traceback] = [a + b for a, b in zip(sums.get(traceback, (0, 0, 0, 0)), values)]
            for part, holds in (("grown", lambda b, s, ob, os: b and ob and s > os),
                                ("shrunk", lambda b, s, ob, os: b and ob and s < os),
                                ("new", lambda b, s, ob, os: b and not ob), ("gone", lambda b, s, ob, os: ob and not b)):
                self.assertEqual({row[0] for row in rows_of_snap(cut(diff, "--only", part))},
                                 {traceback for traceback, values in sums.items() if holds(*values)}, part)

    def test_sites_with_a_total(self):
        """By stack, domain and block size; of a diff, on the larger side."""
        kept = dropped = 0
        for rng, _, (snap, _), diff in self.pairs:
            for data in (snap, diff):
                rows = rows_of_snap(data)
                totals = [max(row[4][1::2]) for row in rows]
                least = rng.choice(totals or [0])
                wanted = [row for row, total in zip(rows, totals) if total >= least]
                self.assertIsNone(difference(rows_of_snap(cut(data, "--min-total", str(least))), wanted), least)
                kept, dropped = kept + len(wanted), dropped + len(rows) - len(wanted)
        self.assertGreater(min(kept, dropped), 100)

    def test_filters_in_turn_commute(self):
        for rng, frames, (snap, _), diff in self.pairs:
            one, other = Filters(rng, frames).options, Filters(rng, frames).options
            for data in (snap, diff):
                self.assertEqual(cut(cut(data, *one), *other), cut(cut(data, *other), *one), (one, other))

    def test_a_filter_twice_is_the_filter_once(self):
        for rng, frames, _, diff in self.pairs:
            options = Filters(rng, frames).options
            once = cut(diff, *options)
            self.assertEqual(cut(once, *options), once, options)

    def test_editing_keeps_totals(self):
        def totals(data):
            rows = rows_of_snap(data)
            return [sum(row[4][c] for row in rows) for c in range(4)]
        for rng, frames, _, diff in self.pairs:
            glob = Filters.not_a_line(Filters.glob(rng, rng.choice(frames)[0]))
            edited = cut(diff, "--hide", glob, "--show-from", "*a*", "--map", "/srv/=/data/me/", "--strip-prefix", "/data")
            self.assertEqual(totals(edited), totals(diff), glob)


if __name__ == "__main__":
    unittest.main()
