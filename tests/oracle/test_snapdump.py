"""Tests of snapdump.py with a tiny encoder, both made only from schema/snap-format.md."""
import json
import os
import random
import struct
import subprocess
import sys
import tempfile
import tracemalloc
import unittest
import zlib
from collections import Counter

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import snapdump  # noqa: E402
from snapdump import SnapError, digest_of_rows, merge_rows, read_members  # noqa: E402

MAGIC = b"\x89SNP\r\n\x1a\n"
PLAIN = [(b"blocks", 0, 0, 0), (b"bytes", 1, 2, 0)]
DIFF = PLAIN + [(b"old_blocks", 0, 1, 0), (b"old_bytes", 1, 2, 2)]
COLUMNS = [b"blocks", b"bytes"]
META, COLS, STKR = b"\0", b"\2\6blocks\0\0\0\5bytes\1\2\0", b"\0\0"


# ---------------------------------------------------------------- byte assembly

def uint(n):
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    return bytes(out) + bytes([n])


def zig(v):
    return v << 1 if v >= 0 else (-v << 1) - 1


def uints(v):
    return b"".join(map(uint, v))


def text(s):
    return uint(len(s)) + s


def header(flags=0, version=1, minreader=1):
    h = MAGIC + struct.pack("<HHI", version, minreader, flags)
    return h + struct.pack("<I", zlib.crc32(h))


def zstd(data, *options):
    return subprocess.run(("zstd", "-cq") + options, input=data, check=True,
                          stdout=subprocess.PIPE).stdout


