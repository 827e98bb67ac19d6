"""Undo steps are closures over the state before, and the list of them has no end."""

import rounds

undo = []


def change(document, number):
    before = dict(document)  # LEAK

    def restore():
        document.clear()
        document.update(before)

    undo.append(restore)
    document["line %d" % (number % 20)] = number


document = {"line %d" % i: i for i in range(20)}


def handle(number):
    change(document, number)


rounds.serve(handle)
