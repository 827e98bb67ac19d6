"""snapinfo: text, JSON, checking and salvaging."""

import json
import re
import unittest

import dumps
from running import ToolCase

END_SIZE = 24 + 64


class Info(ToolCase):
    def setUp(self):
        super().setUp()
        dumps.write_pair(self.folder)
        self.expect("snapcat", "--no-history", "-o", "before.snap", "before.pickle")
        self.expect(
            "snapcat",
            "--no-history",
            "--set",
            "label.x=y",
            "-o",
            "series.snap",
            "before.pickle",
            "after.pickle",
            "before.pickle",
        )

    def series(self):
        return (self.folder / "series.snap").read_bytes()

    def members(self, *argv, **options):
        return json.loads(self.expect("snapinfo", "--json", *argv, **options))["members"]


class Text(Info):
    def test_one_snapshot(self):
        size = (self.folder / "before.snap").stat().st_size
        text = self.expect("snapinfo", "before.snap").decode()
        self.assertRegex(
            text,
            rf"""\Abefore.snap: .snap format 1, 1 snapshot, {size} B

source_format     tracemalloc
traceback_limit   25
time              2023-11-14T22:13:20.000Z
time_source       file modification time

blocks            14
bytes             7736 \(7736 B\)
sites             3
stacks            3
nodes             4
frames            4
strings           3
digest            [0-9a-f]{{32}}

section  count  stored +raw +share
META         1 .*
(.*\n)*END          1    88 B +64 B .*%
\Z""",
        )

    def test_bytes_by_section_add_up(self):
        for name, header in (("before.snap", 20), ("series.snap", 60)):
            sections = [section for member in self.members(name) for section in member["sections"]]
            self.assertEqual(
                sum(section["stored"] for section in sections) + header, (self.folder / name).stat().st_size
            )

    def test_series(self):
        text = self.expect("snapinfo", "series.snap").decode()
        self.assertTrue(text.startswith("series.snap: .snap format 1, 3 snapshots, "))
        self.assertNotIn("\ntime  ", text)
        self.assertIn("\nlabel.x           y\n", text)
        table = text.split("\n\n")[2].splitlines()
        self.assertEqual(
            [re.sub(" +", " ", line).strip() for line in table],
            [
                "# time label size count sites stored",
                *(
                    f"{number} 2023-11-14 {rest} {member['stored']} B"
                    for number, rest, member in zip(
                        (1, 2, 3),
                        ("22:13:20 y 7736 B 14 3", "22:43:20 y 44.8 KiB 57 3", "22:13:20 y 7736 B 14 3"),
                        self.members("series.snap"),
                    )
                ),
            ],
        )

    def test_one_member(self):
        self.assertIn("\nblocks            57\n", self.expect("snapinfo", "series.snap@2").decode())
        self.assertEqual(
            self.expect("snapinfo", "series.snap@-2").decode().splitlines()[1:],
            self.expect("snapinfo", "series.snap@2").decode().splitlines()[1:],
        )
        self.expect(
            "snapinfo",
            "series.snap@4",
            status=2,
            out="",
            err="snapinfo: series.snap@4: there are only 3 snapshots\n",
        )
        self.expect(
            "snapinfo",
            "series.snap@-4",
            status=2,
            out="",
            err="snapinfo: series.snap@-4: there are only 3 snapshots\n",
        )
        self.expect(
            "snapinfo",
            "--",
            "-@-1",
            stdin=self.series(),
            status=2,
            out="",
            err="snapinfo: -@-1: it cannot be read twice, so its snapshots have to be counted from 1\n",
        )
        self.assertIn(b"\nblocks            14\n", self.expect("snapinfo", "--", "-@3", stdin=self.series()))

    def test_other_formats(self):
        size = (self.folder / "before.pickle").stat().st_size
        text = self.expect("snapinfo", "before.pickle").decode()
        self.assertTrue(text.startswith(f"before.pickle: tracemalloc, 1 snapshot, {size} B\n"), text)
        self.assertNotIn("section", text)

    def test_warning_about_truncated_tracebacks(self):
        self.assertNotIn(b"warning", self.expect("snapinfo", "before.pickle"))
        dumps.write(self.folder / "cut.pickle", (1, 75, "a.py:1", 9), (1, 25, "b.py:1", 1), limit=1)
        self.assertIn(
            b"\nwarning: 75.0% of the bytes have tracebacks that were cut off after 1 frames\n",
            self.expect("snapinfo", "cut.pickle"),
        )

    def test_several_files_and_one_is_bad(self):
        (self.folder / "bad.snap").write_bytes(self.series()[:-1])
        result = self.run_tool("snapinfo", "before.snap", "bad.snap", "before.pickle", "none")
        self.assertEqual(result.status, 2)
        self.assertRegex(
            result.err, r"\Asnapinfo: bad.snap: offset \d+: .*\nsnapinfo: none: cannot open: .*\n\Z"
        )
        titles = [line for line in result.out.decode().splitlines() if "1 snapshot," in line]
        self.assertEqual([title.split(":")[0] for title in titles], ["before.snap", "before.pickle"])

    def test_hostile_text(self):
        self.expect(
            "snapcat",
            "--set",
            "label.\x9b=\x1b[2J\n\u202e",
            "--set",
            b"label.b=\xff",
            "-o",
            "h.snap",
            "before.pickle",
        )
        for text in (self.expect("snapinfo", "h.snap"), self.expect("snapinfo", "--json", "h.snap")):
            self.assertNotRegex(text.decode().replace("\n", ""), "[\x00-\x1f\x7f-\x9f\u202e]")
        self.assertIn(b"\nlabel.b           \\xff\n", self.expect("snapinfo", "h.snap"))
        self.assertEqual(self.members("h.snap")[0]["meta"]["label.b"], "\ufffd")


