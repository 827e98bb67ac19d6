"""What the README says of gunicorn, celery, a systemd unit and a container, run: the lines are taken from there, and
changed only in where snapshots go and how often they are taken."""

import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
import unittest
import urllib.request

from capturing import AGENT, BIN, PATIENCE, ROOT, SANITIZED, CaptureCase, environment
from test_servers import SYSTEM_PYTHON, free_port

import groups

SECTION = (ROOT / "README.md").read_text().partition("\n## Three minutes to snapshots from production\n")[2].partition("\n## ")[0]
NOBODY = 65534
LIMIT = 200 << 20
TASKS = """
    import os
    import celery

    app = celery.Celery("tasks", broker="filesystem://", backend="file://" + os.path.abspath("results"))
    app.conf.broker_transport_options = {"data_folder_in": "queue", "data_folder_out": "queue"}
    app.conf.worker_concurrency = 2
    seen = {}

    @app.task
    def price(number):
        answer = {"question": str(number), "answers": list(range(number % 100))}
        seen[number] = [bytearray(100) for _ in range(100)]  # LEAK
        return [os.getpid(), len(str(answer))]
"""
ASK = """
    import sys, tasks
    asked = [tasks.price.delay(number) for number in range(*map(int, sys.argv[1:]))]
    print(*{answer.get(timeout=60)[0] for answer in asked})
"""
WSGI = """
    import os
    seen = []
    def wsgi(environ, start_response):
        seen.append([bytearray(100) for _ in range(100)])  # LEAK
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"%d" % os.getpid()]
"""
APP = """
    import os, sys, time
    print("ready", os.getpid(), os.getuid(), flush=True)
    kept = []
    while True:
        kept.append([bytearray(100) for _ in range(int(os.environ.get("LEAK", "100")))])  # LEAK
        time.sleep(0.01)
"""


def block(beginning):
    """The block of the README behind the sentence that begins so."""
    found = re.search(rf"^{beginning}.*?\n\n```\n(.*?)^```$", SECTION, re.M | re.S)
    return found[1].rstrip("\n")


def line_of(program):
    return next(number for number, line in enumerate(program.splitlines(), 1) if "# LEAK" in line)


