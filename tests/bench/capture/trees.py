"""Binary trees: small objects with attributes, made and dropped by the million."""


class Node:
    __slots__ = ("left", "right")

    def __init__(self, left, right):
        self.left = left
        self.right = right


def grow(depth):
    if depth == 0:
        return Node(None, None)
    return Node(grow(depth - 1), grow(depth - 1))


def count(tree):
    return 1 if tree.left is None else 1 + count(tree.left) + count(tree.right)


def main():
    kept = grow(14)
    assert sum(count(grow(12)) for _ in range(360)) == 360 * 8191
    assert count(kept) == 32767


main()
