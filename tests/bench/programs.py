#!/usr/bin/env python3
"""Makes benchmark data: runs the workloads, mixed as in a large application, under tracemalloc until enough blocks live,
and writes two dumps of the same process with some growth and some forgetting between them."""

import argparse
import asyncio
import importlib
import os
import random
import sys
import time
import tracemalloc

# Shares of the live blocks, chosen so that the dumps resemble those of web applications in distinct stacks and groups a block.
SHARES = {
    "imports": 39, "linter": 15, "formatter": 14, "compiler": 12, "tables": 13, "algebra": 3, "documents": 3, "records": 2,
    "reflection": 1, "templates": 1, "mail": 1, "patterns": 1,
}
IMPORTED_FIRST = 60000
# Of all blocks: neighbours in memory are related in real programs too, and that is the order of the records in a dump.
TURN = 0.02
GROWTH = 0.05
FORGOTTEN = 0.01


class Stream:
    """One workload, how much of the heap it has made, and what it keeps alive."""

    def __init__(self, name, share, dice):
        module = importlib.import_module("workloads." + name)
        self.name = name
        self.share = share
        self.blocks = 0
        self.kept = []
        self.units = module.units(module.inputs(dice), dice)

    def turn(self):
        """An application imports first, and does its work in fair shares then."""
        if self.name == "imports" and self.blocks < IMPORTED_FIRST:
            return -1
        return self.blocks / self.share

    def advance(self):
        before = sys.getallocatedblocks()
        try:
            self.kept.append(next(self.units))
        except StopIteration:
            return False
        self.blocks += sys.getallocatedblocks() - before
        return True


class Program:
    def __init__(self, seed):
        self.dice = random.Random(seed)
        self.streams = [Stream(name, share, self.dice) for name, share in SHARES.items()]
        self.base = sys.getallocatedblocks()

    def live_blocks(self):
        return sys.getallocatedblocks() - self.base

    async def grow(self, blocks):
        while self.live_blocks() < blocks:
            stream = min(self.streams, key=Stream.turn)
            enough = stream.blocks + blocks * TURN
            while stream.blocks < enough and self.live_blocks() < blocks:
                if not stream.advance():
                    self.streams.remove(stream)
                    break
                await asyncio.sleep(0)

    def forget(self, fraction):
        for stream in self.streams:
            stream.kept = [unit for unit in stream.kept if self.dice.random() >= fraction]


def write(path):
    """Under the final name only when complete: make-data.sh takes a file that is there for good."""
    snapshot = tracemalloc.take_snapshot()
    snapshot.dump(path + ".part")
    os.replace(path + ".part", path)
    return len(snapshot.traces)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--blocks", type=int, default=100000, help="live blocks of the first dump, at least")
    parser.add_argument("--frames", type=int, default=25, help="frames that tracemalloc keeps")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", required=True, help="the first dump")
    parser.add_argument("--out2", help="the second dump, of a heap that has grown")
    options = parser.parse_args()
    # The linter descends as deep as the sources are nested.
    sys.setrecursionlimit(5000)
    started = time.perf_counter()
    program = Program(options.seed)
    tracemalloc.start(options.frames)
    # What lives is counted without the blocks that are too big for Python's own allocator; the hundredth is to be safe.
    asyncio.run(program.grow(options.blocks * 1.01))
    written = [write(options.out)]
    if options.out2:
        live = program.live_blocks()
        program.forget(FORGOTTEN)
        asyncio.run(program.grow(live * (1 + GROWTH)))
        written.append(write(options.out2))
    for path, blocks in zip((options.out, options.out2), written):
        print("%s: %d blocks, %d frames, %.1f s" % (path, blocks, options.frames, time.perf_counter() - started))
    sys.stdout.flush()
    # Taking a million traced objects apart again would cost more than making them.
    os._exit(0 if written[0] >= options.blocks else 1)


if __name__ == "__main__":
    main()
