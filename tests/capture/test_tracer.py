"""The own tracer: exact mode tells what tracemalloc tells of the same process, sampled mode what is to be
expected of it, and nothing a program does with its memory makes the tracer lose count."""

import collections
import math
import os
import pathlib
import pickle
import shutil
import subprocess

from capturing import AGENT, SANITIZED, CaptureCase, for_each_python

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
            self.assertEqual(freelists, "bypassed")
            self.assertLess(differ, blocks / 200)


class Reading:
    def check(self, meta):
        """The tracer has counted along the way what its sites come to."""
        self.assertEqual((meta["capture.self_check"], meta["capture.lost_blocks"]), ("ok", "0"))

    def rows_of(self, path, name):
        """[(line, function, domain, size, blocks), …] of blocks whose newest frame is in a file."""
        return [(frames[0][1], frames[0][2].decode(), domain, size, values[0])
                for frames, _, domain, size, values in self.read(path).rows() if frames[0][0].decode().endswith(name)]

    def version(self):
        done = subprocess.run([self.python, "-c", "import sys; print(sys.version_info[1])"], capture_output=True)
        return int(done.stdout)


# A request makes many temporary objects of each kind, and keeps one. What a line below `kept` keeps is counted.
LEAKS = """
import gc
rounds, kept = 2000, []
def serve():
    for i in range(60):
        a = [i]; b = (a, i); c = float(i) + .5; d = {"x": i}
    many = [[i] for i in range(60)], [(a, i) for i in range(60)], [i + .25 for i in range(60)], [{"x": i} for i in range(60)]
def keep(k):
    kept.append([k])
    kept.append((k, kept))
    kept.append(k * 1.5)
    kept.append({"x": k})
for k in range(rounds):
    serve()
    keep(k)
"""
LEAK_LINES = {line.split("kept.append(")[1]: number for number, line in enumerate(LEAKS.splitlines(), 1)
              if "kept.append(" in line}


