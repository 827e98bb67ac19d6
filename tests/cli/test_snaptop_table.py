"""The table that people read."""

import re
import unittest
import unicodedata

import dumps
from running import ToolCase


def columns(line):
    """How many a terminal takes for a line."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line
    )


class Table(ToolCase):
    def setUp(self):
        super().setUp()
        dumps.write_pair(self.folder)

    def top(self, *argv, **options):
        return self.expect("snaptop", *argv, **options).decode()

    def test_snapshot(self):
        self.assertEqual(
            self.top("after.pickle"),
            """\
time     2023-11-14 22:43:20 UTC, file modification time
traced   44.8 KiB in 57 blocks

    size  count  average   share  line
43.9 KiB     45   1000 B   98.2%  /srv/app/shop/client.py:31
   840 B     12     70 B    1.8%  /srv/app/shop/pages.py:12
44.8 KiB     57    804 B  100.0%  total
""",
        )

    def test_diff(self):
        diff = self.expect("snapdiff", "before.pickle", "after.pickle")
        self.assertEqual(
            self.top(stdin=diff),
            """\
time     2023-11-14 22:13:20 → 22:43:20 UTC (30 min), file modification time
traced   7736 B → 44.8 KiB (+37.2 KiB) in 14 → 57 blocks (+43)

    ±size  ±count      size  count   share  line
+41.0 KiB     +42  43.9 KiB     45  110.2%  /srv/app/shop/client.py:31
  -4096 B      -1       0 B      0  -10.7%  /srv/app/main.py:9
   +200 B      +2     840 B     12    0.5%  /srv/app/shop/pages.py:12
+37.2 KiB     +43  44.8 KiB     57  100.0%  total
""",
        )

    def test_what_is_not_shown_is_summed(self):
        self.assertEqual(
            self.top("1", "after.pickle").splitlines()[-3:],
            [
                "43.9 KiB     45   1000 B   98.2%  /srv/app/shop/client.py:31",
                "   840 B     12     70 B    1.8%  … 1 more line",
                "44.8 KiB     57    804 B  100.0%  total",
            ],
        )

    def test_cumulative_groups_overlap_and_have_no_rest(self):
        self.assertEqual(
            self.top("-c", "2", "after.pickle").splitlines()[3:],
            [
                "    size  count  average   share  line",
                "44.6 KiB     55    830 B   99.6%  /srv/app/main.py:7",
                "43.9 KiB     45   1000 B   98.2%  /srv/app/shop/client.py:31",
                "                                  … 2 more lines",
                "44.8 KiB     57    804 B  100.0%  total",
            ],
        )

    def test_other_groups(self):
        dumps.write(
            self.folder / "g.pickle",
            (2, 100, "a.py:1"),
            (1, 5 << 30, "b.py:2", 1, 389047),
            (1, 7, "a.py:9", 1, 5),
        )
        self.assertEqual(
            self.top("-g", "filename", "g.pickle").splitlines()[3:],
            [
                "    size  count   average   share  file",
                "5120 MiB      1  5120 MiB  100.0%  b.py",
                "   207 B      3      69 B    0.0%  a.py",
                "5120 MiB      4  1280 MiB  100.0%  total",
            ],
        )
        self.assertEqual(
            self.top("-g", "domain", "g.pickle").splitlines()[3:7],
            [
                "    size  count   average   share  domain",
                "5120 MiB      1  5120 MiB  100.0%  389047  NumPy's data",
                "   200 B      2     100 B    0.0%  0  Python",
                "     7 B      1       7 B    0.0%  5",
            ],
        )
        self.assertEqual(
            self.top("-g", "size", "2", "g.pickle").splitlines()[3:7],
            [
                "    size  count   average   share  block size",
                "5120 MiB      1  5120 MiB  100.0%  5368709120 B",
                "   200 B      2     100 B    0.0%  100 B",
                "     7 B      1       7 B    0.0%  … 1 more block size",
            ],
        )
        self.assertIn("  a.py:1\n", self.top("-g", "function", "g.pickle"))

    def test_tracebacks(self):
        dumps.write(
            self.folder / "t.pickle",
            (2, 100, "a.py:1 b.py:2 c.py:3 d.py:4", 9),
            (1, 50, "a.py:1", 2),
            limit=4,
        )
        self.assertEqual(
            self.top("-g", "traceback", "t.pickle"),
            """\
time     2023-11-14 22:13:20 UTC, file modification time
traced   250 B in 3 blocks

 size  count  average   share  traceback
200 B      2    100 B   80.0%  d.py:4
    … 5 older frames not recorded
    a.py:1
    b.py:2
    c.py:3
    d.py:4

 50 B      1     50 B   20.0%  a.py:1
    … 1 older frame not recorded
    a.py:1

