"""Whatever the system refuses, once and at any moment: a tool ends with status 2 and one clean line, or
does without and gives the same result; nothing stands under the final name that is not whole, and nothing
else is left behind."""

import concurrent.futures
import gzip
import os
import pathlib
import random
import re
import resource
import shutil
import signal
import subprocess
import tempfile
import tracemalloc
import unittest

BIN = pathlib.Path(os.environ["SNAP_BIN"])
PLAIN = os.environ["SNAP_VARIANT"] != "asan"

# The sanitizer's build has the fault layer linked in; see fault.c.
PRELOAD = {"LD_PRELOAD": os.path.join(os.environ["SNAP_BUILD"], "tests/fault.so")} if PLAIN else {}


def allocate(n):
    return [bytearray(i % 50) for i in range(n)], {str(i): i for i in range(n)}


def make_inputs(folder):
    """Two dumps of this process, as pickle, .gz, .snap, series, and cut short."""
    tracemalloc.start(6)
    kept = [allocate(30)]
    tracemalloc.take_snapshot().dump(str(folder / "a.pickle"))
    kept.append(allocate(50))
    tracemalloc.take_snapshot().dump(str(folder / "b.pickle"))
    tracemalloc.stop()
    (folder / "a.pickle.gz").write_bytes(gzip.compress((folder / "a.pickle").read_bytes()))
    for name in "ab":
        check_call("snapcat", "-o", folder / f"{name}.snap", folder / f"{name}.pickle")
    check_call("snapcat", "-o", folder / "series.snap", folder / "a.snap", folder / "b.snap")
    check_call("snapdiff", "-o", folder / "diff.snap", folder / "a.snap", folder / "b.snap")
    check_call("snapcat", "-o", folder / "counted.snap", "--set", "sample_period_bytes=65536", folder / "a.pickle")
    (folder / "own.list").write_text("*.py\n!*/json/*\n")
    (folder / "own.key").write_bytes(bytes(range(32)))
    (folder / "cut.snap").write_bytes((folder / "series.snap").read_bytes()[:-40])


def check_call(tool, *arguments):
    subprocess.run([BIN / tool, *arguments], check=True)


# Each line is run with every fault at every place; OUT is the file it makes.
COMMANDS = [
    "snapcat -o OUT a.pickle",
    "snapcat -o OUT a.pickle.gz",
    "snapcat a.pickle b.snap",
    "snapcat -o OUT --level 9 a.snap b.pickle series.snap",
    "snapcat -o OUT --merge --set label.x=y a.snap b.snap",
    "snapdiff -o OUT a.snap b.snap",
    "snapdiff a.pickle b.pickle",
    "snapdiff series.snap",
    "snapcat -o OUT --merge counted.snap b.snap",
    "snapdiff -o OUT counted.snap b.snap",
    "snapdiff --fail-over 1T counted.snap counted.snap",
    "snapfilter -o OUT --min-total 10 counted.snap",
    "snaptop --no-source 10 counted.snap",
    "snapinfo counted.snap",
    "snapinfo --json counted.snap",
    "snapfilter -o OUT -a -i */*.py -I e -x @tracer -D 7 --min-total 10 series.snap",
    "snapfilter --hide */json/* --show-from *.py --map /srv=/data a.snap",
    "snapfilter -o OUT --preset-file own.list -i @own --redact own.key diff.snap",
    "snaptop --no-source 10 a.snap",
    "snaptop --no-source -g traceback 5 diff.snap",
    "snaptop -c --json 0 diff.snap",
    "snaptop -g filename --tsv 0 b.pickle",
    "snaptop --format tracemalloc -g traceback 3 series.snap@2",
    "snaptrend --no-source 0 series.snap a.pickle b.snap",
    "snaptrend --json 0 a.snap b.snap",
    "snapinfo series.snap",
    "snapinfo --check --json series.snap",
    "snapinfo --salvage -o OUT cut.snap",
]
INPUT = re.compile(r"\w+\.(snap|pickle|list|key).*")


