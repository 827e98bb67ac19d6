#!/usr/bin/env python3
"""Customers of the shop: sends requests over the service's socket and has snaptake take snapshots on the way."""

import argparse
import itertools
import json
import random
import socket
import subprocess
import sys
import time
import uuid

BROWSERS = (
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 14_5) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
)


def connect(path, patience=10.0):
    """A service that was just started needs a moment before it listens."""
    give_up = time.monotonic() + patience
    while True:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.connect(path)
            return connection
        except OSError as error:
            connection.close()
            if time.monotonic() > give_up:
                sys.exit("traffic.py: %s: %s" % (path, error.strerror))
            time.sleep(0.05)


class Customer:
    def __init__(self, path):
        self.stream = connect(path).makefile("rwb")

    def ask(self, method, path, headers=(), body=None):
        message = {"method": method, "path": path, "headers": dict(headers), "body": body}
        self.stream.write(json.dumps(message).encode("utf-8") + b"\n")
        self.stream.flush()
        answer = self.stream.readline()
        if not answer:
            sys.exit("traffic.py: the service closed the connection")
        answer = json.loads(answer)
        if answer["status"] != 200:
            sys.exit("traffic.py: %s %s: %s" % (method, path, answer))
        return answer["body"]


def headers_of(dice):
    return {
        "Host": "shop.example",
        "User-Agent": dice.choice(BROWSERS),
        "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
        "Accept-Language": dice.choice(("en-GB,en;q=0.7,de;q=0.3", "fr-FR,fr;q=0.8,en;q=0.4")),
        "Accept-Encoding": "gzip, deflate, br",
        "Referer": "https://shop.example/",
        "Cookie": "login=customer-%03d" % dice.randrange(120),
        "X-Request-Id": str(uuid.UUID(int=dice.getrandbits(128))),
    }


def visits(dice, articles):
    """An endless, repeatable stream of what customers do; most only look, and some articles are more popular."""
    while True:
        sku = articles[int(len(articles) * dice.random() ** 2)]
        kind = dice.random()
        if kind < 0.6:
            yield "GET", "/product/" + sku, headers_of(dice), None
        elif kind < 0.85:
            yield "POST", "/basket/" + sku, headers_of(dice), {"pieces": dice.randint(1, 4)}
        else:
            yield "POST", "/checkout", headers_of(dice), {"pay": "invoice"}


def articles_on_offer():
    things = ("BAG", "CHA", "CLO", "JAC", "KET", "LAM", "MUG", "RUG", "SCA", "TAB")
    colours = ("AMB", "BLA", "BLU", "COR", "GRE", "IVO", "OLI", "RED", "TEA", "WHI")
    return ["-".join(parts) for parts in itertools.product(things, colours, "SMLE")]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--socket", required=True, help="the service's socket")
    parser.add_argument("--requests", type=int, default=500, help="requests before each snapshot (default: 500)")
    parser.add_argument("--connections", type=int, default=3, help="customers who shop at once (default: 3)")
    parser.add_argument("--snaptake", default="snaptake", help="the tool (default: the one on the PATH)")
    parser.add_argument("--pid", help="process to take snapshots of")
    parser.add_argument("--snapshots", type=int, default=1, metavar="N", help="how many (default: 1)")
    options = parser.parse_args()
    dice = random.Random(11)
    customers = itertools.cycle([Customer(options.socket) for _ in range(options.connections)])
    stream = visits(dice, articles_on_offer())
    served = 0
    for _ in range(options.snapshots):
        for visit in itertools.islice(stream, options.requests):
            next(customers).ask(*visit)
        served += options.requests
        if options.pid:
            path = subprocess.run([options.snaptake, options.pid], check=True, stdout=subprocess.PIPE).stdout.decode()
            print("%6d requests  %s" % (served, path.rstrip("\n")))


if __name__ == "__main__":
    main()
