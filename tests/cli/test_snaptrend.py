"""snaptrend: what leaks in a series, in each form; how it reads series and processes, and how it ends."""

import json
import unittest

import dumps
from running import ToolCase

MAIN = "/srv/app/main.py:7"
LEAK = f"{MAIN} /srv/app/shop/client.py:31 /usr/lib/python3.11/json/decoder.py:353"
CACHE = f"{MAIN} /srv/app/shop/pages.py:12"
FIELDS = ["rank", "verdict", "score", "rate_bytes_per_hour", "rate_low", "rate_high", "growth_bytes"]
FIELDS += ["share_traced", "share_rss", "first_seen", "traceback", "series"]


def sites(i):
    return (
        (100 + 20 * i, 1000, LEAK),
        (min(200, 50 * i + 1), 1000, CACHE),
        (500, 1000, MAIN),
        (10 * i + 1, 100, "/srv/app/main.py:9 /usr/lib/python3.11/tracemalloc.py:423"),
    )


class TrendCase(ToolCase):
    def write(self, count, start=0, prefix="s"):
        names = []
        for i in range(count):
            names.append(f"{prefix}{i:02}.pickle")
            dumps.write(self.folder / names[-1], *sites(i), time=dumps.TIME + start + 600 * i)
        return names

    def series(self, name, names, **metadata):
        """One .snap of dumps, each with metadata; a value may be a function of its number."""
        parts = []
        for i, dump in enumerate(names):
            part = f"{name}-{i}.snap"
            sets = [f"{key}={value(i) if callable(value) else value}" for key, value in metadata.items()]
            options = [word for pair in sets for word in ("--set", pair.replace("__", "."))]
            self.expect("snapcat", "-o", part, *options, dump)
            parts.append(part)
        self.expect("snapcat", "-o", name, *parts)
        return name

    def ask(self, *argv, **options):
        return json.loads(self.expect("snaptrend", "--json", *argv, **options))


class Suspects(TrendCase):
    def test_json(self):
        told = self.ask("0", *self.write(12))
        self.assertEqual((told["v"], told["snapshots"], told["leaks"]), (1, 12, 1))
        self.assertEqual((told["from"], told["hours"]), ("2023-11-14T22:13:20.000Z", 1.83333))
        self.assertEqual(told["tracer_stacks_bytes"], {"first": 100, "last": 11100, "growth": 11000})
        self.assertEqual(told["leaked_bytes"], 220000)
        self.assertEqual(told["rss_bytes"]["growth"], None)
        leak, cache = told["rows"]
        self.assertLessEqual(set(FIELDS), set(leak))
        self.assertEqual((leak["rank"], leak["verdict"]), (1, "leak"))
        self.assertEqual(leak["blame"], {"file": "/srv/app/shop/client.py", "line": 31})
        self.assertEqual(leak["traceback"], [{"file": "/srv/app/main.py", "line": 7}, leak["blame"]])
        self.assertEqual(leak["largest_traceback"][-1]["line"], 353)
        self.assertEqual(leak["series"], [1000 * (100 + 20 * i) for i in range(12)])
        self.assertEqual((leak["rate_bytes_per_hour"], leak["rate_low"], leak["rate_high"]), (120000,) * 3)
        self.assertEqual((leak["growth_bytes"], leak["growth_blocks"], leak["block_size"]), (220000, 220, 1000))
        self.assertEqual((leak["first_seen"], leak["share_rss"], leak["family"]), (1, None, 1))
        self.assertEqual((cache["verdict"], cache["blame"]["line"]), ("filling", 12))

    def test_n_counts_rows(self):
        names = self.write(12)
        self.assertEqual(len(self.ask("1", *names)["rows"]), 1)
        self.assertEqual(self.ask("1", *names)["suspects"], 2)
        self.assertEqual(len(self.ask(*names)["rows"]), 2)

    def test_tsv(self):
        lines = self.expect("snaptrend", "--tsv", *self.write(12)).decode().splitlines()
        self.assertTrue(lines[0].startswith("#rank\tverdict\tscore\trate_bytes_per_hour\t"))
        rows = [dict(zip(lines[0][1:].split("\t"), line.split("\t"), strict=True)) for line in lines[1:]]
        self.assertEqual([row["verdict"] for row in rows], ["leak", "filling"])
        self.assertEqual(rows[0]["traceback"], "/srv/app/main.py:7;/srv/app/shop/client.py:31")
        self.assertEqual(rows[0]["share_rss"], "\\N")

    def test_table(self):
        source = self.folder / "srv/app/shop/client.py"
        source.parent.mkdir(parents=True)
        source.write_text("\n" * 30 + "    kept.append(json.loads(text))\n")
        text = self.expect("snaptrend", "--source-root", "srv/..", *self.write(12)).decode()
        self.assertIn("snapshots 12 in 1 h 50 min, 2023-11-14 22:13:20 → 2023-11-15 00:03:20 UTC", text)
        self.assertIn("#1 leak  +117 KiB/h (117 KiB to 117 KiB)", text)
        self.assertIn("▁▁▂▃▃▄▅▆▆▇██", text)
        self.assertIn("kept.append(json.loads(text))", text)
        self.assertIn("What grew or swung and is no leak:", text)
        self.assertLessEqual(max(map(len, text.splitlines())), 80)

    def test_names_cannot_steer_the_terminal(self):
        for i in range(10):
            dumps.write(self.folder / f"x{i}.pickle", (10 + 9 * i, 1000, [("/srv/\x1b[2J.py:1")]), time=dumps.TIME + i)
        text = self.expect("snaptrend", *(f"x{i}.pickle" for i in range(10)))
        self.assertNotIn(b"\x1b", text)
        self.assertIn(b"\\x1b[2J.py:1", text)

    def test_few_snapshots(self):
        for count in (2, 3):
            names = self.write(count)
            told = self.ask(*names)
            self.assertEqual(told["leaks"], 0)
            self.assertEqual({row["verdict"] for row in told["rows"]}, {"unclear"})
            self.expect("snaptrend", "--exit-code", "--json", *names)
            self.assertIn("no leak", self.expect("snaptrend", *names).decode())


