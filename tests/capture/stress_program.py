"""What a program can do to a tracer, all at once, for some seconds: run by stress.py under snaprun.

usage: stress_program.py SECONDS SEED MODE RESULT"""

import asyncio
import bz2
import collections
import ctypes
import faulthandler
import gc
import hashlib
import json
import lzma
import os
import random
import subprocess
import sys
import threading
import time
import types
import warnings
import zlib

import snapcapture

SECONDS, SEED, MODE, RESULT = float(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
FOLDER = os.environ["SNAPRUN_FOLDER"]
END = time.monotonic() + SECONDS
THREADS = 8
# The allocator of the sanitizer of gcc 12 is not made for a fork while other threads are in it: the child finds a lock
# taken for ever.
FORKS = "libasan" not in os.environ.get("LD_PRELOAD", "")
HANGS_AFTER = 120  # seconds without a turn of any kind

done = collections.Counter()
errors = []
raw = ctypes.CDLL(None) if hasattr(ctypes.CDLL(None), "PyMem_RawMalloc") else ctypes.pythonapi
for name, result, arguments in (("PyMem_RawMalloc", ctypes.c_void_p, [ctypes.c_size_t]),
                                ("PyMem_RawCalloc", ctypes.c_void_p, [ctypes.c_size_t] * 2),
                                ("PyMem_RawRealloc", ctypes.c_void_p, [ctypes.c_void_p, ctypes.c_size_t]),
                                ("PyMem_RawFree", None, [ctypes.c_void_p])):
    getattr(raw, name).restype, getattr(raw, name).argtypes = result, arguments
handed_over = collections.deque()  # blocks that another thread frees or resizes


def compress_without_gil(chosen):
    data = os.urandom(5000) * chosen.randrange(2, 30)
    for codec in (zlib, bz2, lzma):
        if codec is not lzma or chosen.random() < 0.2:
            assert codec.decompress(codec.compress(data)) == data
    hashlib.sha256(data).digest()


def allocate_raw_without_gil(chosen):
    for _ in range(60):
        size = chosen.choice((0, 1, 17, 300, 600, 5000, 70000, 1500000))
        handed_over.append(raw.PyMem_RawCalloc(3, size) if size % 2 else raw.PyMem_RawMalloc(size))
        try:
            block = handed_over.popleft()
        except IndexError:
            continue
        if chosen.random() < 0.6:
            block = raw.PyMem_RawRealloc(block, chosen.choice((0, 1, 16, 400, 900, 90000)))
        raw.PyMem_RawFree(block)


def resize_objects(chosen):
    lists, text, data = [[] for _ in range(20)], "", bytearray()
    for n in range(800):
        lists[n % 20].append(n)
        text += "x"
        data += b"abc" * (n % 7)
        if n % 90 == 0:
            del data[chosen.randrange(len(data) or 1):], lists[n % 20][n // 40:]
    return {str(n): {n: [n]} for n in range(300)}


def make_and_drop_code(chosen):
    for n in range(25):
        names = {}
        lines = "\n" * chosen.randrange(50)
        exec(compile(f"{lines}def f{n}(a):\n    return [a, {{'k': a}}, str(a) * 3]\nkept = [f{n}(i) for i in range(20)]",
                     f"<generated {chosen.randrange(1000)}>", "exec"), names)
        code = names[f"f{n}"].__code__
        if hasattr(code, "replace"):
            names["g"] = types.FunctionType(code.replace(co_name=f"é{n}", co_filename="ü" * 300), {"str": str})
            names["g"](1)
        kept.append(names["kept"])
        del names, code


def generate(depth):
    if depth:
        yield from generate(depth - 1)
    yield {"depth": depth, "text": "t" * depth}


left_open = collections.deque(maxlen=40)


def resume_generators(chosen):
    left_open.append(generate(chosen.randrange(1, 60)))
    for one in list(left_open):  # those of other threads, too
        try:
            kept.append(next(one))
        except (StopIteration, ValueError, RuntimeError):  # ended, or runs in another thread
            pass


async def work(number):
    await asyncio.sleep(0)
    async def inner():
        return [bytes(number % 700), {number: str(number)}]
    return await inner()


def run_coroutines(chosen):
    async def together():
        return await asyncio.gather(*(work(n) for n in range(100)))
    loop = asyncio.new_event_loop()
    kept.append(loop.run_until_complete(together()))
    loop.close()


def recurse(depth):
    return [depth, recurse(depth - 1) if depth else None]


def recurse_deeply(chosen):
    kept.append(recurse(chosen.choice((5, 100, 300, 700))))
    def without_end(n):
        return [n, without_end(n + 1)]
    try:
        without_end(0)
    except RecursionError:
        pass


class Cycle:
    def __init__(self, n):
        self.me, self.data = self, [n] * (n % 50)

    def __del__(self):
        kept.append((self.data, float(len(self.data))))


def collect(chosen):
    for n in range(200):
        Cycle(n)
    gc.collect(chosen.randrange(3))


def convert(chosen):
    kept.append(json.loads(json.dumps({"k%d" % n: [n, str(n), n / 3] for n in range(200)})))


def trace_calls(chosen):
    seen = []
    sys.settrace(lambda frame, event, argument: seen.append((frame.f_lineno, event)) or None)
    sys.setprofile(lambda frame, event, argument: seen.append(event))
    recurse(50)
    sys.settrace(None)
    sys.setprofile(None)


def begin_and_end_threads(chosen):
    def short():
        kept.append([bytearray(n) for n in range(30)])
    threads = [threading.Thread(target=short) for _ in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]


def fork(chosen):
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            faulthandler.dump_traceback_later(HANGS_AFTER, exit=True)
            mine = [bytearray(n % 900) for n in range(500)]
            snap(chosen)
            del mine
            status = 1 if errors else 0
        finally:
            os._exit(status)
    check(os.waitpid(pid, 0)[1] == 0, "a child failed")


def run_programs(chosen):
    clean = {key: value for key, value in os.environ.items() if key != "SNAPRUN_FOLDER"}
    hook = (lambda: None) if FORKS and chosen.random() < 0.3 else None
    check(subprocess.call(["true"], env=clean, preexec_fn=hook, close_fds=chosen.random() < 0.5) == 0, "true failed")


def snap(chosen):
    snapcapture.snapshot(label="from a thread", gc=chosen.random() < 0.1)


def stop_and_start(chosen):
    snapcapture.stop()
    time.sleep(chosen.random() / 20)
    try:
        snapcapture.start(FOLDER, frames=chosen.choice((1, 10, 100)), mode=MODE, every=0.05, keep=4)
    except RuntimeError as error:  # another thread was faster
        check("running already" in str(error), error)


def check(holds, what):
    if not holds:
        errors.append(str(what))


class Kept(list):
    """What lives: never much of it."""

    def append(self, thing):
        super().append(thing)
        if len(self) > 3000:
            del self[:2500]


kept = Kept()
OFTEN = [compress_without_gil, allocate_raw_without_gil, resize_objects, make_and_drop_code, resume_generators,
         run_coroutines, recurse_deeply, collect, convert, trace_calls, begin_and_end_threads]
SELDOM = [fork if FORKS else collect, run_programs, snap, snap, stop_and_start]


def turn(number):
    chosen = random.Random(SEED * 100 + number)
    while time.monotonic() < END and not errors:
        do = chosen.choice(SELDOM if chosen.random() < 0.15 else OFTEN)
        try:
            do(chosen)
        except BaseException as error:
            errors.append(f"{do.__name__}: {type(error).__name__}: {error}")
        done[do.__name__] += 1


def main():
    warnings.simplefilter("ignore")
    sys.setswitchinterval(1e-4)
    faulthandler.enable()
    threads = [threading.Thread(target=turn, args=(number,)) for number in range(THREADS)]
    [thread.start() for thread in threads]
    before, since = 0, time.monotonic()
    while any(thread.is_alive() for thread in threads):
        time.sleep(0.2)
        if sum(done.values()) != before:
            before, since = sum(done.values()), time.monotonic()
        elif time.monotonic() - since > HANGS_AFTER:
            faulthandler.dump_traceback(all_threads=True)
            os._exit(3)
    faulthandler.dump_traceback_later(HANGS_AFTER, exit=True)
    while handed_over:
        raw.PyMem_RawFree(handed_over.popleft())
    # Whoever was last, stopped or started: one more that is known to begin and to end.
    snapcapture.stop()
    with snapcapture.start(FOLDER, mode=MODE):
        check(snapcapture.snapshot(label="at the end") is not None, "no snapshot at the end")
    with open(RESULT, "w") as file:
        json.dump({"done": done, "errors": errors}, file)
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