class Reuse(Reading):
    """Objects that Python makes, or would make, in the memory of earlier ones."""

    def freelists(self):
        return {True: "reftracer", False: "bypassed"}[self.version() >= 13]

    def test_leaks_stand_at_their_lines(self):
        version = self.version()
        self.capture(LEAKS)
        path, = self.only_series()
        meta = self.meta(path)
        self.check(meta)
        self.assertEqual(meta["capture.freelists"], self.freelists())
        blocks = collections.Counter()
        for line, function, _, size, count in self.rows_of(path, "program.py"):
            if function == "keep":
                blocks[line, size] += count
        # An object's size tells it from what it points to, such as the table of a dict.
        shares = [blocks[line, size] / 2000 for line, size in zip(LEAK_LINES.values(), (56, 56, 24, 64))]
        tables = sum(count for (line, size), count in blocks.items() if line == max(LEAK_LINES.values()) and 64 < size < 1000)
        print("measured: of leaked objects there stand at their own lines " +
              ", ".join(f"{100 * share:.1f} % of {text[:-1]}" for text, share in zip(LEAK_LINES, shares)) +
              f", and {tables / 20:.1f} % of the dicts' tables, with 3.{version}")
        lists, tuples, floats, dicts = shares
        self.assertGreater(lists, 0.95)
        self.assertGreater(tuples, 0.95)
        self.assertGreater(dicts, 0.95)
        self.assertGreater(floats, 0.95)
        self.assertEqual(meta["capture.freelists_missed"], "dict-tables")

    def test_samples_of_leaks_stand_at_their_lines(self):
        """As many as the sizes make probable, whether an object's memory is new or was another's."""
        version, period, seeds, found = self.version(), 2048, 8, collections.Counter()
        for seed in range(1, seeds + 1):
            self.capture(LEAKS, options=["--mode", f"sampled={period}"], env={"SNAPRUN_SEED": str(seed)})
            path, = self.only_series()
            meta = self.meta(path)
            self.check(meta)
            self.assertEqual(meta["capture.freelists"], "reftracer" if version == 13 else "drawn")
            for line, function, _, size, count in self.rows_of(path, "program.py"):
                found[line if function == "keep" else function, size] += count
            path.unlink()
        for line, size in zip(LEAK_LINES.values(), (56, 56, 24, 64)):
            if size == 24 and version in (11, 12):
                continue
            hit = -math.expm1(-size / period)
            expected, error = 2000 * seeds * hit, math.sqrt(2000 * seeds * hit * (1 - hit))
            self.assertLess(abs(found[line, size] - expected), 4.5 * error, (line, size, found[line, size], expected))
        if version < 13:  # from then on what Python keeps for the next ones counts for who had it last
            self.assertLess(sum(found["serve", size] for size in (56, 64)), 5)

    def test_deep_structures_go(self):
        """One level after another, not each within the one above, while the tracer is there and after."""
        self.capture("""
            import snapcapture, sys, threading
            def build(kind):
                deep = None
                for i in range(100000):
                    deep = {list: [deep], tuple: (deep,), dict: {1: deep}}[kind] if kind else [({2: deep}, [])]
                return deep
            class Sub(list): pass
            def chain():
                deep = None
                for i in range(50000):
                    deep = Sub([deep])
                return deep
            threading.stack_size(1 << 20)  # less is too little for 3.13, traced or not
            for kind in (list, tuple, dict, None):
                thread = threading.Thread(target=build, args=(kind,))
                thread.start()
                thread.join()
            thread = threading.Thread(target=chain)
            thread.start()
            thread.join()
            deep = [build(kind) for kind in (list, tuple, dict, None)]
            snapcapture.stop()
            del deep
            deep = build(None)
        """, options=["--mode", "sampled"])
        for path in self.only_series():
            self.check(self.meta(path))

    def test_slots_that_others_use(self):
        """One takes those of list and tuple and forwards; a type in C is derived meanwhile, and inherits them."""
        if shutil.which("cc") is None:
            print(f"not run: {self.id()}: there is no C compiler")
            return
        if self.version() >= 13:
            return  # nobody's slots are used there
        self.write("""
            #include <stdint.h>
            #include <string.h>
            extern char PyList_Type[], PyTuple_Type[], PyType_Type[];
            int PyType_Ready(void *);
            enum { TYPE = 8, NAME = 24, SIZE = 32, RELEASE = 48, FLAGS = 168, BASE = 256 };
            static void (*below[2])(void *);
            static void other_list(void *object) { below[0](object); }
            static void other_tuple(void *object) { below[1](object); }
            static void **slot(char *type) { return (void **)(type + RELEASE); }
            void take(void)
            {
                below[0] = *slot(PyList_Type), below[1] = *slot(PyTuple_Type);
                *slot(PyList_Type) = other_list, *slot(PyTuple_Type) = other_tuple;
            }
            void give_back(void) { *slot(PyList_Type) = below[0], *slot(PyTuple_Type) = below[1]; }
            void *now(void) { return *slot(PyList_Type); }
            void *derive(void)
            {
                static char type[416];
                void *name = "derived.List", *base = PyList_Type, *own = PyType_Type;
                *(intptr_t *)type = 1;
                memcpy(type + TYPE, &own, 8), memcpy(type + NAME, &name, 8), memcpy(type + BASE, &base, 8);
                return PyType_Ready(type) == 0 ? type : 0;
            }
        """, "slots.c")
        subprocess.run(["cc", "-shared", "-fPIC", "-o", "slots.so", "slots.c"], cwd=self.folder, check=True)
        (self.folder / "own").mkdir()
        self.expect(self.python, "-B", self.write("""
            import ctypes, os, sys, threading
            sys.path.insert(0, os.environ["AGENT"])
            import snapcapture
            slots = ctypes.PyDLL(os.path.abspath("slots.so"))
            slots.now.restype, slots.derive.restype = ctypes.c_void_p, ctypes.py_object
            def work():
                kept = [[([i], (i, i)) for i in range(100)] for _ in range(20)]
            def deep(kind):
                deep = None
                for i in range(100000):
                    deep = kind([deep])
            def in_thread(kind):
                thread = threading.Thread(target=deep, args=(kind,))
                thread.start()
                thread.join()
            threading.stack_size(1 << 20)
            plain = slots.now()
            with snapcapture.start("own", mode="exact"):
                assert slots.now() != plain
                derived = slots.derive()
                assert issubclass(derived, list) and derived is not list
                work()
                in_thread(derived)
            assert slots.now() == plain
            in_thread(derived)
            with snapcapture.start("own", mode="exact"):
                slots.take()
            other = slots.now()
            work()
            for _ in range(2):
                with snapcapture.start("own", mode="exact"):
                    assert slots.now() == other
                    work()
            slots.give_back()  # to the tracer's
            work()
            in_thread(list)
        """), env={**self.clean, "AGENT": str(AGENT)}, out="")
        paths = sorted((self.folder / "own").iterdir(), key=lambda path: path.stat().st_mtime_ns)
        metas = [self.meta(path) for path in paths]
        for meta in metas:
            self.check(meta)
        self.assertEqual([meta["capture.freelists"] for meta in metas], ["bypassed", "none", "none", "none"])

    def test_a_dict_that_is_kept_by_who_watches_it(self):
        if self.version() != 12:
            return  # there is nobody to watch, or nothing is done to dicts
        self.capture("""
            import ctypes, gc
            api, kept = ctypes.pythonapi, []
            @ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.py_object, ctypes.c_void_p, ctypes.c_void_p)
            def on_event(event, watched, key, value):
                if event == 5:  # it goes
                    kept.append(watched)
                return 0
            watcher = api.PyDict_AddWatcher(on_event)
            for n in range(10):
                watched = {"n": n}
                assert api.PyDict_Watch(watcher, ctypes.py_object(watched)) == 0
                del watched
            assert [type(d) is dict and d["n"] for d in kept] == list(range(10)), kept
            api.PyDict_ClearWatcher(watcher)
        """)
        self.check(self.meta(self.only_series()[0]))


