"""snapload against snaptop: SQL gives the same numbers as the tool, for every grouping, on dumps of every
Python at hand, on all golden files, and on random snapshots with functions, domains and recursion."""

import collections
import json
import os
import pathlib
import random
import shutil
import sqlite3
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(os.environ["SNAP_ROOT"])
BUILD = pathlib.Path(os.environ["SNAP_BUILD"])
BIN = pathlib.Path(os.environ["SNAP_BIN"])
# Two protocols are not read; see test_tracemalloc.
FILES = [file for file in sorted(ROOT.glob("testdata/foreign/tracemalloc/*.tm")) + sorted(ROOT.glob("testdata/golden/v1/*.snap"))
         if not file.name.endswith(("proto0.tm", "proto1.tm"))]
RANDOM = 10 if os.environ.get("SNAP_VARIANT") == "asan" else 40


def output_of(tool, *arguments, **options):
    return subprocess.run([BIN / tool, *arguments], check=True, stdout=subprocess.PIPE, **options).stdout


def text_of(frame):
    return f"{frame['file']}:{frame.get('line', 0)}"


def line_key(row):
    (frame,) = row["traceback"]
    return frame["file"], frame.get("line", 0)


def function_key(row):
    (frame,) = row["traceback"]
    return frame["file"], frame.get("function"), None if "function" in frame else frame.get("line", 0)


def summed(rows):
    """{key: values}; names that only differ in what is not UTF-8 are one, and what comes to nothing is left out."""
    found = collections.defaultdict(lambda: (0, 0, 0, 0))
    for key, values in rows:
        found[key] = tuple(a + (b or 0) for a, b in zip(found[key], values))
    return {key: values for key, values in found.items() if any(values)}


OWN = "bytes, blocks, bytes - old_bytes, blocks - old_blocks"
BELOW = "cum_bytes, cum_blocks, cum_bytes - old_cum_bytes, cum_blocks - old_cum_blocks"
# (options of snaptop, key of its rows, the same by SQL: key columns, view)
GROUPINGS = [
    (["-g", "lineno"], line_key, "path, line", "top_line"),
    (["-g", "filename"], lambda row: (row["traceback"][0]["file"],), "path", "top_file"),
    (["-g", "function"], function_key, "path, function, CASE WHEN function IS NULL THEN line END", "top_function"),
    (["-g", "domain"], lambda row: (row["domain"],), "domain", "site"),
    (["-g", "size"], lambda row: (row["block_size"],), "size", "site"),
    (["-g", "traceback"], lambda row: (" → ".join(map(text_of, row["traceback"])),), "traceback", "top_traceback"),
]


def random_description(rng):
    """Lines for snapmake_c: a small program in which everything recurs."""
    def hexed(text):
        return text.encode("utf-8", "surrogateescape").hex() or "."

    files = ["/srv/a.py", "/srv/b.py", "c.py", "/x/site-packages/six.py", "\udcff.py", "it's \"q\"\n.py", ""][:rng.randint(1, 7)]
    functions = [None, "f", "g", "<module>", "\udcfe"][:rng.choice((1, 5))]
    diff = rng.random() < .3
    if diff:
        yield "columns blocks:0 bytes:1 old_blocks:0 old_bytes:1"
    yield f"meta seq {hexed(str(rng.randrange(10 ** 9)))}"
    sites = {}
    for _ in range(rng.choice((0, 1, 30, 200))):
        frames = tuple((rng.choice(files), rng.randrange(4), rng.choice(functions)) for _ in range(rng.randint(1, 6)))
        total = rng.choice((0, len(frames), len(frames) + 3))
        size = rng.choice((0, 8, 64, 5000))
        blocks, old = rng.randint(0, 9), rng.randint(0, 9)
        sites[total, rng.choice((0, 0, 389047)), size, frames] = (blocks, blocks * size) + ((old, old * size) if diff else ())
    for (total, domain, size, frames), values in sites.items():
        words = " ".join(f"{hexed(f)} {line} {'-' if name is None else hexed(name)}" for f, line, name in frames)
        yield f"site {total} {domain} {size} {' '.join(map(str, values))} : {words}"
    yield "end"


