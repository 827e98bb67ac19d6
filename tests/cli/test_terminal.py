"""What a terminal gets: tables in place of binary, progress, its width."""

import os
import pty
import select
import subprocess
import time
import unittest

import dumps
from running import ToolCase, environment


class TablesInPlaceOfBinary(ToolCase):
    def setUp(self):
        super().setUp()
        dumps.write_pair(self.folder)

    def test_snapdiff(self):
        shown = self.run_on_terminal("snapdiff", "--color=never", "before.pickle", "after.pickle")
        diff = self.expect("snapdiff", "before.pickle", "after.pickle")
        self.assertEqual((shown.status, shown.out), (0, self.expect("snaptop", stdin=diff)))

    def test_snapdiff_with_a_limit(self):
        shown = self.run_on_terminal("snapdiff", "-q", "--fail-over=1", "before.pickle", "after.pickle")
        self.assertEqual(shown.status, 1)
        self.assertIn("±size".encode(), shown.out)

    def test_snapcat(self):
        shown = self.run_on_terminal("snapcat", "--color=never", "before.pickle", "after.pickle")
        tables = [self.expect("snaptop", name) for name in ("before.pickle", "after.pickle")]
        self.assertEqual((shown.status, shown.out), (0, b"\n".join(tables)))

    def test_ten_rows(self):
        dumps.write(self.folder / "many.pickle", *((1, i, f"f.py:{i}") for i in range(1, 31)))
        self.assertIn("… 20 more lines".encode(), self.run_on_terminal("snapcat", "many.pickle").out)

    def test_output_goes_where_it_is_sent(self):
        shown = self.run_on_terminal("snapdiff", "-o", "d.snap", "before.pickle", "after.pickle")
        self.assertEqual((shown.status, shown.out), (0, b""))
        self.expect("snapinfo", "--check", "d.snap", out="d.snap: ok, 1 member\n")

    def test_salvage(self):
        self.expect("snapcat", "-o", "a.snap", "before.pickle")
        shown = self.run_on_terminal("snapinfo", "-q", "--color=never", "--salvage", "a.snap")
        self.assertEqual((shown.status, shown.out), (0, self.expect("snaptop", "a.snap")))


class Width(ToolCase):
    def test_of_the_terminal(self):
        dumps.write(
            self.folder / "a.pickle",
            (1, 100, "/usr/lib/python3/dist-packages/some/deep/package/with/a/module.py:1"),
        )
        for width, shown in (
            (60, "/usr/lib/…/with/a/module.py:1"),
            (120, "/usr/lib/python3/dist-packages/some/deep/package/with/a/module.py:1"),
        ):
            result = self.run_on_terminal("snaptop", "--color=never", "a.pickle", width=width)
            self.assertEqual(result.out.decode().splitlines()[4].split()[-1], shown)

    def test_columns_wins(self):
        dumps.write(self.folder / "a.pickle", (1, 100, "/" + "long/" * 40 + "m.py:1"))
        for width in (60, 100, 150):
            shown = self.run_on_terminal("snaptop", "--color=never", "a.pickle", env={"COLUMNS": str(width)})
            self.assertLessEqual(max(map(len, shown.out.decode().splitlines())), width)
            self.assertGreater(max(map(len, shown.out.decode().splitlines())), width - 6)

    def test_a_strange_width_is_none(self):
        dumps.write(self.folder / "a.pickle", (1, 100, "a.py:1"))
        plain = self.expect("snaptop", "a.pickle")
        for columns in ("0", "-5", "x", "", "80x", "99999999999999999999999"):
            self.assertEqual(self.expect("snaptop", "a.pickle", env={"COLUMNS": columns}), plain)


class Progress(ToolCase):
    """Standard input stalls in the middle; standard error is a terminal or not."""

    def setUp(self):
        super().setUp()
        sites = [(1, size, f"/srv/app/module{size % 977}.py:{size}") for size in range(1, 20000)]
        dumps.write(self.folder / "a.pickle", *sites)
        self.data = (self.folder / "a.pickle").read_bytes()

    def read_with_a_stall(self, stall, *argv, stderr, **env):
        process = subprocess.Popen(
            ["snaptop", *argv],
            cwd=self.folder,
            env=environment(**env),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
        )
        half = len(self.data) // 2
        process.stdin.write(self.data[:half])
        process.stdin.flush()
        stall()
        out, err = process.communicate(self.data[half:], timeout=60)
        self.assertEqual(process.returncode, 0)
        return out, err

    def read_on_terminal(self, stall, *argv, **env):
        """What the terminal shows on standard error."""
        master, slave = pty.openpty()
        self.addCleanup(os.close, master)
        out, _ = self.read_with_a_stall(lambda: stall(master), *argv, stderr=slave, **env)
        os.close(slave)
        try:
            shown = os.read(master, 65536)
        except OSError:
            shown = b""
        self.assertEqual(out, self.expect("snaptop", stdin=self.data))
        return shown

    def test_on_a_terminal_after_a_second(self):
        begun = time.monotonic()
        shown = self.read_on_terminal(lambda terminal: select.select([terminal], [], [], 60))
        self.assertGreater(time.monotonic() - begun, 1)
        self.assertRegex(shown, rb"\A(\r\d+ MiB read\x1b\[K)+\r\x1b\[K\Z")

    def test_not_before(self):
        begun = time.monotonic()
        shown = self.read_on_terminal(lambda terminal: None)
        self.assertTrue(shown == b"" or time.monotonic() - begun > 1)

    def test_not_elsewhere(self):
        self.assertEqual(self.read_with_a_stall(lambda: time.sleep(1.5), stderr=subprocess.PIPE)[1], b"")

    def test_not_when_unwanted(self):
        self.assertEqual(self.read_on_terminal(lambda terminal: time.sleep(1.5), "-q"), b"")
        self.assertEqual(self.read_on_terminal(lambda terminal: time.sleep(1.5), TERM="dumb"), b"")


if __name__ == "__main__":
    unittest.main()
