"""An lru_cache with a bound."""

import functools
import random

import rounds

dice = random.Random(3)


@functools.lru_cache(maxsize=120)
def look_up(key):
    return ["answer %d-%d" % (key, i) for i in range(20)]


rounds.serve(lambda number: look_up(dice.randrange(5000)))
