"""A version of Python whose frames are not known is traced by tracemalloc, and that is said."""

import os
import shutil
import signal
import subprocess
import unittest

from capturing import AGENT, CaptureCase, for_each_python, for_each_unknown_python  # noqa: F401

WARNING = r"\Asnapcapture\[\d+\]: the frames of this version of Python are unknown, so tracemalloc traces; the program goes on\n\Z"


class Pretended:
    def test_a_version_that_is_not_there_yet(self):
        if shutil.which("cc") is None:
            print(f"not run: {self.id()}: there is no C compiler")
            return
        self.write('const char *Py_GetVersion(void) { return "3.99.0 (main)"; }', "version.c")
        subprocess.run(["cc", "-shared", "-fPIC", "-o", "version.so", "version.c"], cwd=self.folder, check=True)
        preload = ":".join(filter(None, [self.clean.get("LD_PRELOAD"), str(self.folder / "version.so")]))
        (self.folder / "own").mkdir()
        result = self.run_tool(self.python, "-B", self.write("""
            import ctypes, os, sys
            sys.path.insert(0, os.environ["AGENT"])
            version = ctypes.CDLL(None).Py_GetVersion
            version.restype = ctypes.c_char_p
            print(version().decode())
            import snapcapture
            for _ in range(2):
                with snapcapture.start("own"):
                    kept = [bytearray(100) for _ in range(100)]
        """), env={**self.clean, "AGENT": str(AGENT), "LD_PRELOAD": preload})
        self.assertEqual(result.status, 0, result.err)
        if result.out != b"3.99.0 (main)\n":
            print(f"not run: {self.id()}: {self.python} has its functions in itself, and no version can be put before them")
            return
        self.assertRegex(result.err, WARNING)
        self.assertEqual([self.meta(path)["capture.mode"] for path in (self.folder / "own").iterdir()], ["tracemalloc"] * 2)


class Unknown:
    def check(self, path):
        meta = self.meta(path)
        self.assertEqual((meta["capture.mode"], meta["capture.freelists_missed"], meta["traceback_limit"]),
                         ("tracemalloc", "lists tuples dicts floats dict-tables", "25"))
        self.assertEqual(self.blocks_at(path, "program.py", 2) // 1000, 2)

    def test_each_mode(self):
        for options in ((), ("--mode", "sampled"), ("--mode", "exact"), ("--mode", "tracemalloc")):
            with self.subTest(options=options):
                shutil.rmtree(self.snaps, ignore_errors=True)
                program = self.write("""
                    kept = [bytearray(100) for _ in range(1000)]
                    import subprocess, sys
                    subprocess.run([sys.executable, "-c", ""], check=True)  # says it not again
                """)
                result = self.run_tool("snaprun", "-o", str(self.snaps), *options, "--", self.python, "-B", str(program),
                                       env=self.clean)
                self.assertEqual((result.status, result.out), (0, b""), result.err)
                self.assertRegex(result.err, r"\A\Z" if "tracemalloc" in options else WARNING)
                series = self.series()
                self.assertEqual(len(series), 2)
                self.check(next(path for path, in series.values() if path.name.startswith("program-")))

    def end_all(self, process):
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def test_a_server_with_workers(self):
        process = self.begin("""
            kept = [bytearray(100) for _ in range(1000)]
            import os, signal, threading, time
            stop, pids = [], [os.getpid()]
            signal.signal(signal.SIGINT, lambda *_: stop.append(1))
            for _ in range(3):
                pid = os.fork()
                if pid == 0:
                    break
                pids.append(pid)
            else:
                print(*pids, flush=True)
            while not stop:
                threads = [threading.Thread(target=lambda: kept.append(bytearray(9))) for _ in range(4)]
                [thread.start() for thread in threads]
                [thread.join() for thread in threads]
            if pid:
                for pid in pids[1:]:
                    assert os.waitpid(pid, 0)[1] == 0
        """, options=["--every", "200ms"], start_new_session=True)
        self.addCleanup(self.end_all, process)
        pids = list(map(int, process.stdout.readline().split()))
        self.wait_until(lambda: len(self.series()) == 4, "a snapshot of each")
        asked = {pid: self.request("--gc", pid) for pid in pids}
        os.killpg(process.pid, signal.SIGINT)
        self.finish(process)
        for pid, paths in self.series().items():
            self.assertIn(asked[pid], paths)
            self.assertLessEqual(set(self.triggers(paths)), {"interval", "request", "exit"})
            self.assertEqual(self.triggers(paths[-1:]), ["exit"])
            self.assertEqual(self.meta(paths[0])["capture.fork_generation"], "0" if pid == process.pid else "1")
            for path in paths:
                self.check(path)


globals().update(for_each_python(Pretended))
globals().update(for_each_unknown_python(Unknown))


if __name__ == "__main__":
    unittest.main()
