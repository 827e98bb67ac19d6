#!/usr/bin/env python3
"""Independent strict decoder of .snap files, made only from schema/snap-format.md.

usage: snapdump.py [--sites] FILE        (FILE may be -)

Prints one JSON object per member. On the first defect:
`snapdump.py: FILE: offset N: truncated|damaged|unsupported: sentence` on stderr, exit 2.

Needs Python 3.8+ and, for compressed sections, the `zstd` command. It is written to be compared
with, not to be fast or frugal, and checks all that the document asks of a reader.
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
HEADER_SIZE, SECTION_HEADER_SIZE, END_SIZE = 20, 24, 64
CONTINUES, CANONICAL, FLAGS_RESERVED = 1, 2, 0xFFFC     # of a member
MUST, SECTION_RESERVED = 1, 0x0E                        # of a section
MORE, END_RESERVED = 1, 0xFFFE                          # of END
STORED, ZSTD = 0, 1
MAX_RAW, MAX_RATIO, MAX_SLACK = 4194304, 32, 1024       # lengths of a section
MAX_ROWS = 65536                                        # of a section
MAX_FREQUENT = 128                                      # rows of SITD
MAX_COUNT = 1 << 30                                     # of a table
MAX_STRING, MAX_STRINGS, SHARED_FACTOR = 65535, (1 << 32) - 1, 32
MAX_DEPTH = 65535
MAX_BLOCK_SIZE = (1 << 61) - 1
MAX_ENTRIES, MAX_KEY, MAX_VALUE, MAX_META, ENTRY_COST = 4096, 255, 1048576, 4194304, 16
MAX_COLUMNS, MAX_COLUMN_NAME = 16, 63
ORDER = ("META COLS STKR STRP STRB FRMF FRML FRMU PRSC PRSF PRST ATCH NODE RDEP STKD STKX CHGI CHGV "
         "SITO SITD SITT DOMS VALS END").split()
TAGS = {tag.ljust(4).encode() for tag in ORDER}
M64 = (1 << 64) - 1


class SnapError(Exception):
    """kind is truncated, damaged or unsupported; offset counts from the start of the input."""

    def __init__(self, kind, offset, message):
        Exception.__init__(self, "offset %d: %s: %s" % (offset, kind, message))
        self.kind, self.offset, self.message = kind, offset, message


class Damage(Exception):
    """Becomes a SnapError at the section being read."""


def need(ok, message):
    if not ok:
        raise Damage(message)


# ---------------------------------------------------------------- integers (2.3)

def uints(body):
    """All varints of a body."""
    out, v, shift = [], 0, 0
    for c in body:
        v |= (c & 127) << shift
        if c > 127:
            shift += 7
            need(shift < 70, "a varint has more than 10 bytes")
        else:
            need(c or not shift, "a varint is not in its shortest form")
            need(v <= M64, "a varint is 2^64 or more")
            out.append(v)
            v = shift = 0
    need(not shift, "a varint is cut off by the end of its section")
    return out


def unzigzag(u):
    return u >> 1 ^ -(u & 1)


def signed(v):
    """A number modulo 2^64, read as two's complement."""
    return ((v & M64) ^ 1 << 63) - (1 << 63)


class Cursor:
    """Reads a body in which numbers and bytes alternate."""

    def __init__(self, body):
        self.body, self.pos = body, 0

    def uint(self):
        end = self.pos
        while end < len(self.body) and self.body[end] > 127:
            end += 1
        v = uints(self.body[self.pos:end + 1])
        need(v, "a row is cut off by the end of its section")
        self.pos = end + 1
        return v[0]

    def take(self, n):
        need(n <= len(self.body) - self.pos, "a row is cut off by the end of its section")
        self.pos += n
        return self.body[self.pos - n:self.pos]

    def end(self):
        need(self.pos == len(self.body), "bytes are left over after the last row")


# ---------------------------------------------------------------- zstd bodies (2.2)

