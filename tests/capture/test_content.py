"""A snapshot holds what tracemalloc itself would have told at that moment, and says of what process."""

import collections
import os
import pathlib
import pickle
import re
import time

from capturing import SANITIZED, CaptureCase, for_each_python, for_each_unknown_python, pythons, snapdump  # noqa: F401

# The three on the marked line follow each other at once; what they make themselves stands on that line.
# The first time they drive out of Python's caches of attributes what nothing else holds any more.
COMPARED = """
import asyncio, gc, json, pickle, sys, threading, time, _tracemalloc
import snapcapture

def recurse(depth):
    return [depth, recurse(depth - 1) if depth else None]

def generate():
    for i in range(50):
        yield {"number": i}

async def work(number):
    await asyncio.sleep(0)
    return bytes(number)

async def together():
    return await asyncio.gather(*(work(n) for n in range(100)))

def in_thread():
    kept.append([object() for _ in range(200)])

kept = [recurse(40), list(generate()), asyncio.run(together()), eval("[str(x) * 3 for x in range(100)]")]
kept.append(json.loads(json.dumps({"k%d" % i: [i, str(i)] for i in range(300)})))
namespace = {}
exec(compile("def f():\\n    return [bytearray(3000), [[]] * 5]\\nx = f()", "na\\udce4me \\u20ac.py", "exec"), namespace)
threads = [threading.Thread(target=in_thread) for _ in range(4)]
[t.start() for t in threads]
[t.join() for t in threads]
time.sleep(0.1)  # their last objects go a little later
gc.collect()
gc.disable()
for _ in range(2):
    before, path, after = _tracemalloc._get_traces(), snapcapture.snapshot(), _tracemalloc._get_traces()  # marked
with open(sys.argv[1], "wb") as out:
    pickle.dump((path, before, after, _tracemalloc.get_traceback_limit()), out)
"""
MARKED = COMPARED[:COMPARED.index("# marked")].count("\n") + 1


def multiset(traces, program):
    """{(domain, size, frames newest first, total): blocks}, without what the marked line made."""
    count = collections.Counter()
    for domain, size, frames, *total in traces:
        if frames[0] != (str(program), MARKED):
            named = tuple((file.encode("utf-8", "surrogatepass"), line) for file, line in frames)
            count[domain, size, named, total[0] if total else 0] += 1
    return count