class Traced(Reading):
    """What becomes of blocks in all ways that a program deals with them."""

    def test_functions(self):
        self.capture("""
            class Shop:
                def sell(self):
                    return [bytearray(70001) for _ in range(3)]
            def serve():
                yield bytearray(70002)
            kept = [Shop().sell(), list(serve()), (lambda: bytearray(70003))(), bytearray(70004)]
        """)
        found = {size: (line, function) for line, function, _, size, _ in self.rows_of(self.only_series()[0], "program.py")
                 if size > 70000}
        inner = {True: "Shop.sell", False: "sell"}[self.version() >= 11]
        if self.version() < 12:  # later there is no function in it any more
            inner = {True: f"{inner}.<locals>.<listcomp>", False: "<listcomp>"}[self.version() >= 11]
        self.assertEqual(found, {70002: (4, inner), 70003: (6, "serve"), 70004: (7, "<lambda>"), 70005: (7, "<module>")})

    def test_code_that_dies(self):
        """Another code object gets its address, and its blocks are not taken for the first one's."""
        self.capture("""
            kept = []
            def run(number):
                text = "\\n" * number + "def f%d(): return bytearray(100000 + %d)\\nkept.append(f%d())" % ((number,) * 3)
                exec(compile(text, "made%d.py" % number, "exec"), {"kept": kept})
            for number in range(1, 400):
                run(number)
        """)
        path, = self.only_series()
        found = [(frames[0], size, values[0]) for frames, _, _, size, values in self.read(path).rows() if size > 100000]
        expected = [((b"made%d.py" % n, n + 1, b"f%d" % n), 100001 + n, 1) for n in range(1, 400)]
        self.assertEqual(sorted(found, key=lambda row: row[1]), expected)
        self.check(self.meta(path))

    def test_objects_that_make_objects(self):
        """Each call of a class may have a frame of its own, which Python does not show: it takes no other's place."""
        self.capture("""
            kept = []
            class C:
                def __init__(self):
                    kept.append(bytes(5000))
            class B:
                def __init__(self):
                    C()
            class A:
                def __init__(self):
                    B()
            def one():
                A()
            def two():
                A()
            for _ in range(1000):
                one()
            for _ in range(1000):
                two()
        """, options=("-t", "4"))
        path, = self.only_series()
        found = collections.Counter()
        for frames, _, _, size, values in self.read(path).rows():
            if 5000 < size < 5100:
                found[tuple(line for _, line, _ in frames)] += values[0]
        self.assertEqual(found, {(5, 8, 11, 13): 1000, (5, 8, 11, 15): 1000})

    def test_sites_that_are_dead_go(self):
        """Memory follows what lives."""
        program = """
            import sys, snapcapture
            def recurse(way):
                if way > 1:
                    return recurse(way // 2) if way % 2 else recurse(way // 2)
                return bytearray(10)
            for way in range(1 << 15, 1 << 16):
                recurse(way)
        """
        self.capture(program, options=["-t", "30"])
        meta = self.meta(self.only_series()[0])
        self.check(meta)
        self.assertLess(int(meta["tracer_bytes"]), 20 << 20)
        few = int(meta["tracer_bytes"])
        self.only_series()[0].unlink()
        self.capture(program.replace("recurse(way)\n", "kept.append(recurse(way))\n").replace(
            "import sys", "kept = []; import sys"), options=["-t", "30"])
        meta = self.meta(self.only_series()[0])
        self.check(meta)
        self.assertGreater(int(meta["tracer_bytes"]), few + (4 << 20))

    def test_sampled_takes_little_memory(self):
        self.capture("kept = [bytearray(100) for _ in range(300000)]", options=["--mode", "sampled"])
        meta = self.meta(self.only_series()[0])
        self.check(meta)
        self.assertEqual((meta["capture.mode"], meta["sample_period_bytes"]), ("sampled", "65536"))
        self.assertLess(int(meta["tracer_bytes"]), 2 << 20)

    def test_reallocation(self):
        """The block counts where it was last made larger or smaller, and once."""
        self.capture("""
            grown = [bytearray(100) for _ in range(1000)]
            for b in grown:
                b.extend(bytes(70000))
            for b in grown[:500]:
                del b[20000:]
            many = []
            for i in range(100000):
                many.append(None)
        """)
        rows = self.rows_of(self.only_series()[0], "program.py")
        large = {line: sum(blocks for at, _, _, size, blocks in rows if at == line and size > 10000) for line in range(1, 9)}
        self.assertEqual([large[line] for line in (2, 4, 6)], [0, 500, 500])
        self.assertEqual(sum(blocks for at, _, _, size, blocks in rows if at == 9 and size > 800000), 1)
        self.check(self.meta(self.only_series()[0]))

    def test_threads_with_and_without_the_interpreters_lock(self):
        rounds = 12 if SANITIZED else 60  # what the sanitizer does for bz2's large blocks takes seconds
        for mode in ("exact", "sampled=1K"):
            self.capture("""
                import bz2, gc, hashlib, lzma, snapcapture, sys, threading, zlib
                sys.setswitchinterval(1e-5)
                kept, failed = [], []
                def work(number):
                    try:
                        mine = []
                        for i in range(int(sys.argv[1])):
                            mine.append(zlib.compress(b"x%d" % i * 5000))
                            bz2.compress(b"y" * 3000)
                            lzma.compress(b"z" * 300)
                            mine.append([bytearray(n) for n in range(50)])
                            if i % 20 == 0:
                                gc.collect()
                        kept.append(mine)
                    except BaseException as error:
                        failed.append(error)
                threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
                [t.start() for t in threads]
                while any(t.is_alive() for t in threads):
                    assert snapcapture.snapshot() is not None
                assert not failed, failed
            """, str(rounds), options=["--mode", mode, "--keep", "2"])
            for path in self.only_series():
                self.check(self.meta(path))
                path.unlink()

    def test_fork(self):
        self.capture("""
            import os, sys, threading, zlib
            kept = [bytearray(50) for _ in range(500)]
            stop = []
            def work():
                while not stop:
                    zlib.compress(b"x" * 3000)
            threads = [threading.Thread(target=work, daemon=True) for _ in range(4)]
            [t.start() for t in threads]
            for number in range(20):
                pid = os.fork()
                if pid == 0:
                    del kept[:100]
                    kept += [bytearray(50) for _ in range(300)]
                    sys.exit(0)
                assert os.waitpid(pid, 0)[1] == 0
            stop.append(1)
        """, env={"PYTHONWARNINGS": "ignore"})
        series = self.series()
        self.assertEqual(len(series), 21)
        for (path,) in series.values():
            meta = self.meta(path)
            self.check(meta)
            data = {line: sum(blocks for at, _, _, size, blocks in self.rows_of(path, "program.py")
                              if at == line and size == 51) for line in (3, 14)}
            expected = {3: 400, 14: 300} if meta["capture.fork_generation"] == "1" else {3: 500, 14: 0}
            self.assertEqual(data, expected)

    def test_start_and_stop(self):
        (self.folder / "own").mkdir()
        self.expect(self.python, "-B", self.write("""
            import ctypes, os, sys, _tracemalloc
            sys.path.insert(0, os.environ["AGENT"])
            import snapcapture
            class Allocator(ctypes.Structure):
                _fields_ = [(name, ctypes.c_void_p) for name in ("ctx", "malloc", "calloc", "realloc", "free")]
            def allocators():
                found = []
                for domain in range(3):
                    allocator = Allocator()
                    ctypes.pythonapi.PyMem_GetAllocator(domain, ctypes.byref(allocator))
                    found.append(tuple(getattr(allocator, name) for name, _ in Allocator._fields_))
                return found
            plain, kept = allocators(), []
            for n in range(20):
                before = bytearray(30000)
                with snapcapture.start("own", mode=["exact", "sampled"][n % 2], period=100):
                    assert allocators() != plain
                    kept.append(bytearray(30000 + n))
                    del before
                assert allocators() == plain
            # Below another's hooks they stay, and do nothing until the next capture. Those of sampled mode see no block go
            # but what they have put apart, so where each block counts there are others above.
            for first in "exact", "sampled":
                with snapcapture.start("own", mode=first, period=100):
                    _tracemalloc.start()
                both = allocators()
                kept.append(bytearray(40000))
                for second in "exact", "sampled", "exact":
                    before = bytearray(45000)
                    with snapcapture.start("own", mode=second, period=100):
                        assert (allocators() == both) == (first == "exact" or second == "sampled")
                        kept.append(bytearray(50000))
                        del before
                    assert allocators() == both
                _tracemalloc.stop()
                with snapcapture.start("own", mode="exact"):
                    kept.append(bytearray(60000))
                assert allocators() == plain
        """), env={**self.clean, "AGENT": str(AGENT)}, out="")
        paths = sorted((self.folder / "own").iterdir(), key=lambda path: path.stat().st_mtime_ns)
        self.assertEqual(len(paths), 30)
        for n, path in enumerate(paths):
            self.check(self.meta(path))
            large = sorted(size for _, _, _, size, _ in self.rows_of(path, "program.py") if size >= 30000)
            self.assertEqual(large, [30001 + n] if n < 20 else ([], [50001], [50001], [50001], [60001])[n % 5])

    def test_hooks_that_the_program_puts_away(self):
        result = self.run_tool(*self.command("""
            import _tracemalloc, snapcapture
            kept = [bytearray(100) for _ in range(100)]
            print(snapcapture.snapshot() is not None)
            _tracemalloc.stop()
            print(snapcapture.snapshot())
        """), env={**self.clean, "PYTHONTRACEMALLOC": "1"})
        self.assertEqual((result.status, result.out), (0, b"True\nNone\n"))
        self.assertRegex(result.err, r"\Asnapcapture\[\d+\]: the program has put away the tracer's hooks; the program goes on\n\Z")

    def test_memory_of_the_interpreters_debugging_allocators(self):
        for name in ("malloc", "debug", "malloc_debug", "pymalloc_debug"):
            self.capture("kept = [bytearray(n) for n in range(3000)]; kept = kept[::2]", env={"PYTHONMALLOC": name})
            path, = self.only_series()
            self.check(self.meta(path))
            self.assertEqual(sum(blocks for *_, size, blocks in self.rows_of(path, "program.py") if size > 600),
                             sum(1 for n in range(0, 3000, 2) if n + 1 > 600) + 1)
            path.unlink()

    def test_sampled_totals(self):
        """Estimates over many seeds are those of what there is."""
        (self.folder / "own").mkdir()
        sizes, seeds, period = {33: 4000, 4001: 150, 200001: 6}, 60, 8192
        self.expect(self.python, "-B", self.write(f"""
            import os, sys
            sys.path.insert(0, os.environ["AGENT"])
            import snapcapture
            for seed in range(1, {seeds} + 1):
                os.environ["SNAPRUN_SEED"] = str(seed)
                with snapcapture.start("own", mode="sampled", period={period}):
                    kept = []
                    for n in range(4000):
                        kept.append(bytearray(32))
                        if n < 150:
                            kept.append(bytearray(4000))
                        if n < 6:
                            kept.append(bytearray(200000))
        """), env={**self.clean, "AGENT": str(AGENT)}, out="")
        sums = collections.Counter()
        for path in (self.folder / "own").iterdir():
            for _, _, _, size, blocks in self.rows_of(path, "program.py"):
                sums[size] += blocks
        for size, blocks in sizes.items():
            hit = -math.expm1(-size / period)
            error = math.sqrt(seeds * blocks * hit * (1 - hit))
            self.assertLessEqual(abs(sums[size] - seeds * blocks * hit), 4 * error, size)

    def test_seeds_repeat(self):
        program = self.write("kept = [bytearray(n % 5000) for n in range(20000)]")
        found = []
        for seed in ("7", "7", "8"):
            self.capture(program, options=["--mode", "sampled=16K"], env={"SNAPRUN_SEED": seed, "PYTHONHASHSEED": "1"})
            path, = self.only_series()
            found.append([row for row in self.read(path).rows() if row[0][0][0].decode().endswith("program.py")])
            path.unlink()
        self.assertNotEqual(found[0], found[2])

    def test_extension(self):
        """As numpy does it, in a library that is there before, and one that comes later, however it is linked."""
        if shutil.which("cc") is None:
            print(f"not run: {self.id()}: there is no C compiler")
            return
        self.write("""
            #include <stdint.h>
            #include <stddef.h>
            int PyTraceMalloc_Track(unsigned, uintptr_t, size_t);
            int PyTraceMalloc_Untrack(unsigned, uintptr_t);
            int (*volatile track)(unsigned, uintptr_t, size_t) = PyTraceMalloc_Track;
            int make(unsigned domain, uintptr_t at, size_t size) { return PyTraceMalloc_Track(domain, at, size); }
            int make_by_pointer(unsigned domain, uintptr_t at, size_t size) { return track(domain, at, size); }
            int end(unsigned domain, uintptr_t at) { return PyTraceMalloc_Untrack(domain, at); }
        """, "track.c")
        for name, flags in (("lazy", ["-Wl,-z,lazy"]), ("now", ["-Wl,-z,now", "-Wl,-z,relro"]), ("late", [])):
            subprocess.run(["cc", "-shared", "-fPIC", *flags, "-o", f"{name}.so", "track.c"], cwd=self.folder, check=True)
        (self.folder / "own").mkdir()
        self.expect(self.python, "-B", self.write("""
            import ctypes, os, sys
            sys.path.insert(0, os.environ["AGENT"])
            def load(name):
                library = ctypes.CDLL(os.path.abspath(name))
                for function in (library.make, library.make_by_pointer):
                    function.argtypes = [ctypes.c_uint, ctypes.c_size_t, ctypes.c_size_t]
                library.end.argtypes = [ctypes.c_uint, ctypes.c_size_t]
                return library
            lazy, now = load("lazy.so"), load("now.so")
            import snapcapture
            with snapcapture.start("own", mode="exact"):
                lazy.make(389047, 0x1000, 1000)
                now.make(389047, 0x2000, 2000)
                now.make_by_pointer(389047, 0x2000, 3000)  # again
                lazy.make(5, 0x2000, 4000)
                lazy.make(389047, 0x3000, 5000)
                now.end(389047, 0x3000)
                now.end(389047, 0x4000)
                snapcapture.snapshot()
                late = load("late.so")  # not by an import; known from the next snapshot on
                snapcapture.snapshot()
                late.make(389047, 0x5000, 6000)
                late.end(389047, 0x1000)
            lazy.make(389047, 0x6000, 1)
        """), env={**self.clean, "AGENT": str(AGENT)}, out="")
        first, _, last = sorted((self.folder / "own").iterdir())
        self.assertEqual(sorted(row[2:4] for row in self.read(first).rows() if row[2]),
                         [(5, 4000), (389047, 1000), (389047, 3000)])
        self.assertEqual(sorted(row[2:4] for row in self.read(last).rows() if row[2]),
                         [(5, 4000), (389047, 3000), (389047, 6000)])
        self.assertEqual({row[0][0][0] for row in self.read(last).rows() if row[2]}, {os.fsencode(self.folder / "program.py")})

    def test_numpy(self):
        if subprocess.run([self.python, "-c", "import numpy"], capture_output=True).returncode != 0:
            print(f"not run: {self.id()}: {self.python} has no numpy")
            return
        out = self.capture("""
            import numpy, snapcapture
            kept = [numpy.zeros(n, dtype=numpy.uint8) for n in range(1, 3000, 7)]
            kept += [numpy.ones((n, 11)) * 2 for n in range(1, 200)]
            kept[0] = numpy.arange(100000)
            kept[1].resize(4321, refcheck=False)
            del kept[5:50]
            snapcapture.snapshot()
            print(sum(array.nbytes for array in kept))
        """, out=None)
        path = self.only_series()[0]
        rows = [row for row in self.read(path).rows() if row[2] == 389047 and row[0][0][0].decode().endswith("program.py")]
        self.assertEqual(sum(values[1] for *_, values in rows), int(out))
        self.check(self.meta(path))


globals().update(for_each_python(Exact, Reuse, Traced))
