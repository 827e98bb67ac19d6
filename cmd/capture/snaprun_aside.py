"""What sitecustomize.py does where it cannot begin a capture, and under Python 2."""

import os
import sys


class Idle(type(os)):
    """Stands for snapcapture where there is no capture, so that a program that uses it goes on."""

    def snapshot(self, label=None, gc=False, iteration=None):
        return None

    def start(self, folder, **wishes):
        return self

    def stop(self):
        return None

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        return None


def give_up():
    """Says why, once: the program's children may say the same. In a subinterpreter nothing was to begin."""
    why = str(sys.exc_info()[1])
    if "subinterpreters" in why:
        return
    implementation = getattr(getattr(sys, "implementation", None), "name", "an old Python")
    if implementation != "cpython" or sys.version_info < (3, 7):
        why = "CPython 3.7 or later is needed, and this is %s %d.%d" % ((implementation,) + tuple(sys.version_info[:2]))
    if "snapcapture" not in sys.modules:
        sys.modules["snapcapture"] = Idle("snapcapture")
    if os.environ.get("SNAPRUN_GAVE_UP") == why:
        return
    os.environ["SNAPRUN_GAVE_UP"] = why
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
