"""Servers that fork serve a load while snapshots are taken, at intervals and on request: no request fails,
and the master and every worker leave series of their own."""

import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
import unittest
import urllib.request

from capturing import CaptureCase, environment

SYSTEM_PYTHON = "/usr/bin/python3"  # what the distribution's servers run in
CLIENTS, SECONDS, WORKERS = 4, 3, 2
APP = """
    import json, os, threading
    kept = []
    def app(environ, start_response):
        kept.append({"path": environ["PATH_INFO"], "seen": [bytearray(50) for _ in range(5)]})
        rows = [{"id": n, "name": "n%d" % n, "tags": list(range(n % 10))} for n in range(60)]
        body = json.dumps({"pid": os.getpid(), "rows": rows}).encode()
        start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        return [body]
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Servers(CaptureCase):
    python = SYSTEM_PYTHON

    def has(self, command):
        if shutil.which(command) and os.access(SYSTEM_PYTHON, os.X_OK):
            return True
        print(f"not run: {self.id()}: {command} is not at hand")
        return False

    def ask(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/price", timeout=30) as answer:
            return json.loads(answer.read())

    def answers(self):
        try:
            return self.ask()
        except OSError:
            return None

    def load(self, until, pids, failed):
        while time.monotonic() < until:
            try:
                answer = self.ask()
                pids.append(answer["pid"])
                if len(answer["rows"]) != 60:
                    failed.append(answer)
            except Exception as error:
                failed.append(error)

    def serve(self, command, mode, stop):
        """Under load for a while; returns how many requests were served."""
        self.snaps = self.folder / f"snaps-{mode}"
        self.write(APP, "app.py")
        options = ["-o", self.snaps, "--mode", mode, "--every", "300ms", "--"]
        with open(self.folder / "said", "wb") as said:
            server = subprocess.Popen([os.fspath(part) for part in ("snaprun", *options, *command)], cwd=self.folder,
                                      env=environment(**self.clean), stdin=subprocess.DEVNULL, stdout=said, stderr=said)
        self.addCleanup(self.end, server)
        self.wait_until(self.answers, "the server")
        pids, failed = [], []
        until = time.monotonic() + SECONDS
        clients = [threading.Thread(target=self.load, args=(until, pids, failed)) for _ in range(CLIENTS)]
        [client.start() for client in clients]
        asked = []
        self.wait_until(lambda: self.seen_all(server.pid, pids), "snapshots of all processes")
        while time.monotonic() < until or not asked:
            for pid in {server.pid, *pids}:
                asked.append((pid, self.request(pid)))
            time.sleep(0.2)
        [client.join() for client in clients]
        server.send_signal(stop)
        server.wait(30)
        said = (self.folder / "said").read_text()
        self.assertEqual(failed, [], said)
        self.assertNotIn("snapcapture[", said)
        series = self.series()
        self.assertLessEqual({server.pid, *pids}, series.keys(), said)
        for pid, path in asked:
            self.assertIn(path, series[pid])
        for pid, paths in series.items():
            self.assertGreater(len(paths), 1)
            for path in paths:
                self.expect("snapinfo", "--check", path, out=None)
                meta = self.meta(path)
                self.assertEqual((meta["pid"], meta["capture.mode"], meta["capture.self_check"]), (str(pid), mode, "ok"))
                if pid != server.pid:
                    self.assertEqual(meta["capture.fork_generation"], "1")
        return len(pids)

    def seen_all(self, master, pids):
        while len(set(pids)) < WORKERS:
            pids.append(self.ask()["pid"])
        return all(len(self.series().get(pid, ())) > 1 for pid in {master, *pids})

    def serve_in_each_mode(self, command, stop):
        for mode in ("sampled", "exact"):
            with self.subTest(mode=mode):
                self.port = free_port()
                served = self.serve([part.format(port=self.port) for part in command], mode, stop)
                self.assertGreater(served, 20)

    def test_gunicorn(self):
        if self.has("gunicorn"):
            self.serve_in_each_mode([SYSTEM_PYTHON, "-B", "-m", "gunicorn", "-w", str(WORKERS), "-b",
                                     "127.0.0.1:{port}", "app:app"], signal.SIGTERM)

    def test_gunicorn_with_threads_and_preloaded(self):
        if self.has("gunicorn"):
            self.serve_in_each_mode([SYSTEM_PYTHON, "-B", "-m", "gunicorn", "-w", str(WORKERS), "--threads", "3",
                                     "--preload", "-b", "127.0.0.1:{port}", "app:app"], signal.SIGTERM)

    def test_uwsgi(self):
        if self.has("uwsgi"):
            self.serve_in_each_mode(["uwsgi", "--plugin", "python3", "--master", "--processes", str(WORKERS), "--enable-threads",
                                     "--http-socket", "127.0.0.1:{port}", "--wsgi-file", "app.py", "--callable", "app",
                                     "--die-on-term"], signal.SIGTERM)

    def test_uwsgi_without_threads(self):
        """It lets go of the interpreter for no other thread but while it serves a request."""
        if not self.has("uwsgi"):
            return
        self.port = free_port()
        self.write(APP, "app.py")
        with open(self.folder / "said", "wb") as said:
            server = subprocess.Popen([os.fspath(part) for part in (
                "snaprun", "-o", self.snaps, "--every", "300ms", "--", "uwsgi", "--plugin", "python3", "--master",
                "--processes", "1", "--http-socket", f"127.0.0.1:{self.port}", "--wsgi-file", "app.py", "--callable", "app",
                "--die-on-term")], cwd=self.folder, env=environment(**self.clean), stdin=subprocess.DEVNULL,
                stdout=said, stderr=said)
        self.addCleanup(self.end, server)
        self.wait_until(self.answers, "the server")
        worker, served = self.ask()["pid"], []
        self.wait_until(lambda: served.append(self.ask()) or len(self.series().get(worker, ())) > 2, "its snapshots")
        server.send_signal(signal.SIGTERM)
        server.wait(30)
        said = (self.folder / "said").read_text()
        self.assertNotIn("snapcapture[", said)
        self.assertEqual(list(self.series()), [worker], said)
        self.assertEqual({len(answer["rows"]) for answer in served}, {60})

    def test_uwsgi_with_threads_and_lazy(self):
        if self.has("uwsgi"):
            self.serve_in_each_mode(["uwsgi", "--plugin", "python3", "--master", "--processes", str(WORKERS), "--threads", "3",
                                     "--lazy-apps", "--http-socket", "127.0.0.1:{port}", "--wsgi-file", "app.py",
                                     "--callable", "app", "--die-on-term"], signal.SIGTERM)


if __name__ == "__main__":
    unittest.main()
