"""Changes of a series that must not change what snaptrend says of it, on synthetic series (generate.py)."""

import json
import os
import pathlib
import random
import re
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import generate  # noqa: E402

BIN = pathlib.Path(os.environ["SNAP_BIN"]).resolve()
WRITER = pathlib.Path(os.environ["SNAP_BUILD"]).resolve() / "tests/leakbench/write_series"
SEEDS = (7001, 7002, 7003)
COUNT = 12


class Text:
    """A series as write_series reads it, taken apart."""

    def __init__(self, seed):
        self.stacks, self.snapshots = [], []
        for line in generate.Series(seed, COUNT).lines():
            if line.startswith("stack "):
                self.stacks.append(line[len("stack "):])
            elif line.startswith("snapshot "):
                self.snapshots.append((line[len("snapshot "):], []))
            else:
                self.snapshots[-1][1].append(tuple(map(int, line.split())))

    def lines(self):
        for stack in self.stacks:
            yield "stack " + stack
        for meta, sites in self.snapshots:
            yield "snapshot " + meta
            for site in sites:
                yield "%d %d %d" % site

    def map_sites(self, change):
        self.snapshots = [(meta, change(sites)) for meta, sites in self.snapshots]

    def map_meta(self, change):
        self.snapshots = [(change(meta), sites) for meta, sites in self.snapshots]


class Metamorphic(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="snap-metamorphic-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def ask(self, *texts):
        paths = []
        for number, text in enumerate(texts):
            paths.append(self.folder / f"{number}.snap")
            subprocess.run([WRITER, paths[-1]], input="\n".join([*text.lines(), ""]).encode(), check=True)
        done = subprocess.run([BIN / "snaptrend", "--json", "0", *paths], capture_output=True, check=True)
        return json.loads(done.stdout)

    def said(self, told, scale=1):
        """What must stay; growth beside, to leave out what is hidden for being small."""
        said = []
        for row in told["rows"]:
            if row["growth_bytes"] / scale >= 64 * 1024:
                said.append((row["verdict"], row["blame"]["file"], row["blame"]["line"], row["growth_blocks"],
                             row["growth_bytes"] / scale, row["parts"]))
        self.assertTrue(any(verdict == "leak" for verdict, *_ in said), "the series shows nothing")
        return said

    def check(self, change, scale=1):
        for seed in SEEDS:
            with self.subTest(seed):
                text = Text(seed)
                before = self.said(self.ask(text))
                change(text)
                self.assertEqual(self.said(self.ask(text), scale), before)

    def test_all_sizes_times_seven(self):
        self.check(lambda text: text.map_sites(lambda sites: [(s, blocks, 7 * size) for s, blocks, size in sites]), 7)

    def test_another_year(self):
        self.check(lambda text: text.map_meta(lambda meta: meta.replace("time=2026-", "time=2031-")))

    def test_another_order_of_sites(self):
        def permute(text):
            dice = random.Random(1)
            order = list(range(len(text.stacks)))
            dice.shuffle(order)
            number = {old: new for new, old in enumerate(order)}
            text.stacks = [text.stacks[old] for old in order]
            text.map_sites(lambda sites: dice.sample([(number[s], *rest) for s, *rest in sites], len(sites)))

        self.check(permute)

    def test_other_files(self):
        """Names that are own code stay so, and sort in another order."""
        def rename(text):
            swap = lambda match: "/srv/app/" + match[1][::-1] + ".py:"
            text.stacks = [re.sub(r"/srv/app/(\w+)\.py:", swap, stack) for stack in text.stacks]

        for seed in SEEDS:
            with self.subTest(seed):
                text = Text(seed)
                strip = lambda said: [(verdict, line, *rest) for verdict, _, line, *rest in said]
                before = strip(self.said(self.ask(text)))
                rename(text)
                self.assertEqual(strip(self.said(self.ask(text))), before)

    def test_other_sizes_with_the_same_sum(self):
        def spread(sites):
            changed = {}
            for stack, blocks, size in sites:
                pairs = [(blocks, size)] if blocks < 3 or size < 2 else [(blocks - 2, size), (1, size - 1), (1, size + 1)]
                for count, of in pairs:
                    changed[stack, of] = changed.get((stack, of), 0) + count
            return [(stack, count, of) for (stack, of), count in changed.items()]

        self.check(lambda text: text.map_sites(spread))

    def test_constant_sites_beside(self):
        def add(text):
            first = len(text.stacks)
            more = [f"/srv/app/constant.py:{i} /srv/app/main.py:26" for i in range(1000)]
            text.stacks += more
            text.map_sites(lambda sites: sites + [(first + i, 1, 40) for i in range(len(more))])

        self.check(add)

    def test_the_same_process_twice(self):
        for seed in SEEDS:
            with self.subTest(seed):
                text, other = Text(seed), Text(seed)
                other.map_meta(lambda meta: meta.replace("pid=1", "pid=2"))
                once, twice = self.ask(text), self.ask(text, other)
                self.assertEqual(twice["leaks"], 2 * once["leaks"])
                for number in (0, 1):
                    rows = [row for row in twice["rows"] if row["process"] == number]
                    self.assertEqual(self.said({"rows": rows}), self.said(once))
                    self.assertEqual({row["processes"] for row in rows if row["verdict"].startswith("leak")}, {2})

    def test_snapshots_shuffled_in_time(self):
        for seed in SEEDS:
            with self.subTest(seed):
                text = Text(seed)
                metas = [meta for meta, _ in text.snapshots]
                random.Random(seed).shuffle(text.snapshots)
                text.snapshots = [(meta, sites) for meta, (_, sites) in zip(metas, text.snapshots)]
                self.assertEqual(self.ask(text)["leaks"], 0)


if __name__ == "__main__":
    unittest.main()
