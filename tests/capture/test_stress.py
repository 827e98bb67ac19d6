"""The stress of the capture, for a few seconds; `make stress` is the long one."""

import random
import unittest

from capturing import BIN, CaptureCase, for_each_python, pythons, sanitizer

import stress

SECONDS = 4
MODES = stress.MODES


class Stress:
    def test_each_mode(self):
        for mode in MODES:
            with self.subTest(mode=mode):
                seed = random.randrange(10**6)
                environment = {**stress.clean_environment(), **sanitizer()}
                wrong, line = stress.stress(BIN, self.python, mode, SECONDS, seed, environment)
                self.assertEqual(wrong, [], f"seed {seed}, {line}")


def newest_and_systems():
    """The long run is for all of them."""
    made = for_each_python(Stress)
    names = sorted(made, key=lambda name: int(name.split("_")[2]))
    return {name: made[name] for name in {names[0], names[-1]}}


globals().update(newest_and_systems())


if __name__ == "__main__":
    unittest.main()