def zstd_frames(body):
    """The frames of a body one after another, as they can be given to the zstd command: no dictionary,
    and no window above 8 MiB, as nothing longer than MAX_RAW comes out."""
    out, pos, n = b"", 0, len(body)
    need(n, "a compressed body without a zstd frame")
    while pos < n:
        start, magic = pos, int.from_bytes(body[pos:pos + 4], "little")
        need(n - pos >= 8, "a zstd frame is cut off")
        if magic & ~15 == 0x184D2A50:
            pos += 8 + int.from_bytes(body[pos + 4:pos + 8], "little")
            need(pos <= n, "a zstd frame is cut off")
            continue
        need(magic == 0xFD2FB528, "something that is not a zstd frame in a compressed body")
        fhd = body[pos + 4]
        single = fhd >> 5 & 1
        need(not fhd & 8, "a reserved bit is set in a zstd frame header")
        need(single or body[pos + 5] >> 3 < 22, "a zstd frame asks for a window of 4 GiB or more")
        window = b"" if single else bytes([min(body[pos + 5], 13 << 3)])
        pos += 5 + len(window)
        rest = pos
        idlen = (0, 1, 2, 4)[fhd & 3]
        need(not any(body[pos:pos + idlen]), "a zstd frame needs a dictionary")
        pos += idlen + (single, 2, 4, 8)[fhd >> 6]
        last = 0
        while not last:
            block = int.from_bytes(body[pos:pos + 3], "little")
            last, kind = block & 1, block >> 1 & 3
            need(pos + 3 <= n and kind != 3, "a zstd block is cut off or of an unknown type")
            pos += 3 + (1 if kind == 1 else block >> 3)
        pos += 4 if fhd & 4 else 0
        need(pos <= n, "a zstd frame is cut off")
        out += body[start:start + 5] + window + body[rest:pos]
    return out


