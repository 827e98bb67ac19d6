#!/usr/bin/env python3
"""Makes testdata/corpus/glob anew: what tests/fuzz/fuzz_glob.c starts from, a glob, a zero byte and a name in
each file. Taken from the hand-picked pairs of tests/oracle/test_fnmatch.py and what only a fuzzer would write.

usage: make-glob.py
"""

import pathlib
import shutil
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests/oracle"))

from test_fnmatch import AROUND, HAND_PICKED

MORE = [
    (b"@stdlib", b"/usr/lib/python3.11/os.py"), (b"@tracer", b"C:\\Python311\\Lib\\pickle.pyc"), (b"@", b"@"), (b"@no", b"@no"),
    (b"*/site-packages/*", b"/v/lib/python3.11/site-packages/a/b.py"), (b"*a*a*a*a*a*a*b*", b"a" * 60),
    (b"[" * 40, b"[" * 40), (b"[!" * 20 + b"]", b"a"), (b"?" * 40, "é".encode() * 40), (b"*" * 40, b"\xff" * 40),
    (b"[a-b-c-d-e-f]" * 4, b"a-d-"), (b"\xf0\x9f\x90\x8d[\xf0-\xf4]*", b"\xf0\x9f\x90\x8d\xf4"),
]


def main():
    folder = ROOT / "testdata/corpus/glob"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    # Some of all kinds; neighbours are alike.
    for number, (glob, name) in enumerate(HAND_PICKED[::6] + AROUND[::3] + MORE):
        (folder / f"pair-{number:02}").write_bytes(glob + b"\0" + name)


if __name__ == "__main__":
    main()
