"""Snapshots as tables of SQLite: the same numbers as the tools', the same sentences when something is wrong."""

import itertools
import json
import os
import re
import unittest

import dumps
from extension import LIBRARY, environment, loading_python
from running import ROOT, ToolCase

GOLDEN = ROOT / "testdata/golden/v1"
GROUPS = ("lineno", "filename", "function", "traceback", "domain", "size")
RANKING = (
    "rank, file, line, function, domain, block_size, size, count, size_diff, count_diff, frames, total, traceback"
)
SITES = (
    "member, file, line, function, domain, block_size, blocks, bytes, old_blocks, old_bytes, frames, total, traceback"
)


def quoted(text):
    return "'" + str(text).replace("'", "''") + "'"


def traceback_text(frames):
    """Frames as JSON has them, oldest first."""
    shown = []
    for frame in frames:
        line = f":{frame['line']}" if frame.get("line") else ""
        function = f" ({frame['function']})" if frame.get("function") is not None else ""
        shown.append(f"{frame['file']}{line}{function}")
    return " → ".join(shown) if frames else None


def ranked(found):
    """What the table has to show of an object of snaptop --json."""
    rows = []
    for rank, row in enumerate(found["rows"], 1):
        frames = row.get("traceback", [])
        newest = frames[-1] if frames else {}
        rows.append(
            [
                rank,
                *(newest.get(key) for key in ("file", "line", "function")),
                *(row.get(key) for key in ("domain", "block_size", "size", "count", "size_diff", "count_diff")),
                len(frames) or None,
                row.get("total_nframe"),
                traceback_text(frames),
            ]
        )
    return rows


class Sql(ToolCase):
    def sqlite(self, *statements, options=("-batch", "-list"), database=":memory:"):
        """The shell reads on behind a statement that fails."""
        script = "".join(f"{statement};\n" for statement in (f".load {LIBRARY}\n--", *statements))
        return self.run_tool(
            "sqlite3", "-init", "/dev/null", *options, database, stdin=script.encode(), env=environment(leaks=True)
        )

    def ask(self, *queries):
        """The rows of each query, as lists."""
        wrapped = []
        for columns, rest in queries:
            values = ", ".join(f'"{name.strip()}"' for name in columns.split(","))
            wrapped.append(f"SELECT json_group_array(json_array({values})) FROM (SELECT {columns} FROM {rest})")
        result = self.sqlite(*wrapped)
        self.assertEqual((result.status, result.err), (0, ""))
        answers = [json.loads(line) for line in result.out.decode().splitlines()]
        self.assertEqual(len(answers), len(queries))
        return answers

    def errors(self, *statements):
        """What is said of each statement; all of them fail."""
        result = self.sqlite(*statements)
        self.assertNotEqual(result.status, 99, result.err)
        said = re.findall(r"^(?:Runtime error|Parse error|Error:?) near line \d+: (.*?)(?: \(1\))?$", result.err, re.M)
        self.assertEqual(len(said), len(statements), result.err)
        return said


