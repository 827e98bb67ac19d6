"""snapdiff: what is compared, and the gate of --fail-over."""

import json
import unittest

import dumps
from running import ToolCase


class Diff(ToolCase):
    def setUp(self):
        super().setUp()
        dumps.write_pair(self.folder)
        self.expect(
            "snapcat", "-o", "series.snap", "before.pickle", "after.pickle", "before.pickle", "after.pickle"
        )

    def info(self, diff):
        (member,) = json.loads(self.expect("snapinfo", "--json", stdin=diff))["members"]
        return member

    def growth(self, diff):
        total = self.info(diff)["total"]
        return total["bytes"] - total["old_bytes"]

    def test_two_files(self):
        member = self.info(self.expect("snapdiff", "before.pickle", "after.pickle"))
        self.assertEqual(member["kind"], "diff")
        self.assertEqual(member["total"], {"blocks": 57, "bytes": 45840, "old_blocks": 14, "old_bytes": 7736})
        self.assertEqual(member["meta"]["old.time"], "2023-11-14T22:13:20.000Z")

    def test_one_series_is_its_first_against_its_last(self):
        self.assertEqual(self.growth(self.expect("snapdiff", "series.snap")), 38104)
        self.assertEqual(
            self.growth(self.expect("snapdiff", stdin=(self.folder / "series.snap").read_bytes())), 38104
        )
        self.expect("snapcat", "-o", "back.snap", "after.pickle", "before.pickle")
        self.assertEqual(self.growth(self.expect("snapdiff", "back.snap")), -38104)

    def test_members(self):
        self.assertEqual(self.growth(self.expect("snapdiff", "series.snap@2", "series.snap@-2")), -38104)

    def test_one_snapshot_is_too_few(self):
        self.expect(
            "snapdiff",
            "before.pickle",
            status=2,
            out="",
            err="snapdiff: before.pickle: it has one snapshot and a diff needs two\n",
        )
        self.expect(
            "snapdiff",
            "series.snap@2",
            status=2,
            out="",
            err="snapdiff: series.snap@2: it has one snapshot and a diff needs two\n",
        )

    def test_a_diff_is_not_compared(self):
        (self.folder / "diff.snap").write_bytes(self.expect("snapdiff", "before.pickle", "after.pickle"))
        self.expect_failure("snapdiff", "before.pickle", "diff.snap", err="snapdiff: .*")

    def test_the_same_twice(self):
        member = self.info(self.expect("snapdiff", "before.pickle", "before.pickle"))
        self.assertEqual(member["total"], {"blocks": 14, "bytes": 7736, "old_blocks": 14, "old_bytes": 7736})

    def test_fail_over(self):
        said = "snapdiff: grown by 37.2 KiB, more than 1024 B\n"
        diff = self.expect(
            "snapdiff", "--fail-over", "1K", "before.pickle", "after.pickle", status=1, err=said
        )
        self.assertEqual(self.growth(diff), 38104)
        self.expect(
            "snapdiff",
            "-q",
            "--fail-over",
            "1K",
            "-o",
            "d.snap",
            "before.pickle",
            "after.pickle",
            status=1,
            out="",
        )
        self.assertEqual(self.growth((self.folder / "d.snap").read_bytes()), 38104)
        for limit, operands in (
            ("38104", ("before.pickle", "after.pickle")),
            ("0", ("after.pickle", "before.pickle")),
            ("0", ("after.pickle", "after.pickle")),
            ("8388607T", ("before.pickle", "after.pickle")),
        ):
            self.expect("snapdiff", "--fail-over", limit, "-o", "d.snap", *operands)

    def test_an_error_wins_over_the_condition(self):
        self.expect_failure(
            "snapdiff",
            "--fail-over",
            "0",
            "-o",
            "none/d.snap",
            "before.pickle",
            "after.pickle",
            err="snapdiff: none/d.snap: .*",
        )

    def test_no_history(self):
        with_it = self.expect("snapdiff", "series.snap@1", "series.snap@2")
        self.assertEqual(
            sorted(key for key in self.info(with_it)["meta"] if "history" in key),
            ["history.1", "history.2", "old.history.1"],
        )
        without = self.expect("snapdiff", "--no-history", "series.snap@1", "series.snap@2")
        self.assertFalse([key for key in self.info(without)["meta"] if "history" in key])

    def test_nothing_under_the_final_name_when_a_side_fails(self):
        for operands in (("none", "after.pickle"), ("before.pickle", "none")):
            self.expect_failure("snapdiff", "-o", "d.snap", *operands, err="snapdiff: none: .*")
        self.assertEqual(self.files(), ["after.pickle", "before.pickle", "series.snap"])


if __name__ == "__main__":
    unittest.main()
