"""When snapshots are taken: at the end, at intervals, on request, from code; and how many stay."""

import ctypes
import errno
import os
import pathlib
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import textwrap
import time
import unittest

from capturing import AGENT, BIN, PATIENCE, CaptureCase, for_each_python, pythons

WAITS = """
    import sys, time
    kept = [bytearray(100) for _ in range(1000)]
    print("ready", flush=True)
    while True:
        time.sleep(0.01)
"""
LINE_OF_WAITS = 3


def forbid_close_range():
    """From here on it fails as on a kernel that lacks it."""
    libc = ctypes.CDLL(None, use_errno=True)
    wanted, allow, refuse = 436, 0x7fff0000, 0x00050000 | errno.ENOSYS
    # Loads the number of the call; jumps over one instruction if it is another; returns.
    code = struct.pack("=" + "HBBI" * 4, 0x20, 0, 0, 0, 0x15, 0, 1, wanted, 0x06, 0, 0, refuse, 0x06, 0, 0, allow)
    kept = ctypes.create_string_buffer(code, len(code))
    program = ctypes.create_string_buffer(struct.pack("@HP", 4, ctypes.addressof(kept)))
    no_new_privileges, set_seccomp, filters = 38, 22, 2
    if libc.prctl(no_new_privileges, 1, 0, 0, 0) != 0 or libc.prctl(set_seccomp, filters, program, 0, 0) != 0:
        os._exit(99)


