#!/usr/bin/env python3
"""Makes bad .snap files, one defect a file, and odd ones that are good all the same.

usage: make.py [FOLDER]     writes snap/, odd/ and their expected.tsv into FOLDER, or beside this file

Each is a golden file with one thing changed and its checksums made right again. A line of snap/expected.tsv
has file, kind and byte offset of the error; one of odd/expected.tsv has file and number of members.
"""

import pathlib
import struct
import sys
import zlib

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "tests/oracle"))

import snapdump

GOLDEN = HERE.parent / "golden/v1"

MAGIC = b"\x89SNP\r\n\x1a\n"
MUST = 1

# --- files as lists of members and sections -----------------------------------------------------------


def crc(data):
    return struct.pack("<I", zlib.crc32(data))


def uint(n):
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def uints(numbers):
    return b"".join(map(uint, numbers))


def zigzag(v):
    return v << 1 if v >= 0 else (-v << 1) - 1


class Section:
    def __init__(self, tag, body, codec=0, flags=MUST, index=0):
        self.tag, self.body, self.codec, self.flags, self.index = tag, body, codec, flags, index
        self.raw = None             # the raw length that the header tells, if not the length of the body
        self.stored = None          # likewise the stored length
        self.harm = lambda data: data   # done to the bytes when all is put together

    @property
    def rows(self):
        out, v, shift = [], 0, 0
        for c in self.body:
            v |= (c & 127) << shift
            shift += 7
            if c < 128:
                out.append(v)
                v = shift = 0
        return out

    @rows.setter
    def rows(self, numbers):
        self.body = uints(numbers)

    def copy(self):
        return Section(self.tag, self.body, self.codec, self.flags, self.index)

    def join(self):
        stored = len(self.body) if self.stored is None else self.stored
        raw = stored if self.raw is None else self.raw
        head = self.tag + struct.pack("<BBHII", self.codec, self.flags, self.index, stored, raw) + crc(self.body)
        return self.harm(head + crc(head) + self.body)


class Member(list):
    """Its sections."""

    def __init__(self, version=1, lowest=1, flags=0):
        super().__init__()
        self.version, self.lowest, self.flags = version, lowest, flags
        self.harm = lambda data: data

    def head(self):
        head = MAGIC + struct.pack("<HHI", self.version, self.lowest, self.flags)
        return self.harm(head + crc(head))


class File(list):
    """Its members. `tail` stands behind them."""

    def __init__(self, data):
        super().__init__()
        self.tail = b""
        pos = 0
        while pos < len(data):
            self.append(Member(*struct.unpack("<HHI", data[pos + 8:pos + 16])))
            pos += 20
            tag = b""
            while tag != b"END ":
                tag, codec, flags, index, stored, raw = struct.unpack("<4sBBHII", data[pos:pos + 16])
                self[-1].append(Section(tag, data[pos + 24:pos + 24 + stored], codec, flags, index))
                self[-1][-1].raw = raw
                if raw == stored:
                    self[-1][-1].raw = None
                pos += 24 + stored

    def get(self, tag, member=0):
        """The first section of a tag."""
        return next(s for s in self[member] if s.tag.decode().strip() == tag)

    def behind(self, section, by=1):
        member = next(m for m in self if any(s is section for s in m))
        return member[next(i for i, s in enumerate(member) if s is section) + by]

    def add(self, section, before, member=0):
        """Puts a section before the first of a tag."""
        self[member].insert(self[member].index(self.get(before, member)), section)
        return section

    def drop(self, tag, member=0):
        """Removes a section; the one that followed."""
        section = self.get(tag, member)
        follows = self.behind(section)
        self[member].remove(section)
        return follows

    def join(self):
        """(bytes, {id of a member or section: offset})"""
        out, offsets = b"", {}
        for member in self:
            offsets[id(member)] = len(out)
            out += member.head()
            for section in member:
                offsets[id(section)] = len(out)
                out += section.join()
        return out + self.tail, offsets


# --- defects ------------------------------------------------------------------------------------------

DEFECTS = {}  # name -> (golden file, kind, function)
LENGTH = "length"


def defect(base, kind="damaged"):
    """The function changes a File and returns the member, section or offset that is to blame; LENGTH is the
    length of the file. The file is named for it."""
    def register(function):
        DEFECTS[function.__name__.strip("_").replace("_", "-")] = base, kind, function
        return function
    return register


def edit(name, tag, change, base="one", blame=None, member=0):
    """A defect in the rows of one section; change(rows) may return others. blame: None for the section
    itself, a number for one that many behind it."""
    def function(f):
        section = f.get(tag, member)
        rows = section.rows
        section.rows = change(rows) or rows
        return section if blame is None else f.behind(section, blame)
    DEFECTS[name] = base, "damaged", function


def put(at, value):
    """Changes one row."""
    def change(rows):
        rows[at] = value
    return change


