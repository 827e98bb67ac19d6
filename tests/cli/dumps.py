"""Makes tracemalloc dumps of known content, as CPython writes them."""

import os
import sys
import tracemalloc

TIME = 1_700_000_000  # 2023-11-14 22:13:20 UTC


# What this Python's Snapshot holds; dumps have all four fields.
OWN_FIELDS = 4 if sys.version_info >= (3, 9) else 3


def traces(sites):
    """Each site is (blocks, size, traceback) or (blocks, size, traceback, total) or (…, total, domain); a
    traceback is "old.py:1 new.py:2", or a list of such frames."""
    found = []
    for blocks, size, traceback, *rest in sites:
        frames = []
        for frame in traceback.split(" ") if isinstance(traceback, str) else traceback:
            name, _, line = frame.rpartition(":")
            frames.append((name, int(line)))
        total = rest[0] if rest else len(frames)
        domain = rest[1] if len(rest) > 1 else 0
        found += [(domain, size, tuple(reversed(frames)), total)] * blocks
    return found


def write(path, *sites, limit=25, time=TIME):
    """Writes a dump, and returns the snapshot for a comparison with what tracemalloc says of it."""
    found = traces(sites)
    tracemalloc.Snapshot(found, limit).dump(os.fspath(path))
    os.utime(path, (time, time))
    return tracemalloc.Snapshot([trace[:OWN_FIELDS] for trace in found], limit)


BEFORE = (
    (3, 1000, "/srv/app/main.py:7 /srv/app/shop/client.py:31"),
    (10, 64, "/srv/app/main.py:7 /srv/app/shop/pages.py:12"),
    (1, 4096, "/srv/app/main.py:9"),
)
AFTER = (
    (45, 1000, "/srv/app/main.py:7 /srv/app/shop/client.py:31"),
    (10, 64, "/srv/app/main.py:7 /srv/app/shop/pages.py:12"),
    (2, 100, "/srv/app/main.py:8 /srv/app/shop/pages.py:12"),
)


def write_pair(folder):
    """before.pickle, and after.pickle half an hour later."""
    return (
        write(folder / "before.pickle", *BEFORE),
        write(folder / "after.pickle", *AFTER, time=TIME + 1800),
    )
