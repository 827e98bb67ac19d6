"""Bulk data, the long uniform stretches of a heap: rows of CSV files, JSON exports, XML exports, in memory as they were read."""

import collections
import csv
import io
import json
import xml.etree.ElementTree

from workloads.documents import WORDS, text


class Inputs:
    def __init__(self, dice, count):
        self.tables = [csv_text(dice) for _ in range(count)]
        self.exports = [json.dumps([row(dice) for _ in range(300)]) for _ in range(count)]
        self.feeds = ["<feed>%s</feed>" % "".join(entry(dice) for _ in range(200)) for _ in range(count)]


def row(dice):
    return {
        "id": dice.randint(1, 10 ** 9), "name": text(dice, 2), "town": dice.choice(WORDS), "price": dice.random() * 100,
        "remark": text(dice, dice.randint(0, 6)), "pieces": dice.randint(0, 5000),
    }


def csv_text(dice):
    lines = [",".join(WORDS[:8])]
    for _ in range(400):
        lines.append(",".join([str(dice.randint(1, 10 ** 6)), *(text(dice, dice.randint(1, 3)) for _ in range(7))]))
    return "\n".join(lines)


def entry(dice):
    return '<entry id="%d" lang="%s"><title>%s</title><body>%s</body></entry>' % (
        dice.randint(1, 10 ** 9), dice.choice(("de", "en", "fr")), text(dice, 3), text(dice, dice.randint(4, 20)))


def inputs(dice):
    return Inputs(dice, 12)


def units(given, dice):
    record = collections.namedtuple("record", WORDS[:8])
    while True:
        yield list(csv.DictReader(io.StringIO(dice.choice(given.tables))))
        yield json.loads(dice.choice(given.exports))
        yield xml.etree.ElementTree.fromstring(dice.choice(given.feeds))
        yield [record._make(fields) for fields in csv.reader(io.StringIO(dice.choice(given.tables)))]