def body(name, tag, new, base="one", member=0):
    """A defect in the bytes of one section: others, or what new(bytes) returns."""
    def function(f):
        section = f.get(tag, member)
        section.body = new(section.body) if callable(new) else new
        return section
    DEFECTS[name] = base, "damaged", function


def extra(name, tag, rows, before, base="one", member=0, blame=0, index=0, raw=None):
    """A section too many."""
    def function(f):
        section = f.add(Section(tag.ljust(4).encode(), uints(rows) if raw is None else raw, index=index), before, member)
        return f.behind(section, blame) if blame else section
    DEFECTS[name] = base, "damaged", function


def head(name, kind="damaged", base="one", **fields):
    """A defect in the header of a member, the last one."""
    def function(f):
        for field, value in fields.items():
            setattr(f[-1], field, value)
        return f[-1]
    DEFECTS[name] = base, kind, function


def fields(name, tag, kind="damaged", base="one", **values):
    """A defect in the header of a section."""
    def function(f):
        section = f.get(tag)
        for field, value in values.items():
            setattr(section, field, value)
        return section
    DEFECTS[name] = base, kind, function


def flip(at):
    return lambda data: data[:at] + bytes([data[at] ^ 1]) + data[at + 1:]


# Bytes run out.

@defect("one", "truncated")
def empty(f):
    f.clear()
    return LENGTH


@defect("one", "truncated")
def cut_in_magic(f):
    f[:] = []
    f.tail = MAGIC[:5]
    return LENGTH


@defect("one", "truncated")
def cut_in_header(f):
    f[0].harm = lambda data: data[:13]
    f[0][:] = []
    return LENGTH


@defect("one", "truncated")
def cut_behind_header(f):
    f[0][:] = []
    return LENGTH


@defect("one", "truncated")
def cut_in_section_header(f):
    f[0][-1].harm = lambda data: data[:23]
    return LENGTH


@defect("one", "truncated")
def cut_in_body(f):
    f[0][-1].harm = lambda data: data[:-1]
    return LENGTH


@defect("one", "truncated")
def cut_before_end(f):
    f[0].pop()
    return LENGTH


@defect("series", "truncated")
def cut_between_members(f):
    f.pop()
    return LENGTH


@defect("series", "truncated")
def cut_in_second_magic(f):
    f[1:] = []
    f.tail = MAGIC[:1]
    return LENGTH


@defect("one", "truncated")
def cut_with_more(f):
    f.get("END").body = flip(0)(f.get("END").body)
    return LENGTH


# Headers of members.

head("wrong-checksum-of-header", harm=flip(16))
head("version-0", version=0, lowest=0)
head("lowest-reader-0", lowest=0)
head("lowest-reader-above-version", lowest=2)
head("needs-reader-2", "unsupported", version=2, lowest=2)
head("needs-reader-2-later", "unsupported", base="series", version=7, lowest=2)
head("reserved-bit-2-in-header", "unsupported", flags=1 << 2)
head("reserved-bit-15-in-header", "unsupported", flags=1 << 15)
head("first-member-continues", flags=1)
head("wrong-checksum-of-second-header", base="standalone-members", harm=flip(10))


@defect("one", "unsupported")
def not_magic(f):
    f[0].harm = lambda data: b"\x89PNG" + data[4:]
    return f[0]


@defect("one", "unsupported")
def text_mode_transfer(f):
    f[0].harm = lambda data: data.replace(b"\r\n", b"\n")
    return f[0]


@defect("one", "unsupported")
def short_text(f):
    f[:] = []
    f.tail = b"snap"
    return 0


@defect("one")
def garbage_behind_a_member(f):
    f.tail = b"\n"
    return len(f.join()[0]) - 1


@defect("standalone-members")
def garbage_between_members(f):
    f[1].harm = lambda data: b"\0" + data
    return f[1]


@defect("series")
def damage_in_the_last_member(f):
    f.get("META", 2).harm = flip(30)
    return f.get("META", 2)


# Headers of sections.

fields("wrong-checksum-of-section-header", "STRP", harm=flip(20))
fields("wrong-checksum-of-body", "STRB", harm=flip(30))
fields("reserved-bit-1-in-section", "STRP", "unsupported", flags=MUST | 2)
fields("reserved-bit-3-in-section", "META", "unsupported", flags=8)
fields("unknown-codec", "STRP", "unsupported", codec=2)
fields("index-where-there-is-none", "FRML", index=1)
fields("index-of-end", "END", index=1)
fields("raw-length-lies-on-stored", "STRP", raw=7)
fields("wrong-checksum-of-end", "END", harm=flip(40))


@defect("one", "unsupported")
def unknown_section_that_must_be_known(f):
    return f.add(Section(b"ZZZZ", b"what?"), "STRP")


@defect("one", "unsupported")
def unknown_section_with_unknown_codec(f):
    return f.add(Section(b"ZZZZ", b"what?", codec=9, flags=0), "STRP")