class Store(unittest.TestCase):
    maxDiff = 2000

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="snap-store-"))
        self.addCleanup(shutil.rmtree, self.folder)

    def load(self, *files):
        output_of("snapload", "-q", self.folder / "a.db", *files)
        db = sqlite3.connect(self.folder / "a.db")
        self.addCleanup(db.close)
        self.assertEqual(db.execute("PRAGMA integrity_check").fetchall(), [("ok",)])
        self.assertEqual(db.execute("PRAGMA foreign_key_check").fetchall(), [])
        return db

    def ask(self, file, *options):
        found = json.loads(output_of("snaptop", "--no-source", "--json", *options, "0", file))
        names = ("size", "count", "size_diff", "count_diff")
        return found["rows"], found["total"], lambda row: tuple(row.get(name, 0) for name in names)

    def check(self, db, number, file):
        for options, key, columns, view in GROUPINGS:
            for cumulative in (False, True):
                if cumulative and view not in ("top_line", "top_file", "top_function"):
                    continue
                rows, total, values = self.ask(file, *options, *(["-c"] if cumulative else []))
                sql = f"SELECT {columns}, {BELOW if cumulative else OWN} FROM {view} WHERE snapshot = ?"
                answer = db.execute(sql, (number,)).fetchall()
                with self.subTest(file=str(file), options=options, cumulative=cumulative):
                    self.assertEqual(summed((row[:-4], row[-4:]) for row in answer),
                                     summed((key(row), values(row)) for row in rows))
        found = db.execute(f"SELECT {OWN} FROM snapshot WHERE id = ?", (number,)).fetchone()
        self.assertEqual(tuple(value or 0 for value in found), values(total))
        self.check_tree(db, number)

    def check_tree(self, db, number):
        """What is asked by ranges, against recursion, for some nodes and lines."""
        recursive = db.execute("""
            WITH RECURSIVE up(node, bytes) AS (
                SELECT node, bytes FROM site WHERE snapshot = ?1
                UNION ALL SELECT n.parent, up.bytes FROM up JOIN node n ON n.id = up.node WHERE n.parent NOT NULL)
            SELECT node, sum(bytes) FROM up GROUP BY node""", (number,)).fetchall()
        rng = random.Random(number)
        for node, size in rng.sample(recursive, min(20, len(recursive))):
            found = db.execute("""
                SELECT sum(s.bytes) FROM node n JOIN node b ON b.pre BETWEEN n.pre AND n.post
                CROSS JOIN site s ON s.snapshot = ? AND s.node = b.id WHERE n.id = ?""", (number, node)).fetchone()
            self.assertEqual(found, (size,))
        lines = db.execute("SELECT path, line, sum(cum_bytes) FROM top_line WHERE snapshot = ? GROUP BY 1, 2",
                           (number,)).fetchall()
        for path, line, size in rng.sample(lines, min(10, len(lines))):
            for view in ("callers", "callees"):
                found = db.execute(f"SELECT sum(bytes) FROM {view} WHERE snapshot = ? AND path = ? AND line = ?",
                                   (number, path, line)).fetchone()
                self.assertEqual(found, (size,), (view, path, line))

    def test_real_and_golden_files_in_one_database(self):
        db = self.load(*FILES)
        checked = 0
        for file in FILES:
            for number in range(1, 1 + len(json.loads(output_of("snapinfo", "--json", file))["members"])):
                found = db.execute("SELECT id FROM snapshot WHERE source = ? AND member = ?",
                                   (str(file), number)).fetchall()
                if not found:  # another file has the same content
                    done = subprocess.run([BIN / "snapload", self.folder / "a.db", f"{file}@{number}"], check=True,
                                          stderr=subprocess.PIPE)
                    self.assertTrue(done.stderr.endswith(b"1 there already\n"), done.stderr)
                    continue
                ((identity,),) = found
                self.check(db, identity, f"{file}@{number}")
                checked += 1
        self.assertGreater(checked, 20)
        self.assertEqual(db.execute("SELECT count(*) FROM snapshot").fetchall(), [(checked,)])

    def test_random_snapshots(self):
        rng = random.Random(4)
        files = []
        for number in range(RANDOM):
            text = "\n".join(random_description(rng)) + "\n"
            files.append(self.folder / f"{number}.snap")
            files[-1].write_bytes(subprocess.run([BUILD / "tests/oracle/snapmake_c", "3", "one"], input=text.encode(),
                                                 check=True, stdout=subprocess.PIPE).stdout)
        db = self.load(*files)
        for number, file in enumerate(files, 1):
            self.check(db, number, file)

    def test_differences(self):
        files = [file for file in FILES if file.name.startswith("py3")][:6]
        db = self.load(*files)
        numbers = [db.execute("SELECT id FROM snapshot WHERE source = ?", (str(file),)).fetchone()[0] for file in files]
        for old, new in zip(range(len(files)), (3, 0, 1, 5, 2, 4)):
            diff = self.folder / "diff.snap"
            output_of("snapdiff", "-o", diff, files[old], files[new])
            rows, _, values = self.ask(diff)
            answer = db.execute("SELECT path, line, bytes, blocks, bytes_diff, blocks_diff FROM diff_line"
                                " WHERE old = ? AND new = ?", (numbers[old], numbers[new])).fetchall()
            self.assertEqual(summed((row[:2], row[2:]) for row in answer),
                             summed((line_key(row), values(row)) for row in rows))


if __name__ == "__main__":
    unittest.main()
