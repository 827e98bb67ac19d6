#!/usr/bin/env python3
"""Makes the golden files of v1, by the tools in build/ or SNAP_BUILD.

usage: make.py FOLDER [NAME...]    makes those that FOLDER does not have, all or the named ones

Every NAME.snap has a NAME.expected.json beside it: what tests/oracle/snapdump.py reads in it. It is printed
by that decoder and not by the library, so that the two are compared.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests/oracle"))

import describing
from decoders import BIN, read_by_python
from describing import describe

FOREIGN = ROOT / "testdata/foreign/tracemalloc"
TIME = 1_700_000_000  # of the dumps: 2023-11-14 22:13:20 UTC

# --- content -------------------------------------------------------------------------------------

MAIN, WORK, READ = (b"/srv/app/main.py", 10, None), (b"/srv/app/work.py", 20, None), (b"/usr/lib/python3/io.py", 300, None)
TEXT, NEW = (b"/srv/app/work.py", 31, None), (b"/srv/app/cache.py", 7, None)


def plain(frames, blocks, size, total=None, domain=0):
    return tuple(frames), len(frames) if total is None else total, domain, size, (blocks, blocks * size)


FIRST = [plain([WORK, MAIN], 3, 64), plain([WORK, MAIN], 1, 72), plain([READ, WORK, MAIN], 10, 4096),
         plain([READ, TEXT, WORK, MAIN], 2, 100), plain([TEXT], 1, 48), plain([WORK, MAIN], 5, 64, domain=389047)]
# Blocks come and go; a site ends; old stacks get new sites; an old node becomes a stack.
SECOND = [plain([WORK, MAIN], 4, 64), plain([READ, WORK, MAIN], 12, 4096), plain([READ, WORK, MAIN], 1, 8192),
          plain([READ, TEXT, WORK, MAIN], 2, 100), plain([TEXT], 1, 48), plain([TEXT, WORK, MAIN], 1, 56),
          plain([WORK, MAIN], 5, 64, domain=389047)]
# New strings, frames, pairs and nodes under old ones; the site that ended is back.
THIRD = SECOND[:3] + [plain([WORK, MAIN], 1, 72), plain([NEW, WORK, MAIN], 1000, 96), plain([NEW, NEW, WORK, MAIN], 7, 96),
                      plain([NEW], 1, 56), plain([WORK, MAIN], 6, 64, domain=389047)]
SERIES = [describe(FIRST, [(b"host", b"web-1"), (b"pid", b"4242"), (b"time", b"2026-07-01T12:00:00Z"), (b"seq", b"1")]),
          describe(SECOND, [(b"host", b"web-1"), (b"pid", b"4242"), (b"time", b"2026-07-01T12:01:00Z"), (b"seq", b"2"),
                            (b"label.phase", b"warm")]),
          describe(THIRD, [(b"seq", b"3"), (b"host", b"web-1"), (b"pid", b"4242"), (b"time", b"2026-07-01T12:02:00Z"),
                           (b"history.1", b"a tool")])]

# Functions: of one line one, another, the empty one and none.
FUNCTIONS = describe([
    (((b"/srv/app/main.py", 10, b"load"), (b"/srv/app/main.py", 10, b"main")), 2, 0, 64, (2, 128)),
    (((b"/srv/app/main.py", 10, b""), (b"/srv/app/main.py", 10, None)), 2, 0, 64, (1, 64)),
    (((b"libc.so.6", 0, b"malloc"), (b"main.c", 3, b"main")), 2, 0, 24, (9, 216)),
    (((b"", 0, b"operator new(unsigned long)"), (b"main.c", 3, b"main")), 2, 0, 24, (1, 24))],
    [(b"program", b"a.out")])

# All units, values that no other column predicts, below zero too.
COLUMNS = describe([
    ((WORK, MAIN), 2, 0, 64, (3, 192, 12, -4, 1)), ((MAIN,), 1, 0, 10, (0, 0, 0, 1 << 62, 0)),
    ((MAIN,), 1, 0, 11, (-2, -22, 7, 0, -(1 << 62))), ((WORK, WORK, MAIN), 3, 1, 64, (5, 321, 0, 0, 0))],
    [(b"estimated", b"1")], [(b"blocks", 0), (b"bytes", 1), (b"samples", 2), (b"alloc_bytes", 1), (b"alloc_blocks", 0)])

# Stacks cut at different depths, some where the path of a complete one runs, some not; unknown totals.
STACKS = describe([
    plain([READ, WORK, MAIN], 1, 32), plain([READ, WORK], 1, 32, 3), plain([READ], 2, 32, 3), plain([READ], 2, 32, 900),
    plain([READ], 1, 32, 0), plain([READ, WORK, MAIN], 1, 32, 0), plain([WORK, TEXT], 1, 16, 7), plain([TEXT, WORK, TEXT], 1, 16, 9),
    plain([WORK, WORK, WORK], 4, 8), plain([WORK, WORK], 4, 8, 3), plain([TEXT], 1, 1, 65535), plain([MAIN, TEXT], 1, 1, 2)])

# What stands at a limit, and names that are no text.
LONG = b"/deep/" * 10922 + b"xyz"
LIMITS = describe([
    plain([(b"\xff\xfe/\xed\xb2\x80.py", 4294967295, None)], 1, (1 << 61) - 1, domain=4294967295),
    plain([(b"\xff\xfe/\xed\xb2\x80.py", 0, None)], 3, 0), plain([(LONG, 1, None), (LONG[:900], 1, LONG[:901])], 1, 1),
    (((b"a\nb\t\x1b[1m", 1, None),), 65535, 0, 8, ((1 << 62) - 1, -(1 << 62))),
    plain([(b"r.py", 1, None)] * 3000, 1, 8), plain([(b"\xf0\x9f\x90\x8d.py", 70000, None)], 5, 5 << 30)],
    [(b"a", b""), (b"~", b"\x01\xff\n"), (b"k" * 255, b"v" * 5000)])

# 1,024 sites and more have their frequent tokens told first.
FREQUENT = describe([plain([(b"/srv/app/table.py", 1 + n // 12, None), MAIN], 1 + n % 3, 16 * (n % 12 * (n % 7) + n % 12 + 1),
                           domain=n % 97 // 96) for n in range(1200)])

# --- recipes -------------------------------------------------------------------------------------

VERSIONS = "py3.6.15", "py3.7.16", "py3.8.18", "py3.9.18", "py3.10.13", "py3.11.7", "py3.12.1", "py3.13.0"


def run(*command, stdin=None):
    env = {**os.environ, "LC_ALL": "C", "PATH": f"{BIN}:{os.environ['PATH']}"}
    return subprocess.run(command, stdin=stdin, env=env, check=True, stdout=subprocess.PIPE).stdout


def to_file(folder, *command):
    """What a tool writes into a file: compressed."""
    run(*command, "--no-history", "-f", "-o", folder / "out.snap")
    return (folder / "out.snap").read_bytes()


def dump(folder, name):
    path = folder / f"{name}.tm"
    shutil.copyfile(FOREIGN / path.name, path)
    os.utime(path, (TIME, TIME))
    return path


def converted(name):
    return lambda folder: to_file(folder, "snapcat", dump(folder, name))


def described(level, *descriptions, series=True):
    return lambda folder: describing.make(descriptions, level, series)


def through_pipe(*command):
    """What a tool writes into a pipe: stored."""
    return run(*command, "--no-history")


def stored(folder):
    return through_pipe("snapcat", dump(folder, "py3.13.0"))


def diff_stored(folder):
    return through_pipe("snapdiff", dump(folder, "py3.12.1"), dump(folder, "py3.13.0"))


def diff(folder):
    return to_file(folder, "snapdiff", dump(folder, "py3.12.1"), dump(folder, "py3.13.0"))


def merged(folder):
    return to_file(folder, "snapcat", "--merge", *(dump(folder, name) for name in ("py3.12.1", "py3.13.0", "py3.13.0")))


def dumps_series(folder):
    return to_file(folder, "snapcat", *(dump(folder, name) for name in ("py3.11.7", "py3.12.1", "py3.13.0")))


RECIPES = {
    **{name: converted(name) for name in VERSIONS},
    "two-fields": converted("two-fields"),
    "edge-py3.6.15": converted("edge-py3.6.15"),
    "edge-py3.13.0": converted("edge-py3.13.0"),
    "big-block": converted("py3.13.0-big"),
    "py3.13.0-stored": stored,
    "diff": diff,
    "diff-stored": diff_stored,
    "merged": merged,
    "dumps-series": dumps_series,
    # Sections that zstd would not make smaller are stored, and so are all of these.
    "one": described(3, SERIES[0]),
    "series": described(3, *SERIES),
    "standalone-members": described(3, *SERIES, series=False),
    "functions": described(3, FUNCTIONS),
    "columns": described(3, COLUMNS),
    "stacks": described(3, STACKS),
    "limits": described(3, LIMITS),
    "frequent": described(3, FREQUENT),
    "frequent-stored": described(0, FREQUENT),
    "empty": described(3, describe([])),
    "empty-between": described(3, SERIES[0], describe([], [(b"host", b"web-1")]), SERIES[0]),
}


def make(name):
    with tempfile.TemporaryDirectory(prefix="snap-golden-") as folder:
        return RECIPES[name](pathlib.Path(folder))


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    target = pathlib.Path(sys.argv[1])
    for name in sys.argv[2:] or RECIPES:
        path = target / f"{name}.snap"
        if path.exists():
            continue
        data = make(name)
        found = read_by_python(data)
        if found.error:
            sys.exit(f"{name}: {found.error}")
        path.write_bytes(data)
        path.with_name(f"{name}.expected.json").write_text(describing.to_text(found.members))


if __name__ == "__main__":
    main()
