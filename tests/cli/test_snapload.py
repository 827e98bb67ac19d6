"""snapload: what is in the database, what is there once, and what leaves it as it was."""

import contextlib
import os
import pathlib
import pty
import select
import signal
import sqlite3
import subprocess
import time
import unittest

import dumps
from running import BIN, TIME_LIMIT, ToolCase, environment

LEAK = "/srv/app/main.py:7 /srv/app/shop/client.py:31"


class Load(ToolCase):
    def setUp(self):
        super().setUp()
        dumps.write_pair(self.folder)

    def load(self, *argv, **options):
        return self.expect("snapload", "-q", "a.db", *argv, out="", **options)

    def ask(self, sql, *values, db="a.db"):
        with contextlib.closing(sqlite3.connect(self.folder / db)) as connection:
            return connection.execute(sql, values).fetchall()

    def check(self, db="a.db"):
        """Everything holds together; returns how many snapshots there are."""
        self.assertEqual(self.ask("PRAGMA integrity_check", db=db), [("ok",)])
        self.assertEqual(self.ask("PRAGMA foreign_key_check", db=db), [])
        counted = "SELECT id, sites FROM snapshot WHERE sites > 0 ORDER BY 1"
        self.assertEqual(self.ask(counted, db=db), self.ask("SELECT snapshot, count(*) FROM site GROUP BY 1", db=db))
        # Every node is within its parent.
        self.assertEqual(self.ask("SELECT c.id FROM node c JOIN node p ON p.id = c.parent"
                                  " WHERE c.pre <= p.pre OR c.post >= p.post OR c.pre >= c.post", db=db), [])
        return self.ask("SELECT count(*) FROM snapshot", db=db)[0][0]

    def dump(self):
        """All that the database says."""
        with contextlib.closing(sqlite3.connect(self.folder / "a.db")) as connection:
            return list(connection.iterdump())

    def write(self, name, *sites, **options):
        dumps.write(self.folder / name, *sites, **options)
        return name


