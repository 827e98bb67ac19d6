"""In somebody else's process: forks, threads, full disks and sudden deaths leave the program as it was and
only whole files behind."""

import os
import pathlib
import random
import resource
import shutil
import signal
import stat
import subprocess
import sys
import time
import unittest

from capturing import AGENT, BIN, SANITIZED, CaptureCase, for_each_python

KILLS = 6 if SANITIZED else 15
SLOW_LIBC = BIN.parent / "tests/slow_libc.so"


class Safety:
    def generations(self):
        return sorted(self.meta(paths[-1])["capture.fork_generation"] for paths in self.series().values())

    def test_fork(self):
        """Master and workers go on with series of their own, and take requests."""
        process = self.begin("""
            import os, sys, time
            kept = [bytearray(50) for _ in range(500)]
            workers = []
            for number in range(3):
                pid = os.fork()
                if pid == 0:
                    kept += [bytearray(70) for _ in range(100)]
                    time.sleep(1.5)
                    sys.exit(0)
                workers.append(pid)
            print(os.getpid(), *workers, flush=True)
            for pid in workers:
                assert os.waitpid(pid, 0)[1] == 0
        """, options=["--every", "400ms"])
        pids = list(map(int, process.stdout.readline().split()))
        folder = pathlib.Path(f"/tmp/snaptools-{os.geteuid()}")
        self.wait_until(lambda: all((folder / f"{pid}.sock").exists() for pid in pids), "all sockets")
        asked = [self.request(pid) for pid in pids]
        self.finish(process)
        series = self.series()
        self.assertEqual(sorted(series), sorted(pids))
        self.assertEqual(self.generations(), ["0", "1", "1", "1"])
        for pid, path in zip(pids, asked):
            self.assertIn(path, series[pid])
            seen = [self.meta(path) for path in series[pid]]
            self.assertEqual({meta["pid"] for meta in seen}, {str(pid)})
            self.assertEqual([meta["seq"] for meta in seen], [str(n + 1) for n in range(len(seen))])
            self.assertEqual({meta["capture.trigger"] for meta in seen}, {"exit", "interval", "request"})
            self.assertEqual(seen[-1]["capture.trigger"], "exit")
            self.assertGreaterEqual(self.blocks_at(path, "program.py", 3), 500)
            self.assertFalse((folder / f"{pid}.sock").exists())

    def test_forks_that_python_is_not_told_of(self):
        """As of a server in C that has Python in it; and its children's children."""
        self.capture("""
            import ctypes, os, time
            fork = ctypes.PyDLL(None).fork
            for generation in range(2):
                pid = fork()
                if pid:
                    break
            end = time.monotonic() + 1.5
            while time.monotonic() < end:
                time.sleep(0.01)
            if pid:
                assert os.waitpid(pid, 0)[1] == 0
        """, options=["--every", "200ms"])
        self.assertEqual(self.generations(), ["0", "1", "2"])
        for paths in self.series().values():
            self.assertEqual({self.meta(path)["capture.trigger"] for path in paths}, {"exit", "interval"})

    def test_the_program_sees_only_its_own_descriptors(self):
        """Also a program that the program runs, and when snapshots were taken; and no thread holds them open."""
        lists = """
            import os, sys, time
            def descriptors():
                return [int(fd) for fd in os.listdir("/proc/self/fd") if os.path.exists("/proc/self/fd/" + fd)]
        """
        self.write(lists + """
            assert descriptors() == [0, 1, 2], descriptors()
        """, "run.py")
        process = self.begin(lists + """
            import snapcapture, subprocess
            assert descriptors() == [0, 1, 2], descriptors()
            assert snapcapture.snapshot() is not None
            assert descriptors() == [0, 1, 2], descriptors()
            subprocess.check_call([sys.executable, "run.py"])
            ends = os.pipe()
            time.sleep(0.3)  # for the thread to begin
            pid = os.fork()
            if pid == 0:
                os.close(ends[1])
                time.sleep(0.3)
                assert descriptors() == [0, 1, 2, ends[0]], descriptors()
                assert os.read(ends[0], 1) == b""
                os._exit(0)
            os.close(ends[1])
            assert os.waitpid(pid, 0)[1] == 0
            print("ready", flush=True)
            time.sleep(60)
        """)
        self.ready(process)
        self.request(process.pid)
        self.assertEqual(sorted(os.listdir(f"/proc/{process.pid}/fd")), ["0", "1", "2", "3"])

    def test_forks_in_c_while_snapshots_are_taken(self):
        """The child has nobody who would release the interpreter's lock, or take it when it has been asked to let go
        of it; with that lock and without."""
        for kind in ("CDLL", "PyDLL"):
            with self.subTest(kind=kind):
                self.capture("""
                    import ctypes, os, sys, time
                    fork = getattr(ctypes, sys.argv[1])(None).fork
                    kept = [eval("[bytearray(%d)]" % (n % 300)) for n in range(30000)]
                    def work(seconds):
                        end = time.monotonic() + seconds
                        while time.monotonic() < end:
                            [str(i) for i in range(50)]
                    for number in range(100):
                        work(number % 10 * 0.0003)
                        pid = fork()
                        if pid == 0:
                            work(0.01)
                            os._exit(0)
                        end = time.monotonic() + 20
                        while os.waitpid(pid, os.WNOHANG) == (0, 0):
                            if time.monotonic() > end:
                                os.kill(pid, 9)
                                sys.exit("child %d hangs" % number)
                            time.sleep(0.001)
                """, kind, options=["--every", "2ms", "--keep", "3"])

    def test_python_does_not_warn_of_a_thread_that_is_not_the_programs(self):
        self.capture("""
            import os, time, warnings
            warnings.simplefilter("always")
            for _ in range(100):
                pid = os.fork()
                if pid == 0:
                    os._exit(0)
                assert os.waitpid(pid, 0)[1] == 0
                time.sleep(0.001)
        """)

    def test_forks_do_not_put_intervals_off(self):
        self.capture("""
            import os, time, warnings
            warnings.simplefilter("ignore")
            end = time.monotonic() + 1.5
            while time.monotonic() < end:
                pid = os.fork()
                if pid == 0:
                    os._exit(0)
                assert os.waitpid(pid, 0)[1] == 0
                time.sleep(0.01)
        """, options=["--every", "300ms"])
        self.assertGreaterEqual(len(self.only_series()), 4)

    def test_grandchildren(self):
        self.capture("""
            import os, sys
            for generation in range(3):
                pid = os.fork()
                if pid:
                    assert os.waitpid(pid, 0)[1] == 0
                    break
        """)
        self.assertEqual(self.generations(), ["0", "1", "2", "3"])

    def test_forks_while_snapshots_are_written(self):
        self.capture("""
            import os, sys, time, snapcapture, threading, warnings
            warnings.simplefilter("ignore")
            kept = [bytearray(n % 300) for n in range(20000)]
            stop = []
            def snap():
                while not stop:
                    snapcapture.snapshot()
            threads = [threading.Thread(target=snap) for _ in range(2)]
            [thread.start() for thread in threads]
            for number in range(25):
                pid = os.fork()
                if pid == 0:
                    if number % 5 == 0:
                        assert snapcapture.snapshot() is not None
                    os._exit(0)
                assert os.waitpid(pid, 0)[1] == 0
            stop.append(1)
            [thread.join() for thread in threads]
        """, options=["--every", "50ms", "--keep", "5"])
        # Of the other children, one that the machine is slow with has lived long enough for one.
        self.assertIn(len(self.series()), range(6, 27))
        self.check_all()

    def capture_with_slow_libc(self, program, options=(), **how):
        if SANITIZED:
            print(f"not run: {self.id()}: the sanitizer has an allocator of its own")
            return
        self.capture(program, options=options, env={"LD_PRELOAD": str(SLOW_LIBC), **how})

    def test_fork_with_an_allocator_that_knows_nothing_of_forks(self):
        """The child would wait for ever for the lock that a thread of the parent has."""
        for fork in ("os.fork", "ctypes.CDLL(None).fork", "ctypes.PyDLL(None).fork"):
            with self.subTest(fork=fork):
                self.fork_with_an_allocator(fork)

    def fork_with_an_allocator(self, fork):
        self.capture_with_slow_libc("""
            import ctypes, os, snapcapture, threading, time, warnings
            FORK = eval(os.environ["FORK"])
            warnings.simplefilter("ignore")
            thread = threading.Thread(target=snapcapture.snapshot)
            thread.start()
            while not os.path.exists("writing"):
                time.sleep(0.001)
            os.unlink("writing")
            time.sleep(0.8)
            pid = FORK()
            if pid == 0:
                kept = bytearray(100000)
                os._exit(0)
            end = time.monotonic() + 10
            while os.waitpid(pid, os.WNOHANG) == (0, 0):
                if time.monotonic() > end:
                    os.kill(pid, 9)
                    os._exit(3)
                time.sleep(0.01)
            thread.join()
            os._exit(0)
        """, FORK=fork, SLOW_WRITE_MS="500", SLOW_FREE_MS="1000")

    def test_fork_while_a_thread_begins_with_such_an_allocator(self):
        """Of the capture's own threads, right after its start and in a child that forks in turn; also where
        tracemalloc was what recorded first."""
        for fork, first in (("os.fork", "exact"), ("ctypes.CDLL(None).fork", "exact"),
                            ("ctypes.PyDLL(None).fork", "exact"), ("ctypes.CDLL(None).fork", "tracemalloc")):
            with self.subTest(fork=fork, first=first):
                self.capture_with_slow_libc("""
                    import ctypes, os, snapcapture, time, warnings
                    FORK = eval(os.environ["FORK"])
                    warnings.simplefilter("ignore")
                    snapcapture.stop()
                    os.makedirs("own", exist_ok=True)
                    snapcapture.start("own", mode="exact")
                    for generation in range(2):
                        pid = FORK()
                        if pid:
                            break
                        kept = bytearray(100000)
                    end = time.monotonic() + 10
                    while pid and os.waitpid(pid, os.WNOHANG) == (0, 0):
                        if time.monotonic() > end:
                            os.kill(pid, 9)
                            os._exit(3)
                        time.sleep(0.01)
                    os._exit(0)
                """, FORK=fork, SLOW_START_MS="300", options=["--mode", first])

    def test_where_no_thread_can_be_begun(self):
        """The program is told, and left without hooks."""
        if SANITIZED:
            print(f"not run: {self.id()}: the sanitizer has an allocator of its own")
            return
        os.mkdir(self.folder / "own")
        self.write("""
            import ctypes, snapcapture
            def allocators():
                found = [(ctypes.c_void_p * 5)() for domain in range(3)]
                for domain, allocator in enumerate(found):
                    ctypes.pythonapi.PyMem_GetAllocator(domain, allocator)
                return [list(allocator) for allocator in found]
            before = allocators()
            for mode in ("exact", "sampled"):
                try:
                    snapcapture.start("own", mode=mode)
                except RuntimeError as error:
                    print(error)
                assert allocators() == before
        """)
        said = "no thread can be started"
        self.expect(self.python, "-B", "program.py", out=f"{said}\n{said}\n", err="",
                    env={**self.clean, "LD_PRELOAD": str(SLOW_LIBC), "NO_THREADS": "1", "PYTHONPATH": str(AGENT)})
        self.assertEqual(os.listdir(self.folder / "own"), [])

    def test_programs_run_while_a_thread_allocates(self):
        """Nothing is allocated between fork and exec; and no thread of ours runs there, with preexec_fn or without."""
        program = """
            import os, snapcapture, subprocess, threading, time
            thread = threading.Thread(target=snapcapture.snapshot)
            thread.start()
            while not os.path.exists("writing"):
                time.sleep(0.001)
            time.sleep(0.8)
            def kill_children():
                for task in os.listdir("/proc/self/task"):
                    with open("/proc/self/task/%s/children" % task) as children:
                        [os.kill(int(child), 9) for child in children.read().split()]
            watchdog = threading.Timer(10, kill_children)
            watchdog.daemon = True
            watchdog.start()
            assert subprocess.call(["true"]) == 0
            os._exit(0)
        """
        self.capture_with_slow_libc(program, SLOW_WRITE_MS="500", SLOW_FREE_MS="1000")
        self.capture("""
            import os, subprocess, warnings
            warnings.simplefilter("ignore")
            def count_threads():
                os.write(1, b"%d\\n" % len(os.listdir("/proc/self/task")))
            subprocess.check_call(["true"], preexec_fn=count_threads)
        """, out=b"1\n")

    def test_a_fork_does_not_wait_for_the_disk(self):
        self.capture_with_slow_libc("""
            import os, snapcapture, threading, time, warnings
            warnings.simplefilter("ignore")
            thread = threading.Thread(target=snapcapture.snapshot)
            thread.start()
            while not os.path.exists("syncing"):
                time.sleep(0.001)
            before = time.monotonic()
            pid = os.fork()
            if pid == 0:
                os._exit(0)
            assert os.waitpid(pid, 0)[1] == 0
            assert time.monotonic() - before < 1.5 and thread.is_alive()
            os._exit(0)
        """, SLOW_FSYNC_MS="2000")

    def test_descriptors_closed_while_a_snapshot_is_written(self):
        """It is lost, and what has the number then is not written into."""
        if SANITIZED:
            print(f"not run: {self.id()}: the sanitizer has an allocator of its own")
            return
        for slow in ("WRITE", "FSYNC"):
            with self.subTest(slow=slow):
                result = self.run_tool(*self.command("""
                    import os, snapcapture, threading, time
                    taken = []
                    thread = threading.Thread(target=lambda: taken.append(snapcapture.snapshot()))
                    thread.start()
                    while not (os.path.exists("writing") or os.path.exists("syncing")):
                        time.sleep(0.001)
                    os.closerange(3, 1024)
                    files = [os.open("mine%d" % n, os.O_CREAT | os.O_RDWR) for n in range(30)]
                    thread.join()
                    assert taken == [None]
                    assert [os.fstat(fd).st_size for fd in files] == [0] * 30
                    os._exit(0)
                """), env={**self.clean, "LD_PRELOAD": str(SLOW_LIBC), f"SLOW_{slow}_MS": "500"})
                self.assertEqual((result.status, result.out), (0, b""), result.err)
                self.assertRegex(result.err, r"\Asnapcapture\[\d+\]: \S+: cannot write: [^\n]+; the program goes on\n\Z")
                self.assertEqual(self.series(), {})
                for name in ("writing", "syncing"):
                    (self.folder / name).unlink(missing_ok=True)

    def test_words_go_to_standard_error_only(self):
        """Not into a file that has its number in a program that closed it, but into a log that took its place."""
        program = self.write("""
            import os, snapcapture, sys
            os.closerange(0, 1024)
            flags = os.O_CREAT | os.O_RDWR | (os.O_APPEND if sys.argv[1] == "log" else 0)
            assert [os.open("mine%d" % n, flags) for n in range(6)] == list(range(6))
            os.rename("snaps", "elsewhere")
            assert snapcapture.snapshot() is None
            os.rename("elsewhere", "snaps")
        """)
        lost = r"snapcapture\[\d+\]: .*: cannot create: [^\n]*; the program goes on\n"
        for kind, said in (("own", r""), ("log", rf"{lost}process (?s:.*) share (?s:.*)")):
            with self.subTest(kind=kind):
                self.capture(program, kind, options=["--top", "3"])
                self.assertRegex((self.folder / "mine2").read_text(), rf"\A{said}\Z")
                for n in range(6):
                    (self.folder / f"mine{n}").unlink()

    def test_a_fork_does_not_wait_for_ever(self):
        self.capture_with_slow_libc("""
            import os, snapcapture, threading, time, warnings
            warnings.simplefilter("ignore")
            thread = threading.Thread(target=snapcapture.snapshot)
            thread.start()
            while not os.path.exists("writing"):
                time.sleep(0.001)
            before = time.monotonic()
            pid = os.fork()
            if pid == 0:
                os._exit(0)
            assert os.waitpid(pid, 0)[1] == 0
            assert 1 < time.monotonic() - before < 3.2 and thread.is_alive()
            os._exit(0)
        """, SLOW_WRITE_MS="3500")

    def test_children_of_a_process_that_has_taken_snapshots(self):
        """What Python remembers of the thread of the parent is none of theirs."""
        for mode in ("exact", "tracemalloc"):
            with self.subTest(mode=mode):
                self.capture("""
                    import os, sys, time, warnings
                    warnings.simplefilter("ignore")
                    def wait_for_snapshots(count):
                        end = time.monotonic() + 20
                        while sum("-%d-" % os.getpid() in name for name in os.listdir("snaps")) < count:
                            assert time.monotonic() < end
                            time.sleep(0.001)
                    for generation in range(4):
                        wait_for_snapshots(2)
                        for _ in range(5):
                            pid = os.fork()
                            if pid == 0:
                                break
                            assert os.waitpid(pid, 0)[1] == 0
                        else:
                            sys.exit(0)
                        if generation % 2:
                            os._exit(0)
                """, options=["--every", "20ms", "--mode", mode])
                self.check_all()
                for path in [path for paths in self.series().values() for path in paths]:
                    path.unlink()

    def test_tracemalloc_begun_and_ended_by_the_program(self):
        """Python crashes if at that moment a thread allocates without its lock."""
        told = r"(?:snapcapture\[\d+\]: the program has \w+[^\n]*; the program goes on\n)?"
        for mode in ("tracemalloc", "exact", "sampled"):
            with self.subTest(mode=mode):
                result = self.run_tool(*self.command("""
                    import time, tracemalloc
                    kept = [bytearray(50) for _ in range(2000)]
                    end = time.monotonic() + 1.5
                    while time.monotonic() < end:
                        tracemalloc.stop()
                        tracemalloc.start(3)
                        kept.append([bytes(100) for _ in range(20)])
                """, options=["--mode", mode, "--every", "2ms", "--keep", "3"]), env=self.clean)
                self.assertEqual((result.status, result.out), (0, b""), result.err)
                self.assertRegex(result.err, rf"\A{told}\Z")
                self.assertEqual(len(self.only_series()), 3)
                for path in self.check_all():
                    path.unlink()

    def test_multiprocessing(self):
        for method in ("fork", "spawn", "forkserver"):
            with self.subTest(method=method):
                self.capture("""
                    import multiprocessing, sys
                    def work(number):
                        global kept
                        kept = [bytearray(40) for _ in range(400)]
                    if __name__ == "__main__":
                        context = multiprocessing.get_context(sys.argv[1])
                        workers = [context.Process(target=work, args=(n,)) for n in range(2)]
                        [worker.start() for worker in workers]
                        [worker.join() for worker in workers]
                        sys.exit(max(worker.exitcode for worker in workers))
                """, method)
                found = [path for paths in self.series().values() for path in paths]
                self.assertEqual(sum(self.blocks_at(path, "program.py", 5) >= 800 for path in found), 2, found)
                for path in found:
                    path.unlink()

    def test_programs_that_the_program_runs(self):
        self.capture("""
            import os, subprocess, sys
            run = [sys.executable, "-B", "-c", "import sys; x = bytearray(1000); sys.exit(5)"]
            assert subprocess.call(run) == 5
            assert subprocess.call(run, preexec_fn=lambda: None) == 5
            assert subprocess.call(["true"], preexec_fn=lambda: None) == 0
            os.execv(sys.executable, [sys.executable, "-B", "-c", "x = 1"])
        """)
        self.assertEqual(len(self.series()), 3)
        self.assertEqual(self.generations(), ["0"] * 3)

    def test_threads(self):
        self.capture("""
            import json, snapcapture, sys, threading, time, zlib
            sys.setswitchinterval(1e-5)
            stop, taken = [], []
            def allocate():
                kept = []
                while not stop:
                    kept.append(json.loads(json.dumps({"n": list(range(50))})))
                    zlib.compress(b"x" * 20000)
                    if len(kept) > 100:
                        kept.clear()
            def snap():
                while not stop:
                    taken.append(snapcapture.snapshot())
            threads = [threading.Thread(target=f) for f in [allocate] * 4 + [snap] * 3]
            [thread.start() for thread in threads]
            time.sleep(2)
            while len(taken) <= 10 and all(thread.is_alive() for thread in threads):
                time.sleep(0.1)
            stop.append(1)
            [thread.join() for thread in threads]
            assert len(taken) > 10 and None not in taken and len(set(taken)) == len(taken)
        """, options=["--every", "20ms", "--keep", "10"])
        self.assertEqual(len(self.only_series()), 10)
        self.check_all()

    def test_stop_and_start_while_snapshots_are_taken(self):
        if SANITIZED:  # a fork waits for other threads to leave its allocator, which needs that, but not for ever
            print(f"not run: {self.id()}: the forks, which an allocator such as the sanitizer's need not survive")
        for mode in ("exact", "sampled", "tracemalloc"):
            with self.subTest(mode=mode):
                self.capture("""
                    import faulthandler, os, snapcapture, sys, threading, time, warnings
                    warnings.simplefilter("ignore")
                    faulthandler.dump_traceback_later(60, exit=True)
                    sys.setswitchinterval(1e-5)
                    kept = [eval("[bytearray(%d)]" % (n % 300)) for n in range(3000)]
                    stop, starts = [], []
                    def quietly(call, *arguments, **more):
                        try:
                            return call(*arguments, **more)
                        except RuntimeError as error:
                            assert "running" in str(error), error
                    def snap():
                        while not stop:
                            snapcapture.snapshot()
                    def restart():
                        while not stop:
                            snapcapture.stop()
                            if quietly(snapcapture.start, "snaps", mode=sys.argv[1], every=0.01):
                                starts.append(1)
                            time.sleep(0.001)
                    def fork():
                        while not stop:
                            pid = os.fork()
                            if pid == 0:
                                os._exit(0)
                            assert os.waitpid(pid, 0)[1] == 0
                            time.sleep(0.01)
                    threads = [threading.Thread(target=f) for f in [snap] * 3 + [restart] * 2 + [fork] * int(sys.argv[2])]
                    [thread.start() for thread in threads]
                    time.sleep(2)
                    while len(starts) < 2 and all(thread.is_alive() for thread in threads):
                        time.sleep(0.1)
                    stop.append(1)
                    [thread.join() for thread in threads]
                    assert len(starts) > 1, starts
                """, mode, "0" if SANITIZED else "2", options=["--mode", mode])
                for path in self.check_all():
                    meta = self.meta(path)
                    self.assertEqual(meta.get("capture.self_check", "ok" if mode == "tracemalloc" else None), "ok")
                    path.unlink()

    def test_threads_with_small_stacks(self):
        if SANITIZED:
            print(f"not run: {self.id()}: the sanitizer needs more stack")
            return
        self.capture("""
            import snapcapture, threading
            threading.stack_size(128 * 1024)  # what musl gives all threads
            taken = []
            thread = threading.Thread(target=lambda: taken.append(snapcapture.snapshot()))
            thread.start()
            thread.join()
            assert taken[0] is not None
        """)

    def test_the_end_comes_at_any_moment(self):
        for delay in (0, 1, 2, 5, 10, 20, 50):
            self.capture(f"""
                import threading, time
                kept = [bytearray(n % 100) for n in range(3000)]
                def busy():
                    while True:
                        kept.append(1)
                        time.sleep(0)
                threading.Thread(target=busy, daemon=True).start()
                time.sleep({delay} / 1000)
            """, options=["--every", "1ms"])
        self.assertEqual(len(self.series()), 7)
        self.check_all()

    def check_all(self):
        paths = [path for paths in self.series().values() for path in paths]
        for path in paths:
            self.expect("snapinfo", "--check", path, out=None)
        return paths

    def test_kill_leaves_only_whole_files(self):
        program = self.write("""
            kept = []
            print("ready", flush=True)
            while True:
                kept.append(bytearray(len(kept) % 500))
                if len(kept) > 30000:
                    kept.clear()
        """)
        chosen = random.Random(5)
        for mode in ("exact", "sampled", "tracemalloc"):
            with self.subTest(mode=mode):
                for _ in range(KILLS):
                    process = self.begin(program, options=["--mode", mode, "--every", "5ms", "--keep", "4"])
                    process.stdout.readline()
                    time.sleep(chosen.uniform(0.02, 0.4))
                    process.kill()
                    process.wait()
                paths = self.check_all()
                # A sanitized agent hardly gets to one before it is killed.
                self.assertGreater(len(paths), KILLS // 2 if SANITIZED else KILLS)
                for path in paths:
                    self.assertEqual(self.meta(path)["capture.mode"], mode)
                    path.unlink()

    def test_blocks_without_bytes(self):
        for mode in ("exact", "sampled"):
            self.capture("""
                import ctypes
                api = ctypes.pythonapi
                for name in ("PyMem_Raw", "PyMem_", "PyObject_"):
                    make, free = getattr(api, name + "Malloc"), getattr(api, name + "Free")
                    make.restype, make.argtypes, free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
                    for _ in range(100):
                        free(make(0))
            """, options=["--mode", mode])

    def test_file_too_large(self):
        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024))
        err = rf"snapcapture\[\d+\]: {self.snaps}/program-\S+-000001.snap: cannot write: File too large; the program goes on\n"
        result = self.run_tool(*self.command("""
            import snapcapture
            kept = [bytearray(n) for n in range(1000)]
            print([snapcapture.snapshot() for _ in range(3)])
        """), env=self.clean, preexec_fn=limit)
        self.assertEqual((result.status, result.out), (0, b"[None, None, None]\n"))
        self.assertRegex(result.err, rf"\A{err}\Z")
        self.assertEqual(self.series(), {})

    def test_file_too_large_where_the_signal_is_not_ignored(self):
        result = self.run_tool(*self.command("""
            import resource, signal, snapcapture
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
            resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024))
            print(snapcapture.snapshot())
            came = []
            signal.signal(signal.SIGXFSZ, lambda *_: came.append(1))
            print(snapcapture.snapshot(), came, signal.pthread_sigmask(signal.SIG_BLOCK, []))
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        """), env=self.clean)
        self.assertEqual((result.status, result.out), (0, b"None\nNone [] set()\n"), result.err)
        self.assertEqual(self.series(), {})

    def test_full_disk(self):
        self.snaps.mkdir()
        program = self.write("""
            import os, snapcapture, sys
            kept = [bytearray(n) for n in range(2000)]
            first = snapcapture.snapshot()
            with open("snaps/filler", "wb", 0) as filler:
                try:
                    while True:
                        filler.write(bytes(4096))
                except OSError:
                    pass
            lost = snapcapture.snapshot(), snapcapture.snapshot()
            os.unlink("snaps/filler")
            print(first is not None, lost, snapcapture.snapshot() is not None)
            snapcapture.stop()
            for name in sorted(os.listdir("snaps")):
                with open("snaps/" + name, "rb") as file, open(name, "wb") as copy:
                    copy.write(file.read())
        """)
        mounted = subprocess.run(["unshare", "-m", "true"], capture_output=True)
        if mounted.returncode != 0:
            print(f"not run: {self.id()}: nothing may be mounted here")
            return
        for mode in ("exact", "sampled", "tracemalloc"):
            with self.subTest(mode=mode):
                self.fill_disk(program, mode)

    def fill_disk(self, program, mode):
        line = 'mount -t tmpfs -o size=256k none snaps && exec "$@"'
        command = self.command(program, options=["--mode", mode])
        result = self.run_tool("unshare", "-m", "sh", "-c", line, "sh", *command, env=self.clean)
        self.assertEqual((result.status, result.out), (0, b"True (None, None) True\n"), result.err)
        self.assertRegex(result.err, r"\Asnapcapture\[\d+\]: \S+: cannot \w+: No space left on device; the program goes on\n\Z")
        names = [name for name in self.files() if name.endswith(".snap")]
        self.assertEqual([name[-11:] for name in names], ["000001.snap", "000002.snap", "000003.snap"])
        for name in names:
            self.expect("snapinfo", "--check", name)
        done = self.shell(f"snapinfo --json {names[-1]}")
        self.assertIn(b'"capture.dropped":"2"', done.out.replace(b": ", b":"))
        for name in names:
            (self.folder / name).unlink()

    def test_folder_that_goes_and_folder_of_another(self):
        result = self.run_tool(*self.command("""
            import os, shutil, snapcapture
            shutil.rmtree("snaps")
            print(snapcapture.snapshot())
        """), env=self.clean)
        self.assertEqual((result.status, result.out), (0, b"None\n"))
        self.assertRegex(result.err, r"\Asnapcapture\[\d+\]: .*: cannot create: No such file or directory; the program goes on\n\Z")
        if os.geteuid() != 0:
            print(f"not run: {self.id()}: only root can become another user")
            return
        result = self.run_tool(*self.command("""
            import os, snapcapture
            os.setuid(65534)
            print(snapcapture.snapshot())
        """), env=self.clean)
        self.assertEqual((result.status, result.out), (0, b"None\n"))
        self.assertRegex(result.err, r"\A[^\n]*: cannot create: Permission denied; the program goes on\n\Z")

    def test_a_name_in_the_folder_is_not_followed(self):
        victim = self.folder / "victim"
        victim.write_text("mine")
        result = self.run_tool(*self.command("""
            import os, snapcapture
            start = os.path.basename(snapcapture.snapshot())[:-len("000001.snap")]
            os.symlink("../victim", "snaps/" + start + "000002.snap")
            assert snapcapture.snapshot() is None
            os.unlink("snaps/" + start + "000002.snap")
        """), env=self.clean)
        self.assertEqual(result.status, 0, result.err)
        self.assertRegex(result.err, r"\A[^\n]*: cannot create: File exists; the program goes on\n\Z")
        self.assertEqual(victim.read_text(), "mine")
        self.assertEqual(len(self.only_series()), 2)

    def test_tracing_that_the_program_ends(self):
        result = self.run_tool(*self.command("""
            import snapcapture, tracemalloc
            tracemalloc.stop()
            print(snapcapture.snapshot())
        """, options=["--mode", "tracemalloc"]), env=self.clean)
        self.assertEqual((result.status, result.out), (0, b"None\n"))
        self.assertRegex(result.err, r"\Asnapcapture\[\d+\]: the program has ended tracemalloc's tracing; the program goes on\n\Z")

    def test_snapshot_within_a_snapshot(self):
        """A finalizer may run while garbage is collected."""
        self.capture("""
            import gc, snapcapture
            class Noisy:
                def __del__(self):
                    print(snapcapture.snapshot())
            noisy = Noisy()
            noisy.self = noisy
            del noisy
            print(snapcapture.snapshot(gc=True) is not None)
        """, out=b"None\nTrue\n")

    def test_signals_stay_the_programs(self):
        self.capture("""
            import os, signal, time
            taken = []
            for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGHUP, signal.SIGRTMIN + 6, signal.SIGALRM):
                signal.signal(number, lambda n, frame: taken.append(n))
                for _ in range(20):
                    os.kill(os.getpid(), number)
                    time.sleep(0.002)
            assert len(taken) == 100, len(taken)
        """, options=["--every", "10ms", "--keep", "2"])

    def test_subinterpreters_are_left_alone(self):
        # With tracemalloc alone 3.11 and older hang when one is made, and 3.12.1 crashes when it goes.
        version = subprocess.run([self.python, "-c", "import sys; print(sys.version_info[1])"], capture_output=True)
        if int(version.stdout) < 13:
            print(f"not run: {self.id()}: tracemalloc itself hangs or crashes there")
            return
        program = """
            try:
                try:
                    import _interpreters as interpreters
                except ImportError:
                    import _xxsubinterpreters as interpreters
            except ImportError:
                raise SystemExit(0)
            with open("inside.py") as file:
                code = file.read()
            for _ in range(2):
                made = interpreters.create()
                answer = interpreters.run_string(made, code)
                assert answer is None, answer
                interpreters.destroy(made)
        """
        self.write("""
            import sys
            kept = [bytearray(10) for _ in range(100)]
            try:
                import snapcapture
            except ImportError:
                pass
            else:
                assert not snapcapture.is_capturable()
                try:
                    snapcapture.snapshot()
                except RuntimeError:
                    pass
                else:
                    raise AssertionError("it took one")
        """, "inside.py")
        self.capture(program, options=["--every", "20ms", "--keep", "2"])
        self.assertEqual(len(self.series()), 1)

    def test_objects_of_subinterpreters_sample_none_of_the_main_one(self):
        program = self.write("""
            try:
                import _interpreters as interpreters
            except ImportError:
                import _xxsubinterpreters as interpreters
            import snapcapture
            other = interpreters.create()
            interpreters.run_string(other, "for number in range(500000): (number,)")
            def make():
                return [(number,) for number in range(70)]
            kept = make()
            snapcapture.snapshot()
            interpreters.destroy(other)
        """)
        self.capture(program, options=["--mode", "sampled=4K"])
        self.assertLess(self.blocks_at(self.only_series()[0], "program.py", 10), 12)  # 0.8 of 70 on average

    def test_objects_of_subinterpreters(self):
        # Before 3.13 they go into the memory that is watched for those of the main interpreter.
        program = self.write("""
            try:
                import _interpreters as interpreters
            except ImportError:
                import _xxsubinterpreters as interpreters
            import threading
            code = '''
            kept = []
            for number in range(10000):
                kept.append((number, [number], {number: number / 3}))
                (1, number), [number], {number: number}, float(number)
            del kept
            '''
            def work():
                return [(number, [number], {number: number}) for number in range(30000)]
            for number in range(4):
                beside = threading.Thread(target=work)
                made = interpreters.create()
                if number % 2:
                    beside.start()
                interpreters.run_string(made, code)
                if number % 2:
                    beside.join()
                mine = work()
                interpreters.destroy(made)
                assert mine == work()
        """)
        for mode in ("sampled=4K", "exact"):
            with self.subTest(mode=mode):
                shutil.rmtree(self.snaps, ignore_errors=True)
                self.capture(program, options=["--mode", mode])
                self.assertEqual(self.meta(self.only_series()[-1])["capture.self_check"], "ok")


