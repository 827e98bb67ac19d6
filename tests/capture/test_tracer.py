"""The own tracer: exact mode tells what tracemalloc tells of the same process, sampled mode what is to be
expected of it, and nothing a program does with its memory makes the tracer lose count."""

import collections
import json
import math
import os
import pathlib
import pickle
import shutil
import subprocess
import sys

from capturing import AGENT, CaptureCase, for_each_python

# tracemalloc sits below the own tracer, so that both hear of the same blocks, and is asked right after the
# snapshot, on a line that does not count.
WORKLOAD = """
import sys, _tracemalloc
_tracemalloc.start(25)
import snapcapture
snapcapture.start(sys.argv[2], frames=25, mode="exact")
import asyncio, gc, json, pickle, random, re, threading, time, zlib

kept = []
chosen = random.Random(5)

def recurse(depth):
    return [depth, "r%d" % depth, recurse(depth - 1) if depth else None]

def generate(n):
    for i in range(n):
        yield {"number": i, "text": str(i) * 3}

async def work(number):
    await asyncio.sleep(0)
    return [bytes(number % 700), {number: str(number)}]

async def together():
    return await asyncio.gather(*(work(n) for n in range(600)))

class Node:
    def __init__(self, n):
        self.value = [n, str(n)]
        self.next = (n, float(n))

def in_thread():
    mine = []
    for i in range(1500):
        mine.append(Node(i))
        if i % 3 == 0:
            mine[chosen.randrange(len(mine))] = {i: bytearray(i % 900)}
        if i % 50 == 0:
            zlib.compress(b"x" * 20000)
    kept.append(mine)

for i in range(200):
    kept.append(eval("[str(x) * 3 for x in range(%d)]" % (i % 20)))
    names = {}
    exec("def f(a):\\n    return [a, {'k': a}]\\nx = [f(n) for n in range(10)]", names)
    if i % 2:
        kept.append(names["x"])
kept += [recurse(100) for _ in range(20)]
kept += list(generate(4000))
kept.append(asyncio.run(together()))
threads = [threading.Thread(target=in_thread) for _ in range(8)]
[t.start() for t in threads]
[t.join() for t in threads]
kept += [json.loads(json.dumps({"k%d" % i: [i, str(i), i / 3] for i in range(2000)})) for _ in range(2)]
for i in range(20000):  # much that comes and goes, in memory that is used again
    t = (i, [i], {"k": i}, str(i))
    if i % 7 == 0:
        kept.append(t[i % 4])
lists = [[] for _ in range(300)]
for i in range(60000):
    lists[i % 300].append(i)
kept.append(lists)
time.sleep(0.1)
gc.collect()
gc.disable()
path, traces = snapcapture.snapshot(), _tracemalloc._get_traces()  # marked
with open(sys.argv[1], "wb") as out:
    pickle.dump((path, traces), out)
"""
MARKED = WORKLOAD[:WORKLOAD.index("# marked")].count("\n") + 1


class Exact:
    def differing(self):
        """The workload's blocks in all, and how many of them the tracer has elsewhere or not at all."""
        program, result, folder = self.write(WORKLOAD), self.folder / "result", self.folder / "own"
        folder.mkdir()
        env = {**self.clean, "PYTHONPATH": str(AGENT)}
        self.expect(self.python, "-B", program, result, folder, env=env, out="")
        path, traces = pickle.loads(result.read_bytes())
        expected, found = collections.Counter(), collections.Counter()
        for _, size, frames, *_ in traces:
            if frames[0] != (str(program), MARKED):
                expected[size, tuple((file.encode(), line) for file, line in frames)] += 1
        member = self.read(pathlib.Path(path))
        for frames, _, _, size, (blocks, _) in member.rows():
            if frames[0][:2] != (os.fsencode(program), MARKED):
                found[size, tuple((file, line) for file, line, _ in frames)] += blocks
        meta = {key.decode(): value.decode() for key, value in member.meta}
        self.assertEqual((meta["capture.mode"], meta["capture.self_check"], meta["capture.lost_blocks"]),
                         ("exact", "ok", "0"))
        self.assertEqual(int(meta["traced_bytes"]), member.totals[1])
        if os.environ.get("SHOW"):
            print((expected - found).most_common(8), (found - expected).most_common(8))
        blocks = sum(expected.values())
        self.assertGreater(blocks, 60000)
        return blocks, max(sum((expected - found).values()), sum((found - expected).values())), meta["capture.freelists"]

    def test_equals_tracemalloc(self):
        blocks, differ, freelists = self.differing()
        if freelists == "reftracer":
            self.assertLess(differ, blocks / 1000)
        else:
            print(f"measured: {differ} of {blocks} blocks ({100 * differ / blocks:.2f} %) differ from "
                  f"tracemalloc's with {os.path.basename(os.path.dirname(os.path.dirname(self.python)))}")
            self.assertLess(differ, blocks / 20)


globals().update(for_each_python(Exact))
