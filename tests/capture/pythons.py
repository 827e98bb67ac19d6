"""The interpreters that are at hand: those of SNAP_PYTHONS (paths, separated by colons), or what PATH and
a version manager's folder have of the versions that are supported, and of one whose frames are not known."""

import os
import pathlib
import subprocess

VERSIONS = tuple(f"3.{minor}" for minor in range(8, 14))
UNKNOWN = ("3.7",)  # traced by tracemalloc alone
PROBE = "import sys, _tracemalloc; print(sys.implementation.name, '%d.%d' % sys.version_info[:2], sys.executable)"


def candidates():
    given = os.environ.get("SNAP_PYTHONS")
    if given:
        yield from given.split(":")
        return
    for folder in os.environ.get("PATH", "").split(":"):
        path = pathlib.Path(folder)
        if path.name == "shims":  # stands for interpreters beside it, and is none itself
            yield from sorted(path.parent.glob("versions/*/bin/python3"))
            continue
        yield from (path / name for name in ("python3", *(f"python{version}" for version in VERSIONS + UNKNOWN)))


def find():
    """{version: path}; the one of the system is told apart from another of the same version."""
    found = {}
    for path in candidates():
        if not os.access(path, os.X_OK):
            continue
        done = subprocess.run([path, "-c", PROBE], capture_output=True, text=True, stdin=subprocess.DEVNULL)
        words = done.stdout.split(maxsplit=2)
        if done.returncode != 0 or len(words) != 3 or words[0] != "cpython" or words[1] not in VERSIONS + UNKNOWN:
            continue
        real = os.path.realpath(words[2].strip())
        name = words[1] if words[1] not in found else f"{words[1]} of {pathlib.Path(real).parent}"
        if real not in map(os.path.realpath, found.values()):
            found[name] = words[2].strip()
    return found


ALL = find()
FOUND_UNKNOWN = {version: path for version, path in ALL.items() if version.split()[0] in UNKNOWN}
FOUND = {version: path for version, path in ALL.items() if version not in FOUND_UNKNOWN}
MISSING = [version for version in VERSIONS if version not in FOUND]
