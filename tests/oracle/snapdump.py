#!/usr/bin/env python3
"""Independent strict decoder of .snap files, made only from schema/snap-format.md.

usage: snapdump.py [--sites] FILE        (FILE may be -)

Prints one JSON object per member. On the first defect:
`snapdump.py: FILE: offset N: truncated|damaged|unsupported: sentence` on stderr, exit 2.

Needs Python 3.8+ and, for compressed sections, the `zstd` command. It is written to be
compared with, not to be fast or frugal. Where the document leaves something open, the
choice made here is marked `CHOICE`.
"""
import json
import os
import pickle
import struct
import subprocess
import sys
import tempfile
import zlib
from collections import Counter, namedtuple

MAGIC = b"\x89SNP\r\n\x1a\n"
VERSION = 1
MAX_RAW = 4194304
MAX_ROWS = 65536
MAX_COUNT = 1 << 30
MAX_DEPTH = 65535
M64 = (1 << 64) - 1


class SnapError(Exception):
    """kind is truncated, damaged or unsupported; offset counts from the start of the input."""

    def __init__(self, kind, offset, message):
        Exception.__init__(self, "offset %d: %s: %s" % (offset, kind, message))
        self.kind, self.offset, self.message = kind, offset, message


class _Bad(Exception):
    """Damage in the section being read; becomes a SnapError with its offset."""


def need(ok, message):
    if not ok:
        raise _Bad(message)


# ---------------------------------------------------------------- integers (2.3)

def uints(body):
    """All varints of a body."""
    out, v, shift = [], 0, 0
    for c in body:
        if c < 128:
            if shift:
                need(c, "a varint is not in its shortest form")
                need(shift < 63 or c == 1, "a varint is 2^64 or more")
                out.append(v | c << shift)
                v = shift = 0
            else:
                out.append(c)
        else:
            need(shift < 63, "a varint has more than 10 bytes")
            v |= (c & 127) << shift
            shift += 7
    need(not shift, "a varint is cut off by the end of its section")
    return out


def unzigzag(u):
    return u >> 1 ^ -(u & 1)


