"""Runs the tools of a build in a folder of their own, on files, in pipes and on terminals."""

import collections
import fcntl
import os
import pathlib
import pty
import select
import shutil
import struct
import subprocess
import tempfile
import termios
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BIN = pathlib.Path(os.environ.get("SNAP_BIN", ROOT / "build/bin")).resolve()
TIME_LIMIT = 120

Result = collections.namedtuple("Result", "status out err")


def environment(**changes):
    """Ours, without what changes the looks of output."""
    env = {
        key: value
        for key, value in os.environ.items()
        if key not in ("COLUMNS", "NO_COLOR", "LANG", "LC_CTYPE")
    }
    env.update(TERM="xterm", LC_ALL="C", PATH=f"{BIN}:{os.environ['PATH']}")
    env.update(changes)
    return {key: value for key, value in env.items() if value is not None}


class ToolCase(unittest.TestCase):
    """Each test has an empty folder, in which the tools run."""

    maxDiff = None

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="snap-cli-"))
        self.addCleanup(shutil.rmtree, self.folder)

    def run_tool(self, *argv, stdin=b"", env=None, **options):
        """Standard input is bytes, or a file or descriptor."""
        command = [os.fsencode(part) for part in argv]
        if isinstance(stdin, bytes):
            options["input"] = stdin
        else:
            options["stdin"] = stdin
        options.setdefault("stdout", subprocess.PIPE)
        options.setdefault("stderr", subprocess.PIPE)
        done = subprocess.run(
            command, cwd=self.folder, env=environment(**(env or {})), timeout=TIME_LIMIT, **options
        )
        return Result(done.returncode, done.stdout, None if done.stderr is None else done.stderr.decode())

    def expect(self, *argv, out=None, err="", status=0, **options):
        """Runs a tool that ends with `status` and says exactly this; returns its output."""
        result = self.run_tool(*argv, **options)
        self.assertEqual((result.status, result.err), (status, err))
        if out is not None:
            self.assertEqual(result.out, out if isinstance(out, bytes) else out.encode())
        return result.out

    def expect_failure(self, *argv, err, out=b"", **options):
        """A failure says one line that matches and leaves nothing on standard output."""
        result = self.run_tool(*argv, **options)
        self.assertEqual((result.status, result.out), (2, out), result.err)
        self.assertRegex(result.err, rf"\A{err}\n\Z")
        self.assertNotIn("\n", result.err[:-1])
        return result.err

    def shell(self, line, **changes):
        """A command line with the tools on the PATH."""
        done = subprocess.run(
            ["bash", "-c", line],
            cwd=self.folder,
            env=environment(**changes),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TIME_LIMIT,
        )
        return Result(done.returncode, done.stdout, done.stderr.decode())

    def run_on_terminal(self, *argv, width=80, stdin=None, stderr=None, env=None):
        """Standard output, and what else is not given, is a terminal; `out` is all it shows."""
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, width, 0, 0))
        attributes = termios.tcgetattr(slave)
        attributes[1] &= ~termios.OPOST
        termios.tcsetattr(slave, termios.TCSANOW, attributes)
        process = subprocess.Popen(
            [os.fsencode(part) for part in argv],
            cwd=self.folder,
            env=environment(**(env or {})),
            stdin=slave if stdin is None else stdin,
            stdout=slave,
            stderr=slave if stderr is None else stderr,
        )
        os.close(slave)
        shown = b""
        while select.select([master], [], [], TIME_LIMIT)[0]:
            try:
                part = os.read(master, 65536)
            except OSError:  # the last one closed it
                break
            if not part:
                break
            shown += part
        os.close(master)
        return Result(process.wait(TIME_LIMIT), shown, None)

    def files(self):
        return sorted(path.name for path in self.folder.iterdir())
