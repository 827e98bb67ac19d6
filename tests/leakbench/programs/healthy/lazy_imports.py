"""Modules are imported when they are first needed."""

import importlib

import rounds

NEEDED = {20: "decimal", 70: "csv", 110: "xml.etree.ElementTree", 190: "email.message", 260: "statistics", 300: "html.parser"}


def handle(number):
    if number in NEEDED:
        importlib.import_module(NEEDED[number])
    return [number] * 10


rounds.serve(handle)
