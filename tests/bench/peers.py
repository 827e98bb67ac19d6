"""What CPython's own tracemalloc needs for the same answers: programs for `python3 -c`, the dumps being their arguments.
They print as much as the tools do, and Python's garbage collector stays as it is by default."""

LOAD = """
import pickle, sys
with open(sys.argv[1], "rb") as dump:
    pickle.load(dump)
"""

LOAD_WITHOUT_COLLECTOR = "import gc; gc.disable()\n" + LOAD

STATISTICS = """
import sys, tracemalloc
snapshot = tracemalloc.Snapshot.load(sys.argv[1])
for stat in snapshot.statistics(%r, cumulative=%r)[:25]:
    print(stat)
"""

TRACEBACKS = """
import sys, tracemalloc
snapshot = tracemalloc.Snapshot.load(sys.argv[1])
for stat in snapshot.statistics("traceback")[:25]:
    print(stat, *stat.traceback.format(), sep="\\n")
"""

COMPARISON = """
import sys, tracemalloc
old = tracemalloc.Snapshot.load(sys.argv[1])
new = tracemalloc.Snapshot.load(sys.argv[2])
for stat in new.compare_to(old, "lineno")[:25]:
    print(stat)
"""

# What people exclude, at all frames.
NOISE = ("*/tracemalloc.py", "<frozen importlib._bootstrap*>", "*/json/*")

FILTER = """
import sys, tracemalloc
snapshot = tracemalloc.Snapshot.load(sys.argv[1])
print(len(snapshot.filter_traces([tracemalloc.Filter(False, glob, all_frames=True) for glob in %r]).traces))
""" % (NOISE,)

NOTHING = "pass"


def statistics(key, cumulative=False):
    return STATISTICS % (key, cumulative)
