"""What a client sent is put behind what it sent before, and never taken off."""

import os

import rounds


class Connection:
    def __init__(self):
        self.received = bytearray()

    def feed(self, chunk):
        self.received += chunk  # LEAK


connections = [Connection() for _ in range(8)]


def handle(number):
    connections[number % len(connections)].feed(os.urandom(700))


rounds.serve(handle)
