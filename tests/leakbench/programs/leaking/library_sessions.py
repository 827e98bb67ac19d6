"""A session of a library for each request, never closed: the library's lines allocate, this one is to blame."""

import wire

import rounds


def fetch(number):
    session = wire.Session("http://example.org")  # LEAK
    return session.get("/order/%d" % number)  # LEAK


def handle(number):
    short = wire.Session("http://example.org")
    short.get("/")
    short.close()
    fetch(number)


rounds.serve(handle)
