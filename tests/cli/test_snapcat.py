"""snapcat: converting, joining, merging, marking."""

import gzip
import json
import os
import stat
import unittest

import dumps
from running import ToolCase

MAGIC = b"\x89SNP\r\n\x1a\n"


class Cat(ToolCase):
    def setUp(self):
        super().setUp()
        dumps.write_pair(self.folder)

    def members(self, *argv, **options):
        return json.loads(self.expect("snapinfo", "--json", *argv, **options))["members"]

    def totals(self, *argv, **options):
        return [member["total"] for member in self.members(*argv, **options)]


class Output(Cat):
    def test_file(self):
        self.expect("snapcat", "-o", "a.snap", "before.pickle", out="")
        self.assertEqual(self.files(), ["a.snap", "after.pickle", "before.pickle"])
        self.assertEqual(self.totals("a.snap"), [{"blocks": 14, "bytes": 7736}])

    def test_pipe_is_stored_and_file_compressed(self):
        dumps.write(self.folder / "before.pickle", *((1, i, f"/srv/app/module{i}.py:1") for i in range(1000)))
        stored = self.expect("snapcat", "before.pickle")
        self.assertTrue(stored.startswith(MAGIC))
        with open(self.folder / "redirected.snap", "wb") as file:
            self.expect("snapcat", "before.pickle", stdout=file)
        self.expect("snapcat", "before.pickle", "-o", "named.snap")
        levelled = self.expect("snapcat", "--level", "3", "before.pickle")
        raw = {
            name: [
                (section["stored"], section["raw"])
                for section in member["sections"]
                if section["tag"] == "STRB"
            ]
            for name, options in {
                "stored": {"stdin": stored},
                "redirected": {"stdin": (self.folder / "redirected.snap").read_bytes()},
                "named": {"stdin": (self.folder / "named.snap").read_bytes()},
                "levelled": {"stdin": levelled},
            }.items()
            for member in self.members(**options)
        }
        header = 24
        self.assertEqual(raw["stored"][0][0], raw["stored"][0][1] + header)
        for name in ("redirected", "named", "levelled"):
            self.assertNotEqual(raw[name][0][0], raw[name][0][1] + header, name)

    def test_digest_does_not_depend_on_level(self):
        digests = {
            self.members(stdin=self.expect("snapcat", *argv, "before.pickle"))[0]["digest"]
            for argv in ((), ("--level=1",), ("--level=19",))
        }
        self.assertEqual(len(digests), 1)

    def test_equal_content_has_equal_bytes(self):
        self.expect("snapcat", "--no-history", "-o", "a.snap", "before.pickle")
        self.expect("snapcat", "--no-history", "-o", "b.snap", "a.snap")
        self.expect("snapcat", "before.pickle", "-o", "c.snap")
        self.expect("snapcat", "c.snap", "--no-history", "-o", "d.snap")
        first = (self.folder / "a.snap").read_bytes()
        for name in ("b.snap", "d.snap"):
            self.assertEqual((self.folder / name).read_bytes(), first)
        self.assertNotEqual((self.folder / "c.snap").read_bytes(), first)

    def test_a_snapshot_is_replaced_and_keeps_its_mode(self):
        self.expect("snapcat", "-o", "a.snap", "before.pickle")
        os.chmod(self.folder / "a.snap", 0o640)
        self.expect("snapcat", "-o", "a.snap", "after.pickle")
        self.assertEqual(self.totals("a.snap"), [{"blocks": 57, "bytes": 45840}])
        self.assertEqual(stat.S_IMODE((self.folder / "a.snap").stat().st_mode), 0o640)

    def test_a_file_replaces_itself(self):
        self.expect("snapcat", "-o", "a.snap", "before.pickle")
        self.expect("snapcat", "-o", "a.snap", "a.snap", "after.pickle")
        self.assertEqual(len(self.members("a.snap")), 2)

    def test_other_files_are_not_replaced(self):
        kept = (self.folder / "before.pickle").read_bytes()
        self.expect(
            "snapcat",
            "-o",
            "before.pickle",
            "after.pickle",
            status=2,
            out="",
            err="snapcat: before.pickle: it exists and is no .snap file; -f replaces it\n",
        )
        self.assertEqual((self.folder / "before.pickle").read_bytes(), kept)
        self.expect("snapcat", "-f", "-o", "before.pickle", "after.pickle")
        self.assertEqual(self.totals("before.pickle"), [{"blocks": 57, "bytes": 45840}])

    def test_an_empty_file_is_replaced(self):
        (self.folder / "a.snap").touch()
        self.expect("snapcat", "-o", "a.snap", "before.pickle")
        self.assertEqual(len(self.members("a.snap")), 1)

    def test_devices_stay_devices(self):
        self.expect("snapcat", "-o", "/dev/null", "before.pickle")
        self.assertTrue(stat.S_ISCHR(os.stat("/dev/null").st_mode))

    def test_dash_is_standard_output(self):
        self.assertTrue(self.expect("snapcat", "-o", "-", "before.pickle").startswith(MAGIC))
        self.assertEqual(self.files(), ["after.pickle", "before.pickle"])

    def test_output_that_cannot_be_made(self):
        self.expect_failure(
            "snapcat",
            "-o",
            "none/a.snap",
            "before.pickle",
            err="snapcat: none/a.snap: cannot create: No such file or directory",
        )
        self.expect_failure("snapcat", "-o", ".", "before.pickle", err=r"snapcat: \.: cannot .*")

    def test_nothing_is_left_when_a_later_operand_fails(self):
        (self.folder / "bad").write_bytes(b"\x80\x04junk")
        for last in ("none.snap", "bad", "before.pickle@2"):
            with self.subTest(last=last):
                self.expect_failure(
                    "snapcat", "-o", "a.snap", "before.pickle", last, err=f"snapcat: {last}: .*"
                )
                self.assertEqual(self.files(), ["after.pickle", "bad", "before.pickle"])

    def test_what_was_there_stays_when_a_later_operand_fails(self):
        self.expect("snapcat", "-o", "a.snap", "before.pickle")
        kept = (self.folder / "a.snap").read_bytes()
        self.expect_failure("snapcat", "-o", "a.snap", "after.pickle", "none", err="snapcat: none: .*")
        self.assertEqual((self.folder / "a.snap").read_bytes(), kept)