250 B      3     83 B  100.0%  total
""",
        )
        self.assertEqual(
            self.top("-g", "traceback", "-t", "2", "--most-recent-first", "1", "t.pickle").splitlines()[4:10],
            [
                "200 B      2    100 B   80.0%  d.py:4",
                "    d.py:4",
                "    c.py:3",
                "    … 2 older frames, -t 0 shows all",
                "    … 5 older frames not recorded",
                "",
            ],
        )

    def test_ten_frames_unless_told(self):
        dumps.write(
            self.folder / "deep.pickle", (1, 9, " ".join(f"f.py:{i}" for i in range(1, 31))), limit=30
        )
        shown = self.top("-g", "traceback", "deep.pickle").splitlines()
        self.assertEqual(shown[5:7], ["    … 20 older frames, -t 0 shows all", "    f.py:21"])
        self.assertEqual(self.top("-g", "traceback", "-t", "0", "deep.pickle").count("\n    f.py:"), 30)

    def test_empty_snapshot(self):
        dumps.write(self.folder / "empty.pickle")
        self.assertEqual(
            self.top("empty.pickle"),
            """\
time     2023-11-14 22:13:20 UTC, file modification time
traced   0 B in 0 blocks

size  count  average  share  line
 0 B      0        -      -  total
""",
        )

    def test_growth_that_cancels_out(self):
        dumps.write(self.folder / "a.pickle", (1, 100000, "a.py:1"), (1, 1, "b.py:1"))
        dumps.write(self.folder / "b.pickle", (1, 100000, "c.py:1"), (1, 2, "b.py:1"))
        shown = self.top(stdin=self.expect("snapdiff", "a.pickle", "b.pickle"))
        self.assertIn("  >999%  c.py:1\n", shown)
        self.assertIn("  <-999%  a.py:1\n", shown)

    def test_nothing_is_wider_than_asked_for(self):
        names = [
            "/usr/lib/python3/dist-packages/django/template/defaulttags.py",
            "x" * 300 + ".py",
            "/" + "y" * 300 + ".py",
            "/漢字/" * 20 + "漢字.py",
            "a/" * 100 + "z.py",
            "\x1b" * 60 + ".py",
            "//////" * 30 + "/e.py",
            "/srv/",
            "z\u0301" * 100 + ".py",
            "/srv/\udce9" + "\udcff" * 50,
        ]
        dumps.write(
            self.folder / "wide.pickle",
            *((1, 100 + i, [f"{name}:{10 ** (i % 9)}", f"{name}:7"]) for i, name in enumerate(names)),
        )
        diff = self.expect("snapdiff", "wide.pickle", "before.pickle")
        for width in (1, 40, 60, 79, 80, 120, 200):
            for key in ("lineno", "filename", "traceback"):
                for stdin in (diff, (self.folder / "wide.pickle").read_bytes()):
                    shown = self.top("-g", key, "0", stdin=stdin, env={"COLUMNS": str(width)})
                    for line in shown.splitlines()[2:]:
                        with self.subTest(width=width, line=line):
                            self.assertLessEqual(columns(line), max(width, 64 if width < 64 else 0))

    def test_file_name_and_line_stay(self):
        path = "/usr/lib/python3/dist-packages/some/very/deep/package/inside/another/module.py"
        dumps.write(self.folder / "p.pickle", (1, 100, f"{path}:1234"))
        shown = {
            int(width): self.top("p.pickle", env={"COLUMNS": width}).splitlines()[4].split("  ")[-1]
            for width in ("50", "60", "70", "80", "200")
        }
        self.assertEqual(
            shown,
            {
                50: "…/module.py:1234",
                60: "/usr/…/another/module.py:1234",
                70: "/usr/…/inside/another/module.py:1234",
                80: "/usr/…/deep/package/inside/another/module.py:1234",
                200: f"{path}:1234",
            },
        )

    def test_traced_sides_that_went_back_in_time(self):
        diff = self.expect("snapdiff", "after.pickle", "before.pickle")
        self.assertTrue(
            self.top(stdin=diff).startswith(
                "time     2023-11-14 22:43:20 → 22:13:20 UTC (30 min back), file modification time\n"
            )
        )


class Header(ToolCase):
    def make(self, name, **meta):
        dumps.write(self.folder / "x.pickle", (1, 1 << 20, "a.py:1"), time=0)
        settings = [f"--set={key}={value}" for key, value in meta.items()]
        self.expect("snapcat", *settings, "-o", name, "x.pickle")

    def test_one_process(self):
        self.make(
            "old.snap",
            program="shop",
            host="web-3",
            pid="4711",
            runtime="cpython 3.11.7",
            rss_bytes="104857600",
            iteration="500",
            time="2026-07-25T23:58:00.5Z",
            time_source="clock",
        )
        self.make(
            "new.snap",
            program="shop",
            host="web-3",
            pid="4711",
            runtime="cpython 3.11.7",
            rss_bytes="209715200",
            iteration="1500",
            time="2026-07-26T02:00:00Z",
            time_source="clock",
        )
        self.assertEqual(
            self.expect("snaptop", "new.snap").decode().split("\n\n")[0],
            """\