class Triggers:
    def test_exit(self):
        out = b"done\n"
        self.capture("kept = [bytearray(99) for _ in range(500)]; print('done')", out=out)
        path, = self.only_series()
        self.assertEqual(self.blocks_at(path, "program.py", 1) // 500, 2)
        self.assertEqual(self.triggers([path]), ["exit"])

    def test_the_last_snapshot_is_behind_the_programs_own_hooks(self):
        self.capture("""
            import atexit
            kept = []
            atexit.register(lambda: kept.extend(bytearray(9) for _ in range(300)))
        """)
        self.assertGreaterEqual(self.blocks_at(self.only_series()[0], "program.py", 4), 300)

    def test_exit_status_is_that_of_the_command(self):
        for code in (0, 3, 255):
            self.capture(f"import sys; sys.exit({code})", status=code)
        self.assertEqual(len(self.series()), 3)
        self.capture("import os; os._exit(4)", status=4)
        self.assertEqual(len(self.series()), 3)

    def test_unhandled_exception(self):
        result = self.run_tool(*self.command("kept = bytearray(5000); raise KeyError(7)"), env=self.clean)
        self.assertEqual(result.status, 1)
        self.assertRegex(result.err, r"(?s)\ATraceback.*KeyError: 7\n\Z")
        self.assertEqual(self.triggers(self.only_series()), ["exit"])

    def test_top(self):
        """The table comes behind all that the program says, whatever its end."""
        for end, status, said in (("print('done', file=sys.stderr)", 0, "done\n"), ("sys.exit(3)", 3, ""),
                                  ("raise KeyError(7)", 1, "Traceback .*KeyError: 7\n"),
                                  ("os.kill(os.getpid(), 2); time.sleep(9)", -2, "Traceback .*KeyboardInterrupt\n"),
                                  ("signal.signal(17, signal.SIG_IGN)", 0, ""), ("os.chdir('/'); os.closerange(3, 90)", 0, ""),
                                  ("os.close(0); os.close(1)", 0, "")):
            with self.subTest(end=end):
                program = f"kept = [bytearray(99) for _ in range(5000)]; import os, signal, sys, time; {end}"
                result = self.run_tool(*self.command(program, options=["--top", "3"]), env=self.clean)
                self.assertEqual((result.status, result.out), (status, b""), result.err)
                self.assertRegex(result.err, rf"\A(?s:{said})(?s:process .*program\.py:1\b.*)\Z")
        err = self.run_tool(*self.command("kept = bytearray(9); import os\nif os.fork(): os.wait()", options=["--top", "3"]),
                            env=self.clean).err
        self.assertEqual(err.count("share"), 1, err)
        # What a program reads of another Python is not ours to add to.
        err = self.run_tool(*self.command("""
            import os, subprocess, sys
            for env in (None, dict(os.environ)):
                child = subprocess.run([sys.executable, "-c", "kept = bytearray(9); print(42)"], env=env, stdout=subprocess.PIPE,
                                       stderr=subprocess.STDOUT)
                assert child.stdout == b"42\\n", child.stdout
            if "again" not in sys.argv:
                os.execv(sys.executable, [sys.executable, "-B"] + sys.argv + ["again"])
        """, options=["--top", "3"]), env=self.clean).err
        self.assertEqual(err.count("share"), 1, err)
        self.capture("kept = bytearray(9)", options=["--top", "0"])
        self.capture("import os; kept = bytearray(9); os.close(2)", options=["--top", "3"], err="")

    def test_ctrl_c(self):
        process = self.begin(WAITS)
        self.ready(process)
        process.send_signal(signal.SIGINT)
        self.assertIn(process.wait(30), (-signal.SIGINT, 1))
        self.assertIn("KeyboardInterrupt", process.stderr.read())
        self.assertEqual(self.triggers(self.only_series()), ["exit"])

    def test_interval(self):
        process = self.begin(WAITS, options=["--every", "100ms"])
        self.wait_until(lambda: len(sum(self.series().values(), [])) >= 4, "four snapshots")
        process.send_signal(signal.SIGINT)
        process.wait(30)
        paths = self.only_series()
        self.assertEqual(self.triggers(paths), ["interval"] * (len(paths) - 1) + ["exit"])
        self.assertEqual([self.meta(path)["seq"] for path in paths], [str(n + 1) for n in range(len(paths))])
        times = [float(self.meta(path)["uptime_s"]) for path in paths]
        self.assertEqual(times, sorted(times))
        self.assertTrue(all(after - before > 0.085 for before, after in zip(times[:-2], times[1:-1])), times)
        self.assertEqual({self.meta(path)["threads"] for path in paths}, {"1"})

    def test_request(self):
        process = self.begin(WAITS)
        self.ready(process)
        first, second = self.request(process.pid), self.request("--gc", process.pid)
        self.assertEqual(self.only_series(), [first, second])
        self.assertEqual(self.triggers([first, second]), ["request", "request"])
        self.assertEqual(self.blocks_at(first, "program.py", LINE_OF_WAITS) // 1000, 2)
        self.assertIn("gc_collected", self.meta(second))
        self.assertNotIn("gc_collected", self.meta(first))
        socket = pathlib.Path(f"/tmp/snaptools-{os.geteuid()}/{process.pid}.sock")
        self.assertEqual((socket.stat().st_mode & 0o7777, socket.parent.stat().st_mode & 0o7777), (0o600, 0o700))
        process.send_signal(signal.SIGINT)
        process.wait(30)
        self.assertFalse(socket.exists())
        self.expect_failure("snaptake", str(process.pid), err=r"snaptake: \d+: there is no such process")

    def test_request_while_the_main_thread_is_in_c(self):
        process = self.begin("import hashlib; print('ready', flush=True); hashlib.pbkdf2_hmac('sha1', b'', b'', 1 << 27)")
        self.ready(process)
        began = time.monotonic()
        self.request(process.pid)
        self.assertIsNone(process.poll())
        self.assertLess(time.monotonic() - began, 20)

    CLOSES_ALL = """
        import os, sys, time
        sys.stdout.write("ready\\n")
        sys.stdout.flush()
        while not os.path.exists("/tmp/snaptools-%d/%d.sock" % (os.geteuid(), os.getpid())):
            time.sleep(0.01)
        time.sleep(1)  # for the listener to put it out of the way, and to wait
        os.closerange(0, 1024)
        files = [os.open("mine%d" % n, os.O_CREAT | os.O_RDWR) for n in range(20)]
        assert files == list(range(20))
        while not os.path.exists("enough"):
            time.sleep(0.01)
        assert all(os.fstat(fd).st_size == 0 for fd in files)
        os._exit(0)
    """

    def test_requests_after_all_descriptors_were_closed(self):
        """As daemons do; their numbers come to stand for something else."""
        process = self.begin(self.CLOSES_ALL)
        self.ready(process)
        self.assertEqual(process.stdout.read(), "", "its end is seen although it runs")
        self.wait_until((self.folder / "mine19").exists, "the files")
        asked = [self.request(process.pid) for _ in range(3)]
        (self.folder / "enough").touch()
        self.finish(process)
        self.assertEqual(self.only_series(), asked)
        self.assertEqual([(self.folder / f"mine{n}").read_bytes() for n in range(20)], [b""] * 20)

    def knock(self, path):
        """The listener looks around when it has been called, and each minute. An agent of a test beside this one, which
        looks which sockets are dead, may call first: then there is a new socket already, or about to be."""
        with socket.socket(socket.AF_UNIX) as caller:
            return caller.connect_ex(str(path))

    def test_requests_after_the_socket_was_removed(self):
        """As what tidies /tmp does."""
        process = self.begin(WAITS)
        self.ready(process)
        asked = self.request(process.pid)
        path = pathlib.Path(f"/tmp/snaptools-{os.geteuid()}/{process.pid}.sock")
        moved = path.rename(self.folder / "moved")
        self.knock(moved)
        self.wait_until(path.exists, "a new socket")
        again = self.request(process.pid)
        self.assertEqual(self.only_series(), [asked, again])
        self.assertEqual(self.knock(moved), errno.ECONNREFUSED)

    def test_requests_after_privileges_were_dropped(self):
        if os.geteuid() != 0:
            print(f"not run: {self.id()}: only root can drop privileges")
            return
        self.folder.chmod(0o711)
        self.snaps.mkdir()
        self.snaps.chmod(0o777)
        user = 65534
        process = self.begin(f"""
            import os, time
            while not os.path.exists("/tmp/snaptools-0/%d.sock" % os.getpid()):
                time.sleep(0.01)
            os.setgid({user})
            os.setuid({user})
            print("ready", flush=True)
            time.sleep(60)
        """)
        self.ready(process)
        path = pathlib.Path(f"/tmp/snaptools-{user}/{process.pid}.sock")
        self.knock(f"/tmp/snaptools-0/{process.pid}.sock")
        self.wait_until(path.exists, "a socket of the new user's")
        asked = self.request(process.pid)
        self.assertEqual(self.only_series(), [asked])

    def test_requests_after_the_root_was_changed(self):
        """No socket can be made where there is no /tmp; that from before is kept."""
        if os.geteuid() != 0:
            print(f"not run: {self.id()}: only root can change the root")
            return
        process = self.begin("""
            import os, time
            while not os.path.exists("/tmp/snaptools-0/%d.sock" % os.getpid()):
                time.sleep(0.01)
            os.mkdir("jail")
            os.chroot("jail")
            print("ready", flush=True)
            time.sleep(60)
        """)
        self.ready(process)
        for _ in range(3):
            self.expect_failure("snaptake", str(process.pid), err=f"snaptake: {process.pid}: .*cannot create: .*")

    def test_requests_where_the_kernel_has_but_one_table_of_descriptors(self):
        """Linux before 5.9, or a container that forbids close_range: they are heard, and closed by nobody else."""
        process = self.begin("""
            import os, time
            print("ready", flush=True)
            while not os.path.exists("enough"):
                time.sleep(0.01)
            for _ in range(20):
                pid = os.fork()
                if pid == 0:
                    os._exit(0)
                assert os.waitpid(pid, 0)[1] == 0
        """, preexec_fn=forbid_close_range)
        self.ready(process)
        self.wait_until(lambda: sum(self.is_socket(process, fd) for fd in self.descriptors(process)) == 1, "one socket")
        asked = [self.request(process.pid) for _ in range(3)]
        (self.folder / "enough").touch()
        began = time.monotonic()
        self.finish(process)
        self.assertLess(time.monotonic() - began, 10)
        self.assertEqual(self.only_series()[:-1], asked)
        self.assertFalse(pathlib.Path(f"/tmp/snaptools-{os.geteuid()}/{process.pid}.sock").exists())
        (self.folder / "enough").unlink()
        process = self.begin(self.CLOSES_ALL, preexec_fn=forbid_close_range)
        self.ready(process)
        self.wait_until((self.folder / "mine19").exists, "the files")
        self.knock(f"/tmp/snaptools-{os.geteuid()}/{process.pid}.sock")
        self.wait_until(lambda: self.descriptors(process) == [*range(20), 512], "a new socket, and nothing else")
        asked += [self.request(process.pid) for _ in range(3)]
        self.assertEqual(len(set(asked)), 6)
        (self.folder / "enough").touch()
        self.finish(process)
        self.assertEqual([(self.folder / f"mine{n}").read_bytes() for n in range(20)], [b""] * 20)

    def is_socket(self, process, fd):
        try:
            return os.readlink(f"/proc/{process.pid}/fd/{fd}").startswith("socket:")
        except FileNotFoundError:
            return False

    def descriptors(self, process):
        return sorted(map(int, os.listdir(f"/proc/{process.pid}/fd")))

    def test_requests_while_the_program_forks(self):
        process = self.begin("""
            import os, time, warnings
            warnings.simplefilter("ignore")
            print("ready", flush=True)
            while not os.path.exists("enough"):
                pid = os.fork()
                if pid == 0:
                    time.sleep(0.01)
                    os._exit(0)
                assert os.waitpid(pid, 0)[1] == 0
        """)
        self.ready(process)
        asked = [self.request(process.pid) for _ in range(20)]
        (self.folder / "enough").touch()
        self.finish(process)
        self.assertEqual(self.only_series()[:-1], asked)

    def test_at_most_so_many(self):
        self.capture("""
            import snapcapture
            paths = [snapcapture.snapshot() for _ in range(5)]
            print([path is not None for path in paths])
        """, options=["-n", "3"], out="[True, True, True, False, False]\n")
        self.assertEqual(len(self.only_series()), 3)

    def test_keep(self):
        other = self.snaps / "program-20200101T000000Z-1-000002.snap"
        self.snaps.mkdir()
        other.write_bytes(b"another's")
        self.capture("""
            import snapcapture
            for _ in range(9):
                snapcapture.snapshot()
        """, options=["--keep", "3"])
        self.assertEqual(other.read_bytes(), b"another's")
        other.unlink()
        self.assertEqual([path.name[-11:-5] for path in self.only_series()], ["000001", "000009", "000010"])

    def test_keep_bytes(self):
        """The first, and as many of the last as fit beside it."""
        self.capture("""
            import snapcapture
            for _ in range(9):
                snapcapture.snapshot()
        """)
        sizes = [path.stat().st_size for path in self.only_series()]
        for path in self.only_series():
            path.unlink()
        room = 4 * max(sizes) + 100
        self.capture("""
            import os, snapcapture
            first = snapcapture.snapshot()
            other = os.path.join(os.path.dirname(first), "program-20200101T000000Z-1-000002.snap")
            with open(other, "wb") as file:
                file.write(bytes(1 << 20))
            for _ in range(8):
                snapcapture.snapshot()
            assert os.path.getsize(other) == 1 << 20
            os.unlink(other)
        """, options=["--keep-bytes", str(room)])
        paths = self.only_series()
        numbers = [int(path.name[-11:-5]) for path in paths]
        self.assertEqual(numbers, [1, *range(numbers[1], 11)])
        sizes = [path.stat().st_size for path in paths]
        self.assertLessEqual(sum(sizes), room)
        self.assertGreater(sum(sizes) + 1.5 * max(sizes), room)
        for path in paths:
            path.unlink()
        self.capture("import snapcapture; [snapcapture.snapshot() for _ in range(3)]", options=["--keep-bytes", "1"])
        self.assertEqual([path.name[-11:-5] for path in self.only_series()], ["000001", "000004"])

    def test_keep_for(self):
        self.capture("""
            import os, snapcapture, time
            paths = [snapcapture.snapshot() for _ in range(5)]
            for path, days in zip(paths, (30, 8, 6.9, 9, 0)):
                os.utime(path, (time.time() - 86400 * days,) * 2)
        """, options=["--keep-for", "7d"])
        self.assertEqual([path.name[-11:-5] for path in self.only_series()],
                         ["000001", "000003", "000004", "000005", "000006"])

    def test_signal(self):
        process = self.begin(WAITS, options=["--signal", "SIGRTMIN+6"])
        self.ready(process)
        for count in (1, 2, 3):
            process.send_signal(signal.SIGRTMIN + 6)
            self.wait_until(lambda: len(sum(self.series().values(), [])) == count, f"{count} snapshots")
        process.send_signal(signal.SIGINT)
        process.wait(30)
        self.assertEqual(self.triggers(self.only_series()), ["signal"] * 3 + ["exit"])

    def test_signal_in_the_children_of_a_fork(self):
        process = self.begin("""
            import os, signal, sys, time
            pid = os.fork()
            if pid == 0:
                time.sleep(60)
            print(pid, flush=True)
            os.waitpid(pid, 0)
        """, options=["--signal", "SIGUSR2"])
        child = int(process.stdout.readline())
        self.wait_until(lambda: pathlib.Path(f"/tmp/snaptools-{os.geteuid()}/{child}.sock").exists(), "a socket")
        os.kill(child, signal.SIGUSR2)
        self.wait_until(lambda: child in self.series(), "a snapshot")
        self.assertEqual(list(self.series()), [child])
        os.kill(child, signal.SIGKILL)
        self.finish(process)

    def test_signal_that_the_program_listens_to(self):
        """Set before, its own handler is called as well; set later, it takes our place."""
        (self.folder / "own").mkdir()
        program = self.write("""
            import os, signal, sys, time
            sys.path.insert(0, os.environ["AGENT"])
            import snapcapture
            seen = []
            signal.signal(signal.SIGUSR1, lambda number, frame: seen.append(number))
            capture = snapcapture.start("own", signal=signal.SIGUSR1)
            os.kill(os.getpid(), signal.SIGUSR1)
            end = time.monotonic() + 20
            while not os.listdir("own"):
                assert time.monotonic() < end
                time.sleep(0.01)
            assert seen == [signal.SIGUSR1]
            signal.signal(signal.SIGUSR1, lambda number, frame: seen.append(-1))
            os.kill(os.getpid(), signal.SIGUSR1)
            time.sleep(0.5)
            assert seen[1:] == [-1] and len(os.listdir("own")) == 1, (seen, os.listdir("own"))
            snapcapture.stop()
            for number in (9, -1, 1000):
                try:
                    snapcapture.start("own", signal=number)
                    raise SystemExit("no error")
                except RuntimeError:
                    pass
        """)
        self.expect(self.python, "-B", program, env={**self.clean, "AGENT": str(AGENT)})

    def test_a_series_never_takes_the_place_of_another(self):
        self.capture("""
            import os, sys
            if len(sys.argv) < 2:
                import snapcapture
                snapcapture.snapshot()
                os.execv(sys.executable, [sys.executable, "-B"] + sys.argv + ["again"])
        """)
        self.capture("""
            import snapcapture
            snapcapture.stop()
            for _ in range(2):
                with snapcapture.start("snaps"):
                    pass
        """)
        endings = sorted(re.sub(r".*Z-\d+", "", path.name) for paths in self.series().values() for path in paths)
        self.assertEqual(endings, ["-000001.snap"] * 2 + [".2-000001.snap"] * 2 + [".3-000001.snap"])

    def test_a_process_has_any_number_of_series(self):
        """As one that captures each turn of its main loop does after some weeks."""
        self.capture("""
            import os
            import snapcapture
            first = snapcapture.snapshot()
            snapcapture.stop()
            for number in range(2, 3001):
                os.symlink("nowhere", first.replace("-000001.snap", ".%d-000001.snap" % number))
            for number in range(2):
                with snapcapture.start("snaps"):
                    pass
        """)
        for link in self.folder.glob("snaps/*.snap"):
            if link.is_symlink():
                link.unlink()
        endings = sorted(re.sub(r".*Z-\d+", "", path.name) for paths in self.series().values() for path in paths)
        self.assertEqual(endings, ["-000001.snap", "-000002.snap", ".3001-000001.snap", ".3002-000001.snap"])

    def test_from_code(self):
        (self.folder / "own").mkdir()
        program = self.write("""
            import os, pathlib, sys, threading
            sys.path.insert(0, os.environ["AGENT"])
            import snapcapture
            assert snapcapture.snapshot(label="none yet") is None  # what is instrumented runs without as well
            for call in (lambda: snapcapture.start("nowhere"), lambda: snapcapture.start("own", frames=0), lambda: snapcapture.start("own", keep=1)):
                try:
                    call()
                    raise SystemExit("no error")
                except RuntimeError:
                    pass
            snapcapture.stop()
            open("file", "w").close()
            try:
                snapcapture.start("file")
                raise SystemExit("no error")
            except RuntimeError:
                pass
            with snapcapture.start(pathlib.Path("own"), frames=7, limit=3, keep=2, gc=True, every=1000.0):
                path = snapcapture.snapshot(label="it\\u00e9ration 17", iteration=17)
                try:
                    snapcapture.start("own")
                    raise SystemExit("no error")
                except RuntimeError:
                    pass
            print(path)
            assert threading.active_count() == 1
            assert snapcapture.snapshot() is None
        """)
        out = self.expect(self.python, "-B", program, env={**self.clean, "AGENT": str(AGENT)}).decode()
        path = pathlib.Path(out.rstrip("\n"))
        self.assertEqual(path.parent, self.folder / "own")
        meta = self.meta(path)
        self.assertEqual((meta["label.name"], meta["iteration"], meta["traceback_limit"], meta["capture.trigger"]),
                         ("it\u00e9ration 17", "17", "7", "code"))
        self.assertEqual(len(list(path.parent.iterdir())), 2)

    def test_code_that_runs_when_the_capture_has_ended(self):
        self.capture("""
            import snapcapture
            class Late:
                def __del__(self, snapshot=snapcapture.snapshot):
                    print(snapshot(label="too late"))
            late = Late()
            snapcapture.stop()
            print(snapcapture.snapshot())
        """, out="None\nNone\n")

    def test_ways_to_be_run(self):
        package = self.folder / "app"
        package.mkdir()
        (package / "__main__.py").write_text("print('ran')\n")
        self.capture(None, command=[self.python, "-B", "-m", "app"], out=b"ran\n")
        self.assertEqual([self.meta(path)["program"] for path in self.only_series()], ["app"])
        self.only_series()[0].unlink()
        self.capture(None, command=[self.python, "-B", "-c", "print('ran')"], out=b"ran\n")
        self.assertEqual([path.name.split("-")[0] for path in self.only_series()], ["python"])
        self.only_series()[0].unlink()
        for option in ("-I", "-E", "-S"):
            self.capture(None, command=[self.python, "-B", option, "-c", "print('ran')"], out=b"ran\n")
        self.assertEqual(self.series(), {})

    def test_virtual_environment(self):
        made = subprocess.run([self.python, "-m", "venv", "--without-pip", "env"], cwd=self.folder, capture_output=True)
        if made.returncode != 0:
            print(f"not run: {self.id()}: this interpreter makes no virtual environments")
            return
        self.capture(None, command=["env/bin/python", "-B", "-c", "import sys; print(sys.prefix)"],
                     out=f"{self.folder}/env\n")
        meta = self.meta(self.only_series()[0])
        self.assertEqual(meta["root.prefix"], f"{self.folder}/env")
        self.assertIn(f"{self.folder}/env/", meta["root.site"])

    def test_the_programs_own_sitecustomize(self):
        own = self.folder / "own"
        own.mkdir()
        (own / "sitecustomize.py").write_text("import sys\nsys.customized = __file__\nkept = [bytearray(9) for _ in range(99)]\n")
        self.capture("import sitecustomize, sys; print(sys.customized, sitecustomize.__file__)",
                     env={"PYTHONPATH": str(own)}, out=f"{own}/sitecustomize.py {own}/sitecustomize.py\n")
        self.assertGreaterEqual(self.blocks_at(self.only_series()[0], "own/sitecustomize.py", 3), 99)
        (own / "sitecustomize.py").write_text("raise ValueError('theirs')\n")
        result = self.run_tool(*self.command("print('ran')"), env={**self.clean, "PYTHONPATH": str(own)})
        self.assertEqual((result.status, result.out), (0, b"ran\n"))
        self.assertIn("ValueError: theirs", result.err)

    def test_snaprun_twice(self):
        self.capture(None, command=["snaprun", "-o", "inner", "-t", "2", "--", self.python, "-B", "-c", "x = 1"])
        self.assertEqual(self.series(), {})
        path, = (self.folder / "inner").iterdir()
        self.assertEqual(self.meta(path)["traceback_limit"], "2")


class Watching(CaptureCase):
    """Of memory, which has nothing to do with the interpreter."""

    python = next(iter(pythons.FOUND.values()))

    def test_rss(self):
        """Crossed twice, with a fall in between."""
        process = self.begin("""
            import mmap, sys, time
            def fill(megabytes):
                region = mmap.mmap(-1, megabytes << 20)
                for offset in range(0, megabytes << 20, 4096):
                    region[offset] = 1
                return region
            print("ready", flush=True)
            kept = None
            for line in sys.stdin:
                if kept:
                    kept.close()
                kept = fill(int(line)) if int(line) else None
        """, options=["--rss-above", "300M"], stdin=subprocess.PIPE)
        self.ready(process)
        def say(megabytes):
            process.stdin.write(f"{megabytes}\n")
            process.stdin.flush()
        def wait_for(count):
            self.wait_until(lambda: len(sum(self.series().values(), [])) == count, f"{count} snapshots")
        for megabytes, count in ((310, 1), (10, 1), (320, 2), (10, 2)):
            say(megabytes)
            wait_for(count)
            time.sleep(1.6)
            wait_for(count)
        self.finish(process)
        paths = self.only_series()
        self.assertEqual(self.triggers(paths), ["rss-above", "rss-above", "exit"])
        self.assertTrue(all(int(self.meta(path)["rss_bytes"]) >= 300 << 20 for path in paths[:2]))

    def test_rss_step(self):
        process = self.begin("""
            import sys
            print("ready", flush=True)
            kept = []
            for line in sys.stdin:
                kept.append(b"x" * (int(line) << 20))
        """, options=["--rss-step", "50M"], stdin=subprocess.PIPE)
        self.ready(process)
        for megabytes, count in ((60, 1), (20, 1), (40, 2), (120, 3)):
            process.stdin.write(f"{megabytes}\n")
            process.stdin.flush()
            self.wait_until(lambda: len(sum(self.series().values(), [])) == count, f"{count} snapshots")
            time.sleep(1.6)
        self.finish(process)
        self.assertEqual(self.triggers(self.only_series()), ["rss-step"] * 3 + ["exit"])

    def test_close_to_the_limit_of_the_container(self):
        for new in (True, False):
            with self.subTest(new=new):
                root = self.folder / f"cgroup-{new}"
                group = root if new else root / "memory"
                group.mkdir(parents=True)
                names = ("memory.max", "memory.current", "\ninactive_file ") if new else (
                    "memory.limit_in_bytes", "memory.usage_in_bytes", "\ntotal_inactive_file ")
                def use(used, cache):  # megabytes
                    (group / "memory.stat").write_text(f"anon 1{names[2]}{cache * 10 ** 6}\nslab 0\n")
                    temporary = root / "new"
                    temporary.write_text(f"{used * 10 ** 6}\n")
                    temporary.rename(group / names[1])
                (group / names[0]).write_text(f"{10 ** 9}\n")
                use(500, 0)
                self.clean["SNAP_CGROUP_ROOT"] = str(root)
                if not new and not any(":memory:" in line for line in pathlib.Path("/proc/self/cgroup").read_text().splitlines()):
                    print(f"not run: {self.id()}: this system has no memory controller of version 1")
                    continue
                process = self.begin(WAITS)
                self.ready(process)
                count = 0
                for used, cache, fires in ((950, 100, False), (950, 20, True), (890, 0, False),
                                           (960, 0, False), (840, 0, False), (960, 0, True)):
                    use(used, cache)
                    count += fires
                    self.wait_until(lambda: len(sum(self.series().values(), [])) == count, f"{count} snapshots")
                    time.sleep(1.6)
                    self.assertEqual(len(self.only_series()) if count else 0, count)
                process.send_signal(signal.SIGINT)
                process.wait(30)
                paths = self.only_series()
                self.assertEqual(self.triggers(paths), ["limit", "limit", "exit"])
                self.assertEqual(self.meta(paths[0])["cgroup_limit_bytes"], str(10 ** 9))
                [path.unlink() for path in paths]
                process = self.begin(WAITS, options=["--ignore-limit"])
                self.ready(process)
                use(500, 0)
                time.sleep(1.2)
                use(990, 0)
                time.sleep(1.6)
                self.assertEqual(self.series(), {})
                process.kill()


class Launcher(CaptureCase):
    """snaprun itself."""

    python = next(iter(pythons.FOUND.values()))

    def test_top_is_not_waited_for_for_ever(self):
        """Nobody reads what it prints."""
        read, write = os.pipe()
        try:
            os.set_blocking(write, False)
            try:
                while os.write(write, bytes(4096)):
                    pass
            except BlockingIOError:
                pass
            os.set_blocking(write, True)
            began = time.monotonic()
            process = self.begin("kept = bytearray(999)", options=["--top", "3"], stderr=write)
            self.assertEqual(process.wait(PATIENCE), 0)
            self.assertGreater(time.monotonic() - began, 9)
        finally:
            os.close(read)
            os.close(write)

    def test_what_cannot_be_run(self):
        self.capture(None, command=["./nothing"], status=127, err="snaprun: ./nothing: cannot run it: No such file or directory\n")
        (self.folder / "text").write_text("")
        self.capture(None, command=["./text"], status=126, err="snaprun: ./text: cannot run it: Permission denied\n")

    def test_wrong_command_lines(self):
        self.expect_failure("snaprun", "true", err="snaprun: -o DIR is needed; see snaprun --help")
        self.expect_failure("snaprun", "-o", "x", err="snaprun: a command is needed; .*")
        self.expect_failure("snaprun", "-o", "x", "--every", "0", "true", err="snaprun: --every is a time such as 30s, .*")
        self.expect_failure("snaprun", "-o", "x", "--keep", "1", "true", err="snaprun: --keep is a number from 2 .*")
        self.expect_failure("snaprun", "-o", "x", "--keep-bytes", "0", "true", err="snaprun: sizes are larger than 0, not '0'; .*")
        for name in ("9", "SIGKILL", "SIGRTMIN+", "SIGRTMIN+99", "SIGRTMIN+-1", "SIGRTMIN-1", "SIGRTMAX+1", "SIGRTMAX-99",
                     "SIGRTMAXIMUM"):
            self.expect_failure("snaprun", "-o", "x", "--signal", name, "true", err="snaprun: --signal is SIGUSR1, .*")
        for mode in ("sampled=", "sampled=0", "sampled=2TiB", "sampled=x"):
            self.expect_failure("snaprun", "-o", "x", "--mode", mode, "true", err="snaprun: --mode sampled=SIZE takes a size .*")
        self.expect_failure("snaprun", "-o", "x/y", "true", err="snaprun: x/y: cannot create the folder: .*")
        (self.folder / "file").write_text("")
        self.expect_failure("snaprun", "-o", "file", "true", err="snaprun: file: it is not a folder")
        self.expect_failure("snaprun", "-o", "/proc", "true", err="snaprun: /proc: cannot write to the folder: .*")
        copy = self.folder / "c:d"
        shutil.copytree(AGENT, copy / "lib/snaptools")
        (copy / "bin").mkdir()
        shutil.copy(BIN / "snaprun", copy / "bin")
        self.expect_failure(copy / "bin/snaprun", "-o", "snaps", "true", err="snaprun: .*/c:d/lib/snaptools: .* has a ':'")
        self.expect_failure("snaptake", err="snaptake: a process ID is needed; .*")
        self.expect_failure("snaptake", "0", err="snaptake: '0' is no process ID; .*")
        self.expect_failure("snaptake", str(os.getpid()), err=r"snaptake: \d+: it takes no requests: .*")

    def test_options_of_the_command_are_its_own(self):
        self.expect("snaprun", "-o", "x", "echo", "-n", "--every", "-V", out="--every -V")

    def test_standard_streams_and_signals_reach_the_command_as_they_are(self):
        probe = self.write("""
            import os
            print([os.path.exists("/proc/self/fd/%d" % number) for number in (0, 2)])
        """)
        for command in (f"{sys.executable} -I {probe}", "grep SigIgn /proc/self/status"):
            plain, under = (self.shell(f"trap '' PIPE; exec {launcher} {command} <&- 2>&-")
                            for launcher in ("", "snaprun -o x"))
            self.assertEqual(plain.status, 0)
            self.assertEqual(under, plain)

    def test_other_interpreters_run_untouched(self):
        fake = self.folder / "sitecustomize_under_something_else.py"
        fake.write_text(textwrap.dedent("""
            import subprocess, sys
            sys.implementation.name = 'other'
            sys.path.insert(0, sys.argv[1])
            import sitecustomize, snapcapture
            with snapcapture.start("nowhere"):
                print(snapcapture.snapshot(label="none"), snapcapture.stop(), flush=True)
            if len(sys.argv) > 2:
                subprocess.run([sys.executable] + sys.argv[2:], check=True)
            else:
                subprocess.run([sys.executable, "-I", "-S"] + sys.argv + ["-c", "print('ran')"], check=True)
        """))
        # Twice under the other one, said once, and then as itself.
        result = self.run_tool(self.python, "-I", "-S", fake, AGENT,
                               env={**self.clean, "SNAPRUN_FOLDER": str(self.folder), "PYTHONPATH": str(AGENT)})
        self.assertEqual((result.status, result.out), (0, b"None None\nNone None\nran\n"), result.err)
        self.assertEqual(len(list(self.folder.glob("python-*.snap"))), 1)
        self.assertRegex(result.err, r"\Asnaprun: \S+: no snapshots are taken: CPython 3.7 or later is needed, and this is other 3.\d+\n\Z")


globals().update(for_each_python(Triggers, few=True))


if __name__ == "__main__":
    unittest.main()
