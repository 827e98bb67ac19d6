"""The forms of snaptop that programs read: JSON, TSV, and what tracemalloc prints."""

import json
import unittest

import dumps
from running import ToolCase

ODD = [
    "a\x1b[31m.py",
    "new\nline.py",
    "tab\tcr\r.py",
    "\u202egnp.py",
    "caf\u00e9 \u6f22.py",
    "/srv/\udce9t\udcff.py",
    "back\\.py",
    "\x9bcsi.py",
    "quote\"'.py",
    "\ud800.py",
    "del\x7f.py",
    "\U0001f40d.py",
    "z\u0301\u200d\ufeff.py",
    "<unknown>",
    "a:b;c.py",
]


def as_utf8(name):
    return name.encode("utf-8", "surrogatepass")


class Forms(ToolCase):
    def setUp(self):
        super().setUp()
        self.before, self.after = dumps.write_pair(self.folder)
        self.diff = self.expect("snapdiff", "--no-history", "before.pickle", "after.pickle")
        self.odd = dumps.write(
            self.folder / "odd.pickle",
            *((1, 100 - i, ["main.py:5", f"{name}:{i + 1}"]) for i, name in enumerate(ODD)),
        )


class Json(Forms):
    def test_snapshot_byte_for_byte(self):
        self.expect(
            "snaptop",
            "--json",
            "after.pickle",
            out=(
                '{"v":1,"kind":"snapshot","group_by":"lineno","cumulative":false,'
                '"meta":{"source_format":"tracemalloc","traceback_limit":"25","time":"2023-11-14T22:43:20.000Z",'
                '"time_source":"file modification time"},'
                '"total":{"size":45840,"count":57},"groups":2,"rows":['
                '{"traceback":[{"file":"/srv/app/shop/client.py","line":31}],"size":45000,"count":45},'
                '{"traceback":[{"file":"/srv/app/shop/pages.py","line":12}],"size":840,"count":12}]}\n'
            ),
        )

    def test_diff(self):
        found = json.loads(self.expect("snaptop", "--format", "json", "1", stdin=self.diff))
        self.assertEqual(
            list(found),
            ["v", "kind", "group_by", "cumulative", "meta", "old_meta", "total", "groups", "rows"],
        )
        self.assertEqual(found["kind"], "diff")
        self.assertEqual(found["meta"]["time"], "2023-11-14T22:43:20.000Z")
        self.assertEqual(
            found["old_meta"],
            {
                "source_format": "tracemalloc",
                "traceback_limit": "25",
                "time": "2023-11-14T22:13:20.000Z",
                "time_source": "file modification time",
            },
        )
        self.assertFalse([key for key in found["meta"] if key.startswith("old.")])
        self.assertEqual(
            list(found["total"].items()),
            [("size", 45840), ("count", 57), ("size_diff", 38104), ("count_diff", 43)],
        )
        self.assertEqual(found["groups"], 3)
        self.assertEqual(
            found["rows"],
            [
                {
                    "traceback": [{"file": "/srv/app/shop/client.py", "line": 31}],
                    "size": 45000,
                    "count": 45,
                    "size_diff": 42000,
                    "count_diff": 42,
                }
            ],
        )

    def test_history_stays_in_meta(self):
        diff = self.expect("snapdiff", "before.pickle", "after.pickle")
        meta = json.loads(self.expect("snaptop", "--json", stdin=diff))["meta"]
        self.assertRegex(meta["history.1"], r"^snapdiff \d+\.\d+\.\d+: before.pickle after.pickle$")

    def test_groups(self):
        dumps.write(self.folder / "g.pickle", (2, 100, "a.py:1 b.py:2"), (1, 5 << 30, "b.py:0", 3, 389047))
        rows = {
            key: json.loads(self.expect("snaptop", "--json", "-g", key, "g.pickle"))["rows"]
            for key in ("lineno", "filename", "function", "traceback", "domain", "size")
        }
        big = {"size": 5 << 30, "count": 1}
        small = {"size": 200, "count": 2}
        self.assertEqual(
            rows,
            {
                "lineno": [
                    {"traceback": [{"file": "b.py"}], **big},
                    {"traceback": [{"file": "b.py", "line": 2}], **small},
                ],
                "filename": [{"traceback": [{"file": "b.py"}], "size": (5 << 30) + 200, "count": 3}],
                "function": [
                    {"traceback": [{"file": "b.py"}], **big},
                    {"traceback": [{"file": "b.py", "line": 2}], **small},
                ],
                "traceback": [
                    {"traceback": [{"file": "b.py"}], "total_nframe": 3, **big},
                    {
                        "traceback": [{"file": "a.py", "line": 1}, {"file": "b.py", "line": 2}],
                        "total_nframe": 2,
                        **small,
                    },
                ],
                "domain": [{"domain": 389047, **big}, {"domain": 0, **small}],
                "size": [{"block_size": 5 << 30, **big}, {"block_size": 100, **small}],
            },
        )

    def test_cumulative_counts_a_block_once_in_a_group(self):
        dumps.write(self.folder / "r.pickle", (1, 100, "a.py:3 a.py:2 a.py:2"))
        found = json.loads(self.expect("snaptop", "--json", "-c", "-g", "filename", "r.pickle"))
        self.assertIs(found["cumulative"], True)
        self.assertEqual([(row["size"], row["count"]) for row in found["rows"]], [(100, 1)])

    def test_all_tracebacks_whatever_the_table_would_show(self):
        dumps.write(
            self.folder / "deep.pickle", (1, 9, " ".join(f"f.py:{i}" for i in range(1, 31))), limit=30
        )
        for argv in ((), ("-t", "3"), ("--most-recent-first",)):
            found = json.loads(self.expect("snaptop", "--json", "-g", "traceback", *argv, "deep.pickle"))
            self.assertEqual([frame["line"] for frame in found["rows"][0]["traceback"]], list(range(1, 31)))

    def test_sorting(self):
        dumps.write(self.folder / "s.pickle", (9, 1, "many.py:1"), (1, 100, "big.py:1"))
        first = {
            order: json.loads(self.expect("snaptop", "--json", "-s", order, "s.pickle"))["rows"][0]
            for order in ("size", "count")
        }
        self.assertEqual({order: row["count"] for order, row in first.items()}, {"size": 1, "count": 9})
        for order in ("size-diff", "count-diff"):
            self.expect_failure("snaptop", "--json", "-s", order, "s.pickle", err="snaptop: .*")
            self.assertEqual(
                json.loads(self.expect("snaptop", "--json", "-s", order, stdin=self.diff))["rows"][0][
                    "count_diff"
                ],
                42,
            )

    def test_combinations_that_make_no_sense(self):
        for key in ("traceback", "domain", "size"):
            self.expect_failure("snaptop", "-c", "-g", key, "after.pickle", err="snaptop: .*")

    def test_text(self):
        text = self.expect("snaptop", "--json", "0", "odd.pickle")
        found = [row["traceback"][0]["file"] for row in json.loads(text)["rows"]]
        self.assertEqual(found, [as_utf8(name).decode("utf-8", "replace") for name in ODD])
        self.assertNotRegex(text[:-1].decode(), "[\x00-\x1f\x7f-\x9f\u202e\u200d\ufeff]")

    def test_exact_integers(self):
        dumps.write(self.folder / "big.pickle", (3, (1 << 60) + 1, "a.py:1"))
        self.assertEqual(
            json.loads(self.expect("snaptop", "--json", "big.pickle"))["total"]["size"], 3 * ((1 << 60) + 1)
        )

    def test_empty(self):
        dumps.write(self.folder / "empty.pickle")
        found = json.loads(self.expect("snaptop", "--json", "empty.pickle"))
        self.assertEqual((found["total"], found["groups"], found["rows"]), ({"size": 0, "count": 0}, 0, []))