process  shop on web-3, pid 4711, cpython 3.11.7
time     2026-07-26 02:00:00 UTC, clock
traced   1024 KiB in 1 block
RSS      200 MiB""",
        )
        diff = self.expect("snapdiff", "old.snap", "new.snap")
        self.assertEqual(
            self.expect("snaptop", stdin=diff).decode().split("\n\n")[0],
            """\
process  shop on web-3, pid 4711, cpython 3.11.7
time     2026-07-25 23:58:00 → 2026-07-26 02:00:00 UTC (2 h 2 min), clock
traced   1024 KiB → 1024 KiB (+0 B) in 1 → 1 blocks (+0)
RSS      100 MiB → 200 MiB (+100 MiB)
requests 500 → 1500, +0 B each""",
        )

    def test_two_processes(self):
        self.make("old.snap", host="web-3", pid="1")
        self.make("new.snap", host="web-4", pid="2", traceback_limit="1")
        diff = self.expect("snapdiff", "old.snap", "new.snap")
        self.assertEqual(
            self.expect("snaptop", stdin=diff).decode().split("\n\n")[0],
            """\
process  on web-3 → web-4, pid 1 → 2
time     1970-01-01 00:00:00 → 00:00:00 UTC (0 s), file modification time
traced   1024 KiB → 1024 KiB (+0 B) in 1 → 1 blocks (+0)
warning: tracebacks end after 25 frames before and 1 after, so the same place can look gone and new""",
        )

    def test_hostile_metadata(self):
        self.make(
            "bad.snap",
            program="\x1b]0;x\x07",
            time="2026-07-26T02:00:00+25:00\n",
            rss_bytes="12 apples",
            pid="9" * 500,
        )
        shown = self.expect("snaptop", "bad.snap").decode()
        self.assertNotRegex(shown.replace("\n", ""), r"[\x00-\x1f\x7f]")
        self.assertRegex(shown, r"\Aprocess  \\x1b\]0;x\\x07, pid 9+…\ntime     2026-07-26T02:00:00")
        self.assertNotIn("RSS", shown)
        self.assertLessEqual(max(map(len, shown.splitlines())), 80)


class Colour(ToolCase):
    def setUp(self):
        super().setUp()
        dumps.write_pair(self.folder)

    def test_only_on_a_terminal_unless_told(self):
        for argv, env, colored in (
            ((), {}, False),
            (("--color=always",), {}, True),
            (("--color=always",), {"NO_COLOR": "1"}, True),
            (("--color=auto",), {}, False),
        ):
            shown = self.expect("snaptop", *argv, "after.pickle", env=env)
            self.assertEqual(b"\x1b[" in shown, colored)
        for argv, env, colored in (
            ((), {}, True),
            (("--color=never",), {}, False),
            ((), {"NO_COLOR": "1"}, False),
            ((), {"NO_COLOR": ""}, True),
            ((), {"TERM": "dumb"}, False),
            ((), {"TERM": None}, False),
            (("--color=always",), {"TERM": "dumb"}, True),
        ):
            with self.subTest(argv=argv, env=env):
                result = self.run_on_terminal("snaptop", *argv, "after.pickle", env=env)
                self.assertEqual((result.status, b"\x1b[" in result.out), (0, colored))

    def test_it_is_the_same_table_without_it(self):
        plain = self.expect("snaptop", "after.pickle")
        colored = self.expect("snaptop", "--color=always", "after.pickle")
        self.assertEqual(re.sub(rb"\x1b\[\d+m", b"", colored), plain)

    def test_growth_is_red_shrinking_green_and_the_first_line_bold(self):
        diff = self.expect("snapdiff", "before.pickle", "after.pickle")
        shown = self.expect("snaptop", "--color=always", stdin=diff).decode()
        self.assertIn("\x1b[31m+41.0 KiB\x1b[0m", shown)
        self.assertIn("\x1b[32m-4096 B\x1b[0m", shown)
        self.assertIn("\x1b[1mclient.py:31\x1b[0m", shown)
        self.assertEqual(shown.count("\x1b[1m"), 1)


if __name__ == "__main__":
    unittest.main()
