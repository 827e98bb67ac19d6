"""A slow leak beside a cache that fills and buffers that come and go."""

import random

import rounds

dice = random.Random(1)
cache, buffers, audit = {}, [], []


def cached(key):
    if key not in cache:
        cache[key] = ["value %d-%d" % (key, i) for i in range(20)]
    return cache[key]


def record(number):
    audit.append(("request", number, "by user %d" % (number % 7)))  # LEAK


def handle(number):
    cached(dice.randrange(100))
    buffers.append(bytes(dice.randrange(2000)))
    if len(buffers) > 50:
        buffers.clear()
    record(number)


rounds.serve(handle)