class Reading(TrendCase):
    def test_order_is_that_of_time(self):
        names = self.write(12)
        told = self.expect("snaptrend", "--json", *names)
        self.expect("snaptrend", "--json", *reversed(names), out=told)

    def test_series_and_members(self):
        names = self.write(12)
        self.expect("snapcat", "-o", "all.snap", *names)
        told = self.ask("all.snap")
        self.assertEqual(told, self.ask(*names))
        self.assertEqual(self.ask("all.snap@1", "all.snap@-1")["snapshots"], 2)
        # What only other members have does not count, and two series in one file are read on.
        self.expect("snapcat", "-o", "new.snap", *names[:6])
        dumps.write(self.folder / "more.pickle", (1, 9, MAIN + " /srv/app/once.py:1"), *sites(6), time=dumps.TIME + 3600)
        self.expect("snapcat", "-o", "more.snap", "more.pickle", *names[7:])
        both = self.folder / "both.snap"
        both.write_bytes((self.folder / "new.snap").read_bytes() + (self.folder / "more.snap").read_bytes())
        self.assertEqual(self.ask("both.snap"), self.ask(*names[:6], "more.pickle", *names[7:]))
        self.assertEqual(self.ask("both.snap")["tracebacks"], 5)
        self.assertEqual(self.ask("more.snap@2", "more.snap@3")["tracebacks"], 4)

    def test_processes(self):
        names = self.write(12)
        one = self.series("one.snap", names, pid="1", host="h")
        two = self.series("two.snap", names, pid="2", host="h")
        told = self.ask(one, two)
        self.assertEqual([(p["pid"], p["leaks"]) for p in told["processes"]], [("1", 1), ("2", 1)])
        self.assertEqual([(r["process"], r["processes"]) for r in told["rows"][:2]], [(0, 2), (1, 2)])
        self.assertEqual((told["leaks_in_all"], told["leaks_in_one"]), (1, 0))

    def test_fleet(self):
        """Three workers: all leak at one line, at different rates; one leaks at a line of its own, by the same curve."""
        names, fast, odd = self.write(12), [], []
        for i in range(12):
            fast.append(f"f{i:02}.pickle")
            odd.append(f"o{i:02}.pickle")
            time = dumps.TIME + 600 * i
            dumps.write(self.folder / fast[-1], (100 + 40 * i, 1000, LEAK), (500, 1000, MAIN), time=time)
            dumps.write(self.folder / odd[-1], *sites(i), (50 + 10 * i, 1000, f"{MAIN} /srv/app/odd.py:3"), time=time)
        series = [
            self.series("slow.snap", names, pid="11", host="a-host-with-a-very-long-name.example.org"),
            self.series("fast.snap", fast, pid="12", host="a-host-with-a-very-long-name.example.org"),
            self.series("odd.snap", odd, pid="11", host="another"),
        ]
        told = self.ask("0", *series)
        self.assertEqual((told["leaks"], told["leaks_in_all"], told["leaks_in_one"]), (4, 1, 1))
        rows = {(row["process"], row["blame"]["line"]): row for row in told["rows"]}
        first = told["rows"][0]
        self.assertEqual((first["process"], first["rank"], first["place"], first["processes"]), (1, 1, 1, 3))
        rates = {there["process"]: there["rate_bytes_per_hour"] for there in first["in_processes"]}
        self.assertEqual(rates, {0: 120000, 1: 240000, 2: 120000})
        for there in first["in_processes"]:
            self.assertEqual((there["verdict"], rows[there["process"], 31]["rank"]), ("leak", there["rank"]))
            self.assertEqual(rows[there["process"], 31]["in_processes"], first["in_processes"])
            self.assertEqual(rows[there["process"], 31]["place"], 1)
        self.assertEqual((rows[2, 3]["processes"], rows[2, 3]["place"]), (1, rows[2, 3]["rank"]))
        self.assertEqual([there["process"] for there in rows[2, 3]["in_processes"]], [2])
        # The cache fills in two of them, and leaks in none.
        self.assertEqual((rows[0, 12]["processes"], len(rows[0, 12]["in_processes"])), (0, 2))

        text = self.expect("snaptrend", *series).decode()
        self.assertEqual(text.count("in 3 of 3 processes:"), 1)
        self.assertIn("leak, +234 KiB/h  process 12 on a-host-with-a-v", text)
        self.assertIn("only in process 11 on another of 3", text)
        self.assertEqual(text.count("client.py:31"), 1)
        self.assertEqual(text.count("odd.py:3"), 1)
        self.assertEqual(text.count("pages.py:12"), 1)
        self.assertLessEqual(max(map(len, text.splitlines())), 80)

    def test_free_lists_that_were_not_seen(self):
        names = self.write(5)
        for missed, objects, floats in (("lists tuples dicts floats dict-tables", 1, 0), ("floats dict-tables", 0, 1),
                                        ("dict-tables", 0, 0), ("", 0, 0)):
            self.series("missed.snap", names, **({"capture__freelists_missed": missed} if missed else {}))
            text = self.expect("snaptrend", "missed.snap").decode()
            self.assertEqual(text.count("note: what a free list gives again"), objects, missed)
            self.assertEqual(text.count("note: floats that leak may show"), floats, missed)
            self.assertLessEqual(max(map(len, text.splitlines())), 80)

    def test_one_process_has_no_fleet(self):
        told = self.ask("0", *self.write(12))
        self.assertFalse({"place", "in_processes", "process"} & set(told["rows"][0]))
        self.assertNotIn("processes", self.expect("snaptrend", *self.write(12)).decode())

    def test_a_counter_with_fractions(self):
        names = self.write(5)
        for n, name in enumerate(names):
            self.expect("snapcat", "-f", "--set", f"label.hours=0.{n + 1}", "-o", f"{n}.snap", name)
        shown = self.expect("snaptrend", "--per", "label.hours", *(f"{n}.snap" for n in range(5)))
        self.assertRegex(shown.decode(), r"\nwork +0\.4 of label\.hours\n")
        for n, name in enumerate(names):
            self.expect("snapcat", "-f", "--set", f"label.n={n + 1}{'0' * 15}", "-o", f"{n}.snap", name)
        shown = self.expect("snaptrend", "--per", "label.n", *(f"{n}.snap" for n in range(5)))
        self.assertRegex(shown.decode(), rf"\nwork +4{'0' * 15} of label\.n\n")

    def test_a_limit_of_nothing(self):
        self.expect_failure("snaptrend", "--limit", "0", *self.write(3), err="snaptrend: --limit is larger than 0, not '0'; .*")

    def test_a_process_with_one_snapshot_is_left_out(self):
        names = self.write(5)
        self.expect("snapcat", "--set", "pid=1", "-o", "many.snap", *names)
        self.expect("snapcat", "--set", "pid=2", "-o", "one.snap", names[0])
        self.expect("snapcat", "--set", "pid=3", "-o", "other.snap", names[1])
        shown = self.expect("snaptrend", "many.snap")
        self.expect("snaptrend", "one.snap", "many.snap", out=shown, err="snaptrend: left out: 1 process with one "
                    "snapshot, where a trend needs at least two\n")
        self.expect("snaptrend", "other.snap", "many.snap", "one.snap", out=shown, err="snaptrend: left out: "
                    "2 processes with one snapshot each, where a trend needs at least two\n")
        self.expect_failure("snaptrend", "one.snap", "other.snap", err="snaptrend: process 2: there is one snapshot: .*")

    def test_failures(self):
        names = self.write(3)
        self.expect("snapdiff", "-o", "diff.snap", *names[:2])
        self.expect_failure("snaptrend", "diff.snap", err="snaptrend: diff.snap: it is a diff: .*")
        self.expect_failure("snaptrend", names[0], err="snaptrend: there is one snapshot: a trend needs at least two")
        self.expect_failure("snaptrend", "none.snap", err="snaptrend: none.snap: .*")
        self.expect_failure(
            "snaptrend",
            "--per",
            "label.requests",
            *names,
            err=r"snaptrend: s00\.pickle: snapshot 1 has no metadata key label\.requests",
        )


