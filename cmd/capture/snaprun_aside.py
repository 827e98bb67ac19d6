"""What sitecustomize.py does where it cannot begin a capture, and under Python 2."""

import os
import sys


def give_up():
    """Says why, once: the program's children would say the same. In a subinterpreter nothing was to begin."""
    why = str(sys.exc_info()[1])
    if "subinterpreters" in why:
        return
    implementation = getattr(getattr(sys, "implementation", None), "name", "an old Python")
    if implementation != "cpython" or sys.version_info < (3, 8):
        why = "CPython 3.8 or later is needed, and this is %s %d.%d" % ((implementation,) + tuple(sys.version_info[:2]))
    os.environ["SNAPRUN_GAVE_UP"] = "1"
    try:
        sys.stderr.write("snaprun: %s: no snapshots are taken: %s\n" % (sys.executable, why))
        sys.stderr.flush()
    except Exception:
        pass


def run_the_next_one(paths):
    import imp

    try:
        found = imp.find_module("sitecustomize", paths)
    except ImportError:
        return
    try:
        imp.load_module("sitecustomize", *found)
    finally:
        if found[0]:
            found[0].close()
