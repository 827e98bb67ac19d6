"""Buffers that follow the load, which rises and falls."""

import math

import rounds

inflight = []


def handle(number):
    wanted = 100 + int(80 * math.sin(number / 45))
    while len(inflight) < wanted:
        inflight.append(["part %d" % i for i in range(15)])
    del inflight[wanted:]


rounds.serve(handle)