class Json(Info):
    def test_fields(self):
        text = self.expect("snapinfo", "--json", "series.snap").decode()
        self.assertEqual(text.count("\n"), 1)
        found = json.loads(text)
        self.assertEqual(list(found), ["v", "file", "format", "members"])
        self.assertEqual((found["v"], found["file"], found["format"]), (1, "series.snap", "snap"))
        offset = 0
        for member in found["members"]:
            self.assertEqual(
                list(member),
                [
                    "offset",
                    "stored",
                    "kind",
                    "meta",
                    "strings",
                    "frames",
                    "nodes",
                    "stacks",
                    "sites",
                    "total",
                    "truncated_bytes",
                    "digest",
                    "sections",
                ],
            )
            self.assertEqual(member["offset"], offset)
            self.assertRegex(member["digest"], r"\A[0-9a-f]{32}\Z")
            self.assertEqual(list(member["sections"][0]), ["tag", "sections", "stored", "raw"])
            self.assertEqual([section["tag"] for section in member["sections"]][-1], "END ")
            offset += member["stored"]
        self.assertEqual(offset, len(self.series()))
        self.assertEqual(found["members"][0]["digest"], found["members"][2]["digest"])
        self.assertEqual(found["members"][1]["total"], {"blocks": 57, "bytes": 45840})

    def test_other_formats(self):
        (member,) = self.members("before.pickle")
        self.assertEqual(
            (member["offset"], member["stored"], member["sections"]),
            (0, (self.folder / "before.pickle").stat().st_size, []),
        )
        self.assertEqual(member["digest"], self.members("before.snap")[0]["digest"])
        (member,) = self.members(stdin=(self.folder / "before.pickle").read_bytes())
        self.assertNotIn("stored", member)

    def test_one_object_a_file_and_none_for_a_bad_one(self):
        (self.folder / "bad.snap").write_bytes(self.series()[:-1])
        result = self.run_tool("snapinfo", "--json", "before.snap", "bad.snap", "series.snap")
        self.assertEqual(result.status, 2)
        self.assertEqual(
            [json.loads(line)["file"] for line in result.out.splitlines()], ["before.snap", "series.snap"]
        )

    def test_one_member(self):
        self.assertEqual([member["total"]["blocks"] for member in self.members("series.snap@2")], [57])


class Check(Info):
    def test_good_files(self):
        self.expect(
            "snapinfo",
            "--check",
            "before.snap",
            "series.snap",
            "before.pickle",
            out=("before.snap: ok, 1 member\nseries.snap: ok, 3 members\nbefore.pickle: ok, 1 member\n"),
        )
        self.expect("snapinfo", "--check", stdin=self.series(), out="standard input: ok, 3 members\n")

    def test_goes_on_to_the_next_file(self):
        (self.folder / "bad.snap").write_bytes(self.series()[:100])
        result = self.run_tool("snapinfo", "--check", "bad.snap", "before.snap")
        self.assertEqual((result.status, result.out), (2, b"before.snap: ok, 1 member\n"))
        self.assertRegex(result.err, r"\Asnapinfo: bad.snap: offset 100: .*\n\Z")

    def test_every_prefix_is_truncated_at_its_length(self):
        series = self.series()
        for size in range(0, len(series), 7):
            result = self.run_tool("snapinfo", "--check", stdin=series[:size])
            with self.subTest(size=size):
                self.assertEqual((result.status, result.out), (2, b""))
                self.assertRegex(result.err, rf"\Asnapinfo: standard input: offset {size}: .*truncated.*\n\Z")

    def test_flipped_bits_are_found(self):
        series = bytearray(self.series())
        for at in range(0, len(series), 13):
            series[at] ^= 1 << at % 8
            result = self.run_tool("snapinfo", "--check", stdin=bytes(series))
            series[at] ^= 1 << at % 8
            with self.subTest(at=at):
                self.assertEqual((result.status, result.out), (2, b""))

    def test_members_are_not_checked_alone(self):
        self.expect(
            "snapinfo",
            "--check",
            "series.snap@1",
            status=2,
            out="",
            err="snapinfo: series.snap@1: --check and --salvage take whole files, not FILE@N\n",
        )

    def test_as_json(self):
        found = json.loads(self.expect("snapinfo", "--check", "--json", "series.snap"))
        self.assertEqual(len(found["members"]), 3)