@defect("one", "unsupported")
def unknown_section_with_reserved_bit(f):
    return f.add(Section(b"ZZZZ", b"what?", flags=4), "STRP")


@defect("one")
def unknown_section_with_wrong_checksum(f):
    section = f.add(Section(b"ZZZZ", b"what?", flags=0), "STRP")
    section.harm = flip(26)
    return section


@defect("one")
def unknown_section_with_lengths_that_differ(f):
    section = f.add(Section(b"ZZZZ", b"what?", flags=0), "STRP")
    section.raw = 6
    return section


@defect("one")
def unknown_section_that_bombs(f):
    section = f.add(Section(b"ZZZZ", bytes(32), codec=1, flags=0), "STRP")
    section.raw = 32 * 32 + 1
    return section


@defect("one")
def raw_length_above_the_limit(f):
    section = f.get("STRB")
    section.stored = 4194305
    return section


@defect("one")
def raw_length_of_4_gib(f):
    section = f.get("STRB")
    section.stored = 0xFFFFFFFF
    return section


@defect("one", "truncated")
def stored_length_past_the_end(f):
    section = f.get("END")
    section.tag, section.stored = b"STRB", 4194304
    return LENGTH


# --- zstd -----------------------------------------------------------------------------------------------

def frame(raw, checksum=False):
    """A zstd frame of one raw block, made by hand so that it is the same everywhere."""
    descriptor = 0xA0 | checksum << 2
    block = (len(raw) << 3 | 1).to_bytes(3, "little") + raw
    return b"\x28\xb5\x2f\xfd" + bytes([descriptor]) + struct.pack("<I", len(raw)) + block


def repeat(byte, times):
    """A zstd frame of `times` equal bytes, at most 131,072."""
    return b"\x28\xb5\x2f\xfd\xa0" + struct.pack("<I", times) + (times << 3 | 3).to_bytes(3, "little") + byte


def skippable(size):
    return b"\x50\x2a\x4d\x18" + struct.pack("<I", size) + bytes(size)


def packed(name, change, raw=None, base="one", kind="damaged"):
    """A defect in how the body of STRB is packed. change(frame, raw bytes) gives the stored bytes."""
    def function(f):
        section = f.get("STRB")
        plain, section.codec = section.body, 1
        section.body = change(frame(plain), plain)
        section.raw = len(plain) + (raw or 0)
        return section
    DEFECTS[name] = base, kind, function


packed("zstd-ratio-bomb", lambda z, raw: repeat(b"a", 32 * 18 + 1), raw=32 * 18 + 1 - 44)
packed("zstd-unpacks-to-more", lambda z, raw: repeat(b"a", 131072))
packed("zstd-unpacks-to-less", lambda z, raw: frame(raw[:-1]))
packed("zstd-raw-length-lies", lambda z, raw: z, raw=1)
packed("zstd-garbage", lambda z, raw: b"x" * 44)
packed("zstd-frame-is-cut", lambda z, raw: z[:-1])
packed("zstd-bytes-behind-frame", lambda z, raw: z + b"\0")
packed("zstd-skippable-frame-is-cut", lambda z, raw: z + skippable(9)[:-1])
packed("zstd-nothing-but-skippable", lambda z, raw: skippable(9))
packed("zstd-stored-length-above-raw", lambda z, raw: z + skippable(1000 + 44))
packed("zstd-dictionary", lambda z, raw: z[:4] + b"\xa1" + b"\x07" + z[5:])
packed("zstd-reserved-bit", lambda z, raw: z[:4] + b"\xa8" + z[5:])
packed("zstd-reserved-block-type", lambda z, raw: z[:9] + (len(raw) << 3 | 7).to_bytes(3, "little") + raw)
packed("zstd-content-size-lies", lambda z, raw: z[:5] + struct.pack("<I", len(raw) + 1) + z[9:])
packed("zstd-window-of-4-gib", lambda z, raw: z[:4] + b"\x00\xb0" + z[9:])
packed("zstd-wrong-content-checksum", lambda z, raw: frame(raw, True) + b"\0\0\0\0")
packed("zstd-magic-of-old-version", lambda z, raw: b"\x27" + z[1:])
packed("gzip-body", lambda z, raw: b"\x1f\x8b\x08" + bytes(60))


@defect("one")
def end_is_compressed(f):
    section = f.get("END")
    section.codec, section.raw, section.body = 1, 64, frame(section.body)
    return section


body("end-too-short", "END", lambda raw: raw[:-1])
body("end-too-long", "END", lambda raw: raw + b"\0")

# --- order of sections ----------------------------------------------------------------------------------


def missing(tag, base="one", member=0):
    def function(f):
        return f.drop(tag, member)
    DEFECTS[f"{tag.lower()}-missing"] = base, "damaged", function


