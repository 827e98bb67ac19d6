"""What all tools have in common: options, operands, messages, exit status."""

import json
import os
import subprocess
import unittest

import dumps
from running import BIN, ToolCase

TOOLS = ("snapcat", "snapdiff", "snapfilter", "snapinfo", "snapload", "snaptop", "snaptrend")
# Those, and what takes no snapshots as operands.
EVERY_TOOL = (*TOOLS, "snaprun", "snaptake")


class Options(ToolCase):
    def test_help(self):
        for tool in EVERY_TOOL:
            for option in ("-h", "--help"):
                with self.subTest(tool=tool, option=option):
                    text = self.expect(tool, option).decode()
                    lines = text.splitlines()
                    self.assertTrue(lines[0].startswith(f"Usage: {tool} [OPTION]... "))
                    self.assertLessEqual(len(lines), 48)
                    self.assertLessEqual(max(map(len, lines)), 100)
                    self.assertIn("Options:", lines)
                    self.assertIn("Examples:", lines)

    def test_help_names_what_the_tool_takes_and_nothing_else(self):
        for tool in EVERY_TOOL:
            options = [
                word
                for line in self.expect(tool, "--help").decode().partition("\nExamples:")[0].splitlines()
                for word in line.split()[:2]
                if word.startswith("--")
            ]
            self.assertEqual(options[-4:], ["--quiet", "--color", "--help", "--version"])
            for option in options:
                result = self.run_tool(tool, option, "--help")
                with self.subTest(tool=tool, option=option):
                    self.assertNotIn("there is no option", result.err)

    def test_version(self):
        for tool in EVERY_TOOL:
            for option in ("-V", "--version"):
                self.assertRegex(
                    self.expect(tool, option).decode(),
                    rf"\A{tool} (\d+\.\d+\.\d+) \(libsnap \1, format 1\)\n\Z",
                )

    def test_wrong_options(self):
        cases = {
            ("snaptop", "-Z"): "snaptop: there is no option -Z; see snaptop --help",
            (
                "snaptop",
                "--zap",
            ): "snaptop: there is no option --zap, or it is the beginning of several; see snaptop --help",
            (
                "snaptop",
                "--so=1",
            ): "snaptop: there is no option --so=1, or it is the beginning of several; see snaptop --help",
            ("snaptop", "-g"): "snaptop: option -g needs an argument; see snaptop --help",
            ("snaptop", "--map"): "snaptop: option --map needs an argument; see snaptop --help",
            ("snaptop", "--json=1"): "snaptop: option --json takes no argument; see snaptop --help",
            (
                "snaptop",
                "-g",
                "colour",
            ): "snaptop: --group-by is lineno, filename, function, traceback, domain or size,"
            " not 'colour'; see snaptop --help",
            ("snaptop", "-s", "name"): "snaptop: --sort is size, count, size-diff or count-diff, not 'name';"
            " see snaptop --help",
            (
                "snaptop",
                "-t",
                "-1",
            ): "snaptop: --frames is a number from 0 to 65535, not '-1'; see snaptop --help",
            ("snaptop", "--format", "xml"): "snaptop: --format is table, tracemalloc, json or tsv, not 'xml';"
            " see snaptop --help",
            ("snaptop", "--map", "a"): "snaptop: --map needs KEY=VALUE, not 'a'; see snaptop --help",
            (
                "snaptop",
                "--color=red",
            ): "snaptop: --color is auto, always or never, not 'red'; see snaptop --help",
            ("snaptop", "a", "b"): "snaptop: one FILE is enough: 'b'; see snaptop --help",
            ("snapdiff", "a", "b", "c"): "snapdiff: OLD and NEW are enough: 'c'; see snapdiff --help",
            (
                "snapdiff",
                "--fail-over",
                "5MB",
            ): "snapdiff: --fail-over is a size such as 512, 64K or 5MiB, not '5MB';"
            " see snapdiff --help",
            (
                "snapcat",
                "--level",
                "0",
            ): "snapcat: --level is a number from 1 to 19, not '0'; see snapcat --help",
            (
                "snapcat",
                "--level",
                "20",
            ): "snapcat: --level is a number from 1 to 19, not '20'; see snapcat --help",
            ("snapcat", "--set", "=x"): "snapcat: --set needs KEY=VALUE, not '=x'; see snapcat --help",
            ("snapinfo", "-f", "y"): "snapinfo: -f goes with --salvage only; see snapinfo --help",
            (
                "snapinfo",
                "--salvage",
                "--json",
            ): "snapinfo: --salvage goes neither with --check nor with --json;"
            " see snapinfo --help",
            ("snapinfo", "--salvage", "a", "b"): "snapinfo: --salvage takes one FILE; see snapinfo --help",
        }
        for command, said in cases.items():
            with self.subTest(command=command):
                self.expect(*command, status=2, out="", err=said + "\n")
        self.assertEqual(self.files(), [])

    def test_words_that_steer_a_terminal_are_shown_harmless(self):
        self.expect(
            "snaptop",
            "--\x1b[2J\n",
            status=2,
            out="",
            err="snaptop: there is no option --\\x1b[2J\\x0a, or it is the beginning of several;"
            " see snaptop --help\n",
        )

    def test_no_operand_and_a_terminal_is_a_short_usage(self):
        for tool in TOOLS:
            result = self.run_on_terminal(tool, stderr=subprocess.DEVNULL)
            self.assertEqual((result.status, result.out), (2, b""))
            shown = self.run_on_terminal(tool).out.decode()
            self.assertRegex(shown, rf"\AUsage: {tool} \[OPTION\]\.\.\. .*\nsee {tool} --help\n\Z")

    def test_sizes(self):
        dumps.write_pair(self.folder)  # grows by 38104 bytes
        for size, status in {
            "38104": 0,
            "38103": 1,
            "37K": 1,
            "37KiB": 1,
            "38k": 0,
            "1M": 0,
            "1MiB": 0,
            "1g": 0,
            "8388607T": 0,
            "0": 1,
            "38103B": 1,
        }.items():
            with self.subTest(size=size):
                result = self.run_tool("snapdiff", "-q", "--fail-over", size, "before.pickle", "after.pickle")
                self.assertEqual((result.status, result.err), (status, ""))
        for size in ("", "K", "-1", "1.5M", "1 K", "9223372036854775808", "8388608T", "1Ki", "0x10"):
            with self.subTest(size=size):
                result = self.run_tool("snapdiff", "--fail-over", size, "before.pickle", "after.pickle")
                self.assertEqual((result.status, result.out), (2, b""))