class Outcome:
    def __init__(self, process, folder):
        self.status = process.returncode
        self.stdout = process.stdout
        self.stderr = process.stderr.decode("utf-8", "backslashreplace")
        self.files = {p.name: p.read_bytes() for p in folder.iterdir()}


class Faults(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="snap-fault-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        make_inputs(cls.folder)

    def run_tool(self, command, old=None, **faults):
        """Runs a command of COMMANDS in a folder of its own; `old` stands under the final name before."""
        with tempfile.TemporaryDirectory(dir=self.folder) as out:
            out = pathlib.Path(out)
            if old is not None:
                (out / "out.snap").write_bytes(old)
            tool, *arguments = [INPUT.sub(r"../\g<0>", word).replace("OUT", "out.snap") for word in command.split()]
            if old is not None and "-o" in arguments:
                arguments.insert(0, "-f")
            env = dict(os.environ, LC_ALL="C.UTF-8", **(PRELOAD if faults else {}),
                       **{f"FAULT_{key.upper()}": value for key, value in faults.items()})
            process = subprocess.run([BIN / tool, *arguments], cwd=out, env=env, stdin=subprocess.DEVNULL,
                                     capture_output=True, timeout=300)
            return Outcome(process, out)

    def good(self, command, old=None):
        outcome = self.run_tool(command, old)
        self.assertIn(outcome.status, (0, 2) if "cut.snap" in command else (0,), outcome.stderr)
        return outcome

    def count(self, command):
        """How often the command calls what can fail."""
        with tempfile.NamedTemporaryFile() as counts:
            self.run_tool(command, count=counts.name)
            lines = pathlib.Path(counts.name).read_text().split("\n")[:-1]
            return {name.lower(): int(calls) for name, calls in (line.split() for line in lines)}

    def check(self, command, good, outcome, message=None, old=None, may_pass=True):
        tool = command.split()[0]
        before = {} if old is None else {"out.snap": old}
        if may_pass and outcome.status == good.status and outcome.stderr == good.stderr:
            self.assertTrue(outcome.stdout == good.stdout, "another result on standard output")
            self.assertEqual(list(outcome.files), list(good.files))
            self.assertTrue(outcome.files == good.files, "another result in the file")
            return
        self.assertEqual(outcome.status, 2, outcome.stderr)
        usual = good.stderr.splitlines(True)
        said = "".join(line for line in outcome.stderr.splitlines(True) if line not in usual)
        # Two where what is left to do fails as well.
        self.assertRegex(said, rf"\A({tool}: [^\n]+\n){{1,2}}\Z", "a line or two")
        if message:
            self.assertIn(message, said)
        self.assertEqual(list(outcome.files), list(before))
        self.assertTrue(outcome.files == before, "the old file has changed")

    def for_every(self, operation, values, message=None, may_pass=True, old=None, step=1):
        """Every command with every value (a format) for every N there is, or every `step`-th, each command beginning
        at another one, since they have most of their code in common."""
        jobs = []
        for number, command in enumerate(COMMANDS):
            if old is not None and "OUT" not in command:
                continue
            good = self.good(command, old)
            calls = self.count(command)[operation]
            jobs += [(command, good, value.format(n)) for n in range(1 + number % step, calls + 1, step) for value in values]
        self.assertGreater(len(jobs), 0)

        def work(job):
            command, good, value = job
            return self.run_tool(command, old, **{operation: value})

        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            for (command, good, value), outcome in zip(jobs, pool.map(work, jobs)):
                with self.subTest(command=command, fault=f"{operation}={value}"):
                    self.check(command, good, outcome, message, old, may_pass)

    # Sanitized tools start slowly: with every place they would take half an hour.
    def test_every_allocation(self):
        self.for_every("alloc", ["{}"], "memory", step=1 if PLAIN else 3)

    def test_every_allocation_and_all_after_it(self):
        self.for_every("alloc", ["{}+"], "memory", step=1 if PLAIN else 11)

    def test_every_read(self):
        self.for_every("read", ["{}:EIO"], "cannot read: Input/output error", may_pass=False)

    def test_every_write(self):
        self.for_every("write", ["{}:ENOSPC", "{}:EIO"], "cannot write: ", may_pass=False)

    def test_every_write_over_an_old_file(self):
        self.for_every("write", ["{}:ENOSPC"], "cannot write: No space left on device", False, old=b"old")

    def test_interruptions_and_short_transfers_are_no_failures(self):
        for command in COMMANDS:
            good = self.good(command)
            for fault in ({"read": "1+:short"}, {"write": "1+:short"}, {"read": "1:EINTR"}, {"write": "1:EINTR"},
                          {"read": "2+:short", "write": "2:EINTR"}, {"fsync": "1:EINTR"}, {"open": "1:EINTR"}):
                with self.subTest(command=command, fault=fault):
                    outcome = self.run_tool(command, **fault)
                    self.assertEqual((outcome.status, outcome.stderr), (good.status, good.stderr))
                    self.check(command, good, outcome)

    def test_every_open(self):
        self.for_every("open", ["{}:EMFILE", "{}:EACCES"])

    def test_every_fsync(self):
        self.for_every("fsync", ["{}:EIO"], "Input/output error", may_pass=False)

    def test_every_fsync_over_an_old_file(self):
        self.for_every("fsync", ["{}:EIO", "{}:ENOSPC"], "cannot sync", False, old=b"old")

    def test_every_rename(self):
        self.for_every("rename", ["{}:EIO", "{}:EXDEV"], "cannot rename", may_pass=False)

    def test_every_rename_over_an_old_file(self):
        self.for_every("rename", ["{}:EIO", "{}+:EINVAL", "{}+:EACCES"], "cannot rename", old=b"old")

    def test_every_close(self):
        self.for_every("close", ["{}:EIO", "{}:ENOSPC"], "cannot close")

    def test_old_file_is_replaced_where_files_cannot_be_exchanged(self):
        outcome = self.run_tool("snapcat -o OUT a.snap", b"old", rename="1:EINVAL")
        self.assertEqual((outcome.status, outcome.stderr), (0, ""))
        self.assertEqual(set(outcome.files), {"out.snap"})
        self.assertNotEqual(outcome.files["out.snap"], b"old")

    def test_full_device(self):
        for command in COMMANDS:
            tool, *arguments = command.split()
            with self.subTest(command=command):
                if "-o" in arguments:
                    arguments[arguments.index("OUT")] = "/dev/full"
                with open("/dev/full", "wb") as full:
                    done = subprocess.run([BIN / tool, *arguments], cwd=self.folder, stdout=full,
                                          stderr=subprocess.PIPE, text=True)
                self.assertEqual(done.returncode, 2)
                self.assertRegex(done.stderr.splitlines()[-1], rf"\A{tool}: .*No space left on device\Z")
                self.assertTrue(pathlib.Path("/dev/full").is_char_device())

    def big_pickle(self):
        """A dump whose snapshot is larger than the disk of the next test."""
        path = self.folder / "big.pickle"
        if not path.exists():
            sizes = random.Random(1)
            source = "".join(f"kept.append(bytearray({sizes.randrange(2000)}))\n" for _ in range(20000))
            script = ("import tracemalloc\nkept = []\ncode = compile(open('lines.py').read(), 'lines.py', 'exec')\n"
                      "tracemalloc.start(3)\nexec(code)\ntracemalloc.take_snapshot().dump('big.pickle')\n")
            (self.folder / "lines.py").write_text(source)
            subprocess.run(["python3", "-c", script], check=True, cwd=self.folder)
        return path

    def test_full_disk(self):
        big = self.big_pickle()
        mount = self.folder / "disk"
        mount.mkdir()
        done = self.on_small_disk(f"{BIN / 'snapcat'} -o {mount}/out.snap {big}; echo status $?; ls -A {mount}", mount)
        self.assertRegex(done.stderr, r"\Asnapcat: \S+out.snap: cannot write: [^\n]+\n\Z")
        self.assertEqual(done.stdout, "status 2\n")

    def on_small_disk(self, script, mount):
        """On a tmpfs of 16 kB in a mount namespace of its own; where that is not allowed, with a limit on
        the size of files."""
        script_on_disk = f"mount -t tmpfs -o size=16k tmpfs {mount} || exit 125\n{script}"
        for unshare in (["unshare", "-m"], ["unshare", "-rm"]):
            done = subprocess.run([*unshare, "sh", "-c", script_on_disk], capture_output=True, text=True)
            if done.returncode != 125 and not done.stderr.startswith("unshare: "):
                self.assertIn("No space left on device", done.stderr)
                return done

        def limit():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (16384, 16384))

        done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, preexec_fn=limit,
                              restore_signals=False)
        self.assertIn("File too large", done.stderr)
        return done

    def test_killed_tool_leaves_nothing(self):
        content = self.big_pickle().read_bytes()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGKILL):
            with self.subTest(signal=number), tempfile.TemporaryDirectory(dir=self.folder) as out:
                process = subprocess.Popen([BIN / "snapcat", "-o", f"{out}/out.snap", "-"], stdin=subprocess.PIPE)
                process.stdin.write(content[:len(content) // 2])
                process.stdin.flush()
                process.send_signal(number)
                self.assertEqual(process.wait(60), -number)
                process.stdin.close()
                self.assertNotIn("out.snap", os.listdir(out))
                # Where the file system knows unnamed files, there is no trace at all.
                try:
                    os.close(os.open(out, os.O_TMPFILE | os.O_WRONLY))
                except OSError:
                    continue
                self.assertEqual(os.listdir(out), [])

    def test_killed_upstream(self):
        """A writer that dies leaves a stream without end, and its reader says so and writes nothing."""
        whole = subprocess.run([BIN / "snapcat", self.folder / "a.snap", self.folder / "b.snap"], check=True,
                               capture_output=True).stdout
        self.assertGreater(len(whole), 1000)
        for tool, *arguments in (["snapcat", "-o", "OUT", "-"], ["snapdiff", "-o", "OUT", "-"], ["snaptop", "-"],
                                 ["snapinfo", "--check", "-"]):
            for size in (0, 1, 100, len(whole) // 2, len(whole) - 1):
                with self.subTest(tool=tool, size=size), tempfile.TemporaryDirectory(dir=self.folder) as out:
                    words = [word.replace("OUT", f"{out}/out.snap") for word in arguments]
                    process = subprocess.Popen([BIN / tool, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                               stderr=subprocess.PIPE, text=False)
                    stdout, stderr = process.communicate(whole[:size])
                    self.assertEqual(process.returncode, 2, stderr)
                    self.assertRegex(stderr.decode(), rf"\A{tool}: [^\n]+\n\Z")
                    self.assertEqual(os.listdir(out), [])

    def test_reader_that_goes_away(self):
        """SIGPIPE kills quietly."""
        for command in COMMANDS:
            if "OUT" in command:
                continue
            tool, *arguments = command.split()
            with self.subTest(command=command):
                reading, writing = os.pipe()
                os.close(reading)
                process = subprocess.Popen([BIN / tool, *arguments], cwd=self.folder, stdout=writing,
                                           stderr=subprocess.PIPE)
                os.close(writing)
                self.assertEqual(process.communicate()[1], b"")
                self.assertEqual(process.returncode, -signal.SIGPIPE)


if __name__ == "__main__":
    unittest.main()
