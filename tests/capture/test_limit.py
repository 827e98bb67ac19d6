"""Close to the limit of a real control group: the snapshot is there before the system kills the program."""

import signal
import subprocess
import unittest

from capturing import CaptureCase, SANITIZED, pythons

import groups

LIMIT = 200 << 20
# The first 100 MB stand for what a service has; then it grows by 1 MB at a time. A sleep cannot be caught up with,
# so it grows no faster on a machine that is busy.
LEAKS = """
    import sys, time
    ballast = bytearray(100 << 20)
    time.sleep(0.2)
    kept, pause = [], 1 / float(sys.argv[1])
    while True:
        kept.extend(bytearray(1000) for _ in range(1000))
        time.sleep(pause)
"""
HOLDS = """
    import sys, time
    kept = [bytearray(1000) for _ in range(60000)]
    ballast = []
    while int(open(sys.argv[1]).read()) < int(sys.argv[2]):
        ballast.append(bytearray(1 << 20))
        time.sleep(0.02)
    time.sleep(2)
    del ballast
"""
# Workers that know much, and come close to the limit together. Each goes on until it has left a snapshot.
WORKERS = """
    import asyncio, concurrent.futures, ctypes, decimal, doctest, email.message, ftplib, http.server, imaplib
    import json, logging.handlers, multiprocessing.pool, pdb, pydoc, smtplib, tarfile, unittest, urllib.request
    import xml.dom.minidom, zipfile
    import glob, os, sys, time
    ballast, pids = bytearray(40 << 20), []
    for _ in range(4):
        pids.append(os.fork())
        if pids[-1] == 0:
            kept, until = [], time.monotonic() + 60
            time.sleep(0.5)
            while not glob.glob(f"{sys.argv[1]}/*-{os.getpid()}-*.snap") and time.monotonic() < until:
                kept.extend(bytearray(1000) for _ in range(200))
                time.sleep(0.1)
            time.sleep(1)
            os._exit(0)
    print(*(os.waitpid(pid, 0)[1] for pid in pids))
"""


class Limit(CaptureCase):
    python = next(iter(pythons.FOUND.values()))

    def setUp(self):
        super().setUp()
        del self.clean["SNAP_CGROUP_ROOT"]
        self.group, why = groups.make(LIMIT)
        if self.group is None:
            print(f"not run: {self.id()}: {why}")
        elif SANITIZED:
            print(f"not run: {self.id()}: the sanitizer takes more memory than the limit leaves")
            self.group.remove()
            self.group = None
        else:
            self.addCleanup(self.group.remove)

    def run_within(self, program, *arguments, mode):
        self.mode = mode
        return self.run_tool(*self.command(self.write(program), *map(str, arguments)), env=self.clean,
                             preexec_fn=self.group.enter)

    def check_leak(self, mode, rate):
        result = self.run_within(LEAKS, rate, mode=mode)
        self.assertEqual((result.status, result.err), (-signal.SIGKILL, ""))
        path, = self.only_series()
        self.expect("snapinfo", "--check", path, out=None)
        meta = self.meta(path)
        self.assertEqual((meta["capture.trigger"], meta["cgroup_limit_bytes"]), ("limit", str(LIMIT)))
        self.assertGreater(int(meta["rss_bytes"]), LIMIT * 0.8)
        path.unlink()

    def test_a_snapshot_is_there_before_the_kill(self):
        """At 20 and at 100 MB a second."""
        for mode in ("sampled", "exact") if self.group else ():
            for rate in (20, 100, 100):
                with self.subTest(mode=mode, rate=rate):
                    self.check_leak(mode, rate)

    def test_workers_do_not_bring_the_kill_about_together(self):
        if not self.group:
            return
        result = self.run_within(WORKERS, self.snaps, mode="exact")
        self.assertEqual((result.status, result.out, result.err), (0, b"0 0 0 0\n", ""))
        self.assertEqual(len(self.series()), 5)

    def test_what_needs_more_memory_than_there_is_does_not_bring_the_kill_about(self):
        """tracemalloc makes tuples of all its traces."""
        if not self.group:
            return
        result = self.run_within(HOLDS, self.group.folder / self.group.usage, LIMIT * 92 // 100, mode="tracemalloc")
        self.assertEqual(result.status, 0)
        self.assertRegex(result.err, r"\Asnapcapture\[\d+\]: a snapshot needs more memory than is left below the "
                                     r"container's limit; the program goes on\n\Z")
        path, = self.only_series()
        self.assertEqual((self.meta(path)["capture.trigger"], self.meta(path)["capture.dropped"]), ("exit", "1"))


if __name__ == "__main__":
    unittest.main()