class Requests(CaptureCase):
    """Who may ask."""

    def test_sockets_of_the_dead_are_removed(self):
        socket = pathlib.Path(f"/tmp/snaptools-{os.geteuid()}")
        program = self.write("import time; print('ready', flush=True); time.sleep(60)")
        killed = self.begin(None, command=[sys.executable, "-B", program])
        killed.stdout.readline()
        self.wait_until(lambda: (socket / f"{killed.pid}.sock").exists(), "a socket")
        killed.kill()
        killed.wait()  # its socket stays until another agent, maybe that of a test beside this one, finds it
        early = [socket / f"{os.getpid()}-{age}.new" for age in ("old", "young")]
        for path in early:  # where one that is made has its first name
            os.mknod(path, 0o600 | stat.S_IFSOCK)
            self.addCleanup(path.unlink, missing_ok=True)
        os.utime(early[0], (1, 1))
        self.capture(None, command=[sys.executable, "-B", "-c", "import time; time.sleep(0.2)"])
        self.assertFalse((socket / f"{killed.pid}.sock").exists())
        self.assertEqual([path.exists() for path in early], [False, True])

    def test_another_user_is_refused(self):
        if os.geteuid() != 0:
            print(f"not run: {self.id()}: only root can become another user")
            return
        process = self.begin(None, command=[sys.executable, "-B", self.write("import time; print('ready', flush=True); time.sleep(60)")])
        process.stdout.readline()
        path = pathlib.Path(f"/tmp/snaptools-0/{process.pid}.sock")
        self.wait_until(path.exists, "a socket")
        self.expect_failure("snaptake", str(process.pid), user=65534, err=r"snaptake: \d+: it belongs to another user: .*")
        self.request(process.pid)
        process.send_signal(signal.SIGKILL)


globals().update(for_each_python(Safety, few=True))


if __name__ == "__main__":
    unittest.main()
