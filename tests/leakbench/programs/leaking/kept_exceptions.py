"""Errors are kept for a report; their tracebacks keep the locals of all frames."""

import rounds

errors = []


def parse(text):
    fields = [part.upper() for part in text.split(",")]  # LEAK
    if fields[0].startswith("ORDER"):
        raise ValueError("cannot parse " + fields[0])
    return fields


def handle(number):
    text = "order %d," % number + ",".join("field %d" % i for i in range(20))  # LEAK
    try:
        parse(text)
    except ValueError as error:
        errors.append(error)  # LEAK


rounds.serve(handle)