class Tsv(Forms):
    def test_byte_for_byte(self):
        self.expect(
            "snaptop",
            "--tsv",
            "after.pickle",
            out=(
                "#size\tcount\tfile\tline\tfunction\n"
                "45000\t45\t/srv/app/shop/client.py\t31\t\n"
                "840\t12\t/srv/app/shop/pages.py\t12\t\n"
            ),
        )
        self.expect(
            "snaptop",
            "--tsv",
            "-g",
            "traceback",
            "1",
            stdin=self.diff,
            out=(
                "#size\tcount\tsize_diff\tcount_diff\tfile\tline\tfunction\ttraceback\n"
                "45000\t45\t42000\t42\t/srv/app/shop/client.py\t31\t"
                "\t/srv/app/main.py:7;/srv/app/shop/client.py:31\n"
            ),
        )
        self.expect(
            "snaptop",
            "--format=tsv",
            "-g",
            "filename",
            "1",
            "after.pickle",
            out=("#size\tcount\tfile\tline\tfunction\n" "45000\t45\t/srv/app/shop/client.py\t0\t\n"),
        )
        self.expect(
            "snaptop", "--tsv", "-g", "domain", "after.pickle", out="#size\tcount\tdomain\n45840\t57\t0\n"
        )
        self.expect(
            "snaptop",
            "--tsv",
            "-g",
            "size",
            "after.pickle",
            out=("#size\tcount\tblock_size\n45000\t45\t1000\n640\t10\t64\n200\t2\t100\n"),
        )

    def test_text(self):
        lines = self.expect("snaptop", "--tsv", "0", "odd.pickle").decode().split("\n")
        self.assertEqual(lines.pop(), "")
        found = []
        for line in lines[1:]:
            size, count, file, number, function = line.split("\t")
            for written, meant in (("\\t", "\t"), ("\\n", "\n"), ("\\r", "\r"), ("\\\\", "\\")):
                file = file.replace(written, meant)
            found.append(file)
        self.assertEqual(found, [as_utf8(name).decode("utf-8", "replace") for name in ODD])

    def test_a_terminal_gets_nothing_that_steers_it(self):
        for form in ("tsv", "tracemalloc", "table", "json"):
            shown = self.run_on_terminal(
                "snaptop", "--color=never", "--format", form, "0", "odd.pickle"
            ).out.decode()
            allowed = "\n\t" if form == "tsv" else "\n"
            self.assertEqual(
                [
                    c
                    for c in shown
                    if c not in allowed and (c < " " or "\x7f" <= c <= "\x9f" or c in "\u202e\u200d\ufeff")
                ],
                [],
            )