class Salvage(Info):
    def salvage(self, data, *argv):
        (self.folder / "cut.snap").write_bytes(data)
        return self.run_tool("snapinfo", "--salvage", "-o", "rescued.snap", *argv, "cut.snap")

    def test_an_undamaged_file(self):
        result = self.salvage(self.series())
        self.assertEqual(
            (result.status, result.out, result.err),
            (0, b"", "snapinfo: cut.snap: salvaged 3 whole snapshots, the file is not damaged\n"),
        )
        self.assertEqual(
            [m["digest"] for m in self.members("rescued.snap")],
            [m["digest"] for m in self.members("series.snap")],
        )

    def test_a_truncated_member(self):
        whole = self.members("series.snap")
        cut = whole[1]["offset"] + whole[1]["stored"] - END_SIZE - 1
        result = self.salvage(self.series()[:cut])
        self.assertEqual((result.status, result.out), (0, b""))
        self.assertRegex(
            result.err,
            rf"\Asnapinfo: cut.snap: offset {cut}: .*\n"
            r"snapinfo: cut.snap: salvaged 1 whole snapshot and a part of the next\n\Z",
        )
        rescued = self.members("rescued.snap")
        self.assertEqual(rescued[0]["digest"], whole[0]["digest"])
        self.assertNotIn("partial", rescued[0]["meta"])
        self.assertTrue(rescued[1]["meta"]["partial"])
        shown = self.expect("snaptop", "rescued.snap@2")
        self.assertIn(
            b"\nwarning: a part of the snapshot is lost: it was salvaged from a damaged file\n", shown
        )
        self.assertIn(b"\nwarning: a part is lost: ", self.expect("snapinfo", "rescued.snap@2"))
        diff = self.expect("snapdiff", "rescued.snap@1", "rescued.snap@2")
        self.assertIn(b"\nwarning: a part of the snapshot is lost: ", self.expect("snaptop", stdin=diff))
        diff = self.expect("snapdiff", "rescued.snap@2", "rescued.snap@1")
        self.assertIn(
            b"\nwarning: a part of the older snapshot is lost: ", self.expect("snaptop", stdin=diff)
        )
        lost = "a part is lost: it was salvaged from a damaged file\n"
        self.expect("snapdiff", "--fail-over", "1G", "rescued.snap@2", "rescued.snap@1", err=f"snapdiff: {lost}")
        for form in ("tracemalloc", "tsv"):
            self.expect("snaptop", "--format", form, "rescued.snap@2", err=f"snaptop: rescued.snap@2: {lost}")
        self.expect("snaptrend", "rescued.snap", err=f"snaptrend: rescued.snap: {lost}")
        self.expect("snapload", "a.db", "rescued.snap@2",
                    err=f"snapload: rescued.snap@2: {lost}snapload: rescued.snap@2: 1 loaded\n")
        merged = self.expect("snapcat", "--merge", "rescued.snap")
        self.assertIn(b"\nwarning: a part of the snapshot is lost: ", self.expect("snaptop", stdin=merged))

    def test_nothing_of_the_damaged_member(self):
        whole = self.members("series.snap")
        result = self.salvage(self.series()[: whole[1]["offset"] + 10])
        self.assertEqual(result.status, 0)
        self.assertRegex(
            result.err,
            r"\Asnapinfo: cut.snap: offset \d+: truncated: .*\n"
            r"snapinfo: cut.snap: salvaged 1 whole snapshot and nothing of the next\n\Z",
        )
        self.assertEqual([member["digest"] for member in self.members("rescued.snap")], [whole[0]["digest"]])

    def test_every_prefix(self):
        series = self.series()
        first = self.members("series.snap")[0]
        for size in range(0, len(series), 29):
            result = self.salvage(series[:size], "-f")
            with self.subTest(size=size):
                self.assertRegex(result.err.splitlines()[0], rf"\Asnapinfo: cut.snap: offset {size}: ")
                if result.status == 0:
                    for member in self.members("rescued.snap")[:-1]:
                        self.assertNotIn("partial", member["meta"])
                    (self.folder / "rescued.snap").unlink()
                else:
                    self.assertEqual(result.status, 2)
                    self.assertLess(size, first["stored"])
                self.assertNotIn("rescued.snap", self.files())

    def test_to_standard_output(self):
        whole = self.members("series.snap")
        cut = self.series()[: whole[1]["offset"] + whole[1]["stored"] - END_SIZE]
        result = self.run_tool("snapinfo", "-q", "--salvage", stdin=cut)
        self.assertEqual(result.status, 0)
        self.assertEqual(len(result.err.splitlines()), 1)
        self.assertEqual(len(self.members(stdin=result.out)), 2)

    def test_nothing_to_salvage(self):
        for data in (b"", self.series()[:30]):
            result = self.salvage(data)
            self.assertEqual((result.status, result.out), (2, b""))
            self.assertNotIn("rescued.snap", self.files())

    def test_other_formats(self):
        self.expect(
            "snapinfo",
            "--salvage",
            "-o",
            "r.snap",
            "before.pickle",
            status=2,
            out="",
            err="snapinfo: before.pickle: only .snap files can be salvaged, not tracemalloc\n",
        )
        self.assertNotIn("r.snap", self.files())


if __name__ == "__main__":
    unittest.main()
