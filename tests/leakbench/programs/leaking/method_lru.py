"""An unbounded lru_cache on a method keeps each instance and all it holds."""

import functools

import rounds


class Basket:
    def __init__(self, number):
        self.items = ["article %d-%d" % (number, i) for i in range(12)]  # LEAK

    @functools.lru_cache(maxsize=None)
    def total(self):
        return sum(map(len, self.items))


def handle(number):
    basket = Basket(number)  # LEAK
    return basket.total()  # LEAK


rounds.serve(handle)