def twice(tag, base="one", member=0, name=None):
    def function(f):
        section = f.get(tag, member)
        again = section.copy()
        f[member].insert(f[member].index(section) + 1, again)
        return again
    DEFECTS[name or f"{tag.lower()}-twice"] = base, "damaged", function


def swapped(first, second):
    """Two neighbours change places."""
    def function(f):
        a, b = f.get(first), f.get(second)
        i = f[0].index(a)
        assert f[0][i + 1] is b
        f[0][i:i + 2] = [b, a]
        return a if second == "VALS" else b  # VALS may follow SITT, but DOMS may not follow VALS
    DEFECTS[f"{second.lower()}-before-{first.lower()}"] = "one", "damaged", function


missing("META")
missing("COLS")
missing("STKR")
for tag in "META", "COLS", "STKR", "DOMS", "VALS":
    twice(tag)
twice("SITD", "frequent-stored")
swapped("META", "COLS")
swapped("COLS", "STKR")
swapped("STRP", "STRB")
swapped("PRSC", "PRSF")
swapped("DOMS", "VALS")
extra("cols-in-continuing-member", "COLS", [], "STKD", "series", 1, raw=b"\2\6blocks\0\0\0\5bytes\1\2\0")
extra("stkr-in-continuing-member", "STKR", [0, 1], "STKD", "series", 1)
extra("stkd-in-member-that-stands-alone", "STKD", [0], "SITT")
extra("chgi-in-member-that-stands-alone", "CHGI", [0], "SITT")
extra("sito-in-member-that-stands-alone", "SITO", [0], "SITT")
extra("doms-without-sitt", "DOMS", [1, 0], "SITT")
extra("vals-without-sitt", "VALS", [2], "SITT")
extra("meta-behind-strings", "META", [0], "FRMF")


@defect("series")
def chgv_without_chgi(f):
    f[2].remove(f.get("CHGI", 2))
    return f.get("CHGV", 2)


@defect("diff-stored")
def vals_descend(f):
    values = [s for s in f[0] if s.tag == b"VALS"]
    values[0].index, values[1].index = values[1].index, values[0].index
    return values[1]


@defect("series")
def chgv_twice(f):
    section = f.get("CHGV", 1)
    again = section.copy()
    f[1].insert(f[1].index(section) + 1, again)
    return again


@defect("series")
def chgv_descend(f):
    section = f.get("CHGV", 1)
    again = section.copy()
    section.index = 1
    f[1].insert(f[1].index(section) + 1, again)
    return again


# --- integers and rows -------------------------------------------------------------------------------------

body("varint-not-shortest", "FRML", lambda raw: b"\x95\0" + raw[1:])
body("varint-of-11-bytes", "FRML", lambda raw: b"\x80" * 10 + b"\1" + raw[1:])
body("varint-of-2-to-the-64", "FRML", lambda raw: b"\x80" * 9 + b"\2" + raw[1:])
body("varint-is-cut", "FRML", lambda raw: raw[:-1])
body("row-is-cut", "STRP", lambda raw: raw[:-1])
body("no-rows", "FRMF", b"")
extra("no-bytes", "STRB", [], "FRMF", raw=b"")
extra("vals-without-rows", "VALS", [], "END", "functions", index=1, raw=b"")


@defect("one")
def section_of_65537_rows(f):
    section = f.get("NODE")
    section.codec, section.raw = 1, 65537
    section.body = repeat(b"\2", 65537) + skippable(2049 - 8 - 13)
    return section


# --- metadata, columns, rule --------------------------------------------------------------------------------

def entry(key, value, ref=0):
    return uint(ref) + (b"" if ref else uint(len(key)) + key) + uint(len(value) + 1) + value


def meta(name, *entries, count=None, tail=b"", member=0):
    body(f"meta-{name}", "META", uint(len(entries) if count is None else count) + b"".join(entries) + tail,
         "series" if member else "one", member)


meta("count-too-large", entry(b"a", b"1"), count=2)
meta("count-too-small", entry(b"a", b"1"), count=0)
meta("4097-entries", count=4097)
meta("key-twice", entry(b"a", b"1"), entry(b"a", b"2"))
meta("key-empty", entry(b"", b"1"))
meta("key-too-long", entry(b"k" * 256, b"1"))
meta("key-with-space", entry(b"a b", b"1"))
meta("key-with-equals-sign", entry(b"a=", b"1"))
meta("key-with-del", entry(b"a\x7f", b"1"))
meta("key-is-cut", b"\0\5abc")
meta("value-with-nul", entry(b"a", b"\0"))
meta("value-is-cut", b"\0\1a\5xyz")
meta("value-of-4-gib", b"\0\1a" + uint(1 << 32))
meta("value-of-no-entry", b"\0\1a\0")
meta("reference-in-first-member", entry(b"", b"1", ref=1))
meta("reference-past-the-last", entry(b"", b"1", ref=5), member=1)
meta("reference-twice", b"\1\0", b"\1\0", member=1)
meta("reference-and-same-key", b"\1\0", entry(b"host", b"web-2"), member=1)
meta("bytes-left-over", entry(b"a", b"1"), tail=b"\0")


