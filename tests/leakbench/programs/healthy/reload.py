"""Rules are loaded at the start and once again, when there are more of them."""

import json

import rounds

rules = []


def load(count):
    text = json.dumps([{"id": i, "pattern": "/path/%d" % i, "action": "allow"} for i in range(count)])
    rules[:] = json.loads(text)


load(100)


def handle(number):
    if number == 400:
        load(300)
    return rules[number % len(rules)]["pattern"]


rounds.serve(handle)