class Options(TrendCase):
    def test_per(self):
        series = self.series("s.snap", self.write(12), label__requests=lambda i: 100 * i)
        told = self.ask("--per", "label.requests", series)
        self.assertEqual((told["counter"], told["count"]), ("label.requests", 1100))
        self.assertEqual((told["rows"][0]["bytes_per_count"], told["rows"][0]["blocks_per_count"]), (200, 0.2))

    def test_limit(self):
        series = self.series("s.snap", self.write(12), rss_bytes=lambda i: 1000000 + 60000 * i)
        limit = self.ask("--limit", "2020000", series)["limit"]
        self.assertEqual((limit["bytes"], limit["of"], limit["hours"]), (2020000, "rss", 1))
        self.assertIn("of RSS in 1 h", self.expect("snaptrend", "--limit", "2020000", series).decode())
        self.assertEqual(self.ask("--limit", "1K", series)["limit"]["hours"], 0)
        self.assertIsNone(self.ask(series)["limit"]["bytes"])
        contained = self.series("c.snap", self.write(12), cgroup_limit_bytes="3000000")
        self.assertEqual(self.ask(contained)["limit"]["of"], "traced")

    def test_exit_code(self):
        names = self.write(12)
        self.expect("snaptrend", "--exit-code", "--json", *names, status=1)
        steady = [f"c{i}.pickle" for i in range(10)]
        for i, name in enumerate(steady):
            dumps.write(self.folder / name, (500, 1000, MAIN), time=dumps.TIME + i)
        self.expect("snaptrend", "--exit-code", *steady)

    def test_baseline(self):
        names = self.write(12)
        base = self.folder / "known"
        base.write_text("# what we know\n\n*/shop/client.py:31  2999-12-31  known to Ann\n")
        row = self.ask("--baseline", "known", "--exit-code", *names)["rows"][0]
        self.assertEqual(row["accepted"], {"reason": "known to Ann", "until": "2999-12-31", "expired": False})
        self.assertIn("accepted until 2999-12-31: known to Ann", self.expect("snaptrend", "--baseline", "known", *names).decode())
        base.write_text("*/shop/client.py 2020-01-01 known to Ann\n")
        told = self.run_tool("snaptrend", "--baseline", "known", "--exit-code", "--json", *names)
        self.assertEqual((told.status, json.loads(told.out)["rows"][0]["accepted"]["expired"]), (1, True))
        for line, said in {
            "*.py": "line 1: behind the pattern there must be a last day, YYYY-MM-DD, and a reason",
            "*.py tomorrow x": "line 1: behind the pattern there must be a last day, YYYY-MM-DD, and a reason",
            "*.py 2030-01-01": "line 1: the reason is missing",
            "@nothing 2030-01-01 x": "line 1: .*",
        }.items():
            base.write_text(line + "\n")
            self.expect_failure("snaptrend", "--baseline", "known", *names, err=f"snaptrend: known: {said}")


if __name__ == "__main__":
    unittest.main()
