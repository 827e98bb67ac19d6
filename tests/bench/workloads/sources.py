"""The standard library's own files: what is imported here, and what the programs that work on source code read."""

import ast
import os
import sysconfig
import warnings

# They print, open a browser or a window, or are not meant to be imported.
SKIPPED_PARTS = {
    "__hello__", "__main__", "__phello__", "_distutils_system_mod", "_pyrepl", "antigravity", "dist-packages", "distutils",
    "ensurepip", "idlelib", "lib-dynload", "pip", "site-packages", "sitecustomize", "test", "tests", "this", "turtle",
    "turtledemo", "usercustomize",
}
# One huge file would outweigh everything else in a small heap.
LARGEST = 40000


def standard_files():
    """(module name, path) of every Python file of the standard library that can be imported."""
    top = sysconfig.get_path("stdlib")
    found = []
    for folder, folders, files in os.walk(top):
        package = os.path.relpath(folder, top).split(os.sep) if folder != top else []
        folders[:] = sorted(f for f in folders if f.isidentifier() and f not in SKIPPED_PARTS)
        for file in files:
            stem, suffix = os.path.splitext(file)
            parts = package + ([] if stem == "__init__" else [stem])
            if suffix == ".py" and parts and all(p.isidentifier() for p in parts) and not SKIPPED_PARTS & set(parts):
                found.append((".".join(parts), os.path.join(folder, file)))
    return sorted(found)


def shuffled_sources(dice):
    files = [(name, path) for name, path in standard_files() if os.path.getsize(path) < LARGEST]
    dice.shuffle(files)
    return files


def syntax_trees(files):
    """(module name, syntax tree) of each file that this Python can read."""
    for name, path in files:
        with open(path, "rb") as source, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                tree = ast.parse(source.read(), path)
            except SyntaxError:
                continue
        yield name, tree