def run_zstd(packed, expected):
    """Decompresses with one call of the tool; None if it fails or gives another length."""
    with tempfile.TemporaryFile() as f:
        f.write(packed)
        f.seek(0)
        p = subprocess.Popen(["zstd", "-dcq"], stdin=f, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        out = p.stdout.read(expected + 1)
        if len(out) > expected:
            p.kill()
        p.stdout.close()
        ok = p.wait() == 0
    return out if ok and len(out) == expected else None


_unpacked = {}   # (body, raw length) -> bytes, or None where it is bad; holds one call of prefetch


def prefetch(inputs):
    """Unpacks all zstd bodies of some inputs with few calls of the tool: between them stand frames with an
    unpredictable marker, which must come out at exactly the places that the lengths say."""
    _unpacked.clear()
    jobs = {}
    for data in inputs:
        for s in glance(data):
            if s.codec == ZSTD and s.tag in TAGS and check_lengths(s) is None and zlib.crc32(s.body) == s.crc:
                try:
                    jobs[s.body, s.raw] = zstd_frames(s.body)
                except Damage:
                    pass
    mark = os.urandom(24)
    marker = b"\x28\xb5\x2f\xfd\x20" + bytes([len(mark)]) + (len(mark) << 3 | 1).to_bytes(3, "little") + mark

    def batch(keys):
        text = run_zstd(b"".join(jobs[k] + marker for k in keys), sum(k[1] + len(mark) for k in keys))
        pos = 0
        for k in keys if text is not None else ():
            if text[pos + k[1]:pos + k[1] + len(mark)] != mark:
                break
            _unpacked[k] = text[pos:pos + k[1]]
            pos += k[1] + len(mark)
        if not all(k in _unpacked for k in keys):
            if len(keys) == 1:
                _unpacked[keys[0]] = None
            else:
                batch(keys[:len(keys) // 2])
                batch(keys[len(keys) // 2:])

    keys = list(jobs)
    while keys:
        n = size = 0
        while n < len(keys) and (not n or size + keys[n][1] < 1 << 26):
            size += keys[n][1]
            n += 1
        batch(keys[:n])
        del keys[:n]


def unpack(body, raw):
    frames = zstd_frames(body)
    if (body, raw) not in _unpacked:
        _unpacked[body, raw] = run_zstd(frames, raw)
    out = _unpacked[body, raw]
    need(out is not None, "the zstd frames do not decode to the raw length")
    return out


# ---------------------------------------------------------------- digest (6)

def mix(h):
    h ^= h >> 30
    h = h * 0xBF58476D1CE4E5B9 & M64
    h ^= h >> 27
    h = h * 0x94D049BB133111EB & M64
    return h ^ h >> 31


K = [mix(j * 0x9E3779B97F4A7C15 & M64) | 1 for j in range(9)]
B = 0xD6E8FEB86659FD93
SECOND = 0x6A09E667F3BCC909


def hash_string(s):
    h = mix(len(s) + K[1] & M64)
    for i in range(0, len(s), 8):
        h = mix(h ^ int.from_bytes(s[i:i + 8], "little"))
    return h


def digest_of_rows(columns, meta, rows):
    """(D0, D1) of what the snapshot says. columns: names; meta: [(key, value)]; rows: [(frames newest
    first, total, domain, size, values)], a frame being (file, line, function or None); all text is bytes."""
    strings, frames, stacks = {}, {}, {}

    def text(s):
        if s not in strings:
            strings[s] = hash_string(s)
        return strings[s]

    def frame(f):
        if f not in frames:
            file, line, function = f
            frames[f] = mix(text(file) + line * K[2] + (0 if function is None else text(function)) * K[3] & M64)
        return frames[f]

    def stack(trace, total):
        if (trace, total) not in stacks:
            w = 0
            for f in reversed(trace):
                w = w * B + frame(f) & M64
            stacks[trace, total] = mix(w + len(trace) * K[4] + total * K[5] & M64)
        return stacks[trace, total]

    m = K[8]
    for key, value in meta:
        if not key.startswith((b"history.", b"old.history.")):
            m = mix(m ^ text(key))
            m = mix(m + text(value) & M64)
    d0, d1 = mix(m), mix(m + 1 & M64)
    weights = [text(c) for c in columns]
    for trace, total, domain, size, values in rows:
        if any(values):
            e = stack(trace, total) + domain * K[6] + size * K[7]
            e = e + sum(v * w for v, w in zip(values, weights)) & M64
            d0 += mix(e)
            d1 += mix(e ^ SECOND)
    return d0 & M64, d1 & M64


# ---------------------------------------------------------------- rows

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


def rows_of_pickle(path):
    """The rows (columns blocks, bytes) of a tracemalloc dump, read by CPython."""
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


# ---------------------------------------------------------------- members (2, 3)

Column = namedtuple("Column", "name unit predictor source")
Section = namedtuple("Section", "tag codec flags index stored raw crc headcrc body offset")


def parse_section(data, pos):
    head = data[pos:pos + SECTION_HEADER_SIZE]
    fields = struct.unpack("<4sBBHIIII", head)
    body = data[pos + len(head):pos + len(head) + fields[4]]
    return Section(*fields, body, pos)


def check_lengths(s):
    """What is wrong with the lengths of a section, or None."""
    if s.raw > MAX_RAW:
        return "is longer than %d bytes" % MAX_RAW
    if s.raw != s.stored if s.codec == STORED else s.raw > MAX_RATIO * s.stored or s.stored > s.raw + MAX_SLACK:
        return "has lengths that do not agree"
    return None


def glance(data):
    """All sections that can be seen without looking closely."""
    pos = HEADER_SIZE
    while pos + SECTION_HEADER_SIZE <= len(data):
        s = parse_section(data, pos)
        if zlib.crc32(data[pos:pos + SECTION_HEADER_SIZE - 4]) != s.headcrc or len(s.body) < s.stored:
            return
        yield s
        pos += SECTION_HEADER_SIZE + s.stored + (HEADER_SIZE if s.tag == b"END " else 0)


class Tables:
    """Of a series. Lists are only appended to, but for the residuals."""

    def __init__(self):
        self.columns, self.limit, self.known, self.meta = [], 0, 0, []
        self.strings, self.string_bytes = [], 0
        self.frames = []                          # (file, line, function code)
        self.callees, self.pairs = {}, set()      # caller -> [callee]; (caller, callee)
        self.parent, self.frame = [], []          # of nodes; parent -1 for a root
        self.height, self.root = [], []           # 1 for a root; the root above
        self.root_depth = {}
        self.stacks = []                          # (node, length, total)
        self.sites, self.residuals = [], []       # (stack, domain, size); [one a column]

    def depth(self, node):
        return self.root_depth[self.root[node]] + self.height[node] - 1

    def rule(self, node):
        d = self.depth(node)
        return node, min(d, self.limit or d), d if self.known else 0

    def values(self, site):
        size, out = self.sites[site][2], []
        for residual, c in zip(self.residuals[site], self.columns):
            before = 0 if c.predictor == 0 else out[c.source] * (1 if c.predictor == 1 else size)
            out.append(signed(before + residual))
        return tuple(out)

    def trace(self, stack):
        """The frames of a stack as text, newest first."""
        node, length, _ = self.stacks[stack]
        out = []
        for _ in range(length):
            file, line, code = self.frames[self.frame[node]]
            out.append((self.strings[file], line, self.strings[code - 1] if code else None))
            node = self.parent[node]
        return tuple(out)


class Member:
    """Decodes one member. `offset` is the section that is to blame: the one whose rows are read or, when a
    table is complete, the one that follows."""

    def __init__(self, data, pos, number, tables):
        self.data, self.pos, self.number, self.start, self.tables = data, pos, number, pos, tables
        self.offset = pos
        try:
            self.read_header()
            self.next()
            self.read_sections()
        except Damage as e:
            raise SnapError("damaged", self.offset, str(e)) from None

    def truncated(self, what):
        return SnapError("truncated", len(self.data), "the input ends in " + what)

    def unsupported(self, what):
        return SnapError("unsupported", self.offset, what)

    def read_header(self):
        head = self.data[self.start:self.start + HEADER_SIZE]
        if head[:8] != MAGIC[:len(head)]:
            need(self.number == 1, "what follows a member does not begin with the magic")
            raise self.unsupported("the input does not begin with the magic")
        if len(head) < HEADER_SIZE:
            raise self.truncated("a member header")
        self.version, self.minreader, self.flags, crc = struct.unpack("<HHII", head[8:])
        need(zlib.crc32(head[:16]) == crc, "the checksum of the member header does not match")
        need(1 <= self.minreader <= self.version, "impossible versions")
        if self.minreader > VERSION:
            raise self.unsupported("needs a reader of version %d" % self.minreader)
        if self.flags & FLAGS_RESERVED:
            raise self.unsupported("a reserved bit is set in the member header")
        self.continues, self.canonical = bool(self.flags & CONTINUES), bool(self.flags & CANONICAL)
        need(not self.continues or self.tables, "the first member continues a series")
        if not self.continues:
            self.tables = Tables()
        self.pos += HEADER_SIZE

    def next(self):
        """Steps to the next known section: its tag, index and body."""
        while True:
            self.offset = self.pos
            if len(self.data) - self.pos < SECTION_HEADER_SIZE:
                raise self.truncated("a member before its END")
            s = parse_section(self.data, self.pos)
            name = s.tag.decode("latin-1")
            need(zlib.crc32(self.data[self.pos:self.pos + SECTION_HEADER_SIZE - 4]) == s.headcrc,
                 "the checksum of a section header does not match")
            if s.flags & SECTION_RESERVED:
                raise self.unsupported("a reserved bit is set in section %r" % name)
            if s.codec not in (STORED, ZSTD):
                raise self.unsupported("codec %d of section %r is unknown" % (s.codec, name))
            wrong = check_lengths(s)
            need(not wrong, "section %r %s" % (name, wrong))
            if len(s.body) < s.stored:
                raise self.truncated("section %r" % name)
            need(zlib.crc32(s.body) == s.crc, "the checksum of section %r does not match" % name)
            if s.flags & MUST and s.tag not in TAGS:
                raise self.unsupported("section %r is unknown and must be known" % name)
            self.pos += SECTION_HEADER_SIZE + s.stored
            if s.tag in TAGS:
                break
        self.tag, self.index = name.strip(), s.index
        self.body = unpack(s.body, s.raw) if s.codec == ZSTD else s.body
        need(self.tag != "END" or (s.codec, s.raw) == (STORED, END_SIZE), "END is not %d stored bytes" % END_SIZE)
        need(self.index == 0 or self.tag in ("CHGV", "VALS"), "section %s has an index" % self.tag)

    def bodies(self, tag):
        """The bodies of the sections of a tag that may repeat."""
        while self.tag == tag:
            need(self.body, "an empty section")
            yield self.body
            self.next()

    def told(self, tag, width=1):
        for _ in self.bodies(tag):
            yield from self.section_rows(width)

    def section_rows(self, width=1):
        v = uints(self.body)
        need(v and len(v) % width == 0, "a row is cut off by the end of its section, or there is none")
        need(len(v) // width <= MAX_ROWS, "more than %d rows in a section" % MAX_ROWS)
        return v if width == 1 else list(zip(*(v[i::width] for i in range(width))))

    def ascending(self, tag, below, message):
        """Numbers told as gaps."""
        out = []
        for gap in self.told(tag):
            out.append((out[-1] if out else -1) + gap + 1)
            need(out[-1] < below, message)
        return out

    def once(self, tag):
        need(self.tag == tag, "section %s where %s is required" % (self.tag, tag))
        return Cursor(self.body)

    def limit(self, table, what):
        need(len(table) <= MAX_COUNT, "too many " + what)

    # ------------------------------------------------------------ sections (5)

    def read_sections(self):
        self.read_meta()
        if not self.continues:
            self.read_columns()
            self.read_rule()
        t = self.tables
        self.new_frames, self.old_nodes, self.old_stacks = len(t.frames), len(t.frame), len(t.stacks)
        old_sites = len(t.sites)
        self.read_strings()
        self.read_frames()
        self.read_pairs()
        self.read_nodes()
        self.read_stacks()
        if self.continues:
            self.read_changes(old_sites)
        self.read_sites()
        need(self.tag == "END", "section %s is out of order" % self.tag)
        self.read_end()

    def read_meta(self):
        cur, old, self.meta = self.once("META"), self.tables.meta if self.continues else [], []
        count = cur.uint()
        need(count <= MAX_ENTRIES, "more than %d entries" % MAX_ENTRIES)
        for _ in range(count):
            ref = cur.uint()
            need(ref <= len(old), "a reference to no entry")
            key = old[ref - 1][0] if ref else cur.take(cur.uint())
            need(1 <= len(key) <= MAX_KEY, "a key is empty or too long")
            need(all(c > 0x20 and c not in b"=\x7f" for c in key), "a bad byte in a key")
            n = cur.uint()
            need(n or ref, "a value that refers to no entry")
            value = cur.take(n - 1) if n else old[ref - 1][1]
            need(len(value) <= MAX_VALUE and 0 not in value, "a value is too long or has a NUL")
            self.meta.append((key, value))
        cur.end()
        need(len(dict(self.meta)) == count, "a key occurs twice")
        need(sum(len(k) + len(v) + ENTRY_COST for k, v in self.meta) <= MAX_META, "too much metadata")
        self.tables.meta = self.meta
        self.next()

    def read_columns(self):
        cur, cols = self.once("COLS"), self.tables.columns
        count = cur.uint()
        need(2 <= count <= MAX_COLUMNS, "less than 2 or more than %d columns" % MAX_COLUMNS)
        for i in range(count):
            c = Column(cur.take(cur.uint()), cur.uint(), cur.uint(), cur.uint())
            need(1 <= len(c.name) <= MAX_COLUMN_NAME and
                 all(b in b"abcdefghijklmnopqrstuvwxyz0123456789_" for b in c.name), "a bad column name")
            need(all(c.name != k.name for k in cols), "a column occurs twice")
            need(c.unit <= 2 and c.predictor <= 2, "an unknown unit or predictor")
            need(c.source < i if c.predictor else c.source == 0, "a bad `from`")
            cols.append(c)
        cur.end()
        need(cols[:2] == [(b"blocks", 0, 0, 0), (b"bytes", 1, 2, 0)], "the first columns are not blocks and bytes")
        self.next()

    def read_rule(self):
        cur, t = self.once("STKR"), self.tables
        t.limit, t.known = cur.uint(), cur.uint()
        need(t.limit <= MAX_DEPTH and t.known <= 1, "a bad rule for stacks")
        cur.end()
        self.next()

    def read_strings(self):
        t, shape, asked = self.tables, [], 0
        for shared, suffix in self.told("STRP", 2):
            need(shared <= (sum(shape[-1]) if shape else 0) and shared <= SHARED_FACTOR * (suffix + 2),
                 "`shared` is too large")
            need(suffix or not shape, "a string without a suffix")
            need(shared + suffix <= MAX_STRING, "a string is too long")
            shape.append((shared, suffix))
            t.string_bytes += shared + suffix
            asked += suffix
            need(t.string_bytes <= MAX_STRINGS, "too many bytes of strings")
        blob = b""
        for body in self.bodies("STRB"):
            need(0 not in body, "a NUL in a string")
            blob += body
            need(len(blob) <= asked, "STRB holds more than STRP asks for")
        need(len(blob) == asked, "STRB holds less than STRP asks for")
        new, pos = [], 0
        for shared, suffix in shape:
            new.append((new[-1][:shared] if new else b"") + blob[pos:pos + suffix])
            pos += suffix
        need(all(a < b for a, b in zip(new, new[1:])), "strings do not ascend")
        t.strings += new
        self.limit(t.strings, "strings")

    def read_frames(self):
        t, at, line, begun = self.tables, 0, 0, False
        files = self.ascending("FRMF", len(t.strings), "a file is no string")
        for token in self.told("FRML"):
            need(at < len(files), "FRML has more files than FRMF")
            line += token >> 1
            need(line < 1 << 32, "a line is 2^32 or more")
            t.frames.append((files[at], line, 0))
            begun = not token & 1
            if not begun:
                at, line = at + 1, 0
        self.limit(t.frames, "frames")
        code, codes, new = 0, [], t.frames[self.new_frames:]
        for change in self.told("FRMU"):
            code += unzigzag(change)
            need(0 <= code <= len(t.strings), "a function is no string")
            codes.append(code)
        need(at == len(files) and not begun, "FRMF and FRML disagree on the number of files")
        need(len(codes) in (0, len(new)), "FRMU has not the rows of FRML")
        new = [(file, line, code) for (file, line, _), code in zip(new, codes or [0] * len(new))]
        need(all(a < b for a, b in zip(new, new[1:])), "frames do not ascend")
        t.frames[self.new_frames:] = new

    def read_pairs(self):
        t, caller, callee, callers, firsts, new = self.tables, -1, 0, [], [], []
        for token in self.told("PRSC"):
            caller += (token >> 1) + 1
            need(caller < len(t.frames), "a caller is no frame")
            callers.append((caller, token & 1))
        for change in self.told("PRSF"):
            need(len(firsts) < len(callers), "PRSF has more rows than PRSC")
            callee += unzigzag(change)
            need(0 <= callee < len(t.frames), "a callee is no frame")
            firsts.append(callee)
        further = self.told("PRST")
        for (caller, more), callee in zip(callers, firsts):
            new.append((caller, callee))
            while more:
                token = next(further, None)
                need(token is not None, "PRST has less rows than PRSC asks for")
                callee += 1 + (token >> 1)
                need(callee < len(t.frames), "a callee is no frame")
                new.append((caller, callee))
                more = not token & 1
        need(next(further, None) is None, "PRST has more rows than PRSC asks for")
        need(len(firsts) == len(callers), "PRSF has less rows than PRSC")
        need(t.pairs.isdisjoint(new), "a pair is repeated")
        t.pairs.update(new)
        for caller, callee in new:
            t.callees.setdefault(caller, []).append(callee)
        self.limit(t.pairs, "pairs")

    def read_nodes(self):
        t, old = self.tables, self.old_nodes
        points = self.ascending("ATCH", old + 1, "an attachment point is no old node")
        if self.tag == "NODE" and not points:
            points = [0]
        lists, roots, root_frame, self.with_stack = [], [], 0, []
        for token in self.told("NODE"):
            if not lists:
                need(points, "a node after the last list")
                lists.append([points.pop(0) - 1, -1])
            node, step, parent = len(t.frame), token >> 3, lists[-1][0]
            if parent < 0:
                root_frame += step
                need(root_frame < len(t.frames), "a root is no frame")
                roots.append(node)
                frame, height, root = root_frame, 1, node
            else:
                lists[-1][1] += step + 1
                callees = t.callees.get(t.frame[parent], ())
                need(lists[-1][1] < len(callees), "a child is not among the callees of its parent")
                frame, height, root = callees[lists[-1][1]], t.height[parent] + 1, t.root[parent]
            for column, value in (t.parent, parent), (t.frame, frame), (t.height, height), (t.root, root):
                column.append(value)
            if token & 4:
                self.with_stack.append(node)
            if token & 1:
                lists.pop()
            if token & 2:
                lists.append([node, -1])
        self.limit(t.frame, "nodes")
        depths = []
        for row in self.told("RDEP"):
            need(row <= MAX_DEPTH, "a row of RDEP is too large")
            i = len(depths)
            same = 0 < i < len(roots) and t.frame[roots[i]] == t.frame[roots[i - 1]]
            depths.append(row + 1 + (depths[-1] if same else 0))
        need(not lists and not points, "a list of nodes is missing or not ended")
        need(len(depths) in (0, len(roots)), "RDEP has not a row for each new root")
        need(depths or len({t.frame[r] for r in roots}) == len(roots), "a root is repeated")
        t.root_depth.update(zip(roots, depths or [1] * len(roots)))
        need(all(t.depth(node) <= MAX_DEPTH for node in range(old, len(t.frame))), "a node is too deep")

    def read_stacks(self):
        t, node, told = self.tables, 0, []
        by_rule = self.ascending("STKD", self.old_nodes, "a stack of no old node") if self.continues else []
        by_rule += self.with_stack
        for step, length, total in self.told("STKX", 3):
            node += step
            need(node < len(t.frame), "a stack of no node")
            need(1 <= length <= t.height[node], "a stack is longer than the path of its node or empty")
            need(total == 0 or length <= total <= MAX_DEPTH, "a total below the length or too large")
            need(not told or told[-1] < (node, length, total), "stacks do not ascend")
            need(t.rule(node) != (node, length, total), "a stack in STKX follows the rule")
            told.append((node, length, total))
        for node in by_rule:
            need(t.rule(node)[1] <= t.height[node], "a stack of the rule is longer than the path of its node")
        t.stacks += [t.rule(node) for node in by_rule] + told
        self.limit(t.stacks, "stacks")

    def column_sections(self, tag, count):
        """The sections of one tag, one a column, ascending by index. -> {index: numbers}"""
        out = {}
        while self.tag == tag:
            need(self.index < len(self.tables.columns), "%s of no column" % tag)
            need(not out or max(out) < self.index, "%s is out of order or occurs twice" % tag)
            out[self.index] = [unzigzag(v) for v in self.section_rows()]
            need(len(out[self.index]) == count, "%s has not the rows that it belongs to" % tag)
            self.next()
        return out

    def read_changes(self, old_sites):
        t, at = self.tables, -1
        while self.tag == "CHGI":
            changed = []
            for gap in self.section_rows():
                at += gap + 1
                need(at < old_sites, "a change to no old site")
                changed.append(at)
            self.next()
            for c, changes in self.column_sections("CHGV", len(changed)).items():
                for site, change in zip(changed, changes):
                    t.residuals[site][c] += change

    def read_sites(self):
        t, turn, at = self.tables, [], -1
        if self.continues:
            turn = self.ascending("SITO", self.old_stacks, "new sites of no old stack")
        turn += sorted(range(self.old_stacks, len(t.stacks)), key=lambda k: (t.frame[t.stacks[k][0]], k))
        turn.reverse()
        frequent = []
        if self.tag == "SITD":
            frequent = self.section_rows()
            need(len(set(frequent)) == len(frequent) <= MAX_FREQUENT, "SITD has equal or too many rows")
            self.next()
        before = None      # (domain, size) of the site before in this stack
        while self.tag == "SITT":
            tokens = [frequent[x] if x < len(frequent) else x - len(frequent) for x in self.section_rows()]
            need(len(turn) >= sum(x & 1 for x in tokens) + (not tokens[-1] & 1), "more sites than the stacks ask for")
            domains, explicit = [0] * len(tokens), sum(x >> 1 & 1 for x in tokens)
            self.next()
            if self.tag == "DOMS":
                domains = []
                for run, domain in self.section_rows(2):
                    need(0 < run <= len(tokens) - len(domains), "a run of no or too many sites")
                    need(domain < 1 << 32, "a domain is 2^32 or more")
                    need(not domains or domains[-1] != domain, "neighbouring runs of one domain")
                    domains += [domain] * run
                need(len(domains) == len(tokens), "DOMS and SITT differ in length")
                self.next()
            values = self.column_sections("VALS", explicit)
            for token, domain in zip(tokens, domains):
                size = (token >> 2) + (before[1] if before and before[0] == domain else 0)
                need(size <= MAX_BLOCK_SIZE, "a block size is 2^61 or more")
                need(before is None or before < (domain, size), "the sites of a stack do not ascend")
                t.sites.append((turn[-1], domain, size))
                before = None if token & 1 else (domain, size)
                if token & 1:
                    turn.pop()
            told = zip(*(values.get(c, [0] * explicit) for c in range(len(t.columns))))
            t.residuals += [list(next(told)) if x & 2 else [1] + [0] * (len(t.columns) - 1) for x in tokens]
            self.limit(t.sites, "sites")
        need(not turn and before is None, "there are less new sites than the stacks ask for")

    def read_end(self):
        t = self.tables
        flags, zero, *counts, d0, d1 = struct.unpack("<IIQQQQQQQ", self.body)
        if flags & END_RESERVED:
            raise self.unsupported("a reserved bit is set in END")
        need(zero == 0, "bytes 4-7 of END are not zero")
        self.more, self.digest = bool(flags & MORE), (d0, d1)
        self.columns, self.values = [c.name for c in t.columns], [t.values(i) for i in range(len(t.sites))]
        for values in zip(*self.values):
            need(sum(map(abs, values)) < 1 << 63, "the sum of a column is outside of 64 bits")
        self.totals = [sum(v[c] for v in self.values) for c in range(len(t.columns))]
        self.counts = [len(t.strings), len(t.frames), len(t.frame), len(t.stacks), sum(map(any, self.values))]
        need(counts == self.counts, "END counts %s, but %s were read" % (counts, self.counts))
        traces = {stack: t.trace(stack) for (stack, _, _), v in zip(t.sites, self.values) if any(v)}
        self.sites = [(traces[stack], t.stacks[stack][2], domain, size, v)
                      for (stack, domain, size), v in zip(t.sites, self.values) if any(v)]
        digest = digest_of_rows(self.columns, self.meta, self.sites)
        need(digest == self.digest, "the digest is %016x%016x, not %016x%016x" % (digest + self.digest))

    def rows(self):
        """(frames newest first, total, domain, size, values), sorted, equal sites added up."""
        return merge_rows(self.sites)

    def to_json(self, sites=False):
        def text(b):
            return b.decode("utf-8", "surrogateescape")
        names = [text(c) for c in self.columns]
        doc = {"member": self.number, "offset": self.start, "version": self.version,
               "continues": self.continues, "canonical": self.canonical,
               "digest": "%016x%016x" % self.digest,
               "columns": names, "units": [c.unit for c in self.tables.columns],
               "meta": [[text(k), text(v)] for k, v in self.meta]}
        doc.update(zip(("strings", "frames", "nodes", "stacks", "sites"), self.counts))
        doc["totals"] = dict(zip(names, self.totals))
        if sites:
            doc["rows"] = [[[[text(f), l, None if u is None else text(u)] for f, l, u in frames],
                            total, domain, size, list(values)]
                           for frames, total, domain, size, values in self.rows()]
        return json.dumps(doc)


def read_members(data):
    """Iterator of Member; raises SnapError at the first defect."""
    data = bytes(data)
    pos, number, more, tables = 0, 0, True, None
    while pos < len(data):
        number += 1
        member = Member(data, pos, number, tables)
        pos, more, tables = member.pos, member.more, member.tables
        yield member
    if more:
        raise SnapError("truncated", pos, "another member must follow" if number else "the input is empty")


def main(argv):
    files = [a for a in argv if a != "--sites"]
    if len(files) != 1 or (files[0] != "-" and files[0].startswith("-")):
        sys.stderr.write("usage: snapdump.py [--sites] FILE\n")
        return 2
    try:
        with (sys.stdin.buffer if files[0] == "-" else open(files[0], "rb")) as f:
            data = f.read()
        prefetch([data])
        for member in read_members(data):
            print(member.to_json("--sites" in argv), flush=True)
    except (SnapError, OSError) as e:
        sys.stderr.write("snapdump.py: %s: %s\n" % (files[0], e))
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
