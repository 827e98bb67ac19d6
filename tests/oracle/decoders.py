"""Runs both decoders of .snap, the library's and snapdump.py, on the same files and compares them."""

import collections
import json
import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import snapdump

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(os.environ.get("SNAP_BUILD", ROOT / "build")).resolve()
BIN = pathlib.Path(os.environ.get("SNAP_BIN", BUILD / "bin")).resolve()
BATCH = 64 << 20  # bytes of input that snapdump.py has at a time

# members: what snapdump.py --sites prints of each; error: None or (kind, offset, sentence)
Read = collections.namedtuple("Read", "members error")


def text_rows(rows):
    """The rows of a member from JSON, sorted, equal sites added up."""
    def size_of_none(text):
        return (0, "") if text is None else (1, text)

    total = {}
    for frames, depth, domain, size, values in rows:
        key = tuple((file, line, size_of_none(function)) for file, line, function in frames), depth, domain, size
        total[key] = [a + b for a, b in zip(total.get(key, [0] * len(values)), values)]
    return [[list(map(list, key[0])), *key[1:], values] for key, values in sorted(total.items()) if any(values)]


def comparable(member):
    """Of a member what both decoders tell; table sizes are the library's own affair."""
    fields = ("offset", "version", "continues", "canonical", "digest", "columns", "units", "meta", "totals")
    return {**{field: member[field] for field in fields}, "rows": text_rows(member["rows"])}


def read_by_c(paths):
    """{path: Read}"""
    out, paths = {}, [str(path) for path in paths]
    while paths:
        part, paths = paths[:500], paths[500:]
        done = subprocess.run([BUILD / "tests/oracle/snapdump_c", *part], stdout=subprocess.PIPE)
        if done.returncode != 0:
            raise AssertionError(f"snapdump_c ended with {done.returncode} on {part}")
        for line in done.stdout.splitlines():
            found = json.loads(line)
            if "file" in found:
                members = []
                name = found["file"]
                out[name] = Read(members, None)
            elif "error" in found:
                out[name] = Read(members, (found["error"], found["offset"], found["message"]))
            else:
                members.append(found)
    return out


def read_by_python(data):
    members = []
    try:
        for member in snapdump.read_members(data):
            members.append(json.loads(member.to_json(True)))
    except snapdump.SnapError as e:
        return Read(members, (e.kind, e.offset, e.message))
    return Read(members, None)


def disagreements(paths):
    """Sentences about all files that the two read differently."""
    paths = [str(path) for path in paths]
    by_c = read_by_c(paths)
    out = []
    while paths:
        batch, size = {}, 0
        while paths and size < BATCH:
            path = paths.pop()
            batch[path] = pathlib.Path(path).read_bytes()
            size += len(batch[path])
        snapdump.prefetch(batch.values())
        for path, data in batch.items():
            out += compare(path, by_c[path], read_by_python(data))
    return out


def compare(path, c, python):
    if (c.error and c.error[:2]) != (python.error and python.error[:2]):
        return [f"{path}: the library says {c.error}, snapdump.py {python.error}"]
    if len(c.members) != len(python.members):
        return [f"{path}: the library reads {len(c.members)} members, snapdump.py {len(python.members)}"]
    out = []
    for number, (ours, theirs) in enumerate(zip(c.members, python.members), 1):
        ours, theirs = comparable(ours), comparable(theirs)
        out += [f"{path}: member {number}: {field}: the library reads {ours[field]!r:.300}, snapdump.py "
                f"{theirs[field]!r:.300}" for field in ours if ours[field] != theirs[field]]
    return out


def disagreements_on_bytes(named):
    """The same for (name, bytes) in memory."""
    with tempfile.TemporaryDirectory(prefix="snap-oracle-") as folder:
        paths = []
        for number, (name, data) in enumerate(named):
            paths.append(pathlib.Path(folder, f"{number:05}-{name}"))
            paths[-1].write_bytes(data)
        return [line[len(folder) + 1:] for line in disagreements(paths)]
