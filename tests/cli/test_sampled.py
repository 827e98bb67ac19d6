"""What was sampled, through the tools: estimates with their errors where people and programs look, counts as they
are in between, and never the one added to the other. That estimates are right, see oracle/test_estimates.py."""

import json
import math
import re
import sqlite3
import unittest

import dumps
from running import ToolCase

PERIOD = 65536


def weight(size, period=PERIOD):
    return 1 / -math.expm1(-max(size, 1) / period)


def variance(blocks, size, period=PERIOD):
    return blocks * (weight(size, period) - 1) * weight(size, period) * size**2


def bytes_of(sites, period=PERIOD):
    return sum(blocks * size * weight(size, period) for blocks, size, _ in sites)


def error_of(*parts):
    return 1.959964 * math.sqrt(sum(variance(blocks, size) for sites in parts for blocks, size, _ in sites))


class Sampled(ToolCase):
    def setUp(self):
        super().setUp()
        dumps.write_pair(self.folder)
        for name in "before", "after":
            self.snap(f"{name}.snap", f"{name}.pickle", PERIOD)
            self.expect("snapcat", "-o", f"exact-{name}.snap", f"{name}.pickle")

    def snap(self, name, dump, period):
        self.expect("snapcat", "--set", f"sample_period_bytes={period}", "-o", name, dump)

    def json(self, line):
        result = self.shell("set -o pipefail; " + line)
        self.assertEqual((result.status, result.err), (0, ""))
        return json.loads(result.out)


