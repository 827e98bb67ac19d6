"""Results are cached under a key that no other request has."""

import json

import rounds

results = {}


def render(number):
    return json.loads(json.dumps({"order": number, "lines": ["item %d of %d" % (i, number) for i in range(8)]}))


def handle(number):
    page = render(number)
    results["order-%d" % number] = render(number)  # LEAK
    return page


rounds.serve(handle)