class Input(Cat):
    def test_compressed_dump(self):
        packed = gzip.compress((self.folder / "before.pickle").read_bytes())
        self.assertEqual(self.totals(stdin=packed), [{"blocks": 14, "bytes": 7736}])

    def test_compressed_snap(self):
        packed = gzip.compress(self.expect("snapcat", "before.pickle"))
        self.expect_failure("snapcat", stdin=packed, err=r"snapcat: .*: offset 0: a \.snap file that was compressed once more; "
                            r"unpack it first, with gzip -d or zstd -d")


class Series(Cat):
    def test_operands_in_order(self):
        self.expect("snapcat", "-o", "s.snap", "after.pickle", "before.pickle", "after.pickle")
        self.assertEqual([total["blocks"] for total in self.totals("s.snap")], [57, 14, 57])
        stored = [member["stored"] for member in self.members("s.snap")]
        self.assertLess(stored[2], stored[0])

    def test_series_of_series(self):
        self.expect("snapcat", "-o", "s.snap", "after.pickle", "before.pickle")
        self.expect("snapcat", "-o", "t.snap", "s.snap", "s.snap@-1", "before.pickle")
        self.assertEqual([total["blocks"] for total in self.totals("t.snap")], [57, 14, 14, 14])

    def test_members_survive_bit_for_bit(self):
        self.expect("snapcat", "--no-history", "-o", "s.snap", "after.pickle", "before.pickle")
        self.expect("snapcat", "--no-history", "-o", "one.snap", "before.pickle")
        self.expect("snapcat", "--no-history", "-o", "two.snap", "s.snap@2")
        self.assertEqual((self.folder / "two.snap").read_bytes(), (self.folder / "one.snap").read_bytes())

    def test_joined_files_are_a_series(self):
        joined = self.expect("snapcat", "after.pickle") + self.expect("snapcat", "before.pickle")
        self.assertEqual([total["blocks"] for total in self.totals(stdin=joined)], [57, 14])

    def test_snapshots_and_diffs_may_be_mixed(self):
        (self.folder / "diff.snap").write_bytes(self.expect("snapdiff", "before.pickle", "after.pickle"))
        self.expect("snapcat", "-o", "s.snap", "before.pickle", "diff.snap", "after.pickle")
        self.assertEqual(
            [member["kind"] for member in self.members("s.snap")], ["snapshot", "diff", "snapshot"]
        )


