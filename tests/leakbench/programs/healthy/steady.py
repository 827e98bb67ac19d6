"""Parses, answers, forgets."""

import json
import re

import rounds

recent = []


def handle(number):
    text = json.dumps({"number": number, "tags": ["tag %d" % i for i in range(number % 9)]})
    found = re.findall(r"tag \d", text)
    recent.append((json.loads(text), found))
    del recent[:-20]


rounds.serve(handle)
