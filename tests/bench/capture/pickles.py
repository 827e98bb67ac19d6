"""Pickle: records with dates and tuples, copied through bytes."""

import datetime
import pickle


class Order:
    def __init__(self, number):
        self.number = number
        self.when = datetime.datetime(2020, 1, 1 + number % 28, number % 24)
        self.lines = [(number * n, "article %d" % n, n / 7) for n in range(20)]


def main():
    kept = []
    for number in range(30000):
        copies = pickle.loads(pickle.dumps([Order(number), Order(number + 1)], 4))
        if number % 120 == 0:
            kept.append(copies)
    assert len(kept) == 250


main()