class Content:
    mode = "tracemalloc"

    def same(self, found, expected):
        """What would be shown of two large collections takes minutes."""
        self.assertEqual((list((found - expected).items())[:5], list((expected - found).items())[:5]), ([], []))

    def compare(self, *options, env=None):
        program, result = self.write(COMPARED), self.folder / "result"
        self.capture(program, result, options=options, env=env)
        path, before, after, limit = pickle.loads(result.read_bytes())
        expected = multiset(before, program)
        self.same(multiset(after, program), expected)
        self.assertGreater(sum(expected.values()), 1500)
        found = collections.Counter()
        member = self.read(pathlib.Path(path))
        for frames, total, domain, size, (blocks, _) in member.rows():
            named = tuple((file, line) for file, line, _ in frames)
            if named[0] != (os.fsencode(program), MARKED):
                found[domain, size, named, total] += blocks
        self.same(found, expected)
        self.assertEqual(self.meta(pathlib.Path(path))["traceback_limit"], str(limit))
        return limit, member

    def test_equals_tracemalloc(self):
        self.assertEqual(self.compare()[0], 25)

    def test_equals_tracemalloc_with_other_limits(self):
        for frames in (1, 60):
            with self.subTest(frames=frames):
                self.assertEqual(self.compare("--frames", str(frames))[0], frames)

    def test_a_program_that_traces_already_keeps_its_limit(self):
        self.assertEqual(self.compare("--frames", "25", env={"PYTHONTRACEMALLOC": "4"})[0], 4)

    def test_metadata(self):
        began = time.time()
        self.capture("import os; print(os.getpid(), os.getppid()); x = bytearray(1 << 20)", "it's", "a b")
        path, = self.only_series()
        meta = self.meta(path)
        self.assertEqual(meta["pid"], path.name.split("-")[2])
        self.assertEqual(meta["argv"], f"{self.python} -B {self.folder}/program.py 'it'\\''s' 'a b'")
        self.assertEqual((meta["program"], meta["seq"], meta["threads"]), ("program", "1", "1"))
        self.assertRegex(meta["runtime"], r"\Acpython 3\.\d+\.\d+\Z")
        self.assertRegex(meta["producer"], r"\Asnapcapture \d+\.\d+\.\d+\Z")
        for key in ("time", "start_time"):
            self.assertRegex(meta[key], r"\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\Z")
        self.assertLess(float(meta["uptime_s"]), time.time() - began + 0.1)
        self.assertGreater(int(meta["rss_bytes"]), 1 << 20)
        self.assertGreater(int(meta["vms_bytes"]), int(meta["rss_bytes"]))
        self.assertGreater(int(meta["tracer_bytes"]), 0)
        self.assertRegex(meta["gc_counts"], r"\A\d+ \d+ \d+\Z")
        self.assertEqual(meta["root.cwd"], str(self.folder))
        self.assertTrue(pathlib.Path(meta["root.stdlib"], "os.py").is_file())
        self.assertTrue(pathlib.Path(meta["root.site"]).is_dir())
        self.assertIn("root.prefix", meta)
        self.assertEqual((meta["capture.mode"], meta["capture.trigger"], meta["capture.fork_generation"],
                          meta["capture.dropped"]), ("tracemalloc", "exit", "0", "0"))
        self.assertRegex(meta["capture.pause_ms"], r"\A\d+\.\d\Z")
        self.assertNotIn("gc_collected", meta)
        traced, total = int(meta["traced_bytes"]), self.read(path).totals[1]
        self.assertLess(abs(traced - total), 50000)
        self.assertGreaterEqual(int(meta["traced_peak_bytes"]), traced)

    def test_figures_of_the_allocators(self):
        """Memory that grew and is not Python's any more can be told from a leak in Python."""
        program = """
            import snapcapture, sys
            kept = [[bytearray(n % 1000)] for n in range(100000)]
            snapcapture.snapshot()
            if len(sys.argv) > 1:
                last = bytearray(1000)
                kept = None
        """
        self.capture(program, "all", options=["--details"])
        full, empty = map(self.meta, self.only_series())
        if not SANITIZED and "malloc.heap_bytes" in full:
            self.assertGreater(int(full["malloc.heap_bytes"]), 30 << 20)
            self.assertLess(int(full["malloc.free_bytes"]), 15 << 20)
            self.assertGreater(int(empty["malloc.free_bytes"]), 20 << 20)
            self.assertGreaterEqual(int(empty["malloc.heap_bytes"]), int(empty["malloc.free_bytes"]))
        elif not SANITIZED:
            print(f"not run: {self.id()}: this C library does not count")
        self.assertGreater(int(full["python.blocks"]) - int(empty["python.blocks"]), 190000)
        # Lists and small bytearrays: more than 100 bytes for each pair of them.
        self.assertGreater(int(full["python.arena_bytes"]), 10 << 20)
        self.assertLess(int(empty["python.arena_bytes"]), int(full["python.arena_bytes"]))
        for meta in (full, empty):
            self.assertGreaterEqual(int(meta["rss_peak_bytes"]), int(meta["rss_bytes"]))
            self.assertLess(int(meta["rss_anon_bytes"]), int(meta["rss_bytes"]))
            self.assertIn("swap_bytes", meta)
            self.assertLessEqual(int(meta["pss_bytes"]), int(meta["rss_bytes"]) * 1.2)
        for line in ("malloc.heap_bytes", "python.arena_bytes", "pss_bytes"):
            if line in full:
                self.assertIn(line.encode(), self.expect("snapinfo", self.only_series()[0]))
        for path in self.only_series():
            path.unlink()
        self.capture(program)
        plain = self.meta(self.only_series()[0])
        self.assertIn("python.arena_bytes", plain)
        self.assertFalse(plain.keys() & {"pss_bytes", "malloc.heap_bytes", "python.blocks"})

    def test_garbage_is_collected_where_asked(self):
        program = """
            import gc, snapcapture
            gc.disable()
            for _ in range(1000):
                a = [None] * 10
                a[0] = a
            del a
            snapcapture.snapshot(%s)
            assert not gc.isenabled()
            gc.enable()
            snapcapture.snapshot()
            assert gc.isenabled()
        """
        self.capture(program % "gc=True")
        self.assertGreaterEqual(int(self.meta(self.only_series()[0])["gc_collected"]), 999)
        self.assertLess(self.blocks_at(self.only_series()[0], "program.py", 5), 10)
        for path in self.only_series():
            path.unlink()
        self.capture(program % "")
        self.assertGreaterEqual(self.blocks_at(self.only_series()[0], "program.py", 5), 1000)
        for path in self.only_series():
            path.unlink()
        self.capture(program % "", options=["--gc"])
        self.assertTrue(all("gc_collected" in self.meta(path) for path in self.only_series()))

    def test_the_leaking_line_comes_first(self):
        program = self.write("""
            import snapcapture
            sessions = {}
            def handle(number):
                session = {"id": number, "token": str(number) * 10}
                sessions[number] = session
                return [str(n) for n in range(number % 50)]
            for iteration in range(5):
                for request in range(1000):
                    handle(iteration * 1000 + request)
                snapcapture.snapshot(label="iteration %d" % iteration)
        """)
        self.capture(program)
        first, *_, last = paths = self.only_series()
        self.assertEqual([self.meta(path).get("label.name") for path in paths],
                         [f"iteration {n}" for n in range(5)] + [None])
        done = self.shell(f"snapdiff {first} {last} | snaptop --tsv 1")
        self.assertEqual((done.status, done.err), (0, ""))
        self.assertRegex(done.out.decode(), re.escape(f"\t{program}\t5") + r"\b")

    def test_domain_of_an_extension(self):
        """As numpy does it: memory that is tracked under a domain of its own."""
        self.capture("""
            import ctypes
            track = ctypes.pythonapi.PyTraceMalloc_Track
            track.argtypes = [ctypes.c_uint, ctypes.c_size_t, ctypes.c_size_t]
            assert track(389047, 0x1000, 8919600) == 0
        """)
        rows = [row for row in self.read(self.only_series()[0]).rows() if row[2] == 389047]
        self.assertEqual([(row[3], row[4]) for row in rows], [(8919600, (1, 8919600))])


globals().update(for_each_python(Content))
globals().update(for_each_unknown_python(Content))