class SameAsTheTools(Sql):
    def check_rankings(self, call, tool_input, groups=GROUPS, cumulative=(0, 1)):
        """`call` takes the group; the tools get `tool_input` on standard input."""
        queries, wanted = [], []
        for group, sums in itertools.product(groups, cumulative):
            if sums and group in GROUPS[3:]:
                continue
            queries.append((RANKING, f"{call(group)} WHERE cumulative = {sums}"))
            options = ["-c"] if sums else []
            found = json.loads(self.expect("snaptop", "--json", *options, "-g", group, "0", stdin=tool_input))
            wanted.append(ranked(found))
        for query, rows, answer in zip(queries, wanted, self.ask(*queries)):
            self.assertEqual(answer, rows, query)

    def test_rankings_of_real_dumps(self):
        folder = ROOT / "testdata/foreign/tracemalloc"
        for name in ("py3.13.0-big.tm", "py3.11.7.tm.zst", "py3.6.15.tm", "edge-py3.13.0.tm"):
            path = folder / name
            self.check_rankings(lambda group: f"snap_top({quoted(path)}, '{group}')", path.read_bytes())

    def test_rankings_of_snapshots_diffs_and_members(self):
        for name in ("functions", "diff", "columns", "limits", "big-block", "empty", "merged"):
            path = GOLDEN / f"{name}.snap"
            self.check_rankings(
                lambda group: f"snap_top({quoted(path)}, '{group}')", path.read_bytes(), cumulative=(0,)
            )
        path = GOLDEN / "series.snap"
        for number in (1, 2, 3, -1, -3):
            member = self.expect("snapcat", f"{path}@{number}")
            self.check_rankings(lambda group: f"snap_top({quoted(path)}, '{group}', {number})", member, ("lineno",))
            named = quoted(f"{path}@{number}")
            self.check_rankings(lambda group: f"snap_top({named}, '{group}')", member, ("traceback",))

    def test_diffs(self):
        folder = ROOT / "testdata/foreign/tracemalloc"
        for old, new in (
            (folder / "py3.11.7.tm", folder / "py3.12.1.tm"),
            (f"{GOLDEN}/series.snap@1", f"{GOLDEN}/series.snap@-1"),
        ):
            diff = self.expect("snapdiff", old, new)
            self.check_rankings(lambda group: f"snap_diff({quoted(old)}, {quoted(new)}, '{group}')", diff)

    def test_sites_of_golden_files(self):
        """Against what the second decoder's author wrote down."""
        for name in ("functions", "diff", "columns", "series", "empty", "empty-between", "py3.11.7"):
            wanted = []
            for member in json.loads((GOLDEN / f"{name}.expected.json").read_text()):
                is_diff = "old_bytes" in member["columns"]
                for stack, domain, size, *values in member["site_table"]:
                    total, *numbers = member["stack_table"][stack]
                    frames = [
                        dict(zip(("file", "line", "function"), member["frame_table"][number])) for number in numbers
                    ]
                    newest = frames[0] if frames else {}
                    wanted.append(
                        [
                            member["member"],
                            newest.get("file"),
                            newest.get("line") or None,
                            newest.get("function"),
                            domain,
                            size,
                            *(values[:4] if is_diff else [*values[:2], None, None]),
                            len(frames),
                            total or None,
                            traceback_text(frames[::-1]),
                        ]
                    )
            with self.subTest(name=name):
                (rows,) = self.ask((SITES, f"snap_sites({quoted(GOLDEN / name)} || '.snap')"))
                self.assertEqual(sorted(rows, key=repr), sorted(wanted, key=repr))

    def test_sums_and_metadata_are_those_of_snapinfo(self):
        for name in ("series", "diff", "py3.13.0", "dumps-series", "empty-between"):
            path = GOLDEN / f"{name}.snap"
            members = json.loads(self.expect("snapinfo", "--json", path))["members"]
            sums, meta, last = self.ask(
                (
                    "member, count, blocks, bytes, old_bytes",
                    "(SELECT member, count(*) AS count, sum(blocks) AS blocks, sum(bytes) AS bytes,"
                    f" sum(old_bytes) AS old_bytes FROM snap_sites({quoted(path)}) GROUP BY member)",
                ),
                ("member, key, value", f"snap_meta({quoted(path)})"),
                ("member, key, value", f"snap_meta({quoted(path)}, -1)"),
            )
            totals = [
                [number, m["sites"], m["total"]["blocks"], m["total"]["bytes"], m["total"].get("old_bytes")]
                for number, m in enumerate(members, 1)
                if m["sites"] > 0
            ]
            with self.subTest(name=name):
                self.assertEqual(sums, totals)
                self.assertEqual(
                    meta, [[number, *pair] for number, m in enumerate(members, 1) for pair in m["meta"].items()]
                )
                self.assertEqual(last, [[len(members), *pair] for pair in members[-1]["meta"].items()])