class Merge(Cat):
    def test_sums(self):
        merged = self.expect("snapcat", "--merge", "before.pickle", "after.pickle", "before.pickle")
        self.assertEqual(self.totals(stdin=merged), [{"blocks": 85, "bytes": 2 * 7736 + 45840}])
        meta = self.members(stdin=merged)[0]["meta"]
        self.assertEqual((meta["merged"], meta["traceback_limit"]), ("3", "25"))
        again = self.expect("snapcat", "--merge", "-", "after.pickle", stdin=merged)
        self.assertEqual(self.members(stdin=again)[0]["meta"]["merged"], "4")
        self.assertNotIn("time", meta)

    def test_of_a_series(self):
        self.expect("snapcat", "-o", "s.snap", "before.pickle", "after.pickle")
        self.assertEqual(
            self.totals(stdin=self.expect("snapcat", "--merge", "s.snap")),
            [{"blocks": 71, "bytes": 7736 + 45840}],
        )

    def test_what_does_not_add_up(self):
        (self.folder / "diff.snap").write_bytes(self.expect("snapdiff", "before.pickle", "after.pickle"))
        self.expect_failure("snapcat", "--merge", "before.pickle", "diff.snap", err="snapcat: .*")


class Metadata(Cat):
    def meta(self, *argv, files=("before.pickle",)):
        return [member["meta"] for member in self.members(stdin=self.expect("snapcat", *argv, *files))]

    def test_set(self):
        meta = self.meta(
            "--set",
            "label.rev=1a2b",
            "--set",
            "label.rev=3c=4d",
            "--set=host=",
            files=("before.pickle", "after.pickle"),
        )
        for entries in meta:
            self.assertEqual((entries["label.rev"], entries["host"]), ("3c=4d", ""))

    def test_set_of_a_merged_one(self):
        self.assertEqual(
            self.meta("--merge", "--set", "time=now", files=("before.pickle", "after.pickle"))[0]["time"],
            "now",
        )

    def test_set_of_a_key_that_cannot_be(self):
        for key in ("a b", "a\n", "k" * 256, "k" * 5000):
            self.expect_failure(
                "snapcat", "--set", f"{key}=1", "before.pickle", err="snapcat: a metadata key .*"
            )

    def test_history(self):
        once = self.expect("snapcat", "--set", "label.a=it's", "before.pickle")
        twice = self.expect("snapcat", "-", stdin=once)
        meta = self.members(stdin=twice)[0]["meta"]
        self.assertRegex(
            meta["history.1"], r"^snapcat \d+\.\d+\.\d+: --set 'label.a=it'\\''s' before.pickle$"
        )
        self.assertRegex(meta["history.2"], r"^snapcat \d+\.\d+\.\d+: -$")
        none = self.expect("snapcat", "--no-history", stdin=twice)
        self.assertFalse([key for key in self.members(stdin=none)[0]["meta"] if "history" in key])


if __name__ == "__main__":
    unittest.main()
