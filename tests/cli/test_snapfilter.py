"""snapfilter: what is kept, how stacks are edited, what redaction leaves."""

import json
import os
import re
import sys
import unittest

import dumps
from running import ROOT, ToolCase

sys.path.insert(0, str(ROOT / "tests/oracle"))
import snapdump  # noqa: E402

HEAP = (
    (4, 100, "/srv/app/main.py:7 /srv/app/shop/client.py:31"),
    (2, 64, "/srv/app/main.py:7 /usr/lib/python3.11/json/decoder.py:355"),
    (1, 4096, "/srv/app/main.py:9"),
    (3, 512, "/srv/app/main.py:9 /data/me/venv/lib/python3.12/site-packages/numpy/core.py:5", 2, 389047),
    (5, 32, "/usr/lib/python3.11/runpy.py:88 /usr/lib/python3.11/tracemalloc.py:560"),
    (7, 48, ["/srv/app/main.py:1", "<frozen importlib._bootstrap>:241"]),
)


class FilterCase(ToolCase):
    def setUp(self):
        super().setUp()
        dumps.write(self.folder / "heap.pickle", *HEAP)

    def top(self, data, *options):
        doc = json.loads(self.expect("snaptop", "--json", *options, "0", stdin=data))
        return {
            " ".join(f"{f['file']}:{f.get('line', 0)}" for f in row["traceback"]): (row["count"], row["size"])
            for row in doc["rows"]
        }

    def filter(self, *options, stdin=b"", file="heap.pickle"):
        return self.expect("snapfilter", *options, *([] if stdin else [file]), stdin=stdin)

    def lines(self, *options, **more):
        """What is left, by line."""
        return self.top(self.filter(*options, **more))

    def names(self, *options, **more):
        return {line.rsplit("/", 1)[-1] for line in self.lines(*options, **more)}


EVERYTHING = {
    "client.py:31", "decoder.py:355", "main.py:9", "core.py:5", "tracemalloc.py:560",
    "<frozen importlib._bootstrap>:241",
}


