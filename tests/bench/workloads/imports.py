"""Imports the standard library, module after module, as the start of a large application does; later copies of it too."""

import importlib
import sys
import warnings

from workloads.sources import standard_files

# The interpreter holds on to these, or this program does.
SHARED = {
    "__main__", "abc", "asyncio", "codecs", "encodings", "importlib", "io", "os", "random", "site", "threading",
    "tracemalloc", "warnings", "workloads",
}


def inputs(dice):
    return [name for name, _ in standard_files()]


def imported(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return importlib.import_module(name)
        except (Exception, SystemExit):
            # Made for another system, or needs a library that is not installed.
            return None


def imported_privately(name, private):
    """Imports into the collection `private`, which has its own copy of every module that is written in Python."""
    public = dict(sys.modules)
    for other, module in public.items():
        if (getattr(module, "__file__", None) or "").endswith(".py") and other.partition(".")[0] not in SHARED:
            del sys.modules[other]
    sys.modules.update(private)
    try:
        return imported(name)
    finally:
        private.update(sys.modules)
        sys.modules.clear()
        sys.modules.update(public)


def units(names, dice):
    dice.shuffle(names)
    for name in names:
        yield imported(name)
    while True:
        # Hosts of plugins, and test suites, load their own copies; the order decides who imports whom.
        private = {}
        dice.shuffle(names)
        for name in names:
            yield imported_privately(name, private)