class Production(CaptureCase):
    python = SYSTEM_PYTHON

    def setUp(self):
        super().setUp()
        (self.folder / "bin").mkdir()
        (self.folder / "bin/python3").symlink_to(SYSTEM_PYTHON)
        self.clean["PATH"] = f"{BIN}:{self.folder}/bin:{os.environ['PATH']}"

    def has(self, *commands):
        for command in commands:
            if not shutil.which(command):
                print(f"not run: {self.id()}: {command} is not at hand")
                return False
        return True

    def words(self, line, folder, every="300ms"):
        """A command of the README, for a test."""
        words = shlex.split(line)
        for given, wanted in ((folder, os.fspath(self.snaps)), ("10m", every)):
            self.assertEqual(words.count(given), 1, line)
            words[words.index(given)] = wanted
        return words

    def start(self, words, **more):
        """Its output goes into a file: a service that is not read is not to wait."""
        with open(self.folder / "said", "wb") as said:
            more.setdefault("env", environment(**self.clean))
            process = subprocess.Popen(words, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=said, stderr=said, **more)
        self.addCleanup(self.end, process)
        return process

    def said(self):
        return (self.folder / "said").read_text()

    def stop(self, process, number, status):
        process.send_signal(number)
        self.assertEqual(process.wait(PATIENCE), status, self.said())
        self.assertNotIn("snapcapture[", self.said())
        self.assertNotIn("snaprun:", self.said())

    def check_series(self, master, workers):
        series = self.series()
        self.assertLessEqual({master, *workers}, series.keys(), self.said())
        for pid, paths in series.items():
            for path in paths:
                self.expect("snapinfo", "--check", path, out=None)
            meta = self.meta(paths[-1])
            self.assertEqual((meta["pid"], meta["capture.mode"], meta["capture.self_check"]), (str(pid), "sampled", "ok"))
            self.assertEqual(meta["capture.fork_generation"], "0" if pid == master else "1")

    def check_blame(self, pid, file, program):
        """The README's commands, for one process."""
        commands = [line.partition("#")[0].strip() for line in block("Then, anywhere:").splitlines()]
        self.assertEqual(len(commands), 3)
        newest = self.request(pid)
        paths = self.series()[pid]
        self.assertIn(newest, paths)
        self.assertEqual(commands[0], "snaptake PID")
        for command in commands[1:]:
            command = command.replace("/var/tmp/snaps", str(self.snaps)).replace("PID", str(pid))
            command = command.replace("before.snap", str(paths[0])).replace("after.snap", str(newest))
            done = self.shell(f"set -o pipefail; {command}")
            self.assertEqual((done.status, done.err), (0, ""), command)
            # The first row of a table, or the first suspect's line.
            self.assertRegex(done.out.decode(), rf"(±size.*\n|\n#1 (.*\n){{3}}    ).*/{file}:{line_of(program)}\b")

    def wait_for_series(self, pids):
        self.wait_until(lambda: pids <= self.series().keys(), f"snapshots of {pids}: {self.said()}")

    def test_celery(self):
        if not self.has("celery"):
            return
        self.write(TASKS, "tasks.py")
        ask = self.write(ASK, "ask.py")
        for name in ("queue", "results"):
            (self.folder / name).mkdir()
        master = self.start(self.words(block("celery:"), "/var/tmp/snaps"))
        workers = set(map(int, self.expect(SYSTEM_PYTHON, "-B", ask, "0", "100", env=self.clean).split()))
        self.wait_for_series({master.pid, *workers})
        worker = self.expect(SYSTEM_PYTHON, "-B", ask, "100", "700", env=self.clean).split()[0]
        self.check_blame(int(worker), "tasks.py", TASKS)
        self.stop(master, signal.SIGTERM, 0)
        self.assertTrue(workers)
        self.check_series(master.pid, workers)

    def test_gunicorn(self):
        if not self.has("gunicorn"):
            return
        self.write(WSGI, "app.py")
        port = free_port()
        self.clean["GUNICORN_CMD_ARGS"] = f"--bind 127.0.0.1:{port}"
        self.clean["PYTHONDONTWRITEBYTECODE"] = "1"
        master = self.start(self.words(block("gunicorn, or"), "/var/tmp/snaps"))

        def ask(count):
            pids = []
            for _ in range(count):
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=30) as answer:
                    pids.append(int(answer.read()))
            return pids

        def answers():
            try:
                return ask(1)
            except OSError:
                return False

        self.wait_until(answers, "gunicorn")
        workers = set(ask(20))
        self.wait_for_series({master.pid, *workers})
        pids = ask(1500)
        busiest = max(workers, key=pids.count)
        self.check_blame(busiest, "app.py", WSGI)
        self.stop(master, signal.SIGTERM, 0)
        self.check_series(master.pid, workers)

    def install(self, root):
        """Where everybody may read it, as `make install` does."""
        for name in ("bin", "lib"):
            (root / "usr/local" / name).mkdir(parents=True)
        for tool in ("snaprun", "snaptake"):
            shutil.copy(BIN / tool, root / "usr/local/bin")
        shutil.copytree(AGENT, root / "usr/local/lib/snaptools")
        root.chmod(0o755)

    def test_systemd_unit(self):
        """The file as systemd reads it, and its command as systemd starts it: as another user, with hardly anything in
        the environment, and SIGPIPE ignored."""
        changes = block("A systemd unit")
        root = self.folder / "root"
        self.install(root)
        self.folder.chmod(0o755)
        changes = changes.replace("/usr/local/bin", f"{root}/usr/local/bin")
        command, = re.findall(r"^ExecStart=(.+)$", changes, re.M)
        if self.has("systemd-analyze"):
            unit = self.folder / "units/app.service"
            (unit.parent / "app.service.d").mkdir(parents=True)
            unit.write_text(f"[Service]\nUser=daemon\nWorkingDirectory={self.folder}\nExecStart={SYSTEM_PYTHON} -m app\n")
            (unit.parent / "app.service.d/override.conf").write_text(changes + "\n")
            for wrong, said in ((False, r"\A\Z"), (True, "Unknown key.* 'StateDir'")):
                if wrong:
                    (unit.parent / "app.service.d/override.conf").write_text(changes.replace("StateDirectory", "StateDir") + "\n")
                done = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True,
                                      env={**os.environ, "SYSTEMD_UNIT_PATH": f"{unit.parent}:"})
                # Of units of the system it may say more.
                lines = "".join(line for line in done.stderr.splitlines(True) if "app.service" in line or "override" in line)
                self.assertRegex(lines, said)
        self.write(APP, "app.py")
        state = self.folder / "state"
        self.snaps = state / "snaps"
        state.mkdir(mode=0o755)
        more = {}
        if os.geteuid() == 0:
            os.chown(state, NOBODY, NOBODY)
            more = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if sys.version_info >= (3, 9) else {}
        if not more:
            print(f"not run: {self.id()}: as another user: that takes root, and Python 3.9")
        bare = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin", "LANG": "C.UTF-8",
                "STATE_DIRECTORY": str(state), "INVOCATION_ID": "0" * 32, **{name: value for name, value in self.clean.items() if
                name in ("LD_PRELOAD", "ASAN_OPTIONS", "SNAP_CGROUP_ROOT")}}
        service = self.start(self.words(command, "/var/lib/app/snaps"), env=bare, restore_signals=False, **more)
        self.wait_for_series({service.pid})
        self.assertIn(f"ready {service.pid} {NOBODY if more else os.geteuid()}\n", self.said())
        paths = self.series()[service.pid]
        self.assertEqual(self.snaps.stat().st_mode & 0o7777, 0o700)
        if more:
            self.assertEqual({self.snaps.stat().st_uid, paths[0].stat().st_uid}, {NOBODY})
        self.assertTrue(self.request(service.pid).exists())
        self.end_by(service, signal.SIGINT)

    def end_by(self, service, number):
        """As by Ctrl-C: with a last snapshot."""
        service.send_signal(number)
        service.wait(PATIENCE)
        self.assertEqual(self.triggers(self.series()[service.pid])[-1], "exit")


if __name__ == "__main__":
    unittest.main()
