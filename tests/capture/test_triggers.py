"""When snapshots are taken: at the end, at intervals, on request, from code; and how many stay."""

import os
import pathlib
import re
import signal
import subprocess
import sys
import time
import unittest

from capturing import AGENT, CaptureCase, for_each_python

WAITS = """
    import sys, time
    kept = [bytearray(100) for _ in range(1000)]
    print("ready", flush=True)
    while True:
        time.sleep(0.01)
"""
LINE_OF_WAITS = 3


class Triggers:
    def ready(self, process):
        self.assertEqual(process.stdout.readline(), "ready\n", process.poll())

    def triggers(self, paths):
        return [self.meta(path)["capture.trigger"] for path in paths]

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

    def test_request_after_all_descriptors_were_closed(self):
        """As daemons do; their numbers come to stand for something else."""
        process = self.begin("""
            import os, time
            os.closerange(3, 64)
            files = [os.open("mine%d" % n, os.O_CREAT | os.O_RDWR) for n in range(20)]
            print("ready", flush=True)
            time.sleep(0.3)
            assert all(os.fstat(fd).st_size == 0 for fd in files)
        """)
        self.ready(process)
        self.finish(process)
        self.assertEqual(self.triggers(self.only_series()), ["exit"])
        self.assertEqual([(self.folder / f"mine{n}").read_bytes() for n in range(20)], [b""] * 20)

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

    def test_from_code(self):
        (self.folder / "own").mkdir()
        program = self.write("""
            import os, pathlib, sys, threading
            sys.path.insert(0, os.environ["AGENT"])
            import snapcapture
            for call in (snapcapture.snapshot, lambda: snapcapture.start("nowhere"),
                         lambda: snapcapture.start("own", frames=0), lambda: snapcapture.start("own", keep=1)):
                try:
                    call()
                    raise SystemExit("no error")
                except RuntimeError:
                    pass
            snapcapture.stop()
            with snapcapture.start(pathlib.Path("own"), frames=7, limit=3, keep=2, gc=True, every=1000.0):
                path = snapcapture.snapshot(label="it\\u00e9ration 17")
                try:
                    snapcapture.start("own")
                    raise SystemExit("no error")
                except RuntimeError:
                    pass
            print(path)
            assert threading.active_count() == 1
        """)
        out = self.expect(self.python, "-B", program, env={**self.clean, "AGENT": str(AGENT)}).decode()
        path = pathlib.Path(out.rstrip("\n"))
        self.assertEqual(path.parent, self.folder / "own")
        meta = self.meta(path)
        self.assertEqual((meta["label.name"], meta["traceback_limit"], meta["capture.trigger"]),
                         ("it\u00e9ration 17", "7", "code"))
        self.assertEqual(len(list(path.parent.iterdir())), 2)

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


class Launcher(CaptureCase):
    """snaprun itself."""

    def test_what_cannot_be_run(self):
        self.capture(None, command=["./nothing"], status=127, err="snaprun: ./nothing: cannot run it: No such file or directory\n")
        (self.folder / "text").write_text("")
        self.capture(None, command=["./text"], status=126, err="snaprun: ./text: cannot run it: Permission denied\n")

    def test_wrong_command_lines(self):
        self.expect_failure("snaprun", "true", err="snaprun: -o DIR is needed; see snaprun --help")
        self.expect_failure("snaprun", "-o", "x", err="snaprun: a command is needed; .*")
        self.expect_failure("snaprun", "-o", "x", "--every", "0", "true", err="snaprun: --every is a time such as 30s, .*")
        self.expect_failure("snaprun", "-o", "x", "--keep", "1", "true", err="snaprun: --keep is a number from 2 .*")
        self.expect_failure("snaprun", "-o", "x/y", "true", err="snaprun: x/y: cannot create the folder: .*")
        (self.folder / "file").write_text("")
        self.expect_failure("snaprun", "-o", "file", "true", err="snaprun: file: it is not a folder")
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
        fake.write_text("import sys\nsys.implementation.name = 'other'\n"
                        "sys.path.insert(0, sys.argv[1])\nimport sitecustomize\nprint('ran')\n")
        result = self.run_tool(sys.executable, "-I", "-S", fake, AGENT,
                               env={"SNAPRUN_FOLDER": str(self.folder)})
        self.assertEqual((result.status, result.out), (0, b"ran\n"))
        self.assertRegex(result.err, r"\Asnaprun: \S+: no snapshots are taken: CPython 3.8 or later is needed, and this is other 3.\d+\n\Z")


globals().update(for_each_python(Triggers))


if __name__ == "__main__":
    unittest.main()