class Keeping(FilterCase):
    def test_patterns_look_at_the_newest_frame(self):
        self.assertEqual(self.lines("-i", "/srv/app/*"), {
            "/srv/app/shop/client.py:31": (4, 400), "/srv/app/main.py:9": (1, 4096)})
        self.assertEqual(self.names("-x", "/srv/app/*"), EVERYTHING - {"client.py:31", "main.py:9"})

    def test_or_at_all_frames(self):
        self.assertEqual(self.names("-a", "-i", "/srv/app/*"), EVERYTHING - {"tracemalloc.py:560"})
        self.assertEqual(self.names("-ax", "/srv/app/*"), {"tracemalloc.py:560"})

    def test_a_line_and_a_name_are_of_one_frame(self):
        self.assertEqual(self.names("-i", "*/main.py:9"), {"main.py:9"})
        self.assertEqual(self.names("-i", "*/main.py:7"), set())
        self.assertEqual(self.names("-a", "-i", "*/main.py:7"), {"client.py:31", "decoder.py:355"})
        self.assertEqual(self.names("-a", "-i", "*/client.py:7"), set())

    def test_any_include_keeps_and_any_exclude_drops(self):
        self.assertEqual(self.names("-i", "*/client.py", "-i", "*/main.py"), {"client.py:31", "main.py:9"})
        self.assertEqual(self.names("-i", "/srv/*", "-x", "*:31"), {"main.py:9"})

    def test_a_colon_and_digits_in_a_name(self):
        dumps.write(self.folder / "odd.pickle", (1, 8, [("odd:12:3")]), (1, 16, [("odd:3")]))
        self.assertEqual(self.lines("-i", "odd[:]12", file="odd.pickle"), {"odd:12:3": (1, 8)})
        self.assertEqual(self.lines("-i", "odd:3", file="odd.pickle"), {"odd:3": (1, 16)})
        self.assertEqual(self.lines("-i", "odd:12:3", file="odd.pickle"), {"odd:12:3": (1, 8)})

    def test_pyc_is_py(self):
        dumps.write(self.folder / "old.pickle", (1, 8, "/a/b.pyc:1"), (1, 16, "/a/b.py:2"), (1, 32, "/a/b.pyo:3"))
        for glob in ("*/b.py", "*/b.pyc"):
            self.assertEqual(len(self.lines("-i", glob, file="old.pickle")), 2, glob)

    def test_regular_expressions(self):
        self.assertEqual(self.names("-I", r"shop/\w+\.py$"), {"client.py:31"})
        self.assertEqual(self.names("-X", "^/(srv|data)/", "-X", "(?i)TRACEMALLOC"),
                         {"decoder.py:355", "<frozen importlib._bootstrap>:241"})

    def test_a_bad_regular_expression(self):
        err = self.expect_failure("snapfilter", "-I", "a(b", "heap.pickle", err="snapfilter: .*parenthesis.*")
        self.assertIn("offset 3", err)

    def test_a_runaway_regular_expression(self):
        dumps.write(self.folder / "long.pickle", (1, 8, ["a" * 5000 + "!:1"]))
        self.expect_failure("snapfilter", "-I", "^(a+a+a+)+$", "long.pickle", err="snapfilter: .*long.pickle: .*")

    def test_a_slow_regular_expression_ends_soon(self):
        """With a few hundred times the steps JIT would take minutes."""
        dumps.write(self.folder / "long.pickle", (1, 8, ["/x/" + "a" * 2000 + "b:1"]))
        self.expect_failure("snapfilter", "-I", "(?=.*a.*a.*c)", "long.pickle", err="snapfilter: long.pickle: .*too long.*")

    def test_domains(self):
        self.assertEqual(self.names("-d", "389047"), {"core.py:5"})
        self.assertEqual(self.names("-D", "389047"), EVERYTHING - {"core.py:5"})
        # A union, as tracemalloc's DomainFilter beside a Filter is; and the intersection.
        self.assertEqual(self.names("-d", "0", "-i", "*/numpy/*"), EVERYTHING)
        self.assertEqual(self.names("--intersect", "-d", "0", "-i", "*/numpy/*"), set())
        self.assertEqual(self.names("--intersect", "-d", "0", "-d", "389047", "-i", "*/numpy/*"), {"core.py:5"})
        self.expect_failure("snapfilter", "-d", "4294967296", "heap.pickle", err=".*--domain is a number from 0 to .*")

    def test_sizes(self):
        self.assertEqual(self.names("--min-size", "512"), {"core.py:5", "main.py:9"})
        self.assertEqual(self.names("--min-size", "64", "--max-size", "100"), {"client.py:31", "decoder.py:355"})
        self.assertEqual(self.names("--min-total", "400"), {"client.py:31", "core.py:5", "main.py:9"})
        self.assertEqual(self.names("--min-total", "1K", "-x", "*/main.py"), {"core.py:5"})
        self.assertEqual(self.names("--max-size", "0"), set())

    def test_the_total_is_that_of_a_site(self):
        """A site is (stack, domain, block size): other sizes and domains of a traceback do not make it larger."""
        dumps.write(self.folder / "old.pickle", (12, 10, "/a.py:1"), (2, 60, "/b.py:1"))
        dumps.write(self.folder / "new.pickle", (10, 10, "/a.py:1"), (1, 99, "/a.py:1"), (9, 11, "/a.py:1"),
                    (2, 40, "/b.py:1", 1, 0), (2, 40, "/b.py:1", 1, 7))
        self.assertEqual(self.lines("--min-total", "100", file="new.pickle"), {"/a.py:1": (10, 100)})
        self.assertEqual(self.lines("--min-total", "99", file="new.pickle"), {"/a.py:1": (20, 298)})
        # In a diff, on the larger side.
        diff = self.filter("--min-total", "110", stdin=self.expect("snapdiff", "old.pickle", "new.pickle"))
        self.assertEqual(self.lines("-i", "*", stdin=diff), {"/a.py:1": (10, 100), "/b.py:1": (0, 0)})

    def test_changes(self):
        dumps.write(self.folder / "old.pickle", (3, 10, "/same.py:1"), (3, 10, "/more.py:1"), (3, 10, "/less.py:1"),
                    (3, 10, "/gone.py:1"), (1, 100, "/moved.py:1"))
        dumps.write(self.folder / "new.pickle", (3, 10, "/same.py:1"), (4, 10, "/more.py:1"), (2, 10, "/less.py:1"),
                    (3, 10, "/new.py:1"), (1, 104, "/moved.py:1"))
        diff = self.expect("snapdiff", "old.pickle", "new.pickle")
        for change, names in {"grown": {"more", "moved"}, "shrunk": {"less"}, "new": {"new"}, "gone": {"gone"},
                              "grown,new": {"more", "moved", "new"}, "gone,gone": {"gone"}}.items():
            self.assertEqual(self.names("--only", change, stdin=diff), {f"{name}.py:1" for name in names}, change)
        self.expect_failure("snapfilter", "--only", "grown", "new.pickle", err="snapfilter: new.pickle: .*a diff.*")
        self.expect_failure("snapfilter", "--only", "grown,old", "new.pickle", err=".*--only is grown, shrunk, new or gone.*")

    def test_nothing_left_is_no_error(self):
        self.assertEqual(self.lines("-i", "nobody"), {})

    def test_nothing_asked_for_changes_nothing(self):
        self.assertEqual(self.filter("--no-history"), self.expect("snapcat", "--no-history", "heap.pickle"))

    def test_each_of_a_series(self):
        dumps.write_pair(self.folder)
        series = self.expect("snapcat", "before.pickle", "after.pickle")
        kept = self.filter("-i", "*/pages.py", stdin=series)
        info = json.loads(self.expect("snapinfo", "--json", stdin=kept))
        self.assertEqual([m["total"]["blocks"] for m in info["members"]], [10, 12])
        (self.folder / "s.snap").write_bytes(series)
        kept = self.expect("snapfilter", "-i", "*/pages.py", "s.snap@2")
        self.assertEqual(len(json.loads(self.expect("snapinfo", "--json", stdin=kept))["members"]), 1)

    def test_in_a_pipe(self):
        dumps.write_pair(self.folder)
        result = self.shell("set -o pipefail; snapdiff before.pickle after.pickle | snapfilter -i '*/client.py' -x @tracer"
                            " | snaptop --tsv 5")
        self.assertEqual((result.status, result.err), (0, ""))
        self.assertEqual(len(result.out.splitlines()), 2)

    def test_broken_input_is_an_error_and_leaves_no_file(self):
        snap = self.expect("snapcat", "heap.pickle")
        (self.folder / "cut.snap").write_bytes(snap[:-20])
        self.expect_failure("snapfilter", "-o", "out.snap", "cut.snap", err="snapfilter: cut.snap: .*offset.*|.*truncated.*")
        self.assertNotIn("out.snap", self.files())


