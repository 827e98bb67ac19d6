"""Standard streams that are full, closed, gone, or something else than expected."""

import os
import pathlib
import signal
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "cli"))

import dumps
from running import ToolCase, environment

# Each writes to standard output.
WRITERS = (
    "snaptop after.pickle",
    "snaptop --json after.pickle",
    "snaptop --tsv after.pickle",
    "snaptop --format tracemalloc after.pickle",
    "snapcat after.pickle",
    "snapdiff before.pickle after.pickle",
    "snapdiff --fail-over 1 before.pickle after.pickle",
    "snapfilter -i '*' after.pickle",
    "snapinfo after.pickle",
    "snapinfo --json after.pickle",
    "snapinfo --check after.pickle",
    "snapinfo --salvage series.snap",
    "snaptop --help",
    "snaptop --version",
    "snaptrend before.pickle after.pickle",
    "snaptrend --json before.pickle after.pickle",
)


class Streams(ToolCase):
    def setUp(self):
        super().setUp()
        dumps.write_pair(self.folder)
        self.expect("snapcat", "-o", "series.snap", "before.pickle", "after.pickle")

    def test_full_disk(self):
        for line in WRITERS:
            with self.subTest(line=line):
                result = self.shell(f"{line} -q >/dev/full")
                self.assertEqual(
                    (result.status, result.err.splitlines()[-1]),
                    (2, f"{line.split()[0]}: standard output: cannot write: No space left on device"),
                )

    def test_closed_output(self):
        for line in WRITERS:
            with self.subTest(line=line):
                result = self.shell(f"{line} -q >&-")
                self.assertEqual(
                    (result.status, result.err.splitlines()[-1]),
                    (2, f"{line.split()[0]}: standard output: cannot write: Bad file descriptor"),
                )

    def test_closed_output_that_is_not_used(self):
        result = self.shell("snapcat -o a.snap after.pickle >&- && snapinfo --check a.snap")
        self.assertEqual(result, (0, b"a.snap: ok, 1 member\n", ""))

    def test_all_closed_and_nothing_lands_in_the_file(self):
        """The file must not get the number of a closed stream, or messages would end up in it."""
        self.assertEqual(self.shell("snapcat --no-history -o a.snap after.pickle <&- >&- 2>&-").status, 0)
        self.assertEqual(self.shell("snapcat --no-history -o b.snap after.pickle").status, 0)
        self.assertEqual((self.folder / "a.snap").read_bytes(), (self.folder / "b.snap").read_bytes())
        self.assertEqual(self.shell("snapcat -o c.snap after.pickle none <&- >&- 2>&-").status, 2)
        self.assertNotIn("c.snap", self.files())

    def test_closed_input(self):
        for tool in ("snapcat", "snapdiff", "snapfilter", "snapinfo", "snaptop", "snaptrend"):
            result = self.shell(f"{tool} <&-")
            self.assertEqual((result.status, result.out), (2, b""))
            self.assertEqual(
                result.err, f"{tool}: standard input: offset 0: cannot read: Bad file descriptor\n"
            )

    def test_input_is_a_folder(self):
        for tool in ("snapcat", "snapdiff", "snapfilter", "snapinfo", "snaptop", "snaptrend"):
            result = self.shell(f"{tool} </")
            self.assertEqual((result.status, result.out), (2, b""))
            self.assertEqual(result.err, f"{tool}: standard input: cannot read: it is a directory\n")

    def test_input_is_the_null_device(self):
        for tool in ("snapcat", "snapdiff", "snapfilter", "snapinfo", "snaptop", "snaptrend"):
            result = self.shell(f"{tool} </dev/null")
            self.assertEqual((result.status, result.out), (2, b""))
            self.assertRegex(result.err, rf"\A{tool}: standard input: (offset 0: )?.*\n\Z")

    def test_a_reader_that_left_ends_the_tool_quietly(self):
        """Also where the parent ignores SIGPIPE, as services and Python do."""
        dumps.write(
            self.folder / "big.pickle", *((1, size, f"m{size}.py:{size}") for size in range(1, 30000))
        )
        for line in ("snapcat big.pickle", "snaptop --json 0 big.pickle", "snaptop 0 big.pickle"):
            for restore in (False, True):
                with self.subTest(line=line, restore=restore):
                    process = subprocess.Popen(
                        line.split(),
                        cwd=self.folder,
                        env=environment(),
                        stdout=subprocess.PIPE,
                        stderr=subprocess.PIPE,
                        restore_signals=restore,
                    )
                    process.stdout.close()
                    err = process.stderr.read()
                    process.stderr.close()
                    self.assertEqual((process.wait(60), err), (-signal.SIGPIPE, b""))

    def test_a_fifo_is_written_to(self):
        os.mkfifo(self.folder / "fifo")
        result = self.shell("snapcat -o fifo after.pickle & snaptop --json fifo; wait")
        self.assertEqual(result.status, 0, result.err)
        self.assertTrue(result.out.startswith(b'{"v":1,'))

    def test_process_substitution(self):
        result = self.shell("snapdiff <(snapcat before.pickle) <(snapcat after.pickle) | snaptop --tsv 1")
        self.assertEqual(
            result,
            (
                0,
                b"#size\tcount\tsize_diff\tcount_diff\tfile\tline\tfunction\n"
                b"45000\t45\t42000\t42\t/srv/app/shop/client.py\t31\t\n",
                "",
            ),
        )

    def test_stages_compose(self):
        result = self.shell(
            "snapcat before.pickle after.pickle | snapdiff | snapcat | snapcat --no-history |"
            " snaptop --tsv -s count-diff 1"
        )
        self.assertEqual(result.out.splitlines()[1], b"45000\t45\t42000\t42\t/srv/app/shop/client.py\t31\t")


if __name__ == "__main__":
    unittest.main()