def columns(name, *specs, tail=b""):
    body(f"cols-{name}", "COLS", uint(len(specs)) + b"".join(uint(len(n)) + n + uints(rest) for n, *rest in specs) + tail)


BLOCKS, BYTES = (b"blocks", 0, 0, 0), (b"bytes", 1, 2, 0)
columns("one-column", BLOCKS)
columns("17-columns", BLOCKS, BYTES, *((b"c%d" % n, 2, 0, 0) for n in range(15)))
columns("bytes-first", BYTES, BLOCKS)
columns("blocks-of-other-unit", (b"blocks", 2, 0, 0), BYTES)
columns("bytes-not-predicted", BLOCKS, (b"bytes", 1, 0, 0))
columns("name-twice", BLOCKS, BYTES, (b"bytes", 1, 0, 0))
columns("name-empty", BLOCKS, BYTES, (b"", 2, 0, 0))
columns("name-too-long", BLOCKS, BYTES, (b"x" * 64, 2, 0, 0))
columns("name-with-capital", BLOCKS, BYTES, (b"Samples", 2, 0, 0))
columns("unknown-unit", BLOCKS, BYTES, (b"samples", 3, 0, 0))
columns("unknown-predictor", BLOCKS, BYTES, (b"samples", 2, 3, 0))
columns("predicted-from-itself", BLOCKS, BYTES, (b"samples", 2, 1, 2))
columns("from-without-predictor", BLOCKS, BYTES, (b"samples", 2, 0, 1))
columns("bytes-left-over", BLOCKS, BYTES, tail=b"\0")
edit("stkr-limit-above-65535", "STKR", put(0, 65536))
edit("stkr-known-2", "STKR", put(1, 2))
edit("stkr-too-long", "STKR", lambda rows: rows + [0])
edit("stkr-too-short", "STKR", lambda rows: rows[:1])

# --- strings --------------------------------------------------------------------------------------------------

edit("string-shares-before-the-first", "STRP", put(0, 1))
edit("string-shares-more-than-there-is", "STRP", put(2, 17))
edit("string-shares-more-than-32-times", "STRP", lambda rows: [0, 200, 97, 1] + rows[4:])
edit("string-without-suffix", "STRP", put(5, 0))
edit("string-above-65535", "STRP", put(1, 65536))
edit("string-longer-by-sharing", "STRP", lambda rows: [0, 65535, 65535, 2047])
edit("strings-have-too-many-bytes", "STRP", put(5, 20), blame=1)
edit("strings-have-too-few-bytes", "STRP", put(5, 22), blame=2)
body("string-with-nul", "STRB", lambda raw: raw[:3] + b"\0" + raw[4:])
missing("STRP")


@defect("one")
def strb_missing(f):
    return f.drop("STRB")


@defect("one")
def strings_do_not_ascend(f):
    f.get("STRB").body = f.get("STRB").body.replace(b"work", b"lork")
    return f.get("FRMF")


@defect("one")
def strings_repeat(f):
    f.get("STRP").rows = [0, 16, 9, 7, 9, 7]
    f.get("STRB").body = b"/srv/app/main.py" + b"work.py" * 2
    return f.get("FRMF")


# --- frames -----------------------------------------------------------------------------------------------------

edit("file-out-of-range", "FRMF", put(2, 1))
edit("file-out-of-range-by-far", "FRMF", put(0, (1 << 64) - 1))
edit("more-files-than-frames-have", "FRML", lambda rows: rows[:-1], blame=1)
edit("more-frames-than-files", "FRML", lambda rows: rows + [3])
edit("last-frame-of-file-missing", "FRML", put(-1, 600), blame=1)
edit("line-of-2-to-the-32", "FRML", put(-1, 1 << 33 | 1))
edit("frame-repeated", "FRML", put(2, 1), blame=1)
edit("frames-do-not-ascend", "FRMU", lambda rows: rows[:2] + [zigzag(5), zigzag(-2)] + rows[4:], "functions", blame=1)
edit("frmu-too-short", "FRMU", lambda rows: rows[:-1], "functions", blame=1)
edit("frmu-too-long", "FRMU", lambda rows: rows + [0], "functions", blame=1)
edit("function-out-of-range", "FRMU", put(0, zigzag(9)), "functions")
edit("function-below-zero", "FRMU", put(0, zigzag(-1)), "functions")
missing("FRMF")


@defect("one")
def frml_missing(f):
    return f.drop("FRML")


# --- pairs --------------------------------------------------------------------------------------------------------