class Tracemalloc(Forms):
    def expected(self, statistics, count=None):
        return "".join(f"{stat}\n" for stat in statistics[:count]).encode("utf-8", "surrogateescape")

    def test_same_as_python_prints(self):
        for key in ("lineno", "filename", "traceback"):
            for argv, cumulative in (((), False), (("-c",), True)):
                if cumulative and key == "traceback":
                    continue
                with self.subTest(key=key, cumulative=cumulative):
                    form = ("snaptop", "--format", "tracemalloc", "-g", key, *argv)
                    self.expect(
                        *form, "0", "after.pickle", out=self.expected(self.after.statistics(key, cumulative))
                    )
                    self.expect(
                        *form,
                        "0",
                        stdin=self.diff,
                        out=self.expected(self.after.compare_to(self.before, key, cumulative)),
                    )

    def test_sizes(self):
        sizes = [
            0,
            1,
            9,
            1023,
            1024,
            10239,
            10240,
            102399,
            102400,
            10485759,
            10485760,
            (100 << 20) - 1,
            5 << 30,
            1 << 40,
            1 << 50,
            1 << 60,
        ]
        made = dumps.write(
            self.folder / "sizes.pickle",
            *((1, size, f"f.py:{i + 1}") for i, size in enumerate(sizes)),
            (2, 19, "g.py:1"),
            (2, 5, "g.py:2"),
            (1, 0, "g.py:2"),
        )
        self.expect(
            "snaptop",
            "--format=tracemalloc",
            "0",
            "sizes.pickle",
            out=self.expected(made.statistics("lineno")),
        )

    def test_odd_names(self):
        names = [name for name in ODD if name != "\ud800.py"]  # which Python cannot print in any way
        made = dumps.write(
            self.folder / "names.pickle", *((1, 100 - i, [f"{name}:{i + 1}"]) for i, name in enumerate(names))
        )
        self.expect(
            "snaptop",
            "--format=tracemalloc",
            "0",
            "names.pickle",
            out=self.expected(made.statistics("lineno")),
        )
        shown = self.expect("snaptop", "--format=tracemalloc", "0", "odd.pickle")
        self.assertIn(as_utf8("\ud800.py"), shown)

    def test_recursion_counts_as_cpython_counts_it(self):
        made = dumps.write(self.folder / "r.pickle", (1, 100, "a.py:3 a.py:2 a.py:2"))
        for key in ("filename", "lineno"):
            self.expect(
                "snaptop",
                "--format=tracemalloc",
                "-c",
                "-g",
                key,
                "0",
                "r.pickle",
                out=self.expected(made.statistics(key, True)),
            )

    def test_what_tracemalloc_cannot_do(self):
        for key in ("function", "domain", "size"):
            self.expect(
                "snaptop",
                "--format",
                "tracemalloc",
                "-g",
                key,
                "after.pickle",
                status=2,
                out="",
                err="snaptop: tracemalloc groups by lineno, filename or traceback only;"
                " another --format shows the rest\n",
            )


if __name__ == "__main__":
    unittest.main()