class Content(Load):
    def test_a_dump_is_the_same_whenever_its_file_was_written(self):
        self.load("before.pickle")
        os.utime(self.folder / "before.pickle", (1, 1))
        self.load("before.pickle")
        self.load("-", stdin=(self.folder / "before.pickle").read_bytes())
        self.assertEqual(self.check(), 1)

    def test_a_filtered_copy_is_a_series_of_its_own(self):
        self.expect("snapcat", "-o", "s.snap", "before.pickle", "after.pickle")
        self.load("s.snap")
        before = self.ask("SELECT * FROM growth_line ORDER BY path, line")
        self.load("-", stdin=self.expect("snapfilter", "-x", "*/pages.py", "s.snap"))
        self.assertEqual(self.check(), 4)
        self.assertEqual(self.ask("SELECT process, count(*) FROM snapshot GROUP BY 1"), [(1, 2), (2, 2)])
        self.assertEqual(self.ask("SELECT * FROM growth_line WHERE process = 1 ORDER BY path, line"), before)

    def test_deleted_by_hand(self):
        self.load("before.pickle", "after.pickle")
        for number in (2, 1):
            with contextlib.closing(sqlite3.connect(self.folder / "a.db")) as db, db:
                db.execute("PRAGMA foreign_keys = OFF")
                db.execute("DELETE FROM snapshot WHERE id = ?", (number,))
            self.assertEqual(self.check(), number - 1)
        self.assertEqual([self.ask(f"SELECT count(*) FROM {table}")[0][0] for table in
                          ("meta", "site", "line_total", "file_total", "function_total")], [0] * 5)
        self.load("before.pickle", "after.pickle")
        self.assertEqual(self.check(), 2)

    def test_a_database_of_another_encoding_is_refused(self):
        with contextlib.closing(sqlite3.connect(self.folder / "a.db")) as db, db:
            db.execute("PRAGMA encoding = 'UTF-16'")
            db.execute("CREATE TABLE t(x)")
            db.execute("DROP TABLE t")
        self.expect_failure("snapload", "a.db", "before.pickle", err="snapload: a.db: .*UTF-16.*UTF-8")

    def test_sums_that_do_not_fit_leave_the_other_lines(self):
        for number in (1, 2, 3):
            self.write(f"{number}.pickle", (1, (1 << 61) - 1, "/srv/big.py:1"), (number, 100, "/srv/leak.py:2"),
                       time=dumps.TIME + 60 * number)
        self.load("1.pickle", "2.pickle", "3.pickle")
        self.assertEqual(self.ask("SELECT path, growth_bytes FROM steady_growth"), [("/srv/leak.py", 200)])
        self.assertEqual(self.ask("SELECT count(*) FROM growth_traceback"), [(2,)])

    def test_steps_of_tracebacks(self):
        # Up, gone, back, down: a snapshot without the traceback has 0.
        for number, blocks in enumerate((1, 3, 0, 2, 1)):
            self.write(f"{number}.pickle", (blocks, 100, "/srv/leak.py:2"), (1, number + 1, "/srv/other.py:1"),
                       time=dumps.TIME + 60 * number)
        self.load(*(f"{number}.pickle" for number in range(5)))
        self.assertEqual(self.ask("SELECT traceback, first_bytes, last_bytes, steps_up, steps FROM growth_traceback"
                                  " ORDER BY 1"), [("/srv/leak.py:2", 100, 100, 2, 4), ("/srv/other.py:1", 1, 5, 4, 4)])
        lines = self.ask("SELECT path || ':' || line, first_bytes, last_bytes, steps_up, steps FROM growth_line ORDER BY 1")
        self.assertEqual(lines, self.ask("SELECT traceback, first_bytes, last_bytes, steps_up, steps FROM growth_traceback"
                                         " ORDER BY 1"))

    def test_says_what_it_did(self):
        self.expect("snapcat", "-o", "s.snap", "before.pickle", "after.pickle")
        self.expect("snapload", "a.db", "before.pickle", "s.snap", out="",
                    err="snapload: before.pickle: 1 loaded\nsnapload: s.snap: 1 loaded, 1 there already\n")
        self.expect("snapload", "--replace", "a.db", "s.snap", out="", err="snapload: s.snap: 2 replaced\n")
        self.expect("snapload", "a.db", "-", stdin=(self.folder / "s.snap").read_bytes(), out="",
                    err="snapload: standard input: 2 there already\n")
        self.expect("snapload", "a.db", stdin=(self.folder / "s.snap").read_bytes(), out="",
                    err="snapload: standard input: 2 there already\n")
        self.assertEqual(self.check(), 2)

    def test_a_time_that_was_set_tells_snapshots_apart(self):
        for day in ("01", "02"):
            self.expect("snapcat", "--set", f"time=2026-07-{day}T00:00:00Z", "-o", f"{day}.snap", "before.pickle")
        self.load("01.snap", "02.snap")
        self.assertEqual(self.ask("SELECT time FROM snapshot ORDER BY 1"),
                         [("2026-07-01T00:00:00Z",), ("2026-07-02T00:00:00Z",)])

    def test_snapshot(self):
        self.expect("snapcat", "--set", "host=web1", "--set", "pid=42", "--set", "seq=7", "--set", "uptime_s=1.5",
                    "--set", "rss_bytes=9000", "--set", "traced_bytes=8000", "-o", "s.snap", "after.pickle", "before.pickle")
        self.load("s.snap")
        self.assertEqual(
            self.ask("SELECT s.id, kind, time, time_s, host, pid, seq, uptime_s, rss_bytes, traced_bytes, blocks, bytes,"
                     " old_blocks, sites, source, member FROM snapshot s JOIN process p ON p.id = s.process"),
            [(1, "snapshot", "2023-11-14T22:43:20.000Z", dumps.TIME + 1800.0, "web1", 42, 7, 1.5, 9000, 8000, 57, 45840,
              None, 3, "s.snap", 1),
             (2, "snapshot", "2023-11-14T22:13:20.000Z", float(dumps.TIME), "web1", 42, 7, 1.5, 9000, 8000, 14, 7736,
              None, 3, "s.snap", 2)])
        self.assertIn(("time_source", "file modification time"),
                      self.ask("SELECT key, value FROM meta WHERE snapshot = 1 ORDER BY position"))
        self.assertEqual(self.ask("SELECT untraced_bytes FROM memory"), [(1000,), (1000,)])

    def test_metadata_that_are_no_numbers(self):
        for number, value in enumerate(("", "x", "-1", "1e3", "0x10", "1" * 30, "٣", "1 ")):
            self.expect("snapcat", *(f"--set={key}={value}" for key in ("pid", "seq", "uptime_s", "rss_bytes", "time")),
                        "-o", "a.snap", "before.pickle")
            self.load("a.snap")
        self.assertEqual(set(self.ask("SELECT pid, seq, uptime_s, rss_bytes, time_s FROM snapshot s JOIN process p"
                                      " ON p.id = s.process")), {(None,) * 5})

    def test_views(self):
        self.load("before.pickle", "after.pickle")
        self.assertEqual(self.ask("SELECT path, line, bytes, cum_bytes FROM top_line WHERE snapshot = 1 ORDER BY cum_bytes"),
                         [("/srv/app/shop/pages.py", 12, 640, 640), ("/srv/app/shop/client.py", 31, 3000, 3000),
                          ("/srv/app/main.py", 7, 0, 3640), ("/srv/app/main.py", 9, 4096, 4096)])
        self.assertEqual(self.ask("SELECT rank, bytes, traceback FROM top_traceback WHERE snapshot = 2 AND rank < 2"),
                         [(1, 45000, "/srv/app/main.py:7 → /srv/app/shop/client.py:31")])
        self.assertEqual(self.ask("SELECT bytes_diff, path, line FROM diff_line WHERE old = 1 AND new = 2"
                                  " ORDER BY abs(bytes_diff) DESC LIMIT 2"),
                         [(42000, "/srv/app/shop/client.py", 31), (-4096, "/srv/app/main.py", 9)])
        self.assertEqual(self.ask("SELECT callee_path, bytes FROM callees WHERE snapshot = 1 AND line = 7 ORDER BY 2"),
                         [("/srv/app/shop/pages.py", 640), ("/srv/app/shop/client.py", 3000)])
        self.assertEqual(self.ask("SELECT caller_path, caller_line, bytes FROM callers WHERE snapshot = 2 AND line = 12"
                                  " ORDER BY 2"), [("/srv/app/main.py", 7, 640), ("/srv/app/main.py", 8, 200)])
        self.assertEqual(self.ask("SELECT package, bytes FROM top_package WHERE snapshot = 1 ORDER BY 1"),
                         [("/srv/app", 4096), ("/srv/app/shop", 3640)])

    def test_packages_below_the_roots_of_a_snapshot(self):
        """Whether the snapshot that names the folders comes first or later."""
        self.write("vend.pickle", (1, 8, "/opt/vend/acme/x.py:1"), (1, 16, "/opt/vend/six.py:1"), (1, 32, "/opt/std/json.py:1"),
                   (1, 64, "/opt/vend/std/os.py:1"), (1, 128, "/opt/vend2/y.py:1"),
                   (1, 256, "/opt/vend/lib/site-packages/z/a.py:1"), (1, 512, "/opt/std/vend/inner.py:1"))
        roots = ("--set", "root.site=/opt/vend/", "--set", "root.stdlib=/opt/vend/std")
        old = ("--set", "old.root.site=/opt/std/vend", "--set", "old.root.stdlib=/opt/std")
        self.expect("snapcat", "-o", "vend.snap", *roots, *old, "vend.pickle")
        wanted = [("(stdlib)", 2, 96), ("/opt/vend2", 1, 128), ("acme", 1, 8), ("inner", 1, 512), ("six", 1, 16), ("z", 1, 256)]
        for number, order in enumerate((["vend.snap"], ["vend.pickle", "vend.snap"], ["vend.snap", "vend.pickle"])):
            self.expect("snapload", "-q", f"{number}.db", *order)
            self.assertEqual(self.ask("SELECT package, files, bytes FROM top_package WHERE snapshot = 1 ORDER BY 1",
                                      db=f"{number}.db"), wanted, order)

    def test_every_view_and_column_has_its_words(self):
        self.load("before.pickle")
        schema = (pathlib.Path(__file__).parents[2] / "schema/store.sql").read_text()
        views = {name for (name,) in self.ask("SELECT name FROM sqlite_schema WHERE type IN ('view', 'table')")}
        for name in views:
            self.assertRegex(schema, rf"(?m)^--.*\nCREATE (VIEW|TABLE) {name} ", name)
            if name != "snapshot":
                self.ask(f"SELECT * FROM {name}")
        page = (pathlib.Path(__file__).parents[2] / "cmd/snapload.1").read_text()
        for (name,) in self.ask("SELECT name FROM sqlite_schema WHERE type = 'view'"):
            self.assertIn(name, page.partition(".Sh EXAMPLES")[2], name)

    def test_growth(self):
        values = [10, 20, 15, 30, 40]
        names = [self.write(f"{i}.pickle", (blocks, 100, LEAK), (5, 10, "steady.py:1"), time=dumps.TIME + 3600 * i)
                 for i, blocks in enumerate(values)]
        orders = (names, names[::-1], [names[i] for i in (2, 0, 4, 1, 3)])
        for number, order in enumerate(orders):
            db = f"{number}.db"
            self.expect("snapload", "-q", db, *order)
            self.assertEqual(
                self.ask("SELECT * FROM growth_line ORDER BY line DESC", db=db),
                [(1, "/srv/app/shop/client.py", 31, 1000, 4000, 3000, 700.0, 3, 4), (1, "steady.py", 1, 50, 50, 0, 0.0, 0, 4)])
            self.assertEqual(self.ask("SELECT growth_bytes FROM steady_growth", db=db), [(3000,)])
            self.assertEqual(self.ask("SELECT growth_bytes, bytes_per_hour, traceback FROM growth_traceback"
                                      " ORDER BY 1 DESC", db=db)[0], (3000, 700.0, LEAK.replace(" ", " → ")))

    def test_processes_do_not_mix(self):
        for pid in (1, 2):
            self.expect("snapcat", "--set", f"pid={pid}", "-o", f"{pid}.snap", "before.pickle", "after.pickle")
        self.load("1.snap", "2.snap")
        self.assertEqual(self.ask("SELECT process, growth_bytes, steps_up FROM growth_line WHERE line = 31"),
                         [(1, 42000, 1), (2, 42000, 1)])

    def test_diff(self):
        self.expect("snapdiff", "-o", "d.snap", "before.pickle", "after.pickle")
        self.load("d.snap", "before.pickle")
        self.assertEqual(self.ask("SELECT kind, bytes, old_bytes FROM snapshot"),
                         [("diff", 45840, 7736), ("snapshot", 7736, None)])
        self.assertEqual(self.ask("SELECT bytes - old_bytes, cum_bytes - old_cum_bytes FROM top_line"
                                  " WHERE snapshot = 1 AND line = 31"), [(42000, 42000)])
        self.assertEqual(self.ask("SELECT count(*) FROM series"), [(1,)])

    def test_labels(self):
        self.load("--label", "rev=1a=2b", "--label=empty=", "before.pickle")
        self.assertEqual(self.ask("SELECT * FROM label"), [(1, "empty", ""), (1, "rev", "1a=2b")])
        self.load("--label", "rev=3c", "before.pickle")
        self.assertEqual(self.ask("SELECT value FROM label WHERE name = 'rev'"), [("1a=2b",)])
        self.load("--label", "rev=3c", "--replace", "before.pickle")
        self.assertEqual(self.ask("SELECT * FROM label"), [(1, "rev", "3c")])
        for label in ("a b=1", "k" * 300 + "=1"):
            self.expect_failure("snapload", "--label", label, "a.db", "before.pickle", err="snapload: a metadata key .*")
        self.expect_failure("snapload", "--label", "=1", "a.db", "before.pickle", err="snapload: --label needs KEY=VALUE.*")

    def test_names_of_all_kinds(self):
        names = ["it's \"quoted\".py", "two\nlines.py", "tab\t.py", "%s;--.py", "", "caf\u00e9 \u6f22.py", "bad\udcff.py",
                 "/v/lib/python3.11/site-packages/numpy/core/a.py", "/v/lib/python3.11/site-packages/six.py",
                 "/usr/lib/python3/dist-packages/apt/x.py", "/usr/lib/python3.11/json/decoder.py", "<string>", "/top.py"]
        self.write("n.pickle", *((1, 10 + i, [f"{name}:{i}"]) for i, name in enumerate(names)))
        self.load("n.pickle")
        found = {line: (path, package) for path, package, line in
                 self.ask("SELECT f.path, f.package, l.number FROM file f JOIN line l ON l.file = f.id")}
        packages = [found[i][1] for i in range(len(names))]
        self.assertEqual(packages, ["."] * 4 + ["(none)"] + ["."] * 2 + ["numpy", "six", "apt", "(stdlib)", "(none)", "/"])
        for i, name in enumerate(names):
            if name.isprintable() or "\udcff" not in name:
                self.assertEqual(found[i][0], name)
        # Python's pickles have a byte that is not UTF-8 as a lone surrogate.
        self.assertEqual(self.ask("SELECT path, raw FROM file WHERE raw NOT NULL"),
                         [("bad\ufffd\ufffd\ufffd.py", "bad\udcff.py".encode("utf-8", "surrogatepass"))])
        self.assertEqual(self.check(), 1)

    def test_database_names(self):
        for name in ("it's.db", ":memory:", "file:x?mode=memory", "a b\n.db", "-x.db"):
            self.expect("snapload", "-q", "--", name, "before.pickle")
            self.assertEqual(self.check(name if name[0] != ":" else f"./{name}"), 1)
            self.assertIn(name, self.files())