edit("caller-out-of-range", "PRSC", put(2, 4))
edit("callee-out-of-range", "PRSF", put(2, zigzag(2)))
edit("callee-below-zero", "PRSF", put(0, zigzag(-1)))
edit("further-callee-out-of-range", "PRST", put(0, 3))
edit("prsf-too-long", "PRSF", lambda rows: rows + [0])
edit("prsf-too-short", "PRSF", lambda rows: rows[:-1], blame=2)
edit("prst-too-long", "PRST", lambda rows: rows + [1])
edit("prst-not-ended", "PRST", put(0, 0), blame=1)
edit("prst-not-asked-for", "PRSC", put(1, 0), blame=2)


@defect("one")
def prst_missing(f):
    return f.drop("PRST")


@defect("one")
def prsf_missing(f):
    f[0].remove(f.get("PRST"))
    return f.drop("PRSF")


@defect("series")
def pair_of_an_older_member(f):
    f.get("PRSC", 2).rows = [0]
    f.get("PRSF", 2).rows = [zigzag(1)]
    return f.get("ATCH", 2)


# --- nodes -----------------------------------------------------------------------------------------------------------

edit("child-is-no-callee", "NODE", put(4, 1 << 3 | 5))
edit("root-out-of-range", "NODE", put(-1, 4 << 3 | 5))
edit("node-behind-the-last-list", "NODE", lambda rows: rows + [5])
edit("list-of-nodes-not-ended", "NODE", put(-1, 20), blame=1)
edit("list-of-children-missing", "NODE", put(-1, 23), blame=1)
edit("attached-to-no-old-node", "ATCH", put(1, 6), "series", member=2)
edit("attachment-without-nodes", "ATCH", lambda rows: rows + [0], "series", member=2, blame=2)
extra("atch-without-node", "ATCH", [0], "STKD", "series", 1, blame=1)
edit("rdep-too-short", "RDEP", lambda rows: rows[:-1], "stacks", blame=1)
edit("rdep-too-long", "RDEP", lambda rows: rows + [0], "stacks", blame=1)
edit("depth-far-too-large", "RDEP", put(0, 65536), "stacks")
edit("root-too-deep", "RDEP", put(0, 65535), "stacks", blame=1)
edit("child-too-deep", "RDEP", put(0, 65534), "stacks", blame=1)


@defect("stacks")
def equal_roots_without_rdep(f):
    return f.drop("RDEP")


# --- stacks ------------------------------------------------------------------------------------------------------------

edit("stack-of-no-node", "STKX", put(-3, 9), "stacks")
edit("stack-of-no-frames", "STKX", put(1, 0), "stacks")
edit("stack-longer-than-its-path", "STKX", put(1, 4), "stacks")
edit("total-below-length", "STKX", lambda rows: rows[:1] + [2, 1] + rows[3:], "stacks")
edit("total-above-65535", "STKX", put(2, 65536), "stacks")
edit("stack-told-twice", "STKX", lambda rows: rows[:3] + [0] + rows[1:], "stacks")
edit("stacks-do-not-ascend", "STKX", lambda rows: rows[:3] + [0, rows[1], 0] + rows[3:], "stacks")
edit("stack-that-follows-the-rule", "STKX", put(4, 3), "stacks")
edit("stack-of-the-rule-above-its-root", "STKR", put(0, 0), "stacks",
     blame=11)  # STKR STRP STRB FRMF FRML PRSC PRSF PRST NODE RDEP STKX: SITT
edit("stkd-of-no-old-node", "STKD", put(0, 6), "series", member=1)

# --- changed sites --------------------------------------------------------------------------------------------------------

edit("change-of-no-old-site", "CHGI", put(2, 4), "series", member=1)
edit("chgv-too-short", "CHGV", lambda rows: rows[:-1], "series", member=1)
edit("chgv-too-long", "CHGV", lambda rows: rows + [0], "series", member=1)


@defect("series")
def chgv_of_no_column(f):
    f.get("CHGV", 1).index = 2
    return f.get("CHGV", 1)


# --- new sites --------------------------------------------------------------------------------------------------------------

edit("sites-of-no-old-stack", "SITO", put(0, 4), "series", member=1)
edit("old-stack-without-sites", "SITO", lambda rows: [0, 1], "series", member=1, blame=2)
edit("sites-of-no-stack", "SITT", lambda rows: rows + [5])
edit("stack-without-sites", "SITT", lambda rows: rows[:-1], blame=1)
edit("last-site-of-stack-missing", "SITT", put(-1, 16386), blame=3)
edit("sites-do-not-ascend", "SITT", put(1, 0), blame=3)
edit("block-size-of-2-to-the-61", "SITT", put(3, 1 << 63 | 1), blame=3)
edit("doms-do-not-ascend", "DOMS", lambda rows: [1, 1, 1, 0, 4, 1], blame=2)
edit("run-of-no-sites", "DOMS", lambda rows: [0, 5] + rows)
edit("doms-too-long", "DOMS", put(4, 4))
edit("doms-too-short", "DOMS", put(4, 2))
edit("neighbouring-runs-of-one-domain", "DOMS", lambda rows: rows[:4] + [1, 0, 2, 0])
edit("domain-of-2-to-the-32", "DOMS", put(3, 1 << 32))
edit("vals-too-short", "VALS", lambda rows: rows[:-1])
edit("vals-too-long", "VALS", lambda rows: rows + [0])
edit("sitd-repeats", "SITD", lambda rows: rows[:-1] + rows[:1], "frequent-stored")
edit("sitd-too-long", "SITD", lambda rows: list(range(129)), "frequent-stored")


