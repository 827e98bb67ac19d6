#!/usr/bin/env python3
"""Real programs under snaprun, those of programs/: whether snaptrend finds what leaks and leaves the healthy alone.

A leaking program marks the lines that are to blame, those that keep and those that allocate what is kept, by a
comment "# LEAK"; one of them has to be among the frames shown of the first FIRST suspects. Of a healthy one nothing
may be called a leak. Each runs on the system's Python and on one of another version."""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
PROGRAMS = HERE / "programs"
sys.path.insert(0, str(HERE.parent / "capture"))

import pythons  # noqa: E402

FIRST = 3
KINDS = ("leaking", "healthy")


def names(kind):
    return sorted(path.stem for path in (PROGRAMS / kind).glob("*.py"))


def culprits(path):
    return {number for number, line in enumerate(path.read_text().splitlines(), 1) if line.endswith("# LEAK")}


def capture(bin, python, path, folder, environment):
    """Runs a program to its end under snaprun; returns its snapshots."""
    libraries = os.pathsep.join((str(PROGRAMS), str(PROGRAMS / "site-packages")))
    # What the order of a hash brings about differs from run to run.
    environment = {**os.environ, **environment, "PYTHONPATH": libraries, "PYTHONHASHSEED": "0"}
    modes = subprocess.run([bin / "snaprun", "--help"], capture_output=True, text=True, check=True).stdout
    mode = ["--mode", "tracemalloc"] if "--mode" in modes else []
    subprocess.run([bin / "snaprun", "-q", *mode, "-o", folder, "--", python, "-B", path], env=environment, check=True,
                   stdin=subprocess.DEVNULL, timeout=120)
    return sorted(folder.iterdir())


class Found:
    """What snaptrend says of a program."""

    def __init__(self, bin, path, snapshots):
        done = subprocess.run([bin / "snaptrend", "--json", "0", *snapshots], capture_output=True, check=True)
        self.told = json.loads(done.stdout)
        self.leaks = [row for row in self.told["rows"] if row["verdict"].startswith("leak")]
        guilty = culprits(path)
        self.rank = None  # of the first suspect that shows a line to blame
        for row in reversed(self.leaks):
            if any(frame["file"] == str(path) and frame["line"] in guilty for frame in row["traceback"]):
                self.rank = row["rank"]
        self.good = self.rank is not None and self.rank <= FIRST if guilty else not self.leaks

    def blamed(self):
        return ", ".join("%s:%d" % (os.path.basename(row["blame"]["file"]), row["blame"]["line"]) for row in self.leaks[:4])


def judge(bin, python, kind, name, environment={}):
    path = PROGRAMS / kind / (name + ".py")
    with tempfile.TemporaryDirectory() as folder:
        return Found(bin, path, capture(bin, python, path, pathlib.Path(folder, "snaps"), environment))


def two_pythons():
    """The system's and the newest of another version."""
    found = list(pythons.FOUND.items())
    system = [item for item in found if item[1].startswith("/usr/")] or found
    first = system[0]
    others = [item for item in found if item[0].split()[0] != first[0].split()[0]]
    return [first] + sorted(others, key=lambda item: tuple(map(int, item[0].split()[0].split("."))))[-1:]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", default="build/bin", type=pathlib.Path)
    parser.add_argument("--all", action="store_true", help="with each Python that there is")
    parser.add_argument("-k", default="", metavar="TEXT", help="only programs with this in their name")
    options = parser.parse_args()
    chosen = list(pythons.FOUND.items()) if options.all else two_pythons()
    if len(chosen) < 2:
        print("not run: programs on a second version of Python, which is not at hand")
    good = True
    for version, python in chosen:
        print(f"\nreal programs on Python {version}, culprit among the first {FIRST} or nothing called a leak")
        for kind in KINDS:
            right = 0
            tried = [name for name in names(kind) if options.k in name]
            for name in tried:
                found = judge(options.bin.resolve(), python, kind, name)
                right += found.good
                rank = f"#{found.rank} of {len(found.leaks)}" if found.rank else f"{len(found.leaks)} leaks"
                print(f"  {kind:8} {name:22} {'ok   ' if found.good else 'WRONG'}  {rank:10} {found.blamed()}", flush=True)
            print(f"  {kind}: {right} of {len(tried)} right")
            good = good and right == len(tried)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