class Once(Load):
    def test_same_content(self):
        self.load("before.pickle")
        whole = self.dump()
        os.link(self.folder / "before.pickle", self.folder / "other.pickle")
        self.expect("snapcat", "-o", "a.snap", "before.pickle")
        self.expect("snapcat", "--level=19", "-o", "b.snap", "a.snap")
        for name in ("before.pickle", "other.pickle", "a.snap", "b.snap"):
            self.load(name)
        self.load("-", stdin=self.expect("snapcat", "b.snap"))
        self.assertEqual(self.dump(), whole)

    def test_twice_in_one_file(self):
        self.expect("snapcat", "-o", "s.snap", "before.pickle", "after.pickle", "before.pickle")
        self.expect("snapload", "a.db", "s.snap", err="snapload: s.snap: 2 loaded, 1 there already\n")

    def test_replace_keeps_the_number(self):
        self.load("before.pickle", "after.pickle")
        whole = self.dump()
        self.load("--replace", "before.pickle")
        self.assertEqual(self.dump(), whole)

    def test_member(self):
        self.expect("snapcat", "-o", "s.snap", "before.pickle", "after.pickle")
        self.load("s.snap@-1", "s.snap@1")
        self.assertEqual(self.ask("SELECT bytes, source, member FROM snapshot"),
                         [(45840, "s.snap", None), (7736, "s.snap", 1)])

    def test_shared_rows_are_there_once(self):
        self.load("before.pickle", "after.pickle")
        for table, columns in {"file": "path", "line": "file, number", "frame": "line, function",
                               "node": "parent, frame"}.items():
            self.assertEqual(self.ask(f"SELECT {columns} FROM {table} GROUP BY {columns} HAVING count(*) > 1"), [])

    def test_two_loads_are_the_same_database(self):
        for name in ("a.db", "b.db"):
            self.expect("snapload", "-q", name, "before.pickle", "after.pickle")
        done = self.shell("sqldiff a.db b.db")
        self.assertEqual((done.status, done.out, done.err), (0, b"", ""))

    def test_one_by_one_or_at_once(self):
        """However often the tree grows, it holds together."""
        names = [self.write(f"{i}.pickle", *((1 + j % 3, 8, [f"m{(i * j * k) % 7}.py:{k}" for k in range(1 + (i + j) % 9)])
                                             for j in range(30)), time=dumps.TIME + i) for i in range(25)]
        self.load(*names)
        self.assertEqual(self.check(), 25)
        for name in names:
            self.expect("snapload", "-q", "b.db", name)
        self.assertEqual(self.check("b.db"), 25)
        self.assertEqual(self.shell("sqldiff a.db b.db").out, b"")


