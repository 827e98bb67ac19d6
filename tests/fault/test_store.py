"""Whatever the system refuses while snapload loads: a failure says one clean line, and the database holds
together and is as it was before the file, or after it as a whole."""

import concurrent.futures
import contextlib
import os
import pathlib
import re
import resource
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import tracemalloc
import unittest

BIN = pathlib.Path(os.environ["SNAP_BIN"])
PLAIN = os.environ["SNAP_VARIANT"] != "asan"
PRELOAD = {"LD_PRELOAD": os.path.join(os.environ["SNAP_BUILD"], "tests/fault.so")} if PLAIN else {}
RUNS = 120 if PLAIN else 40


def content(path):
    """All that the database says, which has to hold together."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        if db.execute("PRAGMA integrity_check").fetchall() != [("ok",)]:
            raise AssertionError("integrity_check")
        if db.execute("PRAGMA foreign_key_check").fetchall():
            raise AssertionError("foreign_key_check")
        return list(db.iterdump())


class Faults(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="snap-fault-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        tracemalloc.start(8)
        kept = []
        for name in "abc":
            source = "".join(f"kept.append(bytearray({i}))\n" for i in range(400))
            exec(compile(source, f"/srv/{name}.py", "exec"))
            tracemalloc.take_snapshot().dump(str(cls.folder / f"{name}.pickle"))
        tracemalloc.stop()
        cls.run_plain("snapcat", "-o", "series.snap", "b.pickle", "c.pickle")
        cls.run_plain("snapload", "-q", "old.db", "a.pickle")
        shutil.copy(cls.folder / "old.db", cls.folder / "new.db")
        for name in ("new.db", "made.db"):
            cls.run_plain("snapload", "-q", name, cls.folder / "series.snap")
        # What may be there after a load into a database, and into none.
        cls.old, cls.new, cls.made = (content(cls.folder / f"{name}.db") for name in ("old", "new", "made"))
        cls.nothing = ["BEGIN TRANSACTION;", "COMMIT;"]

    @classmethod
    def run_plain(cls, tool, *arguments):
        subprocess.run([BIN / tool, *arguments], check=True, cwd=cls.folder)

    def load(self, folder, fresh, **faults):
        folder = pathlib.Path(folder)
        if not fresh:
            shutil.copy(self.folder / "old.db", folder / "a.db")
        env = dict(os.environ, LC_ALL="C.UTF-8", **(PRELOAD if faults else {}),
                   **{f"FAULT_{key.upper()}": value for key, value in faults.items()})
        return subprocess.run([BIN / "snapload", "-q", folder / "a.db", self.folder / "series.snap"], env=env,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300)

    def count(self, fresh):
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            self.load(folder, fresh, count=f"{folder}/counts")
            lines = pathlib.Path(folder, "counts").read_text().split("\n")[:-1]
            return {name.lower(): int(calls) for name, calls in (line.split() for line in lines)}

    def check(self, fresh, faults):
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            done = self.load(folder, fresh, **faults)
            found = content(f"{folder}/a.db")  # none is as good as an empty one
        before, after = ([self.nothing], self.made) if fresh else ([self.old], self.new)
        if done.returncode == 0:
            good = done.stderr == "" and found == after
        else:
            good = (done.returncode == 2 and re.fullmatch(r"(snapload: [^\n]+\n){1,2}", done.stderr) is not None
                    and (found in before or found == after))
        return good, (done.returncode, done.stderr, [found == state for state in (*before, after)])

    def for_every(self, operation, effects):
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            for fresh in (False, True):
                calls = self.count(fresh)[operation]
                step = max(1, calls * len(effects) // RUNS)
                faults = [{operation: effect.format(n)} for n in range(1, calls + 1, step) for effect in effects]
                for fault, good in zip(faults, pool.map(lambda fault: self.check(fresh, fault), faults)):
                    with self.subTest(fresh=fresh, fault=fault):
                        self.assertTrue(*good)

    def test_every_allocation(self):
        self.for_every("alloc", ["{}", "{}+"])

    def test_every_write(self):
        self.for_every("write", ["{}:ENOSPC", "{}+:ENOSPC", "{}:EIO", "{}:short"])

    def test_every_open(self):
        self.for_every("open", ["{}:EMFILE", "{}:EACCES"])

    def test_every_sync(self):
        self.for_every("fsync", ["{}:EIO"])

    def test_every_close(self):
        self.for_every("close", ["{}:EIO"])

    def test_file_too_large(self):
        def limit():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

        size = (self.folder / "old.db").stat().st_size + 4096
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            database = pathlib.Path(folder, "a.db")
            shutil.copy(self.folder / "old.db", database)
            done = subprocess.run([BIN / "snapload", database, self.folder / "series.snap"], capture_output=True,
                                  text=True, preexec_fn=limit, restore_signals=False)
            self.assertEqual(done.returncode, 2)
            # SQLite does not always keep the reason.
            self.assertRegex(done.stderr, r"\Asnapload: \S+a.db: cannot write: (File too large|disk I/O error)\n\Z")
            self.assertEqual(content(database), self.old)

    def test_full_disk(self):
        """On a small tmpfs in a mount namespace of its own, where that is allowed."""
        mount = self.folder / "disk"
        mount.mkdir()
        # In a namespace that ends with the shell: what is there is copied out.
        script = (f"mount -t tmpfs -o size={(self.folder / 'old.db').stat().st_size // 1024 + 40}k tmpfs {mount} || exit 125\n"
                  f"cp {self.folder}/old.db {mount}/a.db; {BIN}/snapload {mount}/a.db {self.folder}/series.snap\n"
                  f"echo status $?; cp {mount}/a.db* {self.folder}/disk-out")
        (self.folder / "disk-out").mkdir()
        for unshare in (["unshare", "-m"], ["unshare", "-rm"]):
            done = subprocess.run([*unshare, "sh", "-c", script], capture_output=True, text=True)
            if done.returncode != 125 and not done.stderr.startswith("unshare: "):
                self.assertEqual((done.stdout, done.stderr),
                                 ("status 2\n", f"snapload: {mount}/a.db: cannot write: No space left on device\n"))
                self.assertEqual(content(self.folder / "disk-out/a.db"), self.old)
                return


if __name__ == "__main__":
    unittest.main()
