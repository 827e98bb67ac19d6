"""A few of the real programs of the leakbench: two that leak, two that do not."""

import os
import pathlib
import sys
import unittest

sys.path[:0] = [str(pathlib.Path(__file__).parent), str(pathlib.Path(__file__).parent.parent / "capture")]

import capturing  # noqa: E402
import programs  # noqa: E402
import pythons  # noqa: E402

BIN = pathlib.Path(os.environ["SNAP_BIN"]).resolve()


class Programs(unittest.TestCase):
    def judge(self, kind, name):
        python = next(iter(pythons.FOUND.values()))
        return programs.judge(BIN, python, kind, name, capturing.sanitizer())

    def test_leaks_are_found(self):
        for name in ("module_cache", "closures"):
            with self.subTest(name):
                found = self.judge("leaking", name)
                self.assertTrue(found.good, found.blamed())
                self.assertGreaterEqual(found.told["snapshots"], 12)

    def test_the_healthy_are_left_alone(self):
        for name in ("bounded_lru", "sawtooth"):
            with self.subTest(name):
                found = self.judge("healthy", name)
                self.assertTrue(found.good, found.blamed())
                self.assertGreaterEqual(found.told["snapshots"], 12)

    def test_each_program_says_what_it_is(self):
        for kind in programs.KINDS:
            self.assertGreaterEqual(len(programs.names(kind)), 8)
            for name in programs.names(kind):
                marked = programs.culprits(programs.PROGRAMS / kind / (name + ".py"))
                self.assertEqual(bool(marked), kind == "leaking", name)


if __name__ == "__main__":
    unittest.main()