class Failures(Load):
    def refused(self, err, *argv, **options):
        self.expect_failure("snapload", "-q", "a.db", *(argv or ("before.pickle",)), err=err, **options)

    def test_wrong_operands(self):
        self.expect_failure("snapload", err="snapload: DB is needed.*")
        self.assertNotIn("a.db", self.files())

    def test_no_database_for_nothing(self):
        self.refused("snapload: none.snap: cannot open: No such file or directory", "none.snap")
        self.assertNotIn("a.db", self.files())

    def test_database_that_cannot_be(self):
        self.expect_failure("snapload", "none/a.db", "before.pickle", err="snapload: none/a.db: cannot open: .*")
        self.expect_failure("snapload", ".", "before.pickle", err=r"snapload: \.: cannot open: .*")
        name = "a" * 300
        self.expect_failure("snapload", name, "before.pickle", err=f"snapload: {name}: cannot open: File name too long")
        if os.geteuid() == 0:
            print(f"not run: {self.id()}: root may write to all folders")
            return
        os.mkdir(self.folder / "theirs", 0o555)
        self.expect_failure("snapload", "theirs/a.db", "before.pickle",
                            err="snapload: theirs/a.db: cannot open: Permission denied")

    def test_no_database(self):
        for content in (b"x", b"not a database at all" * 100, (self.folder / "before.pickle").read_bytes()):
            (self.folder / "a.db").write_bytes(content)
            self.refused("snapload: a.db: it is no SQLite database")
            self.assertEqual((self.folder / "a.db").read_bytes(), content)

    def change(self, *statements):
        with contextlib.closing(sqlite3.connect(self.folder / "a.db")) as connection:
            for statement in statements:
                connection.execute(statement)
            connection.commit()
        return (self.folder / "a.db").read_bytes()

    def test_database_of_something_else(self):
        for statements, said in {
            ("CREATE TABLE mine(a)",): "it is an SQLite database of something else .application_id 0x00000000.",
            ("PRAGMA application_id = 1196444487",): "it is an SQLite database of something else .application_id 0x47504b47.",
        }.items():
            (self.folder / "a.db").unlink(missing_ok=True)
            content = self.change(*statements)
            self.refused("snapload: a.db: " + said)
            self.assertEqual((self.folder / "a.db").read_bytes(), content)

    def test_other_versions(self):
        self.load("before.pickle")
        content = self.change("PRAGMA user_version = 2")
        self.refused("snapload: a.db: its schema has version 2 and this program knows version 1: a newer one made it")
        self.assertEqual((self.folder / "a.db").read_bytes(), content)
        self.change("PRAGMA user_version = 0")
        self.refused("snapload: a.db: its schema has no version that there is")

    def test_read_only(self):
        self.load("before.pickle")
        content = bytearray((self.folder / "a.db").read_bytes())
        content[18] = 3  # a version of the file format that may be read, not written
        (self.folder / "a.db").write_bytes(content)
        self.refused("snapload: a.db: cannot write: the database is read-only", "after.pickle")
        self.assertEqual((self.folder / "a.db").read_bytes(), content)

    def test_changed_by_hand(self):
        for statement in ("DELETE FROM file WHERE id = 1", "UPDATE node SET parent = 3 WHERE id = 2",
                          "UPDATE node SET post = pre", "UPDATE line SET file = 99", "UPDATE frame SET line = -1",
                          "DELETE FROM node WHERE id = 2", "UPDATE node SET frame = 1000"):
            (self.folder / "a.db").unlink(missing_ok=True)
            self.load("before.pickle")
            content = self.change(statement)
            with self.subTest(statement=statement):
                self.refused(r"snapload: a.db: (table \w+ is not as it was written.*|intervals of nodes do not nest)",
                             "after.pickle")
                self.assertEqual((self.folder / "a.db").read_bytes(), content)
        (self.folder / "a.db").unlink()
        self.load("before.pickle")
        self.change("DROP TABLE site")
        self.refused("snapload: a.db: the database does not take it: no such table: .*site", "after.pickle")

    def test_snapshots_may_be_deleted(self):
        self.load("before.pickle", "after.pickle")
        self.change("PRAGMA foreign_keys = ON", "DELETE FROM snapshot WHERE id = 1")
        self.assertEqual((self.check(), self.ask("SELECT DISTINCT snapshot FROM line_total")), (1, [(2,)]))
        self.load("before.pickle")
        self.assertEqual(self.check(), 2)

    def test_a_bad_file_leaves_what_was_there(self):
        self.expect("snapcat", "-o", "s.snap", "after.pickle", "before.pickle")
        whole = (self.folder / "s.snap").read_bytes()
        (self.folder / "cut.snap").write_bytes(whole[:-30])
        self.load("before.pickle")
        before = self.dump()
        self.refused("snapload: cut.snap: offset \\d+: truncated: .*", "cut.snap", "after.pickle")
        self.assertEqual(self.dump(), before)
        self.refused("snapload: standard input: offset \\d+: truncated: .*", "-", stdin=whole[:-30])
        self.assertEqual(self.dump(), before)
        # Files before it stay.
        self.refused("snapload: cut.snap: .*", "after.pickle", "cut.snap")
        self.assertEqual(self.check(), 2)

    def test_a_bad_first_file_leaves_no_database(self):
        self.expect("snapcat", "-o", "s.snap", "after.pickle", "before.pickle")
        (self.folder / "cut.snap").write_bytes((self.folder / "s.snap").read_bytes()[:-30])
        before = self.files()
        self.refused("snapload: cut.snap: .*", "cut.snap")
        self.assertEqual(self.files(), before)
        done = self.shell("snapcat s.snap | head -c -40 | snapload a.db -")
        self.assertEqual((done.status, self.files()), (2, before))
        # One that was there stays, empty as it is; and what was loaded before stays.
        (self.folder / "a.db").touch()
        self.refused("snapload: cut.snap: .*", "cut.snap")
        self.assertEqual((self.folder / "a.db").read_bytes(), b"")
        (self.folder / "a.db").unlink()
        self.refused("snapload: cut.snap: .*", "before.pickle", "cut.snap")
        self.assertEqual(self.check(), 1)

    def test_broken_pipe_upstream(self):
        self.expect("snapcat", "-o", "s.snap", "after.pickle", "before.pickle")
        self.load("before.pickle")
        before = self.dump()
        done = self.shell("(snapcat s.snap | head -c -40) | snapload a.db -")
        self.assertEqual((done.status, self.dump()), (2, before))
        done = self.shell("snapfilter -x a none.snap | snapload a.db -")
        self.assertEqual((done.status, self.dump()), (2, before))
        self.assertEqual(self.shell("snapfilter -i '*/client.py' s.snap | snapload -q a.db -").status, 0)
        self.assertEqual(self.check(), 3)