@defect("one")
def vals_of_no_column(f):
    f.get("VALS").index = 2
    return f.get("VALS")


@defect("one")
def value_of_minus_2_to_the_63(f):
    f.get("VALS").rows = [(1 << 64) - 1] + f.get("VALS").rows[1:]
    return f.get("END")


@defect("one")
def sum_beyond_63_bits(f):
    f.get("VALS").rows = [1 << 63, 1 << 63] + f.get("VALS").rows[2:]
    return f.get("END")


# --- END -----------------------------------------------------------------------------------------------------------------------

def end(name, at, kind="damaged", base="one"):
    def function(f):
        section = f.get("END")
        section.body = flip(at)(section.body)
        return section
    DEFECTS[name] = base, kind, function


end("reserved-bit-in-end", 1, "unsupported")
end("zero-of-end-is-not-zero", 4)
end("wrong-count-of-strings", 8)
end("wrong-count-of-frames", 16)
end("wrong-count-of-nodes", 24)
end("wrong-count-of-stacks", 32)
end("wrong-count-of-sites", 40)
# From here on only the digest tells.
end("wrong-digest-in-its-first-byte", 48)
end("wrong-digest-in-its-last-byte", 63)
body("wrong-digest-of-changed-name", "STRB", lambda raw: raw.replace(b"main", b"mail"))
body("wrong-digest-of-changed-line", "FRML", lambda raw: flip(0)(raw)[:1].replace(b"\x14", b"\x17") + raw[1:])
body("wrong-digest-of-changed-value", "VALS", lambda raw: b"\x08" + raw[1:])
body("wrong-digest-of-changed-metadata", "META", lambda raw: raw.replace(b"web-1", b"web-2"))
for name in ("name", "line", "value", "metadata"):
    key = f"wrong-digest-of-changed-{name}"
    DEFECTS[key] = (*DEFECTS[key][:2], lambda f, change=DEFECTS[key][2]: (change(f), f.get("END"))[1])

# --- odd, and good ----------------------------------------------------------------------------------------------------------------

ODD = {}


def odd(base):
    def register(function):
        ODD[function.__name__.replace("_", "-")] = base, function
        return function
    return register


@odd("series")
def unknown_sections(f):
    """Everywhere, with all unused bits, an index, and a body that no zstd reads."""
    for member in f:
        for at in range(len(member) - 1, -1, -1):
            section = Section(b"ZZ%02d" % at, b"what?", codec=at % 2, flags=0xF0, index=7)
            section.raw = 5 + at % 2
            member.insert(at, section)


@odd("one")
def unknown_section_of_nothing(f):
    f.add(Section(b"\0\0\0\0", b"", flags=0), "END")


@odd("one")
def unused_bits(f):
    f[0].flags |= 0xFFFF0000
    for section in f[0]:
        section.flags |= 0xF0
    end = f.get("END")
    end.body = end.body[:2] + b"\xff\xff" + end.body[4:]


@odd("one")
def must_where_it_need_not_be(f):
    for section in f[0]:
        section.flags ^= MUST


@odd("one")
def newer_version(f):
    f[0].version = 65535


@odd("series")
def concatenated(f):
    f.extend(File((GOLDEN / "empty.snap").read_bytes()))
    f.extend(File((GOLDEN / "diff-stored.snap").read_bytes()))


@odd("standalone-members")
def concatenated_without_more(f):
    for member in f:
        member[-1].body = b"\0" + member[-1].body[1:]


@odd("one")
def not_canonical_with_the_flag(f):
    """A string that no frame has; the flag is a hint."""
    f.get("STRP").rows += [0, 1]
    f.get("STRB").body += b"~"
    f.get("END").body = f.get("END").body[:8] + b"\x04" + f.get("END").body[9:]


@odd("one")
def without_canonical(f):
    f[0].flags = 0


@odd("one")
def many_small_sections(f):
    """One row in each."""
    wide = {b"STRP": 2, b"STKX": 3}
    member, sections = f[0], list(f[0])
    member[:] = []
    for s in sections:
        if s.tag == b"STRB":
            parts = [bytes([c]) for c in s.body]
        elif s.tag in (b"META", b"COLS", b"STKR", b"SITT", b"DOMS", b"VALS", b"END "):
            parts = [s.body]
        else:
            n, rows = wide.get(s.tag, 1), s.rows
            parts = [uints(rows[i:i + n]) for i in range(0, len(rows), n)]
        member.extend(Section(s.tag, part, flags=s.flags, index=s.index) for part in parts)