class Top(Sampled):
    def test_table(self):
        self.expect(
            "snaptop",
            "before.snap",
            out="""time     2023-11-14 22:13:20 UTC, file modification time
traced   900 KiB ±469 KiB in 10459 blocks
sampled  estimated from samples, one per 64 KiB
error    ± holds in 95 of 100 cases

    size     error  count  average   share  line
 640 KiB  ±397 KiB  10245     64 B   71.2%  /srv/app/shop/pages.py:12
 193 KiB  ±217 KiB    198   1001 B   21.5%  /srv/app/shop/client.py:31
66.0 KiB  ±125 KiB     16   4225 B    7.3%  /srv/app/main.py:9
 900 KiB  ±469 KiB  10459     88 B  100.0%  total
""",
        )

    def test_rest_of_a_table(self):
        out = self.expect("snaptop", "1", "before.snap").decode()
        rest = math.hypot(error_of(dumps.BEFORE[:1]), error_of(dumps.BEFORE[2:])) / 1024
        self.assertIn(f"\n259 KiB  ±{rest:.0f} KiB    214 ", out)

    def test_terminal_of_80_columns(self):
        for line in ["snapdiff", "before.snap", "after.snap"], ["snaptop", "before.snap"], ["snapcat", "before.snap"]:
            shown = self.run_on_terminal(*line)
            text = re.sub("\x1b\\[[0-9;]*m", "", shown.out.decode())
            self.assertIn("±", text)
            for row in text.split("\n"):
                self.assertLessEqual(len(row), 80, row)

    def test_periods(self):
        self.snap("other.snap", "after.pickle", 1000000)
        for line, said in (
            ("snapdiff before.snap after.snap", "one per 64 KiB\nerror    ± holds in 95 of 100 cases or more\n"),
            ("snapdiff before.snap other.snap", "one per 64 KiB before, one per 1000000 B after\nerror "),
            ("snapdiff before.snap exact-after.snap", "one per 64 KiB before, of all blocks after\nerror "),
            ("snapdiff exact-before.snap after.snap", "of all blocks before, one per 64 KiB after\nerror "),
            ("snapcat --merge before.snap other.snap", "of a period not known\nerror "),
            ("snapcat --set estimated=1 before.snap", "one per 64 KiB\n\n"),
        ):
            with self.subTest(line=line):
                self.assertIn(f"sampled  estimated from samples, {said}", self.shell(f"{line} | snaptop").out.decode())
        self.assertNotIn("sampl", self.shell("snapdiff exact-before.snap exact-after.snap | snaptop").out.decode())

    def test_json(self):
        top = self.json("snaptop --json 0 before.snap")
        self.assertEqual(list(top["total"]), ["size", "count", "size_error", "count_error"])
        self.assertAlmostEqual(top["total"]["size"], bytes_of(dumps.BEFORE), delta=2)
        self.assertAlmostEqual(top["total"]["size_error"], error_of(dumps.BEFORE), delta=2)
        self.assertEqual(top["meta"]["estimated"], "1")
        for row, site in zip(top["rows"], (dumps.BEFORE[1], dumps.BEFORE[0], dumps.BEFORE[2])):
            self.assertAlmostEqual(row["size"], bytes_of([site]), delta=1)
            self.assertAlmostEqual(row["size_error"], error_of([site]), delta=2)
            self.assertAlmostEqual(row["count_error"] * site[1], row["size_error"], delta=.02 * row["size_error"] + site[1])
        diff = self.json("snapdiff before.snap after.snap | snaptop --json 0")
        fields = ["size", "count", "size_error", "count_error", "size_diff", "count_diff", "size_diff_error", "count_diff_error"]
        self.assertEqual(list(diff["total"]), fields)
        self.assertAlmostEqual(diff["total"]["size_diff"], bytes_of(dumps.AFTER) - bytes_of(dumps.BEFORE), delta=4)
        self.assertAlmostEqual(diff["total"]["size_diff_error"], error_of(dumps.BEFORE, dumps.AFTER), delta=3)
        self.assertAlmostEqual(diff["total"]["size_error"], error_of(dumps.AFTER), delta=3)
        exact = self.json("snapdiff exact-before.snap exact-after.snap | snaptop --json 0")
        self.assertFalse([key for row in [exact["total"], *exact["rows"]] for key in row if "error" in key])

    def test_cumulative(self):
        top = self.json("snaptop -c --json 0 before.snap")
        row = next(row for row in top["rows"] if row["traceback"][0]["line"] == 7)
        self.assertAlmostEqual(row["size_error"], error_of(dumps.BEFORE[:2]), delta=2)

    def test_tsv(self):
        lines = self.expect("snaptop", "--tsv", "before.snap").decode().splitlines()
        self.assertEqual(lines[0], "#size\tcount\tfile\tline\tfunction\tsize_error\tcount_error")
        self.assertRegex(lines[1], r"\A65568\d\t1024[56]\t/srv/app/shop/pages.py\t12\t\t406\d{3}\t634\d\Z")
        by_traceback = self.shell("snapdiff before.snap after.snap | snaptop --tsv -g traceback").out.decode().splitlines()
        self.assertEqual(by_traceback[0].split("\t")[-5:],
                         ["traceback", "size_error", "count_error", "size_diff_error", "count_diff_error"])
        self.assertEqual({len(line.split("\t")) for line in by_traceback}, {12})
        self.assertEqual(self.expect("snaptop", "--tsv", "exact-before.snap").decode().split("\n")[0], "#size\tcount\tfile\tline\tfunction")

    def test_tracemalloc_form(self):
        out = self.expect("snaptop", "--format", "tracemalloc", "1", "before.snap").decode()
        self.assertRegex(out, r"\A/srv/app/shop/pages.py:12: size=640 KiB, count=1024[56], average=64 B\n\Z")

    def test_period_that_says_nothing(self):
        for period in "64K", "-1", "", "1e9", "\x1b[31m9", "99999999999999999999":
            self.snap("bad.snap", "before.pickle", period)
            said = "sample_period_bytes is no number of bytes, so it is not known what the samples stand for"
            self.expect_failure("snaptop", "bad.snap", err=f"snaptop: {said}")
            self.expect_failure("snapdiff", "bad.snap", "after.snap", err=f"snapdiff: {said}")
            self.expect_failure("snapcat", "--merge", "bad.snap", "after.snap", err=f"snapcat: {said}")
            self.expect_failure("snapload", "bad.db", "bad.snap", err=f"snapload: bad.snap: {said}")
            self.expect_failure("snaptrend", "bad.snap", "after.snap", err=f"snaptrend: bad.snap: {said}")
            self.assertIn(f"\nwarning: {said}\n", self.expect("snapinfo", "bad.snap").decode())
            self.assertNotIn("estimate", self.json("snapinfo --json bad.snap")["members"][0])
            # What only hands on needs not know, and can set it right.
            self.assertEqual(self.json("snapcat --set sample_period_bytes=65536 bad.snap | snaptop --json")["total"],
                             self.json("snaptop --json before.snap")["total"])


