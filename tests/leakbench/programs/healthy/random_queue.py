"""A queue whose length goes up and down by chance, with a bound."""

import collections
import random

import rounds

dice = random.Random(6)
queue = collections.deque()


def handle(number):
    for _ in range(dice.randrange(5)):
        if len(queue) < 200:
            queue.append({"job": number, "data": "x" * dice.randrange(200)})
    for _ in range(min(len(queue), dice.randrange(5))):
        queue.popleft()


rounds.serve(handle)
