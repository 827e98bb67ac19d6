"""What the shop keeps on purpose: a bounded cache, logins with a lifetime, a ring of log lines. All three level off."""

import time
from collections import OrderedDict, deque


class LruCache:
    """Forgets the entry that was used longest ago."""

    def __init__(self, capacity):
        self.capacity = capacity
        self.entries = OrderedDict()
        self.hits = 0
        self.misses = 0

    def get(self, key, make):
        if key in self.entries:
            self.hits += 1
            self.entries.move_to_end(key)
            return self.entries[key]
        self.misses += 1
        value = self.entries[key] = make()
        if len(self.entries) > self.capacity:
            self.entries.popitem(last=False)
        return value


class Login:
    def __init__(self, customer, expires):
        self.customer = customer
        self.expires = expires
        self.basket = {}


class Logins:
    """Customers at the till; one who stays away for `ttl` seconds is forgotten with the basket."""

    def __init__(self, ttl, clock=time.monotonic):
        self.ttl = ttl
        self.clock = clock
        self.by_token = {}
        self.next_sweep = clock() + ttl

    def of(self, token):
        now = self.clock()
        if now >= self.next_sweep:
            self.sweep(now)
        login = self.by_token.get(token)
        if login is None:
            login = self.by_token[token] = Login(token, now + self.ttl)
        login.expires = now + self.ttl
        return login

    def sweep(self, now):
        for token in [t for t, login in self.by_token.items() if login.expires <= now]:
            del self.by_token[token]
        self.next_sweep = now + self.ttl


class AccessLog:
    """The last lines, for /status."""

    def __init__(self, lines):
        self.lines = deque(maxlen=lines)

    def write(self, request, status):
        self.lines.append("%s %s %s %d" % (time.strftime("%H:%M:%S"), request.method, request.path, status))