@odd("one")
def sites_in_many_sections(f):
    """A stack's sites go on in the next SITT; runs of one domain meet."""
    member = f[0]
    tokens, values = f.get("SITT").rows, iter(f.get("VALS").rows)
    runs = f.get("DOMS").rows
    domains = [domain for run, domain in zip(runs[::2], runs[1::2]) for _ in range(run)]
    for tag in "SITT", "DOMS", "VALS":
        f.drop(tag)
    for token, domain in zip(tokens, domains):
        member.insert(-1, Section(b"SITT", uint(token)))
        if domain:
            member.insert(-1, Section(b"DOMS", uints([1, domain])))
        if token & 2:
            member.insert(-1, Section(b"VALS", uint(next(values))))
            member.insert(-1, Section(b"VALS", b"\0", index=1))


@odd("one")
def strings_share_less_than_they_could(f):
    f.get("STRP").rows = [0, 16, 0, 16, 1, 21]
    f.get("STRB").body = b"/srv/app/main.py/srv/app/work.pyusr/lib/python3/io.py"


@odd("one")
def zstd_frames(f):
    """Several frames, skippable and empty ones, with and without a content checksum."""
    section = f.get("STRB")
    plain, section.codec = section.body, 1
    section.raw = len(plain)
    section.body = skippable(3) + frame(plain[:10]) + frame(b"") + frame(plain[10:]) + skippable(0)


@odd("one")
def zstd_window_below_4_gib(f):
    section = f.get("STRB")
    plain, section.codec = section.body, 1
    section.raw = len(plain)
    section.body = b"\x28\xb5\x2f\xfd\x00\xaf" + frame(plain)[9:]


@odd("one")
def zstd_at_the_ratio(f):
    """A body of exactly 32 times its stored length; a name that no frame has."""
    section = f.get("STRB")
    f.get("STRP").rows = [0, 1024]
    packed = repeat(b"a", 1024)
    section.codec, section.raw, section.body = 1, 1024, packed + skippable(1024 // 32 - len(packed) - 8)
    empty = File((GOLDEN / "empty.snap").read_bytes())
    f[0][:] = [f.get("META"), f.get("COLS"), f.get("STKR"), f.get("STRP"), section, empty.get("END")]
    f.get("META").body = b"\0"
    f.get("END").body = f.get("END").body[:8] + b"\1" + f.get("END").body[9:]


@odd("one")
def chgi_without_chgv(f):
    """A member that says that nothing changes, and one that says it at length."""
    f.extend(File((GOLDEN / "one.snap").read_bytes()))
    f[1].flags = 1
    keep = f.get("END", 1)
    f[1][:] = [Section(b"META", b"\4\1\0\2\0\3\0\4\0", flags=0), Section(b"CHGI", b"\0\0"), Section(b"CHGI", b"\0\0"),
               Section(b"CHGV", b"\0\0"), keep]


@odd("one")
def site_of_zero_values(f):
    """A site that is in the table and not in the snapshot; a stack without any other."""
    f.extend(File((GOLDEN / "one.snap").read_bytes()))
    f[1].flags = 1
    keep = f.get("END", 1)
    keep.body = keep.body[:32] + b"\x05" + keep.body[33:]
    f[1][:] = [Section(b"META", b"\4\1\0\2\0\3\0\4\0", flags=0), Section(b"STKX", b"\0\1\0"), Section(b"SITT", b"\x23"), keep]


def make(base, function):
    f = File((GOLDEN / f"{base}.snap").read_bytes())
    return f, function(f)


def main():
    target = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else HERE
    lines = {"snap": [], "odd": []}
    for folder in lines:
        (target / folder).mkdir(parents=True, exist_ok=True)
        for path in (target / folder).glob("*.snap"):
            path.unlink()
    for name, (base, kind, function) in sorted(DEFECTS.items()):
        f, blame = make(base, function)
        data, offsets = f.join()
        offset = len(data) if blame == LENGTH else blame if isinstance(blame, int) else offsets[id(blame)]
        (target / "snap" / f"{name}.snap").write_bytes(data)
        lines["snap"].append(f"{name}.snap\t{kind}\t{offset}\n")
    for name, (base, function) in sorted(ODD.items()):
        f, _ = make(base, function)
        (target / "odd" / f"{name}.snap").write_bytes(f.join()[0])
        lines["odd"].append(f"{name}.snap\t{len(f)}\n")
    for folder, text in lines.items():
        (target / folder / "expected.tsv").write_text("".join(text))


if __name__ == "__main__":
    main()
