"""Begins the capture that snaprun asks for, then runs the sitecustomize that the program would have had.

Python imports this as soon as it can. It runs under every interpreter, so it is written for all of them,
and whatever goes wrong here, the program runs.
"""

import os
import sys


def begin():
    wanted = os.environ.get("SNAPRUN_FOLDER")
    if not wanted or os.environ.get("SNAPRUN_GAVE_UP"):
        return
    try:
        implementation = getattr(getattr(sys, "implementation", None), "name", "an old Python")
        if implementation != "cpython" or sys.version_info < (3, 8):
            raise ImportError("CPython 3.8 or later is needed, and this is %s %d.%d" % (
                (implementation,) + tuple(sys.version_info[:2])))
        import snapcapture

        if not snapcapture.is_capturable():
            return
        snapcapture.start(
            wanted,
            frames=int(os.environ.get("SNAPRUN_FRAMES") or 10),
            every=int(os.environ.get("SNAPRUN_EVERY") or 0) / 1000.0,
            limit=int(os.environ.get("SNAPRUN_LIMIT") or 0),
            keep=int(os.environ.get("SNAPRUN_KEEP") or 0),
            gc=bool(os.environ.get("SNAPRUN_GC")),
            keep_bytes=int(os.environ.get("SNAPRUN_KEEP_BYTES") or 0),
            keep_for=int(os.environ.get("SNAPRUN_KEEP_FOR") or 0) / 1000.0,
            rss_above=int(os.environ.get("SNAPRUN_RSS_ABOVE") or 0),
            rss_step=int(os.environ.get("SNAPRUN_RSS_STEP") or 0),
            ignore_limit=bool(os.environ.get("SNAPRUN_IGNORE_LIMIT")),
            details=bool(os.environ.get("SNAPRUN_DETAILS")),
            top=int(os.environ.get("SNAPRUN_TOP") or 0),
            signal=int(os.environ.get("SNAPRUN_SIGNAL") or 0),
            mode=os.environ.get("SNAPRUN_MODE") or "sampled",
            period=int(os.environ.get("SNAPRUN_PERIOD") or 65536),
        )
    except Exception:
        if "subinterpreters" in str(sys.exc_info()[1]):
            return
        # Its children would say the same.
        os.environ["SNAPRUN_GAVE_UP"] = "1"
        try:
            sys.stderr.write("snaprun: %s: no snapshots are taken: %s\n" % (sys.executable, sys.exc_info()[1]))
            sys.stderr.flush()
        except Exception:
            pass


def run_the_next_one():
    """That of the program, or of the distribution, takes our place in sys.modules."""
    here = os.path.dirname(os.path.abspath(__file__))
    paths = [path for path in sys.path if os.path.abspath(path) != here]
    try:
        # What importlib.machinery and importlib.util have, without the dozen of modules that they import.
        from _frozen_importlib import module_from_spec
        from _frozen_importlib_external import PathFinder
    except ImportError:  # Python 2
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
        return
    spec = PathFinder.find_spec("sitecustomize", paths)
    if spec is None or spec.loader is None:
        return
    module = module_from_spec(spec)
    sys.modules["sitecustomize"] = module
    spec.loader.exec_module(module)


begin()
run_the_next_one()
