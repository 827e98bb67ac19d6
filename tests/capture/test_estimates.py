"""What the tools estimate from samples is the truth on average and within ±; `make stress` looks at a thousand seeds."""

import unittest

from capturing import BIN, CaptureCase, environment, pythons

import estimates

SEEDS = 25


class Estimates(CaptureCase):
    def test_mean_and_error(self):
        lines, wrong = estimates.measure(BIN, next(iter(pythons.FOUND.values())), SEEDS, 4, environment(**self.clean))
        self.assertEqual(len(lines), 6)
        self.assertEqual(wrong, [])


if __name__ == "__main__":
    unittest.main()
