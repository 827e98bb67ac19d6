"""Each request listens for changes and never stops to."""

import rounds


class Bus:
    def __init__(self):
        self.listeners = {"changed": [], "deleted": []}

    def on(self, name, listener):
        self.listeners[name].append(listener)


bus = Bus()


class View:
    def __init__(self, number):
        self.number = number
        self.rows = [(number, i, "cell %d" % i) for i in range(10)]  # LEAK
        bus.on("changed", self.refresh)  # LEAK

    def refresh(self):
        self.rows = []


def handle(number):
    View(number)  # LEAK


rounds.serve(handle)