class Presets(FilterCase):
    def test_of_the_library(self):
        self.assertEqual(self.names("-x", "@tracer"), EVERYTHING - {"tracemalloc.py:560"})
        self.assertEqual(self.names("-i", "@importlib"), {"<frozen importlib._bootstrap>:241"})
        self.assertEqual(self.names("-i", "@stdlib"),
                         {"decoder.py:355", "tracemalloc.py:560", "<frozen importlib._bootstrap>:241"})
        self.assertEqual(self.names("-i", "@site-packages"), {"core.py:5"})
        self.assertEqual(self.names("-x", "@stdlib", "-x", "@site-packages"), {"client.py:31", "main.py:9"})

    def test_of_this_python(self):
        """What this Python itself says of its library and of snapshots."""
        code = ("import tracemalloc; tracemalloc.start(); import json, linecache, pickle; json.dumps({}); "
                "linecache.getlines(json.__file__); tracemalloc.take_snapshot().dump('own.pickle')")
        self.assertEqual(self.shell(f'"{sys.executable}" -IS -c "{code}"').status, 0)
        everything = self.lines(file="own.pickle")
        self.assertTrue(everything)
        others = {line.rpartition(":")[0] for line in self.lines("-x", "@stdlib", file="own.pickle")}
        self.assertLessEqual(others, {"<string>", "<unknown>"})
        self.assertEqual(self.lines("-i", "@site-packages", file="own.pickle"), {})

    def test_one_that_is_not_there(self):
        err = self.expect_failure("snapfilter", "-i", "@stdlub", "heap.pickle", err="snapfilter: .*@stdlub.*")
        for name in ("@tracer", "@importlib", "@stdlib", "@site-packages"):
            self.assertIn(name, err)

    def test_of_ones_own(self):
        (self.folder / "noise.txt").write_text("\ufeff# what nobody cares for\n\n*/numpy/*\n  /srv/app/* \n!*/client.py\r\n")
        self.assertEqual(self.names("-i", "@noise", "--preset-file", "noise.txt"), {"core.py:5", "main.py:9"})
        self.assertEqual(self.names("--preset-file", "mine=noise.txt", "-i", "@mine"), {"core.py:5", "main.py:9"})
        self.expect_failure("snapfilter", "--preset-file", "none.txt", "heap.pickle", err="snapfilter: none.txt: .*")
        (self.folder / "bad.txt").write_text("*\n@stdlub\n")
        self.expect_failure("snapfilter", "--preset-file", "bad.txt", "heap.pickle", err="snapfilter: bad.txt: .*2.*")