class Streams(Sampled):
    def raw(self, line):
        """The columns of what a pipe hands on."""
        (member,) = self.json(f"{line} | snapinfo --json")["members"]
        return member["total"], member["meta"]

    def test_counts_stay_counts(self):
        total, meta = self.raw("snapcat before.snap")
        self.assertEqual(total, {"blocks": 14, "bytes": 7736})
        total, meta = self.raw("snapfilter -x '*/main.py' before.snap")
        self.assertEqual(total, {"blocks": 13, "bytes": 3640})
        self.assertNotIn("estimated", meta)
        total, meta = self.raw("snapdiff before.snap after.snap")
        self.assertEqual(total, {"blocks": 57, "bytes": 45840, "old_blocks": 14, "old_bytes": 7736})
        total, meta = self.raw("snapcat --merge before.snap after.snap")
        self.assertEqual(total, {"blocks": 71, "bytes": 53576})
        self.assertEqual(meta["sample_period_bytes"], str(PERIOD))

    def test_never_mixed(self):
        for other in "exact-after.snap", "other.snap":
            self.snap("other.snap", "after.pickle", 4096)
            of_other = bytes_of(dumps.AFTER, 4096) if other == "other.snap" else sum(n * size for n, size, _ in dumps.AFTER)
            total, meta = self.raw(f"snapcat --merge before.snap {other}")
            self.assertAlmostEqual(total["bytes"], bytes_of(dumps.BEFORE) + of_other, delta=6)
            self.assertEqual(meta["estimated"], "1")
            self.assertNotIn("sample_period_bytes", meta)
            total, meta = self.raw(f"snapdiff before.snap {other}")
            self.assertAlmostEqual(total["old_bytes"], bytes_of(dumps.BEFORE), delta=3)
            self.assertAlmostEqual(total["bytes"], of_other, delta=3)
            self.assertEqual(meta["old.estimated"], "1")

    def test_series(self):
        self.expect("snapcat", "-o", "series.snap", "before.snap", "after.snap")
        one = self.json("snapdiff before.snap after.snap | snaptop --json 0")
        self.assertEqual(self.json("snapdiff series.snap | snaptop --json 0")["rows"], one["rows"])

    def test_filter_by_total(self):
        total, _ = self.raw("snapfilter --min-total 600K before.snap")
        self.assertEqual(total, {"blocks": 10, "bytes": 640})

    def test_fail_over(self):
        """38,104 bytes more were counted, which stand for some 2.7 MiB."""
        for limit, status in ("2M", 1), ("3M", 0):
            result = self.run_tool("snapdiff", "--fail-over", limit, "before.snap", "after.snap")
            self.assertEqual(result.status, status)
            self.assertEqual(result.err, "snapdiff: grown by 2771 KiB, more than 2048 KiB\n" if status else "")


class Info(Sampled):
    def test_text(self):
        out = self.expect("snapinfo", "before.snap").decode()
        self.assertIn("\nblocks            14\nbytes             7736 (7736 B)\n", out)
        self.assertIn("\nsampled           one per 64 KiB on average: 14 samples, about 900 KiB ±469 KiB\n", out)
        out = self.shell("snapdiff before.snap after.snap | snapinfo").out.decode()
        self.assertIn("\nsampled           one per 64 KiB on average: 57 samples, about 3670 KiB ±947 KiB\n"
                      "old.sampled       one per 64 KiB on average: 14 samples, about 900 KiB ±469 KiB\n", out)
        self.assertNotIn("sampled", self.expect("snapinfo", "exact-before.snap").decode())

    def test_series(self):
        self.expect("snapcat", "-o", "series.snap", "before.snap", "after.snap")
        out = self.expect("snapinfo", "series.snap").decode()
        self.assertRegex(out, r"\n1  2023-11-14 22:13:20 +900 KiB  10459 +3 .*\n2  .*3670 KiB  14529 .*\n"
                              r"sizes and counts are estimates from samples\n")

    def test_json(self):
        (member,) = self.json("snapinfo --json before.snap")["members"]
        self.assertEqual(member["total"], {"blocks": 14, "bytes": 7736})
        self.assertEqual(list(member["estimate"]), ["blocks", "blocks_error", "bytes", "bytes_error"])
        self.assertAlmostEqual(member["estimate"]["bytes"], bytes_of(dumps.BEFORE), delta=2)
        self.assertAlmostEqual(member["estimate"]["bytes_error"], error_of(dumps.BEFORE), delta=2)
        self.assertNotIn("estimate", self.json("snapinfo --json exact-before.snap")["members"][0])


