"""A pipe whose upstream dies ends in an error everywhere, never in a smaller result."""

import pathlib
import re
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "cli"))

import dumps
from running import ToolCase, environment

# Passes on what it is given, says so, and then neither ends nor closes the pipe.
STALLED = """
import sys, time
sys.stdout.buffer.write(sys.stdin.buffer.read())
sys.stdout.flush()
print("stalled", file=sys.stderr, flush=True)
time.sleep(600)
"""

READERS = (
    ("snaptop",),
    ("snaptop", "--json", "0"),
    ("snaptop", "--format", "tracemalloc"),
    ("snapcat",),
    ("snapcat", "-o", "out.snap"),
    ("snapcat", "--merge", "-o", "out.snap"),
    ("snapinfo",),
    ("snapinfo", "--json"),
    ("snapinfo", "--check"),
    ("snapfilter", "-x", "none"),
    ("snapfilter", "-x", "@tracer", "-o", "out.snap"),
    ("snapdiff", "-", "before.pickle", "-o", "out.snap"),
    ("snapdiff", "before.pickle", "-"),
    ("snapdiff",),
)


class Truncation(ToolCase):
    def setUp(self):
        super().setUp()
        dumps.write_pair(self.folder)

    def expect_truncated(self, tool, result):
        """Some bytes may have gone down a pipe; then they are a truncated stream themselves."""
        self.assertEqual(result.returncode, 2)
        self.assertRegex(result.stderr.decode(), rf"\A{tool}: standard input: offset \d+: .*truncated.*\n\Z")
        self.assertEqual(self.files(), ["after.pickle", "before.pickle"])
        if result.stdout:
            self.assertEqual(tool, "snapcat")
            self.expect_failure(
                "snapinfo", stdin=result.stdout, err="snapinfo: standard input: offset .*truncated.*"
            )

    def test_killed_upstream(self):
        for command in READERS:
            stream = self.expect("snapcat", "after.pickle", "before.pickle")
            with self.subTest(command=command):
                upstream = subprocess.Popen(
                    [sys.executable, "-c", STALLED],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                )
                downstream = subprocess.Popen(
                    command,
                    cwd=self.folder,
                    env=environment(),
                    stdin=upstream.stdout,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                )
                upstream.stdout.close()
                upstream.stdin.write(stream[:-40])
                upstream.stdin.close()
                self.assertEqual(upstream.stderr.readline(), b"stalled\n")
                self.assertIsNone(downstream.poll())
                upstream.kill()
                out, err = downstream.communicate(timeout=60)
                upstream.stderr.close()
                upstream.wait()
                self.expect_truncated(
                    command[0], subprocess.CompletedProcess(command, downstream.returncode, out, err)
                )

    def test_upstream_that_fails_in_the_second_snapshot(self):
        """It has written the first one whole, and its reader must not take that for all."""
        for command in READERS:
            with self.subTest(command=command):
                result = self.shell(f"snapcat before.pickle none.pickle 2>/dev/null | {' '.join(command)}")
                self.expect_truncated(
                    command[0],
                    subprocess.CompletedProcess(command, result.status, result.out, result.err.encode()),
                )

    def test_upstream_that_writes_nothing(self):
        for command in READERS:
            with self.subTest(command=command):
                result = self.shell(f"snapcat none.pickle 2>/dev/null | {' '.join(command)}")
                self.assertEqual((result.status, result.out), (2, b""))
                self.assertRegex(result.err, rf"\A{command[0]}: standard input: (offset 0: )?.*\n\Z")
                self.assertEqual(self.files(), ["after.pickle", "before.pickle"])

    def test_every_tool_of_a_pipe_fails(self):
        result = self.shell(
            "snapcat none.pickle | snapcat | snapdiff before.pickle - | snaptop; echo ${PIPESTATUS[@]}"
        )
        self.assertEqual(result.out, b"2 2 2 2\n")
        self.assertEqual(len(result.err.splitlines()), 4)

    def test_truncated_pickles(self):
        pickle = (self.folder / "before.pickle").read_bytes()
        for size in range(1, len(pickle), 11):
            result = self.run_tool("snapcat", "-o", "out.snap", stdin=pickle[:size])
            with self.subTest(size=size):
                self.assertEqual((result.status, result.out), (2, b""))
                self.assertTrue(re.match(r"snapcat: standard input: .*\n\Z", result.err), result.err)
                self.assertEqual(self.files(), ["after.pickle", "before.pickle"])


if __name__ == "__main__":
    unittest.main()