class Editing(FilterCase):
    def tracebacks(self, *options, **more):
        return self.top(self.filter(*options, **more), "-g", "traceback")

    def test_hide(self):
        self.assertEqual(self.tracebacks("-i", "/*", "-x", "@tracer", "--hide", "@stdlib", "--hide", "*/main.py:9"), {
            "/srv/app/main.py:7": (2, 128),
            "/srv/app/main.py:7 /srv/app/shop/client.py:31": (4, 400),
            "/data/me/venv/lib/python3.12/site-packages/numpy/core.py:5": (3, 1536),
            "<hidden>:0": (1, 4096),
        })

    def test_show_from(self):
        self.assertEqual(self.tracebacks("-i", "/usr/*", "--show-from", "*/tracemalloc.py", "--show-from", "*/client.py"), {
            "/usr/lib/python3.11/tracemalloc.py:560": (5, 160),
            "/srv/app/main.py:7 /usr/lib/python3.11/json/decoder.py:355": (2, 128),
        })

    def test_show_from_the_oldest(self):
        dumps.write(self.folder / "deep.pickle", (1, 8, "/a.py:1 /b.py:2 /c.py:3 /b.py:4 /d.py:5"))
        self.assertEqual(list(self.tracebacks("--show-from", "/b.py", file="deep.pickle")),
                         ["/b.py:2 /c.py:3 /b.py:4 /d.py:5"])

    def test_the_depth_of_the_real_stack(self):
        def totals(*options):
            snap = self.filter(*options, file="deep.pickle")
            (member,) = snapdump.read_members(snap)
            return sorted(row[1] for row in member.rows())
        dumps.write(self.folder / "deep.pickle", (1, 8, "/a.py:1 /b.py:2 /c.py:3", 10), (1, 16, "/c.py:3", 1))
        self.assertEqual(totals(), [1, 10])
        self.assertEqual(totals("--hide", "/b.py"), [1, 9])
        self.assertEqual(totals("--hide", "*"), [1, 8])
        self.assertEqual(totals("--show-from", "/b.py"), [1, 2])

    def test_map(self):
        self.assertEqual(self.names("-i", "/srv/*", "--map", "/srv/=/data/me/", "--map", "/srv/app=/x"),
                         {"client.py:31", "main.py:9"})
        self.assertIn("/data/me/app/main.py:9", self.lines("--map", "/srv/=/data/me/", "--map", "/srv/app=/x"))
        self.expect_failure("snapfilter", "--map", "x", "heap.pickle", err=".*--map needs KEY=VALUE.*")

    def test_strip_prefix(self):
        for prefix in ("/srv/app", "/srv/app/"):
            lines = self.lines("--strip-prefix", prefix)
            self.assertIn("shop/client.py:31", lines)
            self.assertIn("main.py:9", lines)
        self.assertIn("/srv/app/main.py:9", self.lines("--strip-prefix", "/srv/ap"))
        dumps.write(self.folder / "windows.pickle", (1, 8, ["C:\\shop\\main.py:1"]))
        self.assertEqual(self.lines("--strip-prefix", "C:\\shop", file="windows.pickle"), {"main.py:1": (1, 8)})

    def test_roots_are_renamed_with_their_files(self):
        dumps.write(self.folder / "site.pickle", (1, 8, "/opt/vend/acme/x.py:1"), (1, 16, "/srv/y.py:1"))
        self.expect("snapcat", "-o", "site.snap", "--set", "root.site=/opt/vend", "site.pickle")
        self.assertEqual(self.names("-i", "@site-packages", file="site.snap"), {"x.py:1"})
        mapped = self.filter("--map", "/opt/vend=/lap", file="site.snap")
        self.assertEqual(self.lines("-i", "@site-packages", stdin=mapped), {"/lap/acme/x.py:1": (1, 8)})

    def test_what_becomes_equal_is_added_up(self):
        dumps.write(self.folder / "two.pickle", (2, 8, "/a/x.py:1"), (3, 8, "/b/x.py:1"))
        self.assertEqual(self.lines("--map", "/b/=/a/", file="two.pickle"), {"/a/x.py:1": (5, 40)})
        info = json.loads(self.expect("snapinfo", "--json", stdin=self.filter("--map", "/b/=/a/", file="two.pickle")))
        self.assertEqual(info["members"][0]["sites"], 1)