class Queries(Sql):
    def setUp(self):
        super().setUp()
        dumps.write_pair(self.folder)
        self.expect("snapcat", "-o", "series.snap", "before.pickle", "after.pickle", "before.pickle")

    def test_joins(self):
        both = "lineno"
        tops, metas, dependent, inner = self.ask(
            (
                "file, line, old, new",
                f"(SELECT n.file, n.line, o.size AS old, n.size AS new FROM snap_top('after.pickle', '{both}') n"
                f" LEFT JOIN snap_top('before.pickle', '{both}') o ON o.file = n.file AND o.line = n.line"
                " ORDER BY n.rank)",
            ),
            (
                "member, value, blocks",
                "(SELECT m.member, m.value, sum(s.blocks) AS blocks FROM snap_meta('series.snap') m"
                " JOIN snap_sites('series.snap') s USING (member) WHERE m.key = 'time' GROUP BY 1)",
            ),
            (
                "member, file",
                "(SELECT m.member, t.file FROM snap_meta('series.snap') m,"
                " snap_top('series.snap', 'filename', m.member) t WHERE m.key = 'time' AND t.rank = 1)",
            ),
            ("n", "(SELECT count(*) AS n FROM snap_sites('series.snap', 2) a, snap_sites('series.snap', 2) b)"),
        )
        client, pages = "/srv/app/shop/client.py", "/srv/app/shop/pages.py"
        self.assertEqual(tops, [[client, 31, 3000, 45000], [pages, 12, 640, 840]])
        times = ["2023-11-14T22:13:20.000Z", "2023-11-14T22:43:20.000Z", "2023-11-14T22:13:20.000Z"]
        self.assertEqual(metas, [[i, time, blocks] for i, time, blocks in zip((1, 2, 3), times, (14, 57, 14))])
        self.assertEqual(dependent, [[1, "/srv/app/main.py"], [2, client], [3, "/srv/app/main.py"]])
        self.assertEqual(inner, [[9]])

    def test_an_inner_loop_reads_a_file_once(self):
        """A pipe could not be read twice."""
        os.mkfifo(self.folder / "pipe")
        result = self.shell(
            f"cat after.pickle >pipe & sqlite3 -batch :memory: '.load {LIBRARY}'"
            """ "SELECT count(*) FROM snap_meta('series.snap') m CROSS JOIN snap_sites('pipe') s" && wait""",
            **environment(leaks=False),
        )
        self.assertEqual((result.status, result.out, result.err), (0, b"45\n", ""))

    def test_members(self):
        counts = self.ask(
            *(
                ("n", f"(SELECT count(*) AS n FROM {rest})")
                for rest in (
                    "snap_sites('series.snap') WHERE member = 2",
                    "snap_sites('series.snap') WHERE member IN (1, 3)",
                    "snap_sites('series.snap') WHERE member = 4",
                    "snap_sites('series.snap') WHERE member = -1",
                    "snap_sites('series.snap') WHERE member = '2'",
                    "snap_sites('series.snap') WHERE member = 2.5",
                    "snap_sites('series.snap', -2) WHERE member = 2",
                    "snap_sites('series.snap@2') WHERE member = 3",
                    "snap_sites('series.snap') WHERE member = 1 OR bytes > 40000",
                )
            )
        )
        self.assertEqual([n for ((n,),) in counts], [3, 6, 0, 0, 3, 0, 3, 0, 4])

    def test_limit_and_order_change_nothing_but_what_they_say(self):
        names = [f"f{i:02}.py:{i % 7}" for i in range(40)]
        dumps.write(self.folder / "many.pickle", *((1 + i % 3, 100 + i % 5, name) for i, name in enumerate(names)))
        conditions = ("", "WHERE size > 150", "WHERE rank > 3", "WHERE size + 0 > 150", "WHERE file LIKE '%3%'",
                      "WHERE line = 3 OR file = 'f01.py'", "WHERE cumulative = 0", "WHERE rank IN (2, 9)",
                      "WHERE group_by IN ('lineno', 'filename')")  # fmt: skip
        orders = ("", "ORDER BY rank", "ORDER BY rank DESC", "ORDER BY size, rank", "ORDER BY rank, size",
                  "ORDER BY -rank")  # fmt: skip
        limits = {"LIMIT 3": (0, 3), "LIMIT 3 OFFSET 2": (2, 5), "LIMIT -1 OFFSET 30": (30, None), "LIMIT 0": (0, 0)}
        queries, cuts = [], []
        for condition, order in itertools.product(conditions, orders):
            call = "snap_top('many.pickle')" if "group_by" not in condition else "snap_top"
            if "group_by" in condition:
                condition += " AND path = 'many.pickle'"
            for limit, cut in {"": (0, None), **limits}.items():
                queries.append(("rank, file, size", f"{call} {condition} {order} {limit}"))
                cuts.append(cut)
        for query, (begin, end), rows in zip(queries, cuts, self.ask(*queries)):
            if (begin, end) == (0, None):
                everything = rows
            self.assertEqual(rows, everything[begin:end], query)

    def test_the_limit_reaches_the_ranking(self):
        result = self.sqlite(
            "EXPLAIN QUERY PLAN SELECT * FROM snap_top('a') ORDER BY rank LIMIT 3",
            "EXPLAIN QUERY PLAN SELECT * FROM snap_top('a') ORDER BY size LIMIT 3",
        )
        plans = result.out.decode().partition("INDEX")[2].partition("QUERY PLAN")
        self.assertNotIn("ORDER BY", plans[0])
        self.assertIn("ORDER BY", plans[2])

    def test_names_of_any_kind(self):
        odd = ["quote'\".py", "new\nline.py", "tab\t.py", "\x1b[31m.py", "caf\u00e9 \u6f22 \U0001f40d.py", "\udce9t.py",
               "a;--.py", "\u202e.py"]  # fmt: skip
        dumps.write(self.folder / "o'dd\n.pickle", *((1, 100 - i, [f"{name}:1"]) for i, name in enumerate(odd)))
        # A file whose name and label are not UTF-8.
        bad = b"b\xff.snap"
        self.expect("snapcat", "-o", bad, "--set", b"label.x=\xffx\xe2\x82'", "after.pickle")
        label = f"snap_meta(CAST(x'{bad.hex()}' AS TEXT)) WHERE key = 'label.x'"
        path = quoted("o'dd\n.pickle")
        files, traces, meta = self.ask(
            ("file", f"snap_top({path})"),
            ("traceback", f"snap_sites({path}) ORDER BY block_size DESC"),
            ("value", label),
        )
        shown = [name.replace("\udce9", "\ufffd" * 3) for name in odd]
        self.assertEqual([file for (file,) in files], shown)
        self.assertEqual([text for (text,) in traces], [f"{name}:1" for name in shown])
        self.assertEqual(meta, [["\ufffdx\ufffd'"]])

    def test_python(self):
        """The same by Python's sqlite3, where it can load extensions; the shell covers the rest."""
        python = loading_python()
        if python is None:
            return
        program = (
            "import sqlite3\n"
            "db = sqlite3.connect(':memory:')\n"
            "db.enable_load_extension(True)\n"
            "db.load_extension('libsnap_sqlite')\n"
            "print(db.execute('SELECT file, size_diff FROM snap_diff(?, ?, ?) LIMIT 1',\n"
            "                 ('before.pickle', 'after.pickle', 'lineno')).fetchall())\n"
            "try:\n"
            "    db.execute('SELECT * FROM snap_meta(?)', ('none.snap',))\n"
            "except sqlite3.OperationalError as error:\n"
            "    print(error)\n"
        )
        self.expect(
            python,
            "-c",
            program,
            env=environment(leaks=False),
            out="[('/srv/app/shop/client.py', 42000)]\nnone.snap: cannot open: No such file or directory\n",
        )