class Operands(ToolCase):
    def setUp(self):
        super().setUp()
        dumps.write_pair(self.folder)
        self.expect("snapcat", "-o", "series.snap", "before.pickle", "after.pickle", "before.pickle")

    def count(self, *argv, **options):
        return json.loads(self.expect("snaptop", "--json", "0", *argv, **options))["total"]["count"]

    def test_member(self):
        counts = {"1": 14, "2": 57, "3": 14, "-1": 14, "-2": 57, "-3": 14}
        for member, count in counts.items():
            with self.subTest(member=member):
                self.assertEqual(self.count(f"series.snap@{member}"), count)
                series = (self.folder / "series.snap").read_bytes()
                self.assertEqual(self.count("--", f"-@{member}", stdin=series), count)

    def test_no_such_member(self):
        for member in ("4", "-4", "99999999999999999999", "-99999999999999999999"):
            self.expect(
                "snaptop",
                f"series.snap@{member}",
                status=2,
                out="",
                err=f"snaptop: series.snap@{member}: there are only 3 snapshots\n",
            )
        self.expect(
            "snaptop",
            "before.pickle@2",
            status=2,
            out="",
            err="snaptop: before.pickle@2: there is only 1 snapshot\n",
        )
        self.expect(
            "snaptop",
            "series.snap@0",
            status=2,
            out="",
            err="snaptop: series.snap@0: snapshots are counted from 1, or from -1 backwards\n",
        )

    def test_one_of_standard_input(self):
        series = (self.folder / "series.snap").read_bytes()
        for member in ("1", "2", "-1"):
            shown = self.expect("snaptop", "0", f"series.snap@{member}")
            for words in ((f"-@{member}", "0"), ("0", f"-@{member}"), ("--", f"-@{member}", "0")):
                self.assertEqual(self.expect("snaptop", *words, stdin=series), shown)
        growth = self.expect("snapdiff", "--no-history", "series.snap@1", "series.snap@2")
        self.assertEqual(self.expect("snapdiff", "--no-history", "series.snap@1", "-@2", stdin=series), growth)
        self.assertEqual(self.expect("snapdiff", "-@1", "series.snap@2", "--no-history", stdin=series), growth)
        self.expect_failure("snaptop", "--cumulative", "-zq", err="snaptop: there is no option -z; see snaptop --help")
        for word in ("-@", "-@x", "-@-", "-q@1"):
            self.expect_failure("snaptop", word, err="snaptop: there is no option -@; see snaptop --help")

    def test_reports_into_files(self):
        """They appear when they are whole, and take no snapshot's place."""
        snapshot = (self.folder / "series.snap").read_bytes()
        dump = (self.folder / "before.pickle").read_bytes()
        for words in (("snaptop", "series.snap@1"), ("snaptop", "--json", "series.snap@1"), ("snapinfo", "series.snap"),
                      ("snaptrend", "--tsv", "series.snap"), ("snapinfo", "--json", "before.pickle")):
            with self.subTest(words=words):
                shown = self.expect(*words)
                self.assertEqual(self.expect(*words, "-o", "-"), shown)
                (self.folder / "out").write_text("what was there")
                for _ in range(2):
                    self.expect(*words, "-o", "out", out="")
                    self.assertEqual((self.folder / "out").read_bytes(), shown)
                self.assertEqual(self.run_on_terminal(*words, "--output=out").out, b"")
                self.assertEqual((self.folder / "out").read_bytes(), shown)
                self.expect_failure(words[0], "-o", "out", "none.snap", err=f"{words[0]}: none.snap: .*")
                self.assertEqual((self.folder / "out").read_bytes(), shown)
                for name in ("series.snap", "before.pickle"):
                    self.expect_failure(*words, "-o", name, err=f"{words[0]}: {name}: it exists and is a snapshot or a dump.*")
                self.expect_failure(*words, "-o", "none/out", err=f"{words[0]}: none/out: cannot create: .*")
                self.expect_failure(*words, "-o", "/dev/full", err=f"{words[0]}: /dev/full: cannot write: No space left.*")
        self.assertEqual((self.folder / "series.snap").read_bytes(), snapshot)
        self.assertEqual((self.folder / "before.pickle").read_bytes(), dump)
        self.assertEqual([name for name in os.listdir(self.folder) if "tmp" in name], [])
        self.expect("snaptrend", "--exit-code", "-o", "new", "series.snap")
        self.assertEqual((self.folder / "new").read_bytes(), self.expect("snaptrend", "series.snap"))

    def test_what_goes_into_production_needs_little(self):
        """No more than the C library where snapshots are only taken."""
        for tool in ("snaprun", "snaptake"):
            needed = subprocess.run(["ldd", BIN / tool], check=True, capture_output=True, text=True).stdout
            self.assertIn("libc.so", needed)
            for library in ("libzstd", "libz.", "libsqlite3", "libpcre2"):
                self.assertNotIn(library, needed, tool)

    def test_a_number_that_is_too_large(self):
        for number in ("18446744073709551616", "9" * 40):
            self.expect_failure("snaptop", number, "before.pickle", err=f"snaptop: '{number}' is too large a number; .*")

    def test_the_environment_bounds_times_of_files(self):
        """Not those that the file tells itself."""
        for day in (11, 12):
            (self.folder / f"{day}.pickle").write_bytes((self.folder / "before.pickle").read_bytes())
            os.utime(self.folder / f"{day}.pickle", (86400 * day, 86400 * day))
            self.expect("snapcat", "--no-history", "-o", f"{day}.snap", f"{day}.pickle",
                        env={"SOURCE_DATE_EPOCH": str(86400 * 10)})
        self.assertEqual((self.folder / "11.snap").read_bytes(), (self.folder / "12.snap").read_bytes())
        self.assertIn(b"1970-01-11 00:00:00 UTC, file modification time", self.expect("snaptop", "11.snap"))
        for epoch, seen in ((str(86400 * 11 + 3600), b"1970-01-12 00:00:00"), ("x", b"1970-01-12 00:00:00")):
            self.assertIn(seen, self.expect("snaptop", "11.pickle", env={"SOURCE_DATE_EPOCH": epoch}))
        self.expect("snapcat", "--set", "time=2026-07-01T00:00:00Z", "-o", "told.snap", "11.pickle")
        told = self.expect("snaptop", "told.snap", env={"SOURCE_DATE_EPOCH": "0"})
        self.assertIn(b"2026-07-01 00:00:00 UTC\n", told)

    def test_several_where_one_is_needed(self):
        said = "it has 3 snapshots and one is needed: {0}@N picks the N-th, {0}@-1 the last\n"
        self.expect(
            "snaptop",
            "series.snap",
            status=2,
            out="",
            err="snaptop: series.snap: " + said.format("series.snap"),
        )
        self.expect(
            "snapdiff",
            "before.pickle",
            "series.snap",
            status=2,
            out="",
            err="snapdiff: series.snap: " + said.format("series.snap"),
        )
        series = (self.folder / "series.snap").read_bytes()
        self.expect(
            "snaptop", stdin=series, status=2, out="", err="snaptop: standard input: " + said.format("-")
        )

    def test_a_file_of_that_name_wins(self):
        os.rename(self.folder / "after.pickle", self.folder / "series.snap@1")
        self.assertEqual(self.count("series.snap@1"), 57)

    def test_an_at_sign_without_a_number_is_part_of_the_name(self):
        for name in ("a@", "a@b", "@1", "a@1b", "a@-"):
            os.link(self.folder / "before.pickle", self.folder / name)
            self.assertEqual(self.count(name), 14)

    def test_standard_input(self):
        before = (self.folder / "before.pickle").read_bytes()
        self.assertEqual(self.count(stdin=before), 14)
        self.assertEqual(self.count("-", stdin=before), 14)
        self.expect(
            "snapdiff",
            "-",
            "-",
            stdin=before,
            status=2,
            out="",
            err="snapdiff: standard input: can be read only once\n",
        )

    def test_options_may_stand_behind_operands(self):
        self.expect("snapcat", "before.pickle", "-o", "out.snap", "--no-history")
        self.assertEqual(self.count("--", "out.snap"), 14)

    def test_a_bare_number_is_a_count(self):
        os.link(self.folder / "before.pickle", self.folder / "2")
        for operands in (("2", "after.pickle"), ("after.pickle", "2"), ("2", "./2"), ("2", "2")):
            with self.subTest(operands=operands):
                rows = json.loads(self.expect("snaptop", "--json", *operands))["rows"]
                self.assertEqual(len(rows), 2)

    def test_files_that_cannot_be_read(self):
        (self.folder / "empty").write_bytes(b"")
        (self.folder / "text").write_bytes(b"hello, world\n")
        for tool in TOOLS:
            command = (tool, "a.db") if tool == "snapload" else (tool,)
            with self.subTest(tool=tool):
                self.expect_failure(
                    *command, "none.snap", err=f"{tool}: none.snap: cannot open: No such file or directory"
                )
                self.expect_failure(*command, ".", err=rf"{tool}: \.: cannot read: it is a directory")
                self.expect_failure(*command, "empty", err=f"{tool}: empty: (offset 0: )?.*")
                self.expect_failure(*command, "text", err=f"{tool}: text: (offset 0: )?.*")
                self.expect_failure(*command, "x" * 5000, err=f"{tool}: x+: cannot open: File name too long")

    def test_a_hostile_name_is_shown_harmless(self):
        for name, shown in ((b"a\x1b[31m\n\xff", "a\\x1b[31m\\x0a\\xff"), ("\u202eb".encode(), "\\u202eb")):
            self.expect(
                "snapinfo",
                name,
                status=2,
                out="",
                err=f"snapinfo: {shown}: cannot open: No such file or directory\n",
            )


class SameEverywhere(ToolCase):
    def test_locale_changes_nothing(self):
        dumps.write(
            self.folder / "a.pickle", (1, 1234567, ["caf\u00e9 \u6f22\u5b57.py:1"]), (5, 10, "z\u0301.py:2")
        )
        for form in ("table", "tracemalloc", "json", "tsv"):
            found = {
                self.expect("snaptop", "--format", form, "a.pickle", env={"LC_ALL": locale})
                for locale in ("C", "C.UTF-8", "POSIX", "de_DE.UTF-8", "")
            }
            self.assertEqual(len(found), 1)

    def test_tools_are_the_ones_of_this_build(self):
        for tool in TOOLS:
            self.assertTrue((BIN / tool).is_file())


if __name__ == "__main__":
    unittest.main()