class Redaction(FilterCase):
    SECRETS = ("srv", "app", "shop", "client", "main", "/data", "me/venv", "db-7", "prod", "alpha", "--token", "customer")

    def setUp(self):
        super().setUp()
        (self.folder / "key").write_bytes(bytes(range(32)))
        self.expect("snapcat", "-o", "marked.snap", "--set", "host=db-7.prod", "--set", "label.customer=alpha",
                    "--set", "argv=app --token 1", "--set", "pid=77", "--set", "runtime=cpython 3.11.7", "heap.pickle")

    def everything(self, snap):
        """All strings and metadata of a file."""
        (member,) = snapdump.read_members(snap)
        found = {part for row in member.rows() for frame in row[0] for part in map(repr, frame)}
        return "\n".join(sorted(found)) + "\n" + repr(member.meta)

    def test_no_secret_survives(self):
        self.assertTrue(all(secret in self.everything((self.folder / "marked.snap").read_bytes())
                            for secret in self.SECRETS))
        for all_names in ((), ("--redact-all",)):
            self.expect("snapfilter", "--redact", "key", *all_names, "-x", "*/secret/*", "-o", "out.snap", "marked.snap")
            text = self.everything((self.folder / "out.snap").read_bytes())
            for secret in (*self.SECRETS, "secret", "marked.snap", "out.snap"):
                self.assertNotIn(secret, text, all_names)
            self.assertEqual("numpy" in text, not all_names)
            self.assertEqual("decoder.py" in text, not all_names)
            self.assertIn("3.11.7", text)

    def test_windows(self):
        """There only a folder Lib tells the standard library, and a program may have one as well."""
        dumps.write(self.folder / "windows.pickle",
                    (1, 8, ["C:\\Python311\\Lib\\json\\decoder.py:1"]),
                    (1, 16, ["D:\\alpha\\Python312\\Lib\\asyncio\\events.py:2"]),
                    (1, 32, ["D:\\alpha\\Python312\\Lib\\customer\\main.py:3"]),
                    (1, 64, ["D:\\alpha\\Lib\\json\\customer.py:4"]))
        snap = self.filter("--redact", "key", file="windows.pickle")
        lines = sorted(re.sub("[0-9a-f]{24}", "#", line) for line in self.lines("-i", "*", stdin=snap))
        self.assertEqual(lines, ["C:\\Python311\\Lib\\json\\decoder.py:1", "redacted/#.py:3", "redacted/#.py:4",
                                 "redacted/#\\Python312\\Lib\\asyncio\\events.py:2"])
        for secret in (b"alpha", b"customer"):
            self.assertNotIn(secret, snap)
        self.assertEqual(sum(size for _, size in self.lines("-i", "@stdlib", stdin=snap).values()), 8 + 16)

    def test_redacted_files_still_diff(self):
        dumps.write_pair(self.folder)
        for name in ("before", "after"):
            self.expect("snapfilter", "--redact", "key", "-o", f"{name}.snap", f"{name}.pickle")
        plain = self.top(self.expect("snapdiff", "before.pickle", "after.pickle"))
        hidden = self.top(self.expect("snapdiff", "before.snap", "after.snap"))
        self.assertEqual(sorted(plain.values()), sorted(hidden.values()))

    def test_presets_hold(self):
        redacted = self.filter("--redact", "key")
        for preset in ("@stdlib", "@site-packages", "@tracer", "@importlib"):
            self.assertEqual(sorted(self.lines("-i", preset).values()),
                             sorted(self.lines("-i", preset, stdin=redacted).values()), preset)

    def test_keys(self):
        (self.folder / "other").write_bytes(b"another key of enough bytes")
        self.assertEqual(self.filter("--redact", "key"), self.filter("--redact", "key"))
        self.assertNotEqual(self.filter("--redact", "key"), self.filter("--redact", "other"))
        (self.folder / "short").write_bytes(b"15 bytes, no 16")
        self.expect_failure("snapfilter", "--redact", "short", "heap.pickle", err="snapfilter: short: .*at least 16.*/dev/urandom.*")
        self.expect_failure("snapfilter", "--redact", "none", "heap.pickle", err="snapfilter: none: .*")
        self.expect_failure("snapfilter", "--redact-all", "heap.pickle", err=".*--redact-all needs --redact.*")
        with open(self.folder / "huge", "wb") as file:
            os.truncate(file.fileno(), 2 << 20)
        self.expect_failure("snapfilter", "--redact", "huge", "heap.pickle", err="snapfilter: huge: .*larger.*")


if __name__ == "__main__":
    unittest.main()
