"""Snapshots as text that snapmake_c reads, and as the compact JSON of golden files."""

import json
import subprocess

from decoders import BUILD


def describe(rows, meta=(), columns=()):
    """rows: (frames newest first, total, domain, size, values), a frame being (file, line, function or None);
    meta: (key, value); columns: (name, unit), if not blocks and bytes. All text is bytes."""
    def text(raw):
        return raw.hex() or "."

    lines = ["columns " + " ".join(f"{name.decode()}:{unit}" for name, unit in columns)] if columns else []
    lines += [f"meta {key.decode()} {text(value)}" for key, value in meta]
    for frames, total, domain, size, values in rows:
        told = [f"{text(file)} {line} {'-' if function is None else text(function)}" for file, line, function in frames]
        lines.append(" ".join(["site", *map(str, (total, domain, size, *values)), ":", *told]))
    return "\n".join([*lines, "end", ""])


def make(descriptions, level, series=True):
    """The bytes of a .snap file, written by the library."""
    done = subprocess.run([BUILD / "tests/oracle/snapmake_c", str(level), "series" if series else "one"],
                          input="".join(descriptions).encode(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if done.returncode != 0:
        raise AssertionError(done.stderr.decode())
    return done.stdout


def fold(member):
    """Of a member as snapdump.py --sites prints it, the same with frames and stacks told once."""
    frames, stacks, rows = {}, {}, []
    for trace, total, domain, size, values in member["rows"]:
        told = tuple(frames.setdefault(tuple(frame), len(frames)) for frame in trace)
        rows.append([stacks.setdefault((total, told), len(stacks)), domain, size, *values])
    return {**{key: value for key, value in member.items() if key != "rows"}, "frame_table": list(map(list, frames)),
            "stack_table": [[total, *told] for total, told in stacks], "site_table": rows}


def unfold(member):
    tables = "frame_table", "stack_table", "site_table"
    frames, stacks, rows = (member[key] for key in tables)
    return {**{key: value for key, value in member.items() if key not in tables},
            "rows": [[[frames[f] for f in stacks[stack][1:]], stacks[stack][0], domain, size, values]
                     for stack, domain, size, *values in rows]}


def to_text(members):
    """JSON with a line for each thing, so that changes can be read."""
    out = []
    for member in map(fold, members):
        lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in member.items() if not key.endswith("_table")]
        for key in "frame_table", "stack_table", "site_table":
            body = ",\n".join(json.dumps(row, separators=(",", ":")) for row in member[key])
            lines.append(f"{json.dumps(key)}: [\n{body}\n]" if body else f"{json.dumps(key)}: []")
        out.append("{" + ",\n".join(lines) + "}")
    return "[" + ",\n".join(out) + "]\n"


def from_text(text):
    return [unfold(member) for member in json.loads(text)]
