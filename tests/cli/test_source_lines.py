"""Lines of source below the frames."""

import os
import socket
import unittest

import dumps
from running import ToolCase


class SourceLines(ToolCase):
    def put(self, path, text):
        path = self.folder / path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    def dump(self, *frames):
        dumps.write(self.folder / "d.pickle", *((1, 1000 - i, [frame]) for i, frame in enumerate(frames)))

    def shown(self, *argv, **options):
        """What stands below the first line of the table, without its indentation."""
        lines = self.expect("snaptop", *argv, "d.pickle", **options).decode().splitlines()[5:-1]
        return [line.strip() for line in lines if "%" not in line]

    def test_of_a_file_that_is_there(self):
        path = self.put("m.py", "import os\n\n\tsessions.append(session)  \r\n")
        self.dump(f"{path}:3", f"{path}:1", f"{path}:2", f"{path}:99", "<string>:1")
        self.assertEqual(self.shown(), ["sessions.append(session)", "import os"])
        self.assertEqual(self.shown("--no-source"), [])

    def test_last_line_without_a_newline(self):
        self.dump(f"{self.put('m.py', 'a = 1')}:1")
        self.assertEqual(self.shown(), ["a = 1"])

    def test_relative_names_are_looked_for_here(self):
        self.put("pkg/m.py", "here()\n")
        self.dump("pkg/m.py:1")
        self.assertEqual(self.shown(), ["here()"])

    def test_source_root(self):
        self.put("checkout/shop/client.py", "below the root\n")
        self.dump("/srv/app/shop/client.py:1")
        self.assertEqual(self.shown(), [])
        self.assertEqual(self.shown("--source-root", "checkout"), ["below the root"])
        self.put("checkout/app/shop/client.py", "a longer match\n")
        self.assertEqual(self.shown("--source-root=checkout/"), ["a longer match"])

    def test_map(self):
        self.put("new/client.py", "mapped\n")
        self.put("other/app/client.py", "by the other\n")
        self.dump("/srv/app/client.py:1")
        self.assertEqual(self.shown("--map", "/srv/app=new"), ["mapped"])
        self.assertEqual(
            self.shown("--map", "/opt=new", "--map", "/srv=none", "--map", "/srv=other"), ["by the other"]
        )
        self.assertEqual(self.shown("--map", "/srv/app=none"), [])

    def test_names_that_python_could_not_decode(self):
        os.makedirs(os.fsencode(self.folder) + b"/\xe9t\xff")
        (self.folder / os.fsdecode(b"\xe9t\xff") / "m.py").write_text("found()\n")
        self.dump("\udce9t\udcff/m.py:1")
        self.assertEqual(self.shown(), ["found()"])

    def test_source_that_would_steer_the_terminal(self):
        self.put("m.py", b"x = '\x1b[2J\xff\xe2\x80\xae'\n")
        self.dump("m.py:1")
        self.assertEqual(self.shown(), ["x = '\\x1b[2J\\xff\\u202e'"])

    def test_long_lines_are_cut(self):
        self.put("m.py", "y" * 1_000_000 + "\n")
        self.dump("m.py:1")
        for width in (60, 80, 120):
            lines = self.expect("snaptop", "d.pickle", env={"COLUMNS": str(width)}).decode().splitlines()
            self.assertEqual(len(lines[5]), width)
            self.assertTrue(lines[5].endswith("yy…"))

    def test_longer_lines_begin_further_left(self):
        self.put("m.py", f"short\n{'x' * 40}\n{'y' * 76}\n{'z' * 77}\n")
        self.dump("m.py:1", "m.py:2", "m.py:3", "m.py:4")
        lines = self.expect("snaptop", "d.pickle").decode().splitlines()
        self.assertEqual(
            lines[4:12:2],
            [
                "1000 B      1   1000 B   25.0%  m.py:1",
                " 999 B      1    999 B   25.0%  m.py:2",
                " 998 B      1    998 B   25.0%  m.py:3",
                " 997 B      1    997 B   25.0%  m.py:4",
            ],
        )
        self.assertEqual(
            lines[5:13:2],
            [" " * 34 + "short", " " * 34 + "x" * 40, " " * 4 + "y" * 76, " " * 4 + "z" * 75 + "…"],
        )

    def test_only_regular_files(self):
        os.mkfifo(self.folder / "fifo.py")
        (self.folder / "folder.py").mkdir()
        unix = socket.socket(socket.AF_UNIX)
        self.addCleanup(unix.close)
        here = os.getcwd()
        os.chdir(self.folder)
        unix.bind("socket.py")
        os.chdir(here)
        os.symlink("fifo.py", self.folder / "link.py")
        self.dump(
            "fifo.py:1",
            "folder.py:1",
            "socket.py:1",
            "/dev/zero:1",
            "/dev/stdin:1",
            "link.py:1",
            "x" * 5000 + ":1",
        )
        self.assertEqual(self.shown(), [])

    def test_below_every_frame_of_a_traceback(self):
        self.put("a.py", "start()\n")
        self.put("b.py", "\ngrow()\n")
        dumps.write(self.folder / "d.pickle", (1, 10, "a.py:1 none.py:1 b.py:2"))
        lines = self.expect("snaptop", "-g", "traceback", "d.pickle").decode().splitlines()
        self.assertEqual(
            lines[5:10], ["    a.py:1", "        start()", "    none.py:1", "    b.py:2", "        grow()"]
        )

    def test_only_below_the_first_rows_by_line(self):
        self.put("m.py", "".join(f"line {i}\n" for i in range(1, 31)))
        self.dump(*(f"m.py:{i}" for i in range(1, 31)))
        self.assertEqual(self.shown("0"), [f"line {i}" for i in range(1, 11)])
        self.assertEqual(self.shown("-g", "filename", "0"), [])

    def test_more_files_than_are_kept(self):
        for i in range(100):
            self.put(f"f{i}.py", f"in file {i}\n")
        dumps.write(
            self.folder / "d.pickle",
            (1, 10, " ".join(f"f{i}.py:1" for i in range(100)) + " f0.py:1"),
            limit=200,
        )
        shown = self.expect("snaptop", "-g", "traceback", "-t", "0", "d.pickle").decode()
        for i in range(100):
            self.assertIn(f"    f{i}.py:1\n        in file {i}\n", shown)


if __name__ == "__main__":
    unittest.main()
