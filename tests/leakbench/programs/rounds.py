"""Runs a program's work in rounds, with a snapshot behind each."""

import time

import snapcapture

ROUNDS = 12
REQUESTS = 60  # of a round


def serve(handle):
    number = 0
    for turn in range(ROUNDS):
        for _ in range(REQUESTS):
            number += 1
            handle(number)
        time.sleep(0.005)
        snapcapture.snapshot()