class Errors(Sql):
    def test_bad_files(self):
        """What snaptop says of a file, and what snapinfo says, is what SQL says; a good one is read."""
        paths = [
            path
            for folder in ("snap", "odd", "pickle")
            for path in sorted((ROOT / "testdata/bad" / folder).glob("*"))
            if path.suffix in (".snap", ".pickle")
        ]
        said = {}
        for tool, call in (("snaptop", "snap_top"), ("snapinfo", "snap_meta")):
            for path in paths:
                result = self.run_tool(tool, "--json", path)
                self.assertIn(result.status, (0, 2))
                if result.status == 2:
                    said[f"SELECT count(*) FROM {call}({quoted(path)})"] = result.err[len(tool) + 2 : -1]
        self.assertGreater(len(said), 300)
        for (statement, wanted), found in zip(said.items(), self.errors(*said)):
            self.assertEqual(found, wanted, statement)

    def test_every_truncation_of_a_series(self):
        whole = (GOLDEN / "series.snap").read_bytes()
        statements = []
        members = [m["offset"] for m in json.loads((GOLDEN / "series.expected.json").read_text())]
        for size in set(range(0, len(whole), 7)) - set(members[1:]):
            (self.folder / f"{size}.snap").write_bytes(whole[:size])
            statements += [f"SELECT count(*) FROM snap_sites('{size}.snap')", f"SELECT * FROM snap_top('{size}.snap')"]
        for statement, said in zip(statements, self.errors(*statements)):
            self.assertRegex(said, r"^\d+\.snap: (offset \d+: truncated: |it has \d snapshots)", statement)

    def test_arguments(self):
        dumps.write_pair(self.folder)
        self.expect("snapcat", "-o", "s.snap", "before.pickle", "after.pickle")
        self.expect("snapdiff", "-o", "d.snap", "before.pickle", "after.pickle")
        several = "s.snap: it has 2 snapshots and one is needed: s.snap@N picks the N-th, s.snap@-1 the last"
        cases = {
            "snap_top": "snap_top: there is no path: snap_top('a.snap', 'lineno')",
            "snap_diff('a')": "snap_diff: there is no new_path: snap_diff('a.snap', 'b.snap', 'lineno')",
            "snap_meta WHERE key = 'a'": "snap_meta: there is no path: snap_meta('a.snap')",
            "snap_sites(NULL)": "snap_sites: path is text, not NULL",
            "snap_sites(x'41')": "snap_sites: path is text, not a blob",
            "snap_sites('a' || char(0) || 'b')": "snap_sites: path has a NUL character",
            "snap_sites('')": ": cannot open: No such file or directory",
            "snap_sites('.')": ".: cannot read: it is a directory",
            "snap_sites('none')": "none: cannot open: No such file or directory",
            "snap_sites('a' || char(27, 10, 155))": "a\\x1b\\x0a\\x9b: cannot open: No such file or directory",
            "snap_sites('-')": "-: SQL reads standard input as /dev/stdin",
            "snap_sites('-@1')": "-@1: SQL reads standard input as /dev/stdin",
            "snap_sites('s.snap', 'x')": "snap_sites: pick is a whole number, not text",
            "snap_sites('s.snap', NULL)": "snap_sites: pick is a whole number, not NULL",
            "snap_sites('s.snap', 0)": "s.snap: snapshots are counted from 1, or from -1 backwards",
            "snap_sites('s.snap@0')": "s.snap@0: snapshots are counted from 1, or from -1 backwards",
            "snap_sites('s.snap', 3)": "s.snap: there are only 2 snapshots",
            "snap_sites('s.snap@-3')": "s.snap@-3: there are only 2 snapshots",
            "snap_meta('s.snap@99999999999999999999')": "s.snap@99999999999999999999: there are only 2 snapshots",
            "snap_top('d.snap', 'size', 2)": "d.snap: there is only 1 snapshot",
            "snap_top('s.snap@1', 'size', 2)": "s.snap@1: its snapshot is picked twice, in the name and beside it",
            "snap_top('s.snap')": several,
            "snap_diff('s.snap@1', 's.snap')": several,
            "snap_diff('d.snap', 's.snap@1')": "the older snapshot is a diff itself: a diff is made of two plain snapshots",
            "snap_top('d.snap', 'colour')": "snap_top: group_by is lineno, filename, function, traceback, domain"
            " or size, not 'colour'",
            "snap_top('d.snap', 1)": "snap_top: group_by is text, not a number",
            "snap_top('d.snap') WHERE cumulative = 2": "snap_top: cumulative is 0 or 1, not 2",
            "snap_top('d.snap', 'domain') WHERE cumulative = 1": None,
            "snap_sites('s.snap', 1, 2)": "too many arguments on snap_sites() - max 2",
        }
        found = self.errors(*(f"SELECT * FROM {rest}" for rest in cases))
        for (rest, wanted), said in zip(cases.items(), found):
            with self.subTest(rest=rest):
                self.assertEqual(said, wanted if wanted is not None else said)

    def test_every_lack_of_memory(self):
        """Also while the extension is loaded: nothing may lead into a library that was unloaded again."""
        layer = LIBRARY.parent.parent / "tests/fault.so"
        if os.environ.get("SNAP_VARIANT") == "asan":  # which has an allocator of its own
            return
        diff = f"snap_diff('{GOLDEN}/series.snap@1', '{GOLDEN}/series.snap@-1', 'traceback')"
        script = f".load {LIBRARY}\nSELECT size, traceback FROM {diff} LIMIT 3;\nSELECT 'end';\n".encode()

        def run(**faults):
            return self.run_tool("sqlite3", "-init", "/dev/null", "-batch", ":memory:", stdin=script,
                                 env={"LD_PRELOAD": str(layer), **faults})  # fmt: skip

        whole = run(FAULT_COUNT=str(self.folder / "calls"))
        calls = int(re.search(r"ALLOC (\d+)", (self.folder / "calls").read_text())[1])
        self.assertGreater(calls, 300)
        for call in range(1, calls + 1, 2):
            result = run(FAULT_ALLOC=str(call))
            with self.subTest(call=call):
                self.assertIn(result.status, (0, 1), result.err)
                if result.err == "" and result.status == 0:
                    self.assertEqual(result.out, whole.out)

    def test_a_pipe_is_not_counted_from_the_back(self):
        os.mkfifo(self.folder / "pipe")
        dumps.write_pair(self.folder)
        result = self.shell(
            f"cat after.pickle >pipe & sqlite3 -batch :memory: '.load {LIBRARY}' \"SELECT * FROM snap_top('pipe@-1')\"",
            **environment(leaks=False),
        )
        self.assertIn("pipe@-1: it cannot be read twice, so its snapshots have to be counted from 1", result.err)

    def test_a_view_or_trigger_of_a_database_reads_no_files(self):
        result = self.sqlite(
            "CREATE TABLE t(a)",
            "CREATE VIEW v AS SELECT * FROM snap_meta('/etc/passwd')",
            "CREATE TRIGGER r AFTER INSERT ON t BEGIN DELETE FROM t WHERE a IN (SELECT key FROM snap_meta('x')); END",
            "PRAGMA trusted_schema = 1",
            "SELECT * FROM v",
            "INSERT INTO t VALUES (1)",
        )
        self.assertEqual(result.out, b"")
        self.assertEqual(result.err.count('unsafe use of virtual table "snap_meta"'), 2, result.err)

    def test_a_failure_leaves_the_transaction(self):
        result = self.sqlite(
            "BEGIN",
            "CREATE TABLE t(a)",
            "INSERT INTO t VALUES (7)",
            "INSERT INTO t SELECT rank FROM snap_top('none')",
            "COMMIT",
            "SELECT a FROM t",
        )
        self.assertEqual(result.out, b"7\n")


if __name__ == "__main__":
    unittest.main()
