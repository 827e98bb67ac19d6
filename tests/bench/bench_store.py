#!/usr/bin/env python3
"""`make bench`, second part: snapload against Python's sqlite3.executemany and the SQLite shell's .import of the same
rows, and what questions then take, in one run. Exit status 2 when something could not be measured."""

import argparse
import os
import re
import sqlite3
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from measuring import Launcher  # noqa: E402

SNAPSHOTS, SITES = 200, 25000

EXECUTEMANY = """
import csv, sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute(sys.argv[3])
with open(sys.argv[2], newline="") as rows:
    with db:
        db.executemany("INSERT INTO site VALUES (?, ?, ?, ?, ?, ?, ?)", csv.reader(rows))
"""

QUESTIONS = {
    # name: (SQL, most milliseconds it may take)
    "top 25 lines of one snapshot": (
        "SELECT path, line, bytes FROM top_line WHERE snapshot = 100 ORDER BY bytes DESC LIMIT 25", 10),
    "growth by line over all snapshots": (
        "SELECT path, line, growth_bytes, bytes_per_hour FROM growth_line ORDER BY growth_bytes DESC LIMIT 25", 1000),
    "growth by traceback over all snapshots": (
        "SELECT traceback, growth_bytes, steps_up FROM growth_traceback ORDER BY growth_bytes DESC LIMIT 25", 5000),
    "diff by line of two snapshots": (
        "SELECT path, line, bytes_diff FROM diff_line WHERE old = 1 AND new = 200 ORDER BY bytes_diff DESC LIMIT 25", None),
}

# A node in the middle of the tree: of those with some hundred below them, the first.
NODE = """
SELECT n.id FROM node n WHERE n.depth = 4
ORDER BY abs((SELECT count(*) FROM node d WHERE d.pre BETWEEN n.pre AND n.post) - 500), n.id LIMIT 1
"""
SUBTREE = """
SELECT sum(t.bytes) FROM node n CROSS JOIN node d ON d.pre BETWEEN n.pre AND n.post
CROSS JOIN site t ON t.snapshot = 100 AND t.node = d.id WHERE n.id = ?
"""
RECURSIVE = """
WITH RECURSIVE below(id) AS (SELECT ? UNION ALL SELECT c.id FROM below JOIN node c ON c.parent = below.id)
SELECT sum(t.bytes) FROM below CROSS JOIN site t ON t.snapshot = 100 AND t.node = below.id
"""


def fresh(path):
    for name in (path, path + "-wal", path + "-shm", path + "-journal"):
        if os.path.exists(name):
            os.unlink(name)
    return path


def milliseconds(db, sql, parameters=()):
    """The median of seven, and the rows."""
    taken = []
    for _ in range(7):
        begin = time.perf_counter()
        rows = db.execute(sql, parameters).fetchall()
        taken.append(1e3 * (time.perf_counter() - begin))
    return statistics.median(taken), rows


def judged(value, most):
    return "" if most is None else "   at most %g: %s" % (most, "ok" if value <= most else "SHORT")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", default="build/bin", help="folder of the tools (default: build/bin)")
    parser.add_argument("--aids", default="build/tests/bench", help="folder of make_series and measure")
    parser.add_argument("--data", default="build/bench", help="folder for data and results (default: build/bench)")
    options = parser.parse_args()
    os.makedirs(options.data, exist_ok=True)
    series, ours, rows, peer = (os.path.join(options.data, name) for name in ("store.snap", "store.db", "store.csv", "peer.db"))
    launcher = Launcher(os.path.join(options.aids, "measure"), options.data)
    subprocess.run([os.path.join(options.aids, "make_series"), series, str(SNAPSHOTS), str(SITES)], check=True)

    cost = launcher.run([os.path.join(options.bin, "snapload"), "-q", fresh(ours), series])
    db = sqlite3.connect(ours)
    (count,) = db.execute("SELECT count(*) FROM site").fetchone()
    print("\nstore: %d snapshots, %d sites" % (SNAPSHOTS, count))
    rate = count / cost.wall
    print("  %-44s %7.2f s, %.2f million sites a second, %.0f MiB, database %.0f MB   at least 0.5: %s" % (
        "snapload", cost.wall, rate / 1e6, cost.peak / 1048576, os.path.getsize(ours) / 1e6, "ok" if rate >= 5e5 else "SHORT"))

    with open(rows, "w") as file:
        subprocess.run(["sqlite3", "-csv", ours, "SELECT snapshot, node, total_frames, domain, size, blocks, bytes FROM site"],
                       stdout=file, check=True)
    (schema,) = db.execute("SELECT sql FROM sqlite_schema WHERE name = 'site'").fetchone()
    schema = re.sub(r"^.*\bold_(blocks|bytes)\b.*\n", "", schema, flags=re.M)
    python = launcher.run([sys.executable, "-c", EXECUTEMANY, fresh(peer), rows, schema])
    print("  %-44s %7.2f s, the table of sites alone: %.1f times as long" % (
        "Python's executemany from CSV", python.wall, python.wall / cost.wall))
    subprocess.run(["sqlite3", fresh(peer), schema], check=True)
    shell = launcher.run(["sqlite3", peer, ".mode csv", ".import %s site" % rows])
    print("  %-44s %7.2f s, likewise: %.1f times as long" % ("sqlite3's .import of the CSV", shell.wall, shell.wall / cost.wall))

    for name, (sql, most) in QUESTIONS.items():
        taken, found = milliseconds(db, sql)
        if not found:
            raise SystemExit("bench_store.py: no answer to: " + name)
        print("  %-44s %7.1f ms%s" % (name, taken, judged(taken, most)))
    (node,) = db.execute(NODE).fetchone()
    taken, found = milliseconds(db, SUBTREE, (node,))
    slow, expected = milliseconds(db, RECURSIVE, (node,))
    if found != expected:
        raise SystemExit("bench_store.py: a subtree has %r and by recursion %r" % (found, expected))
    print("  %-44s %7.2f ms%s, by recursion %.2f ms: %.1f times as long" % (
        "bytes below a node", taken, judged(taken, 10), slow, slow / taken))
    db.close()
    for path in (rows, peer):
        fresh(path)


if __name__ == "__main__":
    try:
        main()
    except (OSError, subprocess.CalledProcessError, sqlite3.Error) as error:
        sys.exit("bench_store.py: %s" % error)
