"""The stress of the capture, for a few seconds; `make stress` is the long one."""

import random
import unittest

from capturing import BIN, for_each_python, for_each_unknown_python, sanitizer

import stress

SECONDS = 4


class Stress:
    modes = stress.MODES

    def test_each_mode(self):
        for mode in self.modes:
            with self.subTest(mode=mode):
                seed = random.randrange(10**6)
                environment = {**stress.clean_environment(), **sanitizer()}
                wrong, line = stress.stress(BIN, self.python, mode, SECONDS, seed, environment)
                self.assertEqual(wrong, [], f"seed {seed}, {line}")


class StressOfTracemalloc(Stress):
    modes = ("tracemalloc",)


globals().update(for_each_python(Stress, few=True))
globals().update(for_each_unknown_python(StressOfTracemalloc))


if __name__ == "__main__":
    unittest.main()