def section(tag, body, codec=0, index=0, sflags=None, raw=None, packed=None):
    """codec 1 packs and pads; `packed` gives the stored body as it is."""
    raw = len(body) if raw is None else raw
    if packed is None:
        packed = body
        if codec == 1:
            packed = zstd(body)
            lack = -(-raw // 32) - len(packed)
            if lack > 0:
                n = max(lack - 8, 0)
                packed += b"\x50\x2a\x4d\x18" + struct.pack("<I", n) + bytes(n)
    if sflags is None:
        sflags = 0 if tag == b"META" else 1
    h = tag + struct.pack("<BBHIII", codec, sflags, index, len(packed), raw, zlib.crc32(packed))
    return h + struct.pack("<I", zlib.crc32(h)) + packed


def end(counts=(0, 0, 0, 0, 0), digest=None, more=0, zero=0, meta=()):
    if digest is None:
        digest = digest_of_rows(COLUMNS, meta, [])
    return section(b"END ", struct.pack("<IIQQQQQQQ", more, zero, *(tuple(counts) + digest)))


# ---------------------------------------------------------------- logical encoder

class Encoder:
    """Writes logical rows (frames newest first, total, domain, size, values) as members.

    cut: rows a section; codec: of all bodies but END; frequent: rows of SITD; share: a truncated stack hangs below
    the path of a complete one, so that its node has more frames than the stack."""

    def __init__(self, columns=PLAIN, limit=0, known=0, codec=0, cut=65536, share=False, frequent=0):
        self.columns, self.limit, self.known = columns, limit, known
        self.codec, self.cut, self.share, self.frequent = codec, cut, share, frequent
        self.reset()

    def reset(self):
        self.first = True
        self.strings, self.frames, self.callees = {}, {}, {}
        self.kids, self.nodes = {}, []     # (parent, frame[, depth]) -> node; [(parent, frame, depth)]
        self.stacks, self.sites, self.meta = {}, {}, []   # key -> number; key -> (number, values)
        self.numbers = 0

    def rows_section(self, tag, rows):
        out = b""
        for i in range(0, len(rows), self.cut):
            part = rows[i:i + self.cut]
            out += section(tag, b"".join(uints(r) if isinstance(r, tuple) else uint(r) for r in part),
                           self.codec)
        return out

    @staticmethod
    def gaps(numbers):
        return [b - a - 1 for a, b in zip([-1] + numbers, numbers)]

    def residuals(self, size, values):
        return [v - (values[f] if p == 1 else size * values[f] if p == 2 else 0)
                for v, (_, _, p, f) in zip(values, self.columns)]

    def member(self, rows, meta=(), more=0, restart=False, canonical=False):
        if restart:
            self.reset()
        cont, rows, meta = not self.first, merge_rows(rows), list(meta)
        out = header((1 if cont else 0) | (2 if canonical else 0))
        out += section(b"META", self.meta_body(meta, cont), self.codec)
        if not cont:
            out += section(b"COLS", uint(len(self.columns)) + b"".join(
                text(n) + uints((u, p, f)) for n, u, p, f in self.columns), self.codec)
            out += section(b"STKR", uints((self.limit, self.known)), self.codec)
        S0, F0, N0 = len(self.strings), len(self.frames), len(self.nodes)

        # strings
        new = sorted({s for r in rows for f in r[0] for s in (f[0], f[2])
                      if s is not None} - set(self.strings))
        strp, strb, before = [], b"", b""
        for s in new:
            n = len(os.path.commonprefix([before, s]))
            while n > 32 * (len(s) - n + 2):
                n -= 1
            strp.append((n, len(s) - n))
            strb += s[n:]
            self.strings[s] = len(self.strings)
            before = s
        out += self.rows_section(b"STRP", strp)
        for i in range(0, len(strb), min(self.cut, 4194304)):
            out += section(b"STRB", strb[i:i + min(self.cut, 4194304)], self.codec)

        # frames
        def coded(f):
            return self.strings[f[0]], f[1], 0 if f[2] is None else self.strings[f[2]] + 1
        new = sorted({coded(f) for r in rows for f in r[0]} - set(self.frames))
        files = sorted({f[0] for f in new})
        out += self.rows_section(b"FRMF", self.gaps(files))
        tokens, codes, line, code = [], [], 0, 0
        for i, f in enumerate(new):
            last = i + 1 == len(new) or new[i + 1][0] != f[0]
            tokens.append((f[1] - line) << 1 | last)
            codes.append(zig(f[2] - code))
            line, code = 0 if last else f[1], f[2]
            self.frames[f] = len(self.frames)
        out += self.rows_section(b"FRML", tokens)
        if any(f[2] for f in new):
            out += self.rows_section(b"FRMU", codes)

        # the forest: paths of frame numbers, oldest first, from a root at some depth
        whole = []
        wanted = []                       # (key of a new stack or None, path, root depth, L, T)
        for r in rows:
            path = tuple(self.frames[coded(f)] for f in reversed(r[0]))
            if r[1] == len(path):
                whole.append(path)
        for r in rows:
            path = tuple(self.frames[coded(f)] for f in reversed(r[0]))
            L, T = len(path), r[1]
            depth = max(1, T - L + 1)
            if self.share and T > L:
                for p in whole:
                    if p[:T][-L:] == path and len(p) >= T:
                        path, depth = p[:T], 1
                        break
            wanted.append((path, depth, L, T))
        pairs, tree = {}, {}              # tree: parent -> {(frame, depth)} of new nodes by path
        for path, depth, L, T in wanted:
            node = None                   # old node number, or path tuple of a new one
            for i, f in enumerate(path):
                if isinstance(node, int) or node is None:
                    old = self.kids.get((node, f, depth + i))
                    if old is not None:
                        node = old
                        continue
                if i and f not in self.callees.get(path[i - 1], ()):
                    pairs.setdefault(path[i - 1], set()).add(f)
                tree.setdefault(node, set()).add((f, depth + i))
                node = (node, f, depth + i)
        callers, firsts, tokens = [], [], []
        for gap, c in zip(self.gaps(sorted(pairs)), sorted(pairs)):
            first, *further = sorted(pairs[c])
            callers.append(gap << 1 | bool(further))
            firsts.append(first)
            for f, prev in zip(further, [first] + further):
                tokens.append((f - prev - 1) << 1 | (f == further[-1]))
            self.callees.setdefault(c, []).extend(sorted(pairs[c]))
        out += self.rows_section(b"PRSC", callers)
        out += self.rows_section(b"PRSF", [zig(f - prev) for f, prev in zip(firsts, [0] + firsts)])
        out += self.rows_section(b"PRST", tokens)

        # nodes in the order of the walk; stack bits are known when the stacks are
        number, order, rdep = {}, [], []

        def visit(key, parent):
            def place(kid):
                return kid if parent is None else self.callees[self.nodes[parent][1]].index(kid[0])
            kids, prev, prevdepth = sorted(tree[key], key=place), None, 0
            for f, depth in kids:
                node = number[key, f, depth] = len(self.nodes)
                self.nodes.append((parent, f, depth))
                self.kids[parent, f, depth] = node
                if parent is None:
                    d = f - (prev or 0)
                    rdep.append(depth - prevdepth - 1 if prev == f else depth - 1)
                    prev, prevdepth = f, depth
                else:
                    n = place((f, depth))
                    d = n - (-1 if prev is None else prev) - 1
                    prev = n
                below = (key, f, depth)
                order.append([node, d, below in tree, (f, depth) == kids[-1]])
                if below in tree:
                    visit(below, node)
        points = sorted((k for k in tree if k is None or isinstance(k, int)),
                        key=lambda k: -1 if k is None else k)
        sys.setrecursionlimit(100000)
        for k in points:
            visit(k, k)
        if points and points != [None]:
            out += self.rows_section(b"ATCH", self.gaps([0 if k is None else k + 1 for k in points]))

        # stacks
        def rule(node):
            d = self.nodes[node][2]
            return node, min(d, self.limit or d), d if self.known else 0
        keys = []
        for path, depth, L, T in wanted:
            node = None
            for i, f in enumerate(path):
                node = self.kids[node, f, depth + i]
            keys.append((node, L, T))
        new = {k for k in keys if k not in self.stacks}
        ruled = {k for k in new if rule(k[0]) == k}
        stkd = sorted(k[0] for k in ruled if k[0] < N0)
        flagged = sorted(k for k in ruled if k[0] >= N0)
        stkx = sorted(new - ruled)
        K0 = len(self.stacks)
        for k in [rule(n) for n in stkd] + flagged + stkx:
            self.stacks[k] = len(self.stacks)
        marked = {k[0] for k in flagged}
        out += self.rows_section(b"NODE", [d << 3 | (n in marked) << 2 | kids << 1 | last
                                           for n, d, kids, last in order])
        if any(depth > 1 for key in points if key is None for _, depth in tree[key]):
            out += self.rows_section(b"RDEP", rdep)
        out += self.rows_section(b"STKD", self.gaps(stkd))
        at, table = 0, []
        for n, L, T in stkx:
            table.append((n - at, L, T))
            at = n
        out += self.rows_section(b"STKX", table)

        # sites
        values = {k + r[2:4]: tuple(r[4]) for k, r in zip(keys, rows)}
        zero = (0,) * len(self.columns)
        changed, at = [], -1
        for key, (n, old) in sorted(self.sites.items(), key=lambda kv: kv[1][0]):
            now = values.get(key, zero)
            if now != old:
                delta = [b - a for a, b in zip(self.residuals(key[4], old), self.residuals(key[4], now))]
                changed.append((n - at - 1, delta))
                at = n
                self.sites[key] = n, now
        for i in range(0, len(changed), self.cut):
            part = changed[i:i + self.cut]
            out += section(b"CHGI", uints(g for g, _ in part), self.codec)
            for c in range(len(zero)):
                if any(d[c] for _, d in part):
                    out += section(b"CHGV", uints(zig(d[c]) for _, d in part), self.codec, c)
        by_stack = {}
        for key in values:
            if key not in self.sites:
                by_stack.setdefault(self.stacks[key[:3]], []).append((key[3], key[4], key))
        olds = sorted(k for k in by_stack if k < K0)
        out += self.rows_section(b"SITO", self.gaps(olds))
        nodeof = {n: k[0] for k, n in self.stacks.items()}
        table = []                        # (token, domain, residuals or None)
        for k in olds + sorted((k for k in by_stack if k >= K0),
                               key=lambda k: (self.nodes[nodeof[k]][1], k)):
            prev = None
            for domain, size, key in sorted(by_stack[k]):
                res = self.residuals(size, values[key])
                plain = res == [1] + [0] * (len(res) - 1)
                gap = size - (prev[1] if prev and prev[0] == domain else 0)
                table.append([gap << 2 | (not plain) << 1, domain, None if plain else res])
                prev = domain, size
                self.sites[key] = len(self.sites), values[key]
            table[-1][0] |= 1
        frequent = [token for token, _ in Counter(t for t, _, _ in table).most_common(self.frequent)]
        if frequent:
            out += section(b"SITD", uints(frequent), self.codec)
        for i in range(0, len(table), self.cut):
            part = table[i:i + self.cut]
            out += section(b"SITT", uints(frequent.index(t) if t in frequent else t + len(frequent)
                                          for t, _, _ in part), self.codec)
            runs = []
            for _, d, _ in part:
                if runs and runs[-1][1] == d:
                    runs[-1][0] += 1
                else:
                    runs.append([1, d])
            if runs != [[len(part), 0]]:
                out += section(b"DOMS", b"".join(map(uints, runs)), self.codec)
            res = [r for _, _, r in part if r]
            for c in range(len(zero)):
                if any(r[c] for r in res):
                    out += section(b"VALS", uints(zig(r[c]) for r in res), self.codec, c)
        digest = digest_of_rows([c[0] for c in self.columns], meta, rows)
        self.meta, self.first = meta, False
        return out + end((len(self.strings), len(self.frames), len(self.nodes), len(self.stacks),
                          len(rows)), digest, more)

    def meta_body(self, meta, cont):
        out = uint(len(meta))
        old = {k: (i + 1, v) for i, (k, v) in enumerate(self.meta)} if cont else {}
        for k, v in meta:
            if k in old:
                out += uint(old[k][0]) + (b"\0" if old[k][1] == v else uint(len(v) + 1) + v)
            else:
                out += b"\0" + text(k) + uint(len(v) + 1) + v
        return out


# ---------------------------------------------------------------- material

def fr(name, line, function=None):
    return name.encode("utf-8", "surrogateescape"), line, None if function is None else function.encode()


MAIN, LIB, OTHER = fr("/app/main.py", 10), fr("/app/lib.py", 20), fr("/app/lib.py", 7)
FUN, FUN2 = fr("/app/lib.py", 20, "load"), fr("/app/lib.py", 20, "store")
ODD = fr("/odd/\udcff\u20ac\\.py", 4294967295, "")

ONE = [((LIB, MAIN), 2, 0, 64, (3, 192)),
       ((LIB, MAIN), 2, 0, 72, (1, 72)),
       ((LIB, MAIN), 2, 5, 64, (1, 64)),
       ((MAIN,), 1, 0, 1 << 60, (1, 1 << 60)),
       ((LIB, LIB, MAIN), 3, 4294967295, 0, (2, 0)),
       ((OTHER, LIB, LIB, MAIN), 4, 0, 16, (1, 16)),
       ((ODD, MAIN), 2, 0, 16, (1, 16)),
       ((FUN, MAIN), 2, 0, 1, (7, 7)),
       ((FUN2, MAIN), 2, 0, 2, (7, 99))]
TWO = [ONE[0][:4] + ((2, 128),), ONE[2], ONE[3][:4] + ((1, (1 << 60) + 1),), ONE[5], ONE[6],
       ((LIB, MAIN), 2, 0, 80, (1, 80)),           # SITO
       ((LIB, LIB, MAIN), 3, 5, 8, (1, 8)),        # SITO
       ((OTHER, LIB, MAIN), 3, 0, 8, (4, 32)),     # ATCH
       ((MAIN, MAIN), 2, 0, 8, (4, 32)),
       ((fr("new.py", 1), LIB, LIB, MAIN), 4, 0, 8, (1, 8)),
       ((MAIN, fr("new.py", 2, "f")), 2, 0, 8, (1, 8))]
DEEP = [((LIB, LIB, MAIN), 3, 0, 8, (1, 8)),       # makes an old node of no stack: (LIB, MAIN)
        ((LIB,), 300, 0, 8, (1, 8)), ((LIB,), 0, 0, 8, (5, 8)), ((OTHER, LIB), 9, 0, 8, (1, 8)),
        ((OTHER, MAIN, ODD), 0, 1, 8, (1, 8))]     # the empty string: only a first member can
CUT = [((LIB, OTHER, MAIN), 3, 0, 8, (1, 8)), ((LIB, OTHER), 3, 0, 8, (2, 16)),
       ((LIB,), 3, 0, 8, (1, 9)), ((LIB, MAIN), 30, 0, 8, (2, 16)), ((LIB, MAIN), 40, 0, 8, (2, 16))]
CHANGES = [((LIB, MAIN), 2, 0, 64, (3, 192, 1, 64)), ((LIB,), 1, 0, 64, (0, 0, 1, 64)),
           ((OTHER,), 1, 0, 64, (5, 320, 0, 0)), ((MAIN,), 1, 0, 8, (-5, -40, 1, 9)),
           ((MAIN,), 1, 0, 9, (1, 9, 1, 9))]
INFO = [(b"host", b"a=b c"), (b"pid", b"12"), (b"empty", b""), (b"history.1", b"made")]
INFO2 = [(b"pid", b"13"), (b"host", b"a=b c"), (b"history.1", b"made"), (b"history.2", b"x" * 200)]


def series(**options):
    e = Encoder(known=1, **options)
    return (e.member(DEEP, INFO, more=1) + e.member(ONE + DEEP[1:], INFO2, more=1)
            + e.member(TWO, more=1) + e.member([], INFO, more=1) + e.member(ONE, INFO, restart=True))


SERIES = [(DEEP, INFO), (ONE + DEEP[1:], INFO2), (TWO, []), ([], INFO), (ONE, INFO)]


def tags(data):
    out, pos = [], 0
    while pos < len(data):
        if data[pos:pos + 8] == MAGIC:
            out.append(("head", pos))
            pos += 20
        out.append((data[pos:pos + 4].decode(), pos))
        pos += 24 + struct.unpack("<I", data[pos + 8:pos + 12])[0]
    return out


def standalone(*sections, **k):
    return (header() + section(b"META", k.get("meta", META)) + section(b"COLS", k.get("cols", COLS))
            + section(b"STKR", k.get("stkr", STKR)) + b"".join(sections) + k.get("end", end()))


STRP, STRB = section(b"STRP", b"\0\1"), section(b"STRB", b"a")
FRMF, FRML = section(b"FRMF", b"\0"), section(b"FRML", b"\3")
SMALL = [((( b"a", 1, None),), 0, 0, 8, (1, 8))]
SMALL_END = end((1, 1, 1, 1, 1), digest_of_rows(COLUMNS, [], SMALL))
NODE, SITT = section(b"NODE", b"\5"), section(b"SITT", b"\x21")


def small(*sections, **k):
    """A member of one site; sections replace those of the same tag (or are added in order)."""
    parts = {b"STRP": STRP, b"STRB": STRB, b"FRMF": FRMF, b"FRML": FRML, b"NODE": NODE, b"SITT": SITT}
    new = {}
    for s in sections:
        new[s[:4]] = new.get(s[:4], b"") + s
    parts.update(new)
    k.setdefault("end", SMALL_END)
    return standalone(*(parts[t] for t in sorted(parts, key=lambda t: snapdump.ORDER.index(t.decode()))), **k)


class Good(unittest.TestCase):
    maxDiff = None

    def check(self, data, expect):
        got = list(read_members(data))
        self.assertEqual(len(got), len(expect))
        for m, (rows, meta) in zip(got, expect):
            self.assertEqual(m.rows(), merge_rows(rows))
            self.assertEqual(m.meta, meta)
            self.assertEqual(m.digest, digest_of_rows(m.columns, meta, rows))
            json.loads(m.to_json(True))
        return got

    def test_smallest(self):
        data = standalone()
        self.assertEqual(len(data), 203)
        self.check(data, [([], [])])
        self.check(small(), [(SMALL, [])])
        self.assertEqual(Encoder().member(SMALL), small())

    def test_snapshots(self):
        for codec in 0, 1:
            for cut in 65536, 3, 1:
                for rows, cols in ((ONE, PLAIN), (TWO, PLAIN), (DEEP, PLAIN), (CUT, PLAIN),
                                   (CHANGES, DIFF)):
                    for limit, known in ((0, 0), (0, 1), (2, 1), (2, 0), (1, 1)):
                        if codec and (cut == 1 or limit):
                            continue
                        for share in False, True:
                            e = Encoder(cols, limit, known, codec, cut, share)
                            self.check(e.member(rows, INFO), [(rows, INFO)])

    def test_series(self):
        for options in {}, {"cut": 2}, {"codec": 1}, {"share": True, "limit": 2, "frequent": 3}:
            data = series(**options)
            self.check(data, SERIES)
        seen = {t for t, _ in tags(data)} | {t for t, _ in tags(Encoder(DIFF).member(CHANGES))}
        self.assertEqual({t.ljust(4) for t in snapdump.ORDER} - seen, set())
        self.assertIn("RDEP", seen)

    def test_beyond_length_is_not_shown(self):
        m, = read_members(Encoder(known=1, share=True).member(CUT))
        self.assertEqual(m.counts[2], 3 + 2 + 2)
        self.assertEqual(m.rows(), merge_rows(CUT))

    def test_random_series(self):
        rng = random.Random(1)
        frames = [fr("f%d.py" % rng.randrange(3), rng.randrange(3), rng.choice([None, None, "g"]))
                  for _ in range(8)]
        for _ in range(60):
            e = Encoder(rng.choice([PLAIN, DIFF]), rng.choice([0, 0, 1, 3]), rng.randrange(2),
                        0, rng.choice([1, 2, 7, 65536]), rng.random() < 0.5)
            out, expect, rows, n = b"", [], [], rng.randint(1, 5)
            for i in range(n):
                rows = [r for r in rows if rng.random() < 0.7]
                for _ in range(rng.randrange(12)):
                    path = tuple(rng.choice(frames) for _ in range(rng.randint(1, 5)))
                    size = rng.choice([0, 8, 16, rng.randrange(1 << 40)])
                    count = rng.randint(-2, 3)
                    values = [count, count * size] + [rng.randint(0, 2) for _ in e.columns[2:]]
                    total = rng.choice([0, len(path), len(path), len(path) + rng.randrange(4)])
                    rows.append((path, total, rng.randrange(2), size, tuple(values)))
                rows = merge_rows(rows)
                out += e.member(rows, INFO[:i], more=i + 1 < n)
                expect.append((rows, INFO[:i]))
            self.check(out, expect)

    def test_concatenation(self):
        a, b = series(), Encoder(DIFF).member(CHANGES)
        self.check(a + b + a, SERIES + [(CHANGES, [])] + SERIES)

    def test_unknown_things_are_skipped(self):
        skip = section(b"ZZZZ", b"hi", sflags=0xF0, index=9)
        late = section(b"SITA", b"", sflags=0)
        data = (header(0x80000002, 7) + skip + section(b"META", META, sflags=0xF1) + skip
                + section(b"COLS", COLS) + section(b"STKR", STKR) + STRP + skip + STRB + FRMF + FRML
                + NODE + SITT + late + section(b"DOMS", b"\1\0", sflags=0) + late + skip + SMALL_END)
        m, = self.check(data, [(SMALL, [])])
        self.assertEqual((m.version, m.canonical, m.more), (7, True, False))
        self.check(small(end=section(b"END ", struct.pack("<I", 0x80000000) + SMALL_END[28:])),
                   [(SMALL, [])])

    def test_zstd_bodies(self):
        skip = b"\x5f\x2a\x4d\x18\3\0\0\0abc"
        a, b = zstd(b"ab"), zstd(b"", "--no-check")
        for packed in (a + skip, skip + a, zstd(b"a") + skip + b + zstd(b"b", "--no-check"), b + a):
            data = standalone(section(b"STRP", b"\0\2"), section(b"STRB", b"ab", 1, packed=packed),
                              FRMF, FRML, NODE, SITT,
                              end=end((1, 1, 1, 1, 1), digest_of_rows(
                                  [b"blocks", b"bytes"], [], [((fr("ab", 1),), 0, 0, 8, (1, 8))])))
            self.assertEqual(next(read_members(data)).tables.strings, [b"ab"])

    def test_revived_site(self):
        e = Encoder()
        data = e.member(SMALL, more=1) + e.member([], more=1) + e.member(SMALL)
        a, b, c = self.check(data, [(SMALL, []), ([], []), (SMALL, [])])
        self.assertEqual((b.counts[4], len(b.values), len(c.values)), (0, 1, 1))

    def test_pickle(self):
        frames = ((("b.py", 2), ("a.py", 1)), ())
        raw = [(0, 8, frames[0], 2), (0, 8, frames[0], 2), (3, 9, frames[0], 70), (0, 8, frames[0]),
               (8, frames[0]), (0, 1, frames[1], 0), (0, 5, (("\udc80\ud800", 3),), 1)]
        snapshot = tracemalloc.Snapshot(tuple(raw), 2)
        with tempfile.TemporaryDirectory() as d:
            path = os.path.join(d, "x")
            snapshot.dump(path)
            rows = snapdump.rows_of_pickle(path)
        two = ((b"b.py", 2, None), (b"a.py", 1, None))
        self.assertEqual(rows, merge_rows([
            (two, 2, 0, 8, (2, 16)), (two, 70, 3, 9, (1, 9)), (two, 0, 0, 8, (2, 16)),
            (((b"<unknown>", 0, None),), 0, 0, 1, (1, 1)),
            (((b"\xed\xb2\x80\xed\xa0\x80", 3, None),), 1, 0, 5, (1, 5))]))
        for limit, known in ((2, 1), (0, 0)):
            self.check(Encoder(PLAIN, limit, known).member(rows), [(rows, [])])

    def test_live_pickle(self):
        tracemalloc.start(3)
        keep = [json.loads("[%s1]" % ("[]," * i)) for i in range(30)]
        snapshot = tracemalloc.take_snapshot()
        tracemalloc.stop()
        with tempfile.TemporaryDirectory() as d:
            path = os.path.join(d, "x")
            snapshot.dump(path)
            rows = snapdump.rows_of_pickle(path)
        self.assertEqual(sum(r[4][0] for r in rows), len(snapshot.traces))
        self.assertEqual(sum(r[4][1] for r in rows), sum(t.size for t in snapshot.traces))
        want = {tuple((f.filename, f.lineno) for f in reversed(t.traceback)) for t in snapshot.traces}
        self.assertEqual({tuple((f.decode(), l) for f, l, _ in r[0]) for r in rows}, want)
        self.check(Encoder(PLAIN, 3, 1, 1).member(rows), [(rows, [])])
        del keep

    def test_command(self):
        data = series()
        cut = tags(data)[-1][1]
        tool = [sys.executable, snapdump.__file__, "--sites", "-"]
        p = subprocess.run(tool, input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertEqual((p.returncode, p.stderr), (0, b""))
        docs = [json.loads(line) for line in p.stdout.splitlines()]
        self.assertEqual([d["member"] for d in docs], [1, 2, 3, 4, 5])
        self.assertEqual([d["continues"] for d in docs], [False, True, True, True, False])
        self.assertEqual(docs[0]["meta"][0], ["host", "a=b c"])
        self.assertEqual(docs[0]["totals"], {"blocks": 9, "bytes": 40})
        self.assertEqual(docs[4]["rows"][-1][0][0], ["/odd/\udcff\u20ac\\.py", 4294967295, ""])
        p = subprocess.run(tool, input=data[:cut], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertEqual((p.returncode, len(p.stdout.splitlines())), (2, 4))
        self.assertEqual(p.stderr.decode().split(": ")[:4],
                         ["snapdump.py", "-", "offset %d" % cut, "truncated"])


class Bad(unittest.TestCase):
    def refuse(self, data, kind="damaged", offset=None, before=0, message=None):
        n = 0
        with self.assertRaises(SnapError) as caught:
            for _ in read_members(data):
                n += 1
        e = caught.exception
        self.assertEqual((e.kind, n), (kind, before), e)
        if message:
            self.assertIn(message, e.message)
        if offset is not None:
            if isinstance(offset, str):
                offset = [p for t, p in tags(data) if t == offset][-1]
            self.assertEqual(e.offset, offset, e)

    def test_every_prefix(self):
        for codec in 0, 1:
            e = Encoder(known=1, codec=codec)
            data = e.member(DEEP, INFO, more=1) + e.member(ONE[:5])
            ends = [p + 88 for t, p in tags(data) if t == "END "]
            for n in range(len(data)):
                self.refuse(data[:n], "truncated", n, sum(e <= n for e in ends))

    def test_every_bit(self):
        e = Encoder(DIFF, codec=1)
        data = e.member(CHANGES[1:], INFO[:1], more=1) + e.member(CHANGES[:3])
        first = data.index(MAGIC, 8)
        for i in range(len(data)):
            for bit in range(8):
                bad = bytearray(data)
                bad[i] ^= 1 << bit
                with self.assertRaises(SnapError) as caught:
                    for n, _ in enumerate(read_members(bad)):
                        self.assertTrue(n == 0 and i >= first)
                if caught.exception.kind == "damaged":
                    self.assertLessEqual(caught.exception.offset, i)

    def test_headers(self):
        rest = small()[20:]
        self.refuse(b"", "truncated", 0)
        self.refuse(b"no snap file, is it?", "unsupported", 0)
        self.refuse(b"\x89SNQ", "unsupported", 0)
        self.refuse(header(1) + rest, "damaged", 0)
        self.refuse(header(4) + rest, "unsupported", 0)
        self.refuse(header(0x8000) + rest, "unsupported", 0)
        self.refuse(header(0, 9, 2) + rest, "unsupported", 0)
        n = len(small())
        self.refuse(small() + b"\0", "damaged", n, 1)
        self.refuse(small() + MAGIC[:3], "truncated", n + 3, 1)
        more = end((1, 1, 1, 1, 1), struct.unpack("<QQ", SMALL_END[-16:]), more=1)
        self.refuse(small(end=more), "truncated", n, 1)

    def test_sections(self):
        u = "unsupported"
        self.refuse(standalone(section(b"ZZZZ", b"", sflags=1)), u, "ZZZZ")
        self.refuse(standalone(section(b"ZZZZ", b"", sflags=2)), u, "ZZZZ")
        self.refuse(standalone(section(b"ZZZZ", b"", sflags=0, codec=2, packed=b"")), u, "ZZZZ")
        self.refuse(small(section(b"STRB", b"a", 1, packed=b"")), offset="STRB")
        self.refuse(small(section(b"STRB", b"a", raw=2)), offset="STRB")
        self.refuse(small(section(b"STRB", b"a", index=1)), offset="STRB")
        self.refuse(small(end=section(b"END ", SMALL_END[24:], 1)), offset="END ")
        self.refuse(standalone(end=section(b"END ", end()[24:] + b"\0")), offset="END ")
        self.refuse(standalone(section(b"ZZZZ", bytes(4194305), sflags=0)), offset="ZZZZ")
        for raw, n in ((4097, 128), (0, 1025)):
            self.refuse(standalone(section(b"ZZZZ", b"", 1, sflags=0, raw=raw, packed=bytes(n))),
                        offset="ZZZZ")
        list(read_members(standalone(section(b"ZZZZ", b"", 1, sflags=0, raw=4096, packed=bytes(128)))))
        for bad in (zstd(b"ab"), zstd(b""), b"a", zstd(b"a") + b"x", zstd(b"a")[:-1],
                    zstd(b"a") + b"\x50\x2a\x4d\x18\2\0\0\0a", zstd(b"a") + zstd(b"b"),
                    b"\x50\x2a\x4d\x18\0\0\0\0", zstd(b"a")[:-1] + b"\0",
                    b"\x28\xb5\x2f\xfd\x21\x07\x01\x09\0\0a",       # dictionary 7
                    b"\x28\xb5\x2f\xfd\x20\x01\x0f\0\0a",           # block type 3
                    b"\x25\xb5\x2f\xfd\x20\x01\x09\0\0a"):          # another magic
            self.refuse(small(section(b"STRB", b"a", 1, packed=bad)), offset="STRB")
        list(read_members(small(section(b"STRB", b"a", 1, packed=b"\x28\xb5\x2f\xfd\x20\x01\x09\0\0a"))))

    def test_order(self):
        m, c, r = section(b"META", META), section(b"COLS", COLS), section(b"STKR", STKR)
        for parts in ((c, r), (m, r), (m, c), (m, m, c, r), (m, c, c, r), (c, m, r), (m, c, r, r), ()):
            self.refuse(header() + b"".join(parts) + end())
        good = standalone(), header(1) + m
        for s in (b"STKD", b"CHGI", b"CHGV", b"SITO"):
            self.refuse(standalone(section(s, b"\0")), offset=s.decode(), message="order")
        for s in (c, r):
            self.refuse(good[0] + good[1] + s + end(), before=1)
        self.refuse(standalone(STRB, STRP), offset="STRB")
        self.refuse(standalone(STRP, STRB, FRMF, FRML, NODE, section(b"DOMS", b"\1\0"), SITT))
        self.refuse(standalone(STRP, STRB, FRML, FRMF), offset="FRML")
        self.refuse(small() + good[1] + section(b"CHGV", b"\0") + SMALL_END, before=1)

    def test_varints_and_rows(self):
        for body in (b"\x81", b"\x83\0", b"\x80" * 10 + b"\1", b"\x80" * 9 + b"\2", b"", b"\0" * 65537):
            self.refuse(small(section(b"FRML", body)), offset="FRML")
        for t in b"STRP", b"FRMF", b"PRSC", b"PRST", b"ATCH", b"RDEP", b"STKX", b"FRMU":
            self.refuse(small(section(t, b"")), offset=t.decode())
        self.refuse(small(section(b"STRP", b"\0")), offset="STRP")
        self.refuse(small(section(b"STKX", b"\0\1")), offset="STKX")

    def test_meta(self):
        def entry(k, v, ref=0):
            return uint(ref) + (b"" if ref else text(k)) + uint(len(v) + 1) + v
        for body in (b"", b"\1", b"\0\0", b"\2" + entry(b"a", b"") * 2, b"\1" + entry(b"", b"x"),
                     b"\1" + entry(b"k" * 256, b""), b"\1" + entry(b"a=", b""), b"\1" + entry(b"a b", b""),
                     b"\1" + entry(b"\x7f", b""), b"\1" + entry(b"a", b"\0"), b"\1\0\1a\0",
                     b"\1" + entry(b"a", b"x" * 1048577), b"\1\1\1", b"\1\0\1a\3x",
                     uint(4097) + b"".join(entry(b"%d" % i, b"") for i in range(4097))):
            self.refuse(standalone(meta=body), offset="META")
        big = b"x" * 1048576
        list(read_members(standalone(meta=b"\1" + entry(b"a", big), end=end(meta=[(b"a", big)]))))
        for body in (b"\1\2\1", b"\2\1\0\1\0", b"\2\1\0" + entry(b"a", b"")):
            self.refuse(standalone(meta=b"\1" + entry(b"a", b""), end=end(meta=[(b"a", b"")]))
                        + header(1) + section(b"META", body) + end(), offset="META", before=1)

    def test_cols_stkr(self):
        def cols(*c):
            return uint(len(c)) + b"".join(text(n) + uints(x) for n, *x in c)
        a, b = PLAIN
        for c in ((a,), (b, a), (a, a), (a, b, a), (a, (b"bytes", 1, 0, 0)), (a, (b"bytes", 2, 2, 0)),
                  (a, b, (b"X", 0, 0, 0)), (a, b, (b"", 0, 0, 0)), (a, b, (b"x" * 64, 0, 0, 0)),
                  (a, b, (b"x", 3, 0, 0)), (a, b, (b"x", 0, 3, 0)), (a, b, (b"x", 0, 1, 2)),
                  (a, b, (b"x", 0, 0, 1)), (a, b) + tuple((b"c%d" % i, 2, 0, 0) for i in range(15))):
            self.refuse(standalone(cols=cols(*c)), offset="COLS")
        list(read_members(standalone(cols=cols(a, b, *((b"c%d" % i, 2, 1, i) for i in range(14))))))
        self.refuse(standalone(cols=COLS + b"\0"), offset="COLS")
        for body in (b"", b"\0", b"\0\2", b"\0\0\0", uints((65536, 0))):
            self.refuse(standalone(stkr=body), offset="STKR")

    def test_strings(self):
        def strings(strp, strb):
            return small(section(b"STRP", uints(strp)), section(b"STRB", strb))
        self.refuse(strings([1, 1], b"a"), offset="STRP")
        self.refuse(strings([0, 2], b"a"), offset="FRMF")
        self.refuse(strings([0, 1], b"ab"), offset="STRB")
        self.refuse(strings([0, 1], b"\0"), offset="STRB")
        self.refuse(strings([0, 1, 0, 1], b"ba"), offset="FRMF")
        self.refuse(strings([0, 1, 0, 1], b"aa"), offset="FRMF")
        self.refuse(strings([0, 1, 0, 0], b"a"), offset="STRP")
        self.refuse(strings([0, 1, 2, 1], b"ab"), offset="STRP")
        self.refuse(strings([0, 65536], b"a" * 65536), offset="STRP")
        self.refuse(strings([0, 200, 97, 1], b"a" * 200 + b"b"), offset="STRP")
        self.refuse(strings([0, 200, 96, 1], b"a" * 200 + b"b"), offset="END ")
        self.refuse(standalone(STRP), offset="END ")
        self.refuse(standalone(STRB), offset="STRB")

    def test_frames(self):
        self.refuse(small(section(b"FRMF", b"\1")), offset="FRMF")
        for body in b"\3\3", uint(1 << 33 | 1):
            self.refuse(small(section(b"FRML", body)), offset="FRML")
        for body in b"\2", b"\2\1":
            self.refuse(small(section(b"FRML", body)), offset="NODE")
        for body in b"\1", b"\4":
            self.refuse(small(section(b"FRMU", body)), offset="FRMU")
        self.refuse(small(section(b"FRMU", b"\0\0")), offset="NODE")
        two = section(b"FRML", b"\2\1")
        self.refuse(small(two, section(b"FRMU", b"\0")), offset="NODE", message="rows")
        self.refuse(small(two, section(b"FRMU", b"\2\0")), offset="NODE", message="ascend")
        self.refuse(small(two, section(b"FRMU", b"\0\2")), offset="END ")

    def test_pairs_and_nodes(self):
        prsc, pair = section(b"PRSC", b"\0"), section(b"PRSF", b"\0")
        self.refuse(small(section(b"PRSC", b"\2")), offset="PRSC")
        self.refuse(small(prsc), offset="NODE")
        self.refuse(small(pair), offset="PRSF")
        self.refuse(small(section(b"PRST", b"\1")), offset="PRST")
        for body in b"\1", b"\2", b"\0\0":
            self.refuse(small(prsc, section(b"PRSF", body)), offset="PRSF")
        more = section(b"PRSC", b"\1")
        self.refuse(small(more, pair), offset="NODE")
        self.refuse(small(prsc, pair, section(b"PRST", b"\1")), offset="PRST")
        self.refuse(small(more, pair, section(b"PRST", b"\1")), offset="PRST")
        wide = [section(b"FRML", b"\2\2\3"), more, pair]
        self.refuse(small(*wide, section(b"PRST", b"\0")), offset="NODE")
        for body in b"\1\1", b"\0\1\1", b"\5":
            self.refuse(small(*wide, section(b"PRST", body)), offset="PRST")
        for body in b"\0\1", b"\3":
            self.refuse(small(*wide, section(b"PRST", body)), offset="END ", message="counts")

        def nodes(*v):
            return small(prsc, pair, section(b"NODE", uints(v)))
        self.refuse(nodes(7, 5), offset="END ", message="less")
        for v in ((5, 5), (7, 4, 5), (7, 13), (13,)):
            self.refuse(nodes(*v), offset="NODE")
        for v in ((4,), (7,), (7, 4), (7, 7)):
            self.refuse(nodes(*v), offset="SITT", message="ended")
        self.refuse(nodes(4, 5), offset="SITT", message="repeated")
        self.refuse(small(section(b"RDEP", uint(65536))), offset="RDEP")
        for v in (0, 0), (65535,):
            self.refuse(small(section(b"RDEP", uints(v))), offset="SITT")
        roots = section(b"NODE", b"\0\0\1")
        for v in (65533, 0, 0), (65534, 1, 0), (65534,):
            self.refuse(small(roots, section(b"RDEP", uints(v))), offset="SITT")
        self.refuse(small(section(b"NODE", b"\7\5"), prsc, pair, section(b"RDEP", uint(65534))),
                    offset="SITT", message="deep")
        self.refuse(small(section(b"RDEP", b"\1")), offset="SITT", message="longer")
        self.refuse(small(section(b"ATCH", b"\1")), offset="ATCH")
        self.refuse(small(section(b"ATCH", b"\0\0")), offset="ATCH")
        list(read_members(small(section(b"ATCH", b"\0"))))
        self.refuse(standalone(section(b"ATCH", b"\0")), offset="END ")
        chain = [7] + [3] * 65533 + [5]
        self.refuse(small(prsc, pair, section(b"NODE", bytes(chain))), offset="END ", message="less")
        self.refuse(small(prsc, pair, section(b"NODE", bytes([7] + [3] * 65534 + [5])[:65536])),
                    offset="SITT", message="deep")

    def test_stacks(self):
        for v in ((1, 1, 1), (0, 0, 0), (0, 2, 0), (0, 1, 0), (0, 1, 1, 0, 1, 1), (0, 1, 65536),
                  (0, 1, 2, 0, 1, 1)):
            self.refuse(small(section(b"STKX", uints(v))), offset="STKX")
        self.refuse(small(section(b"STKX", b"\0\1\1")), offset="END ", message="less")
        self.refuse(small(section(b"NODE", b"\1")), offset="SITT", message="more")
        e = Encoder()
        # An equal stack of an older member need not be found, but it has no site.
        self.refuse(e.member(SMALL, more=1) + header(1) + section(b"META", META)
                    + section(b"STKD", b"\0") + SMALL_END, offset="END ", before=1, message="less")
        self.refuse(e.member(SMALL, restart=True) + header(1) + section(b"META", META)
                    + section(b"STKD", b"\1") + SMALL_END, offset="STKD", before=1)

    def test_sites(self):
        site = section(b"SITT", b"\x20\x21")
        self.refuse(small(section(b"SITT", b"\x20\1")), offset="END ", message="ascend")
        self.refuse(small(site), offset="END ")
        self.refuse(small(section(b"SITT", b"\x20")), offset="END ", message="less")
        self.refuse(small(section(b"SITT", b"\x21\x21")), offset="SITT", message="more")
        self.refuse(small(section(b"SITT", uint(1 << 63 | 1))), offset="END ", message="2^61")
        for v in ((0, 0), (2, 0), (1, 0, 1, 1), (1, 1 << 32), (1,), ()):
            self.refuse(small(section(b"DOMS", uints(v))), offset="DOMS")
        self.refuse(small(site, section(b"DOMS", b"\1\0\1\0")), offset="DOMS")
        self.refuse(small(site, section(b"DOMS", b"\1\1\1\0")), offset="END ", message="ascend")
        explicit = section(b"SITT", b"\x23")
        self.refuse(small(section(b"VALS", b"\2")), offset="VALS")
        self.refuse(small(explicit, section(b"VALS", b"\2", index=2)), offset="VALS")
        self.refuse(small(explicit, section(b"VALS", b"\2\2")), offset="VALS")
        one, two = section(b"VALS", b"\2"), section(b"VALS", b"\0", index=1)
        list(read_members(small(explicit, one, two)))
        list(read_members(small(explicit, one)))
        self.refuse(small(explicit, two, one), offset="VALS")
        self.refuse(small(explicit, one, one), offset="VALS")
        self.refuse(small(explicit), offset="END ", message="counts")
        for v in (1 << 63) - 1, -1 << 63:
            self.refuse(small(explicit, section(b"VALS", uint(zig(v)))), offset="END ")
        half = uint(zig(1 << 62)) * 2
        self.refuse(small(section(b"SITT", b"\2\7"), section(b"VALS", half), end=end((1, 1, 1, 1, 2))), offset="END ",
                    message="sum")

    def test_changes(self):
        def change(*sections):
            return small() + header(1) + section(b"META", META) + b"".join(sections) + SMALL_END
        zero = section(b"CHGV", b"\0")
        list(read_members(change(section(b"CHGI", b"\0"), zero)))
        self.refuse(change(section(b"CHGI", b"\1"), zero), offset="CHGI", before=1)
        self.refuse(change(section(b"CHGI", b"\0"), zero, section(b"CHGI", b"\0"), zero), before=1)
        for s in (zero + zero, section(b"CHGV", b"\0\0"), section(b"CHGV", b"\0", index=2)):
            self.refuse(change(section(b"CHGI", b"\0"), s), offset="CHGV", before=1)
        self.refuse(change(section(b"CHGI", b"\0"), section(b"CHGV", uint(zig((1 << 63) - 1)))),
                    offset="END ", before=1, message="sum")
        self.refuse(change(section(b"CHGI", b"\0"), section(b"CHGV", b"\0", index=1), zero), offset="CHGV", before=1,
                    message="order")
        self.refuse(change(section(b"CHGI", b"\0"), section(b"CHGV", b"\2")), offset="END ", before=1)
        self.refuse(change(section(b"SITO", b"\1")), offset="SITO", before=1)
        self.refuse(change(section(b"SITO", b"\0")), offset="END ", before=1)
        # An equal site of an older member need not be found; a reader adds it up.
        twice = [r for r in SMALL for _ in range(2)]
        data = (small() + header(1) + section(b"META", META) + section(b"SITO", b"\0") + SITT
                + end((1, 1, 1, 1, 2), digest_of_rows(COLUMNS, [], twice)))
        self.assertEqual(list(read_members(data))[1].rows(), merge_rows(twice))

    def test_end(self):
        d = struct.unpack("<QQ", SMALL_END[-16:])
        for i in range(5):
            counts = [1] * 5
            counts[i] = 2
            self.refuse(small(end=end(counts, d)), offset="END ", message="counts")
        self.refuse(small(end=end((1,) * 5, (d[0], d[1] ^ 1))), offset="END ", message="digest")
        self.refuse(small(end=end((1,) * 5, d, zero=1)), offset="END ")
        self.refuse(small(end=end((1,) * 5, d, more=2)), "unsupported", "END ")

    def test_one_site_on_two_nodes(self):
        """Two roots of one frame at different depths, both with the stack (1 frame, total 9): a writer must not
        do it, a reader adds up; but the digest is that of the two."""
        frames, total = SMALL[0][0], 9
        site = frames, total, 0, 8, (1, 8)
        members = [small(section(b"NODE", b"\0\1"), section(b"RDEP", b"\0\0"), section(b"STKX", b"\0\1\x09\1\1\x09"),
                         section(b"SITT", b"\x21\x21"), end=end((1, 1, 2, 2, 2), digest_of_rows(COLUMNS, [], rows)))
                   for rows in ([site, site], merge_rows([site, site]))]
        m, = read_members(members[0])
        self.assertEqual(m.rows(), [(frames, total, 0, 8, (2, 16))])
        self.refuse(members[1], offset="END ", message="digest")


class Fuzz(unittest.TestCase):
    def test_only_snaperror(self):
        """Change bodies and make the checksums right again: SnapError or a member, never else."""
        rng, kinds = random.Random(7), set()
        sources = [series(), Encoder(DIFF, cut=2).member(CHANGES) + series(share=True, limit=2)]
        for _ in range(1500):
            data = bytearray(rng.choice(sources))
            places = tags(data)
            for _ in range(rng.randint(1, 2)):
                tag, pos = rng.choice(places)
                n = 0 if tag == "head" else struct.unpack("<I", data[pos + 8:pos + 12])[0]
                if n:
                    i = pos + 24 + rng.randrange(n)
                    data[i] = rng.choice([0, 1, data[i] ^ 1 << rng.randrange(8), 0xFF, rng.randrange(256)])
                    data[pos + 16:pos + 20] = struct.pack("<I", zlib.crc32(data[pos + 24:pos + 24 + n]))
                    data[pos + 20:pos + 24] = struct.pack("<I", zlib.crc32(data[pos:pos + 20]))
            try:
                for m in read_members(data):
                    self.assertEqual(m.digest, digest_of_rows(m.columns, m.meta, m.rows()))
                    m.to_json(True)
            except SnapError as e:
                kinds.add(e.message)
        self.assertGreater(len(kinds), 40)


if __name__ == "__main__":
    unittest.main()