class Database(Sampled):
    def test_load(self):
        note = self.run_tool("snapload", "leak.db", "before.snap")
        self.assertEqual(note.status, 0, note.err)
        base = sqlite3.connect(self.folder / "leak.db")
        self.addCleanup(base.close)
        ((size, count),) = base.execute("SELECT bytes, blocks FROM snapshot")
        total = self.json("snaptop --json before.snap")["total"]
        self.assertEqual((size, count), (total["size"], total["count"]))
        self.assertEqual(dict(base.execute("SELECT path || ':' || line, bytes FROM top_line WHERE bytes > 0")),
                         {f"{row['traceback'][0]['file']}:{row['traceback'][0]['line']}": row["size"]
                          for row in self.json("snaptop --json 0 before.snap")["rows"]})
        meta = dict(base.execute("SELECT key, value FROM meta"))
        self.assertEqual((meta["estimated"], meta["sample_period_bytes"]), ("1", str(PERIOD)))
        self.assertIn("there already", self.run_tool("snapload", "leak.db", "before.snap").err)


class Trend(Sampled):
    def series(self, grow, count=12, period=PERIOD):
        for i in range(count):
            name = f"s{i:02}"
            dumps.write(self.folder / f"{name}.pickle", (40 + grow * i, 1000, "/srv/app/main.py:7 /srv/app/leak.py:3"),
                        (300, 1000, "/srv/app/main.py:7"), time=dumps.TIME + 600 * i)
            self.snap(f"{name}.snap", f"{name}.pickle", period)
        return [f"s{i:02}.snap" for i in range(count)]

    def test_leak(self):
        names = self.series(20)
        told = self.json("snaptrend --json 0 " + " ".join(names))
        # In one file the snapshots share their tables, and estimating one leaves the next one's counts alone.
        self.expect("snapcat", "-o", "series.snap", *names)
        self.assertEqual(self.json("snaptrend --json 0 series.snap"), told)
        leak = told["rows"][0]
        self.assertEqual(leak["verdict"], "leak")
        growth = 220 * 1000 * weight(1000)
        error = 1.959964 * math.sqrt(PERIOD * (300 * 1000 * weight(1000)))
        self.assertAlmostEqual(leak["growth_bytes"], growth, delta=2)
        self.assertAlmostEqual(leak["growth_error"], error, delta=2)
        # In eleven steps of ten minutes; the line itself is straight.
        hours = 11 / 6
        self.assertAlmostEqual(leak["rate_low"], (growth - error) / hours, delta=.001 * growth)
        self.assertAlmostEqual(leak["rate_high"], (growth + error) / hours, delta=.001 * growth)
        table = self.expect("snaptrend", *names).decode()
        self.assertIn("note: the values are estimates from samples; ± holds in 95 of 100 cases or more\n", table)
        self.assertRegex(table, r"\n    \+13\.9 MiB ±2181 KiB in \+145\d\d blocks")
        lines = self.expect("snaptrend", "--tsv", *names).decode().splitlines()
        self.assertTrue(lines[0].endswith("\ttraceback\tgrowth_error"))
        self.assertAlmostEqual(float(lines[1].split("\t")[-1]), error, delta=.001 * error)

    def test_growth_within_the_error_is_no_leak(self):
        names = self.series(2)
        told = self.json("snaptrend --json 0 " + " ".join(names))
        self.assertEqual(told["leaks"], 0)
        exact = []
        for name in names:
            self.expect("snapcat", "-o", "exact-" + name, name.replace("snap", "pickle"))
            exact.append("exact-" + name)
        told = self.json("snaptrend --json 0 " + " ".join(exact))
        self.assertEqual(told["leaks"], 1)
        self.assertNotIn("growth_error", told["rows"][0])

    def test_period_not_known(self):
        """Estimates of several periods added up: what they vary by tells what the period was at most."""
        names = self.series(1)
        for name in names:
            self.expect("snapcat", "--set", "sample_period_bytes=1000", "-o", "other.snap", "after.pickle")
            self.assertEqual(self.shell(f"snapcat --merge {name} other.snap >sum-{name}").status, 0)
            self.assertEqual(self.shell(f"snapcat --set time=$(snapinfo --json {name} | grep -o '2023[^\"]*Z' | head -1) "
                                        f"-f -o sum-{name} sum-{name}").status, 0)
        told = self.json("snaptrend --json 0 " + " ".join("sum-" + name for name in names))
        self.assertEqual(told["leaks"], 0)
        self.assertGreater(told["rows"][0]["growth_error"], 0)


if __name__ == "__main__":
    unittest.main()