class Together(Load):
    def series(self, name, members, sites=2000):
        for i in range(members):
            self.write(f"{i}.pickle", *((1, 8 + j, f"{name}.py:{j} m{j % 50}.py:{i + j % 7}") for j in range(sites)),
                       time=dumps.TIME + i)
        self.expect("snapcat", "-o", f"{name}.snap", *(f"{i}.pickle" for i in range(members)))
        return f"{name}.snap"

    def start(self, *argv, **options):
        return subprocess.Popen([BIN / "snapload", "-q", "a.db", *argv], cwd=self.folder, env=environment(),
                                stderr=subprocess.PIPE, **options)

    def test_loaders_at_once(self):
        names = [self.series(letter, 4) for letter in "abcd"]
        running = [self.start(*(["before.pickle", name, "after.pickle"][:: 1 if i % 2 else -1]))
                   for i, name in enumerate(names)]
        for process in running:
            self.assertEqual(process.communicate(timeout=TIME_LIMIT)[1], b"")
            self.assertEqual(process.returncode, 0)
        self.assertEqual(self.check(), 18)
        for name in names:
            self.expect("snapload", "a.db", name, err=f"snapload: {name}: 4 there already\n")

    def test_others_read_meanwhile(self):
        self.load("before.pickle")
        content = (self.folder / self.series("a", 3)).read_bytes()
        process = self.start("-", stdin=subprocess.PIPE)
        process.stdin.write(content[:-10])
        process.stdin.flush()
        self.wait_for_journal()
        self.assertEqual(self.ask("SELECT count(*) FROM snapshot"), [(1,)])
        process.stdin.write(content[-10:])
        process.communicate(timeout=TIME_LIMIT)
        self.assertEqual((process.returncode, self.check()), (0, 4))

    def test_waiting_is_shown(self):
        """On a terminal, after a second."""
        self.load("before.pickle")
        master, slave = pty.openpty()
        self.addCleanup(os.close, master)
        with contextlib.closing(sqlite3.connect(self.folder / "a.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            begun = time.monotonic()
            process = subprocess.Popen([BIN / "snapload", "a.db", "after.pickle"], cwd=self.folder,
                                       env=environment(TERM="xterm"), stderr=slave)
            self.assertTrue(select.select([master], [], [], TIME_LIMIT)[0])
            self.assertGreater(time.monotonic() - begun, 1)
            other.execute("ROLLBACK")
        self.assertEqual(process.wait(TIME_LIMIT), 0)
        os.close(slave)
        shown = b""
        with contextlib.suppress(OSError):
            while part := os.read(master, 65536):
                shown += part
        self.assertRegex(shown, rb"\A(\rwaiting for another program that uses the database\x1b\[K)+\r\x1b\[K.*1 loaded")
        self.assertEqual(self.check(), 2)

    def wait_for_journal(self):
        deadline = time.monotonic() + TIME_LIMIT
        while not (self.folder / "a.db-journal").exists():
            self.assertLess(time.monotonic(), deadline)
            time.sleep(.005)

    def test_killed(self):
        self.load("before.pickle")
        before = self.dump()
        content = (self.folder / self.series("a", 4)).read_bytes()
        for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT):
            process = self.start("-", stdin=subprocess.PIPE)
            process.stdin.write(content[:-10])
            process.stdin.flush()
            self.wait_for_journal()
            process.send_signal(number)
            process.communicate(timeout=TIME_LIMIT)
            self.assertEqual(process.returncode, -number)
            self.assertEqual(self.check(), 1)
            self.assertEqual(self.dump(), before)
        self.load("-", stdin=content)
        self.assertEqual(self.check(), 5)


if __name__ == "__main__":
    unittest.main()