def rows(body, width=1):
    v = uints(body)
    need(len(v) % width == 0, "a row is cut off by the end of its section")
    need(v, "a section without a row")
    need(len(v) // width <= MAX_ROWS, "more than 65536 rows in a section")
    return v if width == 1 else [tuple(v[i:i + width]) for i in range(0, len(v), width)]


class Cursor:
    """Reads a body in which numbers and bytes alternate."""

    def __init__(self, body):
        self.body, self.pos = body, 0

    def uint(self):
        end = self.pos
        while end < len(self.body) and self.body[end] > 127 and end - self.pos < 10:
            end += 1
        v, = uints(self.body[self.pos:end + 1]) or [None]
        need(v is not None, "a row is cut off by the end of its section")
        self.pos = end + 1
        return v

    def take(self, n):
        need(n <= len(self.body) - self.pos, "a row is cut off by the end of its section")
        self.pos += n
        return self.body[self.pos - n:self.pos]

    def end(self):
        need(self.pos == len(self.body), "bytes are left over after the last row")


# ---------------------------------------------------------------- zstd bodies (2.2)

def check_zstd(body):
    """Walk frames and blocks (RFC 8878): whole frames only, no dictionary. -> error or None"""
    n, pos = len(body), 0
    if not n:
        return "a compressed body without a zstd frame"
    while pos < n:
        if n - pos < 8:
            return "a zstd frame is cut off"
        magic = int.from_bytes(body[pos:pos + 4], "little")
        if magic & ~15 == 0x184D2A50:
            pos += 8 + int.from_bytes(body[pos + 4:pos + 8], "little")
        elif magic == 0xFD2FB528:
            fhd = body[pos + 4]
            single = fhd >> 5 & 1
            if fhd & 8:
                return "a reserved bit is set in a zstd frame header"
            idlen = (0, 1, 2, 4)[fhd & 3]
            pos += 5 + (1 - single)
            if any(body[pos:pos + idlen]):
                return "a zstd frame needs a dictionary"
            pos += idlen + ((single, 2, 4, 8)[fhd >> 6])
            while True:
                block = int.from_bytes(body[pos:pos + 3], "little")
                if pos + 3 > n or block >> 1 & 3 == 3:
                    return "a zstd block is cut off or of an unknown type"
                pos += 3 + (1 if block >> 1 & 3 == 1 else block >> 3)
                if block & 1:
                    break
            pos += 4 if fhd & 4 else 0
        else:
            return "something that is not a zstd frame in a compressed body"
        if pos > n:
            return "a zstd frame is cut off"
    return None


def run_zstd(packed, expected):
    """Decompress with one call of the tool; None if it fails or gives another length."""
    with tempfile.TemporaryFile() as f:
        f.write(packed)
        f.seek(0)
        p = subprocess.Popen(["zstd", "-dcq"], stdin=f, stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL)
        out = p.stdout.read(expected + 1)
        if len(out) > expected:
            p.kill()
        p.stdout.close()
        ok = p.wait() == 0
    return out if ok and len(out) == expected else None


_cache = {}
_cache_size = [0]


def unpack_all(jobs):
    """jobs: [(body, raw length)] -> list of bytes, or of str where the body is bad.

    Many bodies go through one call of zstd. Between them stand frames that hold an
    unpredictable marker, which must come out at exactly the places the lengths say."""
    out = [_cache.get(job) for job in jobs]
    todo = []
    for i, (body, raw) in enumerate(jobs):
        if out[i] is None:
            out[i] = check_zstd(body)
            if out[i] is None:
                todo.append(i)

    def batch(ids):
        mark = os.urandom(24)
        frame = (b"\x28\xb5\x2f\xfd\x20" + bytes([len(mark)])
                 + (len(mark) << 3 | 1).to_bytes(3, "little") + mark)
        text = run_zstd(b"".join(jobs[i][0] + frame for i in ids),
                        sum(jobs[i][1] + len(mark) for i in ids))
        pos, parts = 0, []
        if text is not None:
            for i in ids:
                end = pos + jobs[i][1]
                if text[end:end + len(mark)] != mark:
                    break
                parts.append(text[pos:end])
                pos = end + len(mark)
        if len(parts) == len(ids):
            for i, part in zip(ids, parts):
                out[i] = part
                _cache_size[0] += len(part) + len(jobs[i][0])
                if _cache_size[0] > 1 << 26:
                    _cache.clear()
                    _cache_size[0] = 0
                _cache[jobs[i]] = part
        elif len(ids) == 1:
            out[ids[0]] = "the zstd frames do not decode to the raw length"
        else:
            batch(ids[:len(ids) // 2])
            batch(ids[len(ids) // 2:])

    start = 0
    while start < len(todo):
        end, size = start, 0
        while end < len(todo) and (end == start or size + jobs[todo[end]][1] < 1 << 26):
            size += jobs[todo[end]][1]
            end += 1
        batch(todo[start:end])
        start = end
    return out


# ---------------------------------------------------------------- digest (6)

def mix(h):
    h ^= h >> 30
    h = h * 0xBF58476D1CE4E5B9 & M64
    h ^= h >> 27
    h = h * 0x94D049BB133111EB & M64
    return h ^ h >> 31


K = [mix(j * 0x9E3779B97F4A7C15 & M64) | 1 for j in range(8)]
B = 0xD6E8FEB86659FD93


def hash_str(s):
    h = mix(len(s) + K[1] & M64)
    for i in range(0, len(s), 8):
        h = mix(h ^ int.from_bytes(s[i:i + 8], "little"))
    return h


def hash_frame(file_hash, line, function_hash):
    return mix(file_hash + line * K[2] + function_hash * K[3] & M64)


def hash_stack(w, length, total):
    return mix(w + length * K[4] + total * K[5] & M64)


def hash_site(s, domain, size, values, column_hashes):
    e = s + domain * K[6] + size * K[7]
    return e + sum(v * c for v, c in zip(values, column_hashes)) & M64


def finish_digest(es, meta):
    m = 0
    for key, value in meta:
        if not key.startswith((b"history.", b"old.history.")):
            m = mix(m ^ hash_str(key))
            m = mix(m + hash_str(value) & M64)
    d0, d1 = mix(m), mix(m + 1 & M64)
    for e in es:
        d0 += mix(e)
        d1 += mix(e ^ 0x6A09E667F3BCC909)
    return d0 & M64, d1 & M64


def digest_of_rows(columns, meta, rows):
    """(D0, D1) from what the snapshot says. columns: names; meta: [(key, value)];
    rows: [(frames newest first, total, domain, size, values)], a frame being
    (file, line, function or None); names, keys and values of metadata are bytes."""
    hs, hf = {}, {}

    def text(s):
        if s not in hs:
            hs[s] = hash_str(s)
        return hs[s]

    chs = [text(c) for c in columns]
    es = []
    for frames, total, domain, size, values in rows:
        if not any(values):
            continue
        w = 0
        for frame in reversed(frames):
            if frame not in hf:
                file, line, function = frame
                hf[frame] = hash_frame(text(file), line, 0 if function is None else text(function))
            w = w * B + hf[frame] & M64
        es.append(hash_site(hash_stack(w, len(frames), total), domain, size, values, chs))
    return finish_digest(es, meta)


def rows_of_pickle(path):
    """The logical rows (columns blocks, bytes) of a tracemalloc dump, read by CPython."""
    with open(path, "rb") as f:
        traces = pickle.load(f).traces._traces
    counts, names = Counter(), {}
    for t in traces:
        if len(t) == 2:
            domain, (size, frames), total = 0, t, 0
        elif len(t) == 3:
            (domain, size, frames), total = t, 0
        else:
            domain, size, frames, total = t
        counts[tuple(tuple(f) for f in frames), total or 0, domain, size] += 1
    out = []
    for (frames, total, domain, size), n in counts.items():
        logical = []
        for name, line in frames or (("<unknown>", 0),):
            if name not in names:
                names[name] = name.encode("utf-8", "surrogatepass")
            logical.append((names[name], line, None))
        out.append((tuple(logical), total, domain, size, (n, n * size)))
    return merge_rows(out)


def row_key(row):
    """Orders rows: an absent function before the empty one."""
    return ([(f, l, (0, b"") if u is None else (1, u)) for f, l, u in row[0]],) + row[1:]


def merge_rows(rows):
    """Equal (frames, total, domain, size) are one row; all-zero rows are none. -> sorted"""
    acc = {}
    for row in rows:
        key, values = tuple(row[:4]), row[4]
        acc[key] = tuple(a + b for a, b in zip(acc[key], values)) if key in acc else tuple(values)
    return sorted((k + (v,) for k, v in acc.items() if any(v)), key=row_key)


# ---------------------------------------------------------------- tables and members

Column = namedtuple("Column", "name unit predictor source")


class Tables:
    """Append-only, shared by the members of a series; only `values` is overwritten."""

    def __init__(self):
        self.columns, self.limit, self.known, self.meta = [], 0, 0, []
        self.strings, self.string_bytes = [], 0
        self.frames = []                      # (file number, line, function code)
        self.callees, self.pairs = {}, set()  # caller -> [callee]; (caller, callee)
        self.parent, self.frame, self.height, self.depth = [], [], [], []  # nodes; parent -1
        self.stacks, self.stackset = [], set()   # (node, length, total)
        self.sites, self.siteset, self.values = [], set(), []   # (stack, domain, size); tuple
        self.hs, self.hf, self.hn, self.hk = [], [], [], []     # hashes

    def rule(self, node):
        d = self.depth[node]
        return node, min(d, self.limit or d), d if self.known else 0

    def path(self, node, length):
        """Frame numbers, newest first."""
        out = []
        for _ in range(length):
            out.append(self.frame[node])
            node = self.parent[node]
        return tuple(out)

    def hash_all(self):
        for s in self.strings[len(self.hs):]:
            self.hs.append(hash_str(s))
        for file, line, code in self.frames[len(self.hf):]:
            self.hf.append(hash_frame(self.hs[file], line, self.hs[code - 1] if code else 0))
        for i in range(len(self.hn), len(self.frame)):
            up = self.parent[i]
            self.hn.append((self.hn[up] * B if up >= 0 else 0) + self.hf[self.frame[i]] & M64)
        for node, length, total in self.stacks[len(self.hk):]:
            if length == self.height[node]:
                w = self.hn[node]
            else:
                w = 0
                for f in reversed(self.path(node, length)):
                    w = w * B + self.hf[f] & M64
            self.hk.append(hash_stack(w, length, total))

    def residuals(self, size, values):
        return [v - (values[c.source] if c.predictor == 1 else
                     size * values[c.source] if c.predictor == 2 else 0)
                for v, c in zip(values, self.columns)]

    def from_residuals(self, size, res):
        # CHOICE: exact arithmetic; a value outside of 64 bits is damage, a residual is not
        v = []
        for r, c in zip(res, self.columns):
            v.append(r + (v[c.source] if c.predictor == 1 else
                          size * v[c.source] if c.predictor == 2 else 0))
            need(-1 << 63 <= v[-1] < 1 << 63, "a value of column %s is outside of 64 bits"
                 % c.name.decode())
        return tuple(v)


class Member:
    """One decoded snapshot. It stays valid when later members are read."""

    def __init__(self, number, offset, version, minreader, flags, tables):
        self.number, self.offset, self.version, self.minreader = number, offset, version, minreader
        self.flags, self.continues, self.canonical = flags, bool(flags & 1), bool(flags & 2)
        self._t = tables

    def _close(self, more, digest):
        t = self._t
        self.more, self.digest, self.meta = more, digest, list(t.meta)
        self.column_specs, self.limit, self.known = list(t.columns), t.limit, t.known
        self.columns = [c.name for c in t.columns]
        self.values = list(t.values)
        self.n_strings, self.n_frames, self.n_nodes = len(t.strings), len(t.frames), len(t.frame)
        self.n_stacks, self.n_sites = len(t.stacks), sum(map(any, t.values))

    strings = property(lambda self: self._t.strings[:self.n_strings])
    frames = property(lambda self: self._t.frames[:self.n_frames])
    stacks = property(lambda self: self._t.stacks[:self.n_stacks])
    sites = property(lambda self: list(zip(self._t.sites, self.values)))

    @property
    def nodes(self):
        """(parent or -1, frame, depth)"""
        t = self._t
        return list(zip(t.parent, t.frame, t.depth))[:self.n_nodes]

    @property
    def totals(self):
        return [sum(v[c] for v in self.values) for c in range(len(self.columns))]

    def rows(self):
        """Live sites as logical rows: (frames newest first, total, domain, size, values)."""
        t, names, stacks, out = self._t, {}, {}, []
        for (stack, domain, size), values in zip(t.sites, self.values):
            if not any(values):
                continue
            if stack not in stacks:
                node, length, total = t.stacks[stack]
                frames = []
                for f in t.path(node, length):
                    if f not in names:
                        file, line, code = t.frames[f]
                        names[f] = (t.strings[file], line, t.strings[code - 1] if code else None)
                    frames.append(names[f])
                stacks[stack] = tuple(frames), total
            out.append(stacks[stack] + (domain, size, values))
        return sorted(out, key=row_key)

    def to_json(self, sites=False):
        def text(b):
            return b.decode("utf-8", "surrogateescape")
        names = [text(c) for c in self.columns]
        doc = {"member": self.number, "offset": self.offset, "version": self.version,
               "continues": self.continues, "canonical": self.canonical,
               "digest": "%016x%016x" % self.digest, "columns": names,
               "meta": [[text(k), text(v)] for k, v in self.meta],
               "strings": self.n_strings, "frames": self.n_frames, "nodes": self.n_nodes,
               "stacks": self.n_stacks, "sites": self.n_sites,
               "totals": dict(zip(names, self.totals))}
        if sites:
            doc["rows"] = [[[[text(f), l, None if u is None else text(u)] for f, l, u in frames],
                            total, domain, size, list(values)]
                           for frames, total, domain, size, values in self.rows()]
        return json.dumps(doc)


# ---------------------------------------------------------------- sections (5)

RANK = {b"META": 0, b"COLS": 1, b"STKR": 2, b"STRP": 3, b"STRB": 4, b"FRMF": 5, b"FRML": 6,
        b"FRMU": 7, b"PRSC": 8, b"PRST": 9, b"ATCH": 10, b"NODE": 11, b"RDEP": 12, b"STKD": 13,
        b"STKX": 14, b"CHGI": 15, b"CHGV": 15, b"SITO": 16, b"SITT": 17, b"DOMS": 17,
        b"VALS": 17, b"END ": 18}
ONCE = (b"META", b"COLS", b"STKR", b"END ")


class MemberReader:
    """Takes the sections of one member in turn. self.offset is the section that is blamed."""

    def __init__(self, tables, continues):
        t = self.t = tables
        self.continues = continues
        self.offset, self.rank = None, -1
        self.S0, self.F0, self.N0 = len(t.strings), len(t.frames), len(t.frame)
        self.K0, self.G0 = len(t.stacks), len(t.sites)
        self.shape, self.next_string, self.suffixes, self.blob = [], 0, 0, bytearray()
        self.files, self.file_at, self.line, self.file_begun = [], 0, 0, False
        self.functions, self.code = 0, 0
        self.callers, self.caller_at, self.callee = [], 0, None
        self.attach, self.point, self.todo, self.list = [], None, [], None
        self.with_stack, self.roots, self.tall, self.root_depths = [], [], {}, []
        self.roots_of = {}
        self.stkd, self.stkx = -1, None
        self.chg, self.changed, self.deltas = -1, None, {}
        self.sito, self.old_stacks, self.turn = -1, [], None
        self.turn_at, self.prev, self.group = 0, None, None

    def feed(self, tag, index, body, offset):
        r = RANK[tag]
        try:
            if r != self.rank:
                for q in range(max(self.rank, 0), min(r, 18)):
                    self.finish(q)
        except _Bad as e:
            raise SnapError("damaged", offset if self.offset is None else self.offset, str(e))
        self.offset = offset
        name = tag.decode()
        try:
            need(r >= self.rank, "section %s is out of order" % name)
            need(r > self.rank or tag not in ONCE, "section %s occurs twice" % name)
            need(r == 0 or self.rank >= 0, "section META is missing")
            if self.continues:
                need(r not in (1, 2), "section %s in a continuing member" % name)
            else:
                need(r == 1 or self.rank >= 1 or r == 0, "section COLS is missing")
                need(r <= 2 or self.rank >= 2, "section STKR is missing")
                need(r not in (13, 15, 16), "section %s in a member that stands alone" % name)
            need(index == 0 or tag in (b"CHGV", b"VALS"), "section %s has an index" % name)
            self.rank = r
            if tag in (b"CHGV", b"VALS"):
                getattr(self, name)(body, index)
            elif tag != b"END ":
                getattr(self, name)(body)
        except _Bad as e:
            raise SnapError("damaged", offset, str(e))

    def finish(self, rank):
        """What can only be checked when no more sections of this rank can come."""
        if rank == 4:
            self.make_strings()
            need(self.next_string == len(self.shape), "STRB holds less than STRP asks for")
        elif rank == 6:
            need(self.file_at == len(self.files) and not self.file_begun,
                 "FRMF and FRML disagree on the number of files")
        elif rank == 7:
            f = self.t.frames[self.F0:]
            if self.functions:
                need(self.functions == len(f), "FRMU has less rows than there are new frames")
            else:
                need(all(a[:2] != b[:2] for a, b in zip(f, f[1:])), "a frame is repeated")
        elif rank == 9:
            need(self.caller_at == len(self.callers) and self.callee is None,
                 "PRSC and PRST disagree on the number of callers")
        elif rank == 11:
            need(self.list is None and (not self.attach or self.point is not None)
                 and not self.todo, "a list of nodes is not ended")
        elif rank == 12:
            self.finish_nodes()
        elif rank == 13:
            for node in self.with_stack:
                self.add_stack(*self.t.rule(node))
        elif rank == 15:
            self.finish_changes()
        elif rank == 17:
            self.finish_group()
            if self.turn is None:
                self.take_turns()
            need(self.turn_at == len(self.turn) and self.prev is None,
                 "there are less new sites than the stacks ask for")

    # -- metadata, columns, rule

    def META(self, body):
        cur, old, meta, keys = Cursor(body), self.t.meta, [], set()
        count = cur.uint()
        need(count <= 4096, "more than 4096 entries")
        for _ in range(count):
            ref = cur.uint()
            need(ref <= (len(old) if self.continues else 0), "a reference to no entry")
            if ref:
                key = old[ref - 1][0]
            else:
                n = cur.uint()
                need(1 <= n <= 255, "a key is empty or too long")
                key = cur.take(n)
                need(all(c > 0x20 and c not in b"=\x7f" for c in key), "a bad byte in a key")
            n = cur.uint()
            need(n or ref, "a value that refers to no entry")
            need(n <= 1048577, "a value is too long")
            value = cur.take(n - 1) if n else old[ref - 1][1]
            need(0 not in value, "a NUL in a value")
            need(key not in keys, "a key occurs twice")
            keys.add(key)
            meta.append((key, value))
        cur.end()
        # CHOICE: the 4 MiB of 5.1 are the length of the body only, not of resolved entries
        self.t.meta = meta

    def COLS(self, body):
        cur, cols = Cursor(body), self.t.columns
        count = cur.uint()
        need(2 <= count <= 16, "less than 2 or more than 16 columns")
        for c in range(count):
            n = cur.uint()
            need(1 <= n <= 63, "a column name is empty or too long")
            name = cur.take(n)
            need(all(b in b"abcdefghijklmnopqrstuvwxyz0123456789_" for b in name),
                 "a bad byte in a column name")
            need(all(name != k.name for k in cols), "a column occurs twice")
            unit, predictor, source = cur.uint(), cur.uint(), cur.uint()
            need(unit <= 2 and predictor <= 2, "an unknown unit or predictor")
            need(source < c if predictor else source == 0, "a bad `from`")
            cols.append(Column(name, unit, predictor, source))
        cur.end()
        need(cols[0] == (b"blocks", 0, 0, 0) and cols[1] == (b"bytes", 1, 2, 0),
             "the first columns are not blocks and bytes")

    def STKR(self, body):
        v = uints(body)
        need(len(v) == 2 and v[0] <= MAX_DEPTH and v[1] <= 1, "a bad rule for stacks")
        self.t.limit, self.t.known = v

    # -- strings

    def STRP(self, body):
        t = self.t
        for shared, suffix in rows(body, 2):
            before = sum(self.shape[-1]) if self.shape else 0
            need(shared <= before and shared <= 32 * (suffix + 2), "`shared` is too large")
            need(suffix or not (self.shape or self.continues), "a string without a suffix")
            need(shared + suffix <= 65535, "a string is too long")
            self.shape.append((shared, suffix))
            self.suffixes += suffix
            t.string_bytes += shared + suffix
            need(t.string_bytes < 1 << 32, "too many bytes of strings")
        need(self.S0 + len(self.shape) <= MAX_COUNT, "too many strings")

    def STRB(self, body):
        # CHOICE: an empty STRB is accepted
        need(0 not in body, "a NUL in a string")
        self.blob += body
        self.suffixes -= len(body)
        need(self.suffixes >= 0, "STRB holds more than STRP asks for")
        self.make_strings()

    def make_strings(self):
        strings, pos, blob = self.t.strings, 0, self.blob
        while self.next_string < len(self.shape):
            shared, suffix = self.shape[self.next_string]
            if suffix > len(blob) - pos:
                break
            before = strings[-1] if self.next_string else b""
            s = before[:shared] + bytes(blob[pos:pos + suffix])
            need(not self.next_string or before < s, "strings do not ascend")
            # CHOICE: `shared` may be less than what is in common (5.4 caps it)
            strings.append(s)
            pos += suffix
            self.next_string += 1
        del blob[:pos]

    # -- frames

    def FRMF(self, body):
        for gap in rows(body):
            self.files.append((self.files[-1] if self.files else -1) + gap + 1)
            need(self.files[-1] < len(self.t.strings), "a file is no string")

    def FRML(self, body):
        frames = self.t.frames
        for token in rows(body):
            need(self.file_at < len(self.files), "FRML has more files than FRMF")
            self.line += token >> 1
            need(self.line < 1 << 32, "a line is 2^32 or more")
            frames.append((self.files[self.file_at], self.line, 0))
            self.file_begun = not token & 1
            if token & 1:
                self.file_at += 1
                self.line = 0
        need(len(frames) <= MAX_COUNT, "too many frames")

    def FRMU(self, body):
        frames = self.t.frames
        for token in rows(body):
            i = self.F0 + self.functions
            need(i < len(frames), "FRMU has more rows than there are new frames")
            self.code += unzigzag(token)
            need(0 <= self.code <= len(self.t.strings), "a function is no string")
            frames[i] = frames[i][:2] + (self.code,)
            need(i == self.F0 or frames[i - 1] < frames[i], "frames do not ascend")
            self.functions += 1

    # -- pairs

    def PRSC(self, body):
        for gap in rows(body):
            self.callers.append((self.callers[-1] if self.callers else -1) + gap + 1)
            need(self.callers[-1] < len(self.t.frames), "a caller is no frame")

    def PRST(self, body):
        t = self.t
        for token in rows(body):
            need(self.caller_at < len(self.callers), "PRST has more callers than PRSC")
            caller = self.callers[self.caller_at]
            callee = caller + unzigzag(token >> 1) if self.callee is None \
                else self.callee + 1 + (token >> 1)
            need(0 <= callee < len(t.frames), "a callee is no frame")
            need((caller, callee) not in t.pairs, "a pair is repeated")
            t.pairs.add((caller, callee))
            t.callees.setdefault(caller, []).append(callee)
            self.callee = None if token & 1 else callee
            self.caller_at += token & 1

    # -- nodes

    def ATCH(self, body):
        for gap in rows(body):
            self.attach.append((self.attach[-1] if self.attach else -1) + gap + 1)
            need(self.attach[-1] <= self.N0, "an attachment point is no old node")

    def NODE(self, body):
        t = self.t
        if self.point is None:
            self.attach = self.attach or [0]
            self.point = 0
            self.list = self.attach[0] - 1, -1   # parent, number of the previous one
            self.root_frame = 0
        for token in rows(body):
            need(self.list is not None, "a node after the last list")
            parent, prev = self.list
            d, node = token >> 3, len(t.frame)
            if parent < 0:
                number = 0
                self.root_frame += d
                frame, height = self.root_frame, 1
                need(frame < len(t.frames), "a root is no frame")
                self.roots.append(node)
                self.top = node
            else:
                number = prev + d + 1
                callees = t.callees.get(t.frame[parent], ())
                need(number < len(callees), "a child is not among the callees of its parent")
                frame, height = callees[number], t.height[parent] + 1
                if parent < self.N0:
                    self.top = None
            t.parent.append(parent)
            t.frame.append(frame)
            t.height.append(height)
            # the depth of nodes below new roots is known after RDEP
            t.depth.append(0 if self.top is not None else t.depth[parent] + 1)
            if self.top is not None:
                self.tall[self.top] = max(self.tall.get(self.top, 0), height)
            need(height <= MAX_DEPTH and t.depth[-1] <= MAX_DEPTH, "a node is too deep")
            if token & 4:
                self.with_stack.append(node)
            if not token & 1:
                self.todo.append((parent, number))
            if token & 2:
                self.list = node, -1
            elif self.todo:
                self.list = self.todo.pop()
                if self.list[0] < 0:
                    self.top = None
            else:
                self.point += 1
                self.list = (self.attach[self.point] - 1, -1) \
                    if self.point < len(self.attach) else None
        need(len(t.frame) <= MAX_COUNT, "too many nodes")

    def RDEP(self, body):
        t = self.t
        for token in rows(body):
            i = len(self.root_depths)
            need(i < len(self.roots), "RDEP has more rows than there are new roots")
            same = i and t.frame[self.roots[i - 1]] == t.frame[self.roots[i]]
            depth = token + 1 + (self.root_depths[-1] if same else 0)
            need(depth + self.tall[self.roots[i]] - 1 <= MAX_DEPTH, "a node is too deep")
            self.root_depths.append(depth)

    def finish_nodes(self):
        t = self.t
        if self.root_depths:
            need(len(self.root_depths) == len(self.roots), "RDEP has less rows than new roots")
        else:
            need(all(t.frame[a] != t.frame[b] for a, b in zip(self.roots, self.roots[1:])),
                 "a root is repeated")
            self.root_depths = [1] * len(self.roots)
        for node, depth in zip(self.roots, self.root_depths):
            t.depth[node] = depth
        for node in range(self.N0, len(t.frame)):
            if t.parent[node] >= 0:
                t.depth[node] = t.depth[t.parent[node]] + 1
        for node in self.with_stack:
            need(t.rule(node)[1] <= t.height[node], "a stack is longer than the path of its node")

    # -- stacks

    def add_stack(self, node, length, total):
        t = self.t
        need(1 <= length <= t.height[node], "a stack is longer than the path of its node or empty")
        need(total == 0 or length <= total <= MAX_DEPTH, "a total below the length or too large")
        # CHOICE: a (node, length, total) that an earlier member has made is damage
        need((node, length, total) not in t.stackset, "a stack is repeated")
        t.stackset.add((node, length, total))
        t.stacks.append((node, length, total))
        need(len(t.stacks) <= MAX_COUNT, "too many stacks")

    def STKD(self, body):
        for gap in rows(body):
            self.stkd += gap + 1
            need(self.stkd < self.N0, "a stack of no old node")
            self.add_stack(*self.t.rule(self.stkd))

    def STKX(self, body):
        for gap, length, total in rows(body, 3):
            node = (self.stkx[0] if self.stkx else 0) + gap
            need(node < len(self.t.frame), "a stack of no node")
            row = node, length, total
            need(self.stkx is None or self.stkx < row, "stacks do not ascend")
            need(row != self.t.rule(node), "a stack in STKX follows the rule")
            self.add_stack(*row)
            self.stkx = row

    # -- changed sites

    def CHGI(self, body):
        self.finish_changes()
        self.changed, self.deltas = [], {}
        for gap in rows(body):
            self.chg += gap + 1
            need(self.chg < self.G0, "a change to no old site")
            self.changed.append(self.chg)

    def CHGV(self, body, column):
        # CHOICE: the columns may come in any order, and a CHGI without CHGV is accepted
        need(self.changed is not None, "CHGV without CHGI")
        need(column < len(self.t.columns), "CHGV of no column")
        need(column not in self.deltas, "CHGV occurs twice for a column")
        v = rows(body)
        need(len(v) == len(self.changed), "CHGV and CHGI differ in length")
        self.deltas[column] = [unzigzag(x) for x in v]

    def finish_changes(self):
        t = self.t
        for i, site in enumerate(self.changed or ()):
            size = t.sites[site][2]
            res = t.residuals(size, t.values[site])
            for c, delta in self.deltas.items():
                res[c] += delta[i]
            t.values[site] = t.from_residuals(size, res)
        self.changed = None

    # -- new sites

    def SITO(self, body):
        for gap in rows(body):
            self.sito += gap + 1
            need(self.sito < self.K0, "new sites of no old stack")
            self.old_stacks.append(self.sito)

    def take_turns(self):
        t = self.t
        self.turn = self.old_stacks + sorted(range(self.K0, len(t.stacks)),
                                             key=lambda k: (t.frame[t.stacks[k][0]], k))

    def SITT(self, body):
        self.finish_group()
        if self.turn is None:
            self.take_turns()
        tokens = rows(body)
        need(len(self.t.sites) + len(tokens) <= MAX_COUNT, "too many sites")
        self.group = (self.offset, tokens, sum(x >> 1 & 1 for x in tokens))
        self.domains, self.vals = None, {}

    def DOMS(self, body):
        need(self.group, "DOMS without SITT")
        need(self.domains is None and not self.vals, "DOMS is out of order or occurs twice")
        v, self.domains = uints(body), []
        need(len(v) % 2 == 0, "a row is cut off by the end of its section")
        for run, domain in zip(v[::2], v[1::2]):
            need(0 < run <= len(self.group[1]) - len(self.domains), "a run of no or too many sites")
            need(domain < 1 << 32, "a domain is 2^32 or more")
            need(not self.domains or self.domains[-1] != domain, "neighbouring runs of one domain")
            self.domains += [domain] * run
        need(len(self.domains) == len(self.group[1]), "DOMS and SITT differ in length")

    def VALS(self, body, column):
        # CHOICE: an empty VALS is accepted where no site is explicit
        need(self.group, "VALS without SITT")
        need(column < len(self.t.columns), "VALS of no column")
        need(not self.vals or max(self.vals) < column, "VALS is out of order or occurs twice")
        v = uints(body)
        need(len(v) == self.group[2], "VALS and SITT differ in length")
        self.vals[column] = [unzigzag(x) for x in v]

    def finish_group(self):
        if not self.group:
            return
        t, (offset, tokens, _), last_offset, seen = self.t, self.group, self.offset, 0
        for i, token in enumerate(tokens):
            self.offset = offset
            domain = self.domains[i] if self.domains else 0
            need(self.turn_at < len(self.turn), "more sites than the stacks ask for")
            stack = self.turn[self.turn_at]
            same = self.prev is not None and self.prev[0] == domain
            size = (token >> 2) + (self.prev[1] if same else 0)
            need(size < 1 << 61, "a block size is 2^61 or more")
            need(self.prev is None or self.prev < (domain, size), "the sites of a stack do not ascend")
            site = stack, domain, size
            need(site not in t.siteset, "a site occurs twice")
            self.offset = last_offset
            res = [1] + [0] * (len(t.columns) - 1)
            if token & 2:
                res[0] = 0
                for c, v in self.vals.items():
                    res[c] = v[seen]
                seen += 1
            t.siteset.add(site)
            t.sites.append(site)
            t.values.append(t.from_residuals(size, res))
            self.prev = None if token & 1 else (domain, size)
            self.turn_at += token & 1
        self.group = None

    # -- END

    def END(self, body):
        """-> (MORE, digest)"""
        t, offset = self.t, self.offset

        def check(ok, message, kind="damaged"):
            if not ok:
                raise SnapError(kind, offset, message)

        flags, zero, ns, nf, nn, nk, ng, d0, d1 = struct.unpack("<IIQQQQQQQ", body)
        check(not flags & 0xFFFE, "a reserved bit is set in END", "unsupported")
        check(zero == 0, "bytes 4-7 of END are not zero")
        live = [i for i, v in enumerate(t.values) if any(v)]
        for name, said, got in (("strings", ns, len(t.strings)), ("frames", nf, len(t.frames)),
                                ("nodes", nn, len(t.frame)), ("stacks", nk, len(t.stacks)),
                                ("sites", ng, len(live))):
            check(said == got, "END counts %d %s, but %d were read" % (said, name, got))
        for c, col in enumerate(t.columns):
            check(sum(abs(v[c]) for v in t.values) < 1 << 63,
                  "the sum of column %s is outside of 64 bits" % col.name.decode())
        t.hash_all()
        # CHOICE: two live sites of equal frames, total, domain and size (section 6) are damage
        seen = {}
        for i in live:
            stack, domain, size = t.sites[i]
            other = seen.setdefault((t.hk[stack], domain, size), stack)
            check(other == stack or self.content(stack) != self.content(other),
                  "a site occurs twice, with different nodes")
        chs = [hash_str(c.name) for c in t.columns]
        digest = finish_digest((hash_site(t.hk[t.sites[i][0]], t.sites[i][1], t.sites[i][2],
                                          t.values[i], chs) for i in live), t.meta)
        check(digest == (d0, d1), "the digest is %016x%016x, not %016x%016x" % (digest + (d0, d1)))
        return bool(flags & 1), digest

    def content(self, stack):
        t = self.t
        node, length, total = t.stacks[stack]
        frames = [t.frames[f] for f in t.path(node, length)]
        return total, [(t.strings[f], l, t.strings[u - 1] if u else None) for f, l, u in frames]


# ---------------------------------------------------------------- file (2)

Section = namedtuple("Section", "tag codec index offset body raw")


def check_header(data, pos):
    """-> (version, lowest reader version, flags)"""
    head = data[pos:pos + 20]
    if head[:8] != MAGIC[:len(head)]:
        raise SnapError("damaged", pos, "a member does not begin with the magic")
    if len(head) < 20:
        raise SnapError("truncated", len(data), "the input ends in a member header")
    version, minreader, flags, crc = struct.unpack("<HHII", head[8:])
    if zlib.crc32(head[:16]) != crc:
        raise SnapError("damaged", pos, "the checksum of the member header does not match")
    if minreader > VERSION:
        raise SnapError("unsupported", pos, "needs a reader of version %d" % minreader)
    if version < 1 or minreader < 1:   # CHOICE: there is no version 0
        raise SnapError("damaged", pos, "format version 0")
    if flags & 0xFFFC:
        raise SnapError("unsupported", pos, "a reserved bit is set in the member header")
    return version, minreader, flags


def walk(data, pos):
    """-> (sections, position after END, None), or (sections before it, None, SnapError)"""
    found = []

    def stop(kind, offset, message):
        return found, None, SnapError(kind, offset, message)

    while True:
        head = data[pos:pos + 24]
        if len(head) < 24:
            return stop("truncated", len(data), "the input ends before the END of a member")
        tag, codec, sflags, index, stored, raw, bodycrc, headcrc = struct.unpack("<4sBBHIIII", head)
        if zlib.crc32(head[:20]) != headcrc:
            return stop("damaged", pos, "the checksum of a section header does not match")
        name = tag.decode("latin-1")
        # CHOICE: a rule that the header breaks is found before the body is looked at
        if sflags & 0x0E:
            return stop("unsupported", pos, "a reserved bit is set in section %r" % name)
        if sflags & 1 and tag not in RANK:
            return stop("unsupported", pos, "section %r is unknown and must be known" % name)
        if codec > 1:   # CHOICE: in unknown sections too
            return stop("unsupported", pos, "codec %d of section %r is unknown" % (codec, name))
        if raw > MAX_RAW:
            return stop("damaged", pos, "section %r is longer than 4194304 bytes" % name)
        if raw != stored if codec == 0 else (raw > 32 * stored or stored > raw + 1024):
            return stop("damaged", pos, "the lengths of section %r do not agree" % name)
        if tag == b"END " and (codec or raw != 64):
            return stop("damaged", pos, "section 'END ' is not 64 stored bytes")
        body = data[pos + 24:pos + 24 + stored]
        if len(body) < stored:
            return stop("truncated", len(data), "the input ends in section %r" % name)
        if zlib.crc32(body) != bodycrc:
            return stop("damaged", pos, "the checksum of section %r does not match" % name)
        found.append(Section(tag, codec, index, pos, body, raw))
        pos += 24 + stored
        if tag == b"END ":
            return found, pos, None


def read_members(data):
    """Iterator of Member; raises SnapError at the first defect."""
    data = bytes(data)
    pos, number, more, tables = 0, 0, True, None
    while pos < len(data):
        start = pos
        version, minreader, flags = check_header(data, start)
        if flags & 1 and tables is None:
            raise SnapError("damaged", start, "the first member continues a series")
        if not flags & 1:
            tables = Tables()
        number += 1
        sections, pos, error = walk(data, start + 20)
        known = [s for s in sections if s.tag in RANK]
        packed = [s for s in known if s.codec]
        bodies = dict(zip((s.offset for s in packed),
                          unpack_all([(s.body, s.raw) for s in packed])))
        reader = MemberReader(tables, bool(flags & 1))
        for s in known:
            body = bodies.get(s.offset, s.body)
            if isinstance(body, str):
                raise SnapError("damaged", s.offset, body)
            reader.feed(s.tag, s.index, body, s.offset)
        if error:
            raise error
        member = Member(number, start, version, minreader, flags, tables)
        more, digest = reader.END(sections[-1].body)
        member._close(more, digest)
        yield member
    if more:
        raise SnapError("truncated", len(data), "another member must follow" if number
                        else "the input is empty")


def main(argv):
    args = [a for a in argv if a != "--sites"]
    if len(args) != 1 or (args[0] != "-" and args[0].startswith("-")):
        sys.stderr.write("usage: snapdump.py [--sites] FILE\n")
        return 64
    try:
        if args[0] == "-":
            data = sys.stdin.buffer.read()
        else:
            with open(args[0], "rb") as f:
                data = f.read()
        for member in read_members(data):
            print(member.to_json("--sites" in argv), flush=True)
    except SnapError as e:
        sys.stderr.write("snapdump.py: %s: %s\n" % (args[0], e))
        return 2
    except OSError as e:
        sys.stderr.write("snapdump.py: %s: %s\n" % (args[0], e))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
