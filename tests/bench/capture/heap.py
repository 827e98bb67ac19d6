"""A million live blocks with many distinct tracebacks; prints the path of each of some snapshots of them."""

import random
import sys

import snapcapture

BLOCKS = 1000000
DEPTH = 25


def source():
    """Functions that call each other at many lines, as those of a large application do."""
    lines = []
    for number in range(40):
        lines.append("def step_%d(path, kept):" % number)
        lines.append("    if not path:")
        lines.append("        kept.append([len(kept)])")
        lines.append("        return")
        lines.append("    turn, rest = path[0], path[1:]")
        for turn in range(4):
            lines.append("    if turn == %d: return step_%d(rest, kept)" % (turn, (number * 7 + turn * 11 + 1) % 40))
    return "\n".join(lines)


def main():
    names = {}
    exec(compile(source(), "application.py", "exec"), names)
    dice = random.Random(1)
    kept = []
    paths = [tuple(dice.randrange(4) for _ in range(DEPTH - 5)) for _ in range(20000)]
    # A list and the array of its items each.
    while len(kept) < BLOCKS // 2:
        names["step_0"](paths[len(kept) % len(paths)], kept)
    for number in range(int(sys.argv[1])):
        print(snapcapture.snapshot(label="heap %d" % number))


main()
