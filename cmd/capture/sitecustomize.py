"""Begins the capture that snaprun asks for, then runs the sitecustomize that the program would have had.

Python imports this as soon as it can, and compiles it each time where it may not keep what comes of that: what is
seldom needed stands in snaprun_aside.py. Both run under every interpreter, so they are written for all of them, and
whatever goes wrong here, the program runs.
"""

import os
import sys

if os.environ.get("SNAPRUN_FOLDER"):
    # The table at the end is for the first Python alone, also when it becomes another by exec: the output of those that
    # it runs may be read by it.
    if os.environ.get("SNAPRUN_TOP") and not os.environ.get("SNAPRUN_TOP_IN"):
        os.environ["SNAPRUN_TOP_IN"] = str(os.getpid())
    try:
        # 3.6 tells nobody of a fork; a child in which our thread went on all the same crashed now and then.
        if sys.version_info < (3, 7) or sys.implementation.name != "cpython":
            raise ImportError
        import snapcapture

        snapcapture.start_for_snaprun()
    except Exception:
        import snaprun_aside

        snaprun_aside.give_up()

# That of the program, or of the distribution, takes our place in sys.modules.
here = os.path.dirname(os.path.abspath(__file__))
paths = [path for path in sys.path if os.path.abspath(path) != here]
try:
    # What importlib.machinery and importlib.util have, without the dozen of modules that they import.
    from _frozen_importlib import module_from_spec
    from _frozen_importlib_external import PathFinder
except ImportError:
    import snaprun_aside

    snaprun_aside.run_the_next_one(paths)
else:
    spec = PathFinder.find_spec("sitecustomize", paths)
    if spec is not None and spec.loader is not None:
        module = sys.modules["sitecustomize"] = module_from_spec(spec)
        spec.loader.exec_module(module)
