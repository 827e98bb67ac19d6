"""Sessions that end some time after their last use."""

import collections
import random

import rounds

LIFE = 150
dice = random.Random(4)
sessions = collections.OrderedDict()


def visit(user, now):
    session = sessions.setdefault(user, {"cart": ["article %d" % dice.randrange(9) for _ in range(10)]})
    session["seen"] = now
    sessions.move_to_end(user)
    while next(iter(sessions.values()))["seen"] < now - LIFE:
        sessions.popitem(last=False)


rounds.serve(lambda number: visit(dice.randrange(1000), number))
