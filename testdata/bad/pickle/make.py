#!/usr/bin/env python3
"""Writes the bad pickles beside it, one defect a file, and expected.tsv: what reading each must come to.

Every file is a small good snapshot, put together opcode by opcode, with one thing changed. expected.tsv has
a line per file: name, status, byte offset (in the unpacked bytes; in the packed ones where the packing is
what is bad; "-" where there is none), and a part of the message.
"""

import pathlib
import struct
import zlib

HERE = pathlib.Path(__file__).resolve().parent

# --- opcodes ---

MARK, STOP, NONE, TUPLE, APPENDS, BUILD, SETITEM, SETITEMS = b"(", b".", b"N", b"t", b"e", b"b", b"s", b"u"
EMPTY_TUPLE, EMPTY_LIST, EMPTY_DICT, APPEND, REDUCE, POP = b")", b"]", b"}", b"a", b"R", b"0"
NEWOBJ, TUPLE1, TUPLE2, TUPLE3, STACK_GLOBAL, MEMOIZE = b"\x81", b"\x85", b"\x86", b"\x87", b"\x93", b"\x94"


def proto(n):
    return b"\x80" + bytes([n])


def text(s):
    raw = s if isinstance(s, bytes) else s.encode()
    return b"\x8c" + bytes([len(raw)]) + raw


def name(s):
    return text(s) + MEMOIZE


def long_text(size):
    """BINUNICODE without what it announces."""
    return b"X" + struct.pack("<I", size)


def int1(n):
    return b"K" + bytes([n])


def int4(n):
    return b"J" + struct.pack("<i", n)


def long1(n):
    raw = n.to_bytes(n.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(raw)]) + raw


def get(n):
    return b"h" + bytes([n])


def put(n):
    return b"q" + bytes([n])


def long_put(n):
    return b"r" + struct.pack("<I", n)


def call(module, function):
    return f"c{module}\n{function}\n".encode()


def frame_header(size):
    return b"\x95" + struct.pack("<Q", size)


# --- a good snapshot of two traces that share a traceback ---

SNAPSHOT = name("tracemalloc") + name("Snapshot") + STACK_GLOBAL + MEMOIZE  # memo 0, 1, 2
OBJECT = EMPTY_TUPLE + NEWOBJ + MEMOIZE  # 3
STATE = EMPTY_DICT + MEMOIZE + MARK + name("traces")  # 4, 5
TRACES = get(0) + name("_Traces") + STACK_GLOBAL + MEMOIZE + OBJECT  # 6, 7, 8
LIST = EMPTY_DICT + MEMOIZE + name("_traces") + EMPTY_LIST + MEMOIZE  # 9, 10, 11
HEAD = proto(4) + SNAPSHOT + OBJECT + STATE + TRACES + LIST + MARK
FRAME = name("/srv/app/a.py") + int1(3) + TUPLE2 + MEMOIZE  # 12, 13
TRACEBACK = FRAME + TUPLE1 + MEMOIZE  # 14
FIRST = MARK + int1(0) + int1(100) + TRACEBACK + int1(1) + TUPLE + MEMOIZE  # 15
SECOND = MARK + int1(0) + int1(200) + get(14) + int1(1) + TUPLE + MEMOIZE  # 16
LIMIT = name("traceback_limit") + int1(1)  # 17
TAIL = APPENDS + SETITEM + BUILD + LIMIT + SETITEMS + BUILD + STOP
GOOD = HEAD + FIRST + SECOND + TAIL

# --- packing, by hand so that the bytes do not depend on a version of a library ---


def gzip(data):
    stored = b"\x01" + struct.pack("<HH", len(data), len(data) ^ 0xFFFF) + data
    return b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + stored + struct.pack("<II", zlib.crc32(data), len(data))


def zstd(data, block_type=0):
    """One raw block; data of 256 bytes or more and below 65,792."""
    header = b"\x28\xb5\x2f\xfd\x60" + struct.pack("<H", len(data) - 256)
    return header + struct.pack("<I", len(data) << 3 | block_type << 1 | 1)[:3] + data


def zstd_runs(data, byte, runs):
    """Data in a raw block, and behind it runs of 131,072 times one byte, four bytes each."""
    size = len(data) + runs * 131072
    blocks = struct.pack("<I", len(data) << 3)[:3] + data + (struct.pack("<I", 131072 << 3 | 1 << 1)[:3] + byte) * runs
    return b"\x28\xb5\x2f\xfd\xa0" + struct.pack("<I", size) + blocks + b"\x01\0\0"


# --- the files ---

bad = []


def add(file, status, offset, message, data):
    assert not any(row[0] == file for row in bad), file
    bad.append((file, status, "-" if offset is None else str(offset), message, data))


def damaged(file, message, before, defect, after=b"", skip=0):
    """The defect is found at the opcode `skip` bytes into it."""
    add(file, "SNAP_ERR_DAMAGED", len(before) + skip, message, before + defect + after)


def first_trace(file, message, items, **more):
    """The first trace is something else; the defect is found at its last opcode."""
    damaged(file, message, HEAD, items, SECOND + TAIL, skip=more.get("skip", len(items) - 1))


def other(file, what, data, offset):
    add(file, "SNAP_ERR_UNSUPPORTED", offset, f"this pickle holds {what}, not a tracemalloc snapshot", data)


def cut(file, data, size):
    add(file, "SNAP_ERR_TRUNCATED", size, "", data[:size])


# Code that wants to run.
other("reduce-os-system", "os.system", proto(2) + call("os", "system") + text("echo run") + TUPLE1 + REDUCE + STOP, 2)
damaged("reduce-os-system-inside", "asks for os.system; only tracemalloc", HEAD, call("os", "system"),
        text("echo run") + TUPLE1 + REDUCE + APPENDS + SETITEM + BUILD + LIMIT + SETITEMS + BUILD + STOP)
damaged("reduce-snapshot", "REDUCE", proto(4) + SNAPSHOT + EMPTY_TUPLE, REDUCE, STOP)
damaged("stack-global-inside", "asks for builtins.eval", HEAD, name("builtins") + name("eval") + STACK_GLOBAL, TAIL,
        skip=len(name("builtins") + name("eval")))
damaged("class-name-with-escapes", r"asks for \x1b[31mred.na\xc3\xafve", HEAD, call("\x1b[31mred", "naïve"), TAIL)
damaged("class-in-tracemalloc", "asks for tracemalloc.Frame", HEAD, get(0) + name("Frame") + STACK_GLOBAL, TAIL,
        skip=len(get(0) + name("Frame")))
damaged("persistent-id", "BINPERSID", HEAD, b"Q", TAIL)
damaged("extension", "EXT1", HEAD, b"\x82\x01", TAIL)
damaged("instance", "INST", HEAD, b"ios\nsystem\n", TAIL)
damaged("newobj-with-arguments", "no arguments", proto(4) + SNAPSHOT + text("x") + TUPLE1[:0], NEWOBJ, STOP)
damaged("pop", "POP", HEAD + FIRST, POP, TAIL)
damaged("unknown-opcode", "0xff is no opcode", HEAD, b"\xff", TAIL)

# Other pickles.
other("foreign-class", "collections.Counter", proto(4) + name("collections") + name("Counter") + STACK_GLOBAL + MEMOIZE +
      EMPTY_TUPLE + NEWOBJ + STOP, 2 + len(name("collections") + name("Counter")))
other("subclass", "monitoring.heap.Snapshot", proto(2) + call("monitoring.heap", "Snapshot") + EMPTY_TUPLE + NEWOBJ + STOP, 2)
other("not-a-snapshot-dict", "a dict", proto(4) + EMPTY_DICT + MEMOIZE + MARK + name("before") + int1(1) + SETITEMS + STOP, 2)
other("not-a-snapshot-list", "a list", proto(4) + EMPTY_LIST + MEMOIZE + MARK + SNAPSHOT + OBJECT + APPENDS + STOP, 2)
other("not-a-snapshot-text", "a text", proto(4) + name("hello") + STOP, 2 + len(name("hello")))
other("not-a-snapshot-tuple", "a tuple", proto(4) + EMPTY_TUPLE + STOP, 2)
other("not-a-snapshot-number", "a number", proto(2) + int1(7) + STOP, 2)
other("not-a-snapshot-none", "None", proto(4) + NONE + STOP, 2)
other("not-a-snapshot-float", "something else", proto(4) + b"G" + struct.pack(">d", 1.5) + STOP, 2)
add("several-snapshots", "SNAP_ERR_UNSUPPORTED", len(proto(4) + SNAPSHOT + OBJECT + get(2) + EMPTY_TUPLE),
    "several snapshots", proto(4) + SNAPSHOT + OBJECT + get(2) + EMPTY_TUPLE + NEWOBJ + MEMOIZE + TUPLE2 + STOP)

# Protocols and other files.
OLD = b"ccopy_reg\n_reconstructor\n"
add("protocol-0", "SNAP_ERR_UNSUPPORTED", 0, "protocols 0 and 1 are not read; dump the snapshot with",
    OLD + b"p0\n(ctracemalloc\nSnapshot\np1\nc__builtin__\nobject\np2\nNtp3\nRp4\n.")
add("protocol-1", "SNAP_ERR_UNSUPPORTED", 0, "protocols 0 and 1 are not read; dump the snapshot with",
    OLD + put(0) + MARK + call("tracemalloc", "Snapshot") + put(1) + call("__builtin__", "object") + put(2) + NONE +
    TUPLE + put(3) + REDUCE + put(4) + STOP)
add("protocol-1-announced", "SNAP_ERR_UNSUPPORTED", 1, "pickle protocol 1 is not read, only 2 to 5",
    proto(1) + GOOD[2:])
add("protocol-6", "SNAP_ERR_UNSUPPORTED", 1, "pickle protocol 6 is not read, only 2 to 5", proto(6) + GOOD[2:])
damaged("protocol-twice", "PROTO", proto(4), proto(4), GOOD[2:])
add("not-a-pickle", "SNAP_ERR_UNSUPPORTED", 0, "not a pickle of protocol 2 or higher", b"hello, world\n")
add("empty", "SNAP_ERR_TRUNCATED", 0, "the input is empty", b"")

# Ends.
cut("truncated-in-protocol", GOOD, 1)
cut("truncated-in-name", GOOD, len(HEAD) + 9)
cut("truncated-in-number", GOOD, GOOD.index(int1(200)) + 1)
cut("truncated-between-traces", GOOD, len(HEAD + FIRST))
cut("truncated-before-stop", GOOD, len(GOOD) - 1)
cut("truncated-in-frame-header", proto(4) + frame_header(1000), 7)
cut("truncated-in-class-name", proto(2) + call("tracemalloc", "Snapshot"), 20)
damaged("trailing-garbage", "goes on", GOOD, b"\n")
damaged("trailing-pickle", "goes on", GOOD, GOOD)
damaged("stop-too-early", "before the snapshot is complete", proto(4) + SNAPSHOT + OBJECT, STOP)
damaged("stop-without-traces", "before the snapshot is complete", proto(4) + SNAPSHOT + OBJECT + EMPTY_DICT + MEMOIZE, STOP)
damaged("stop-in-mark", "before the snapshot is complete", GOOD[:-1] + MARK, STOP)
damaged("stop-with-two-values", "before the snapshot is complete", GOOD[:-1] + NONE, STOP)
damaged("frame-past-the-end", "within one of its frames", proto(4) + frame_header(len(GOOD) - 1) + GOOD[2:], b"")
damaged("frame-in-frame", "begins within another", proto(4) + frame_header(len(GOOD)), frame_header(3), GOOD[2:])
damaged("frame-of-2-to-the-63", "longer than any file", proto(4), frame_header(1 << 63), GOOD[2:])

# Memo and stack.
damaged("memo-gap", "memo entry 5 is written where 0 is due", proto(2) + text("tracemalloc"), put(5), GOOD[len(proto(4) + name("tracemalloc")):])
damaged("memo-bomb", "memo entry 4294967295 is written where 0 is due", proto(2) + text("tracemalloc"), long_put(0xFFFFFFFF), STOP)
damaged("memo-overwritten", "memo entry 0 is written where 1 is due", proto(2) + text("tracemalloc") + put(0), put(0), STOP)
damaged("memo-gap-in-trace", "memo entry 99 is written where 16 is due",
        HEAD + FIRST + MARK + int1(0) + int1(200) + get(14) + int1(1) + TUPLE, put(99), SECOND * 4 + TAIL)
damaged("memo-gap-in-frames", "memo entry 99 is written where 14 is due",
        HEAD + MARK + int1(0) + int1(200) + MARK + FRAME + get(12) + int1(9) + TUPLE2, put(99), (get(12) + int1(9) + TUPLE2 + MEMOIZE) * 8)
damaged("memo-not-written", "memo entry 200 is read", HEAD, get(200), TAIL)
damaged("memo-twice", "in its memo twice", HEAD + text("a.py") + MEMOIZE, MEMOIZE, TAIL)
damaged("memo-of-number", "stores a number", HEAD + MARK + int1(0), MEMOIZE, TAIL)
damaged("memo-of-nothing", "there is none", HEAD + MARK, MEMOIZE, TAIL)
damaged("deep-nesting", "nested deeper", HEAD, MARK * 1000, TAIL, skip=6)
damaged("stack-underflow", "than there are", HEAD + MARK + text("a.py"), TUPLE2, TAIL)
damaged("tuple-without-mark", "there is none", proto(4) + SNAPSHOT, TUPLE, STOP)

# Containers.
damaged("second-list", "a second list", HEAD, EMPTY_LIST + MEMOIZE, TAIL)
damaged("third-dict", "a third dict", HEAD, EMPTY_DICT, TAIL)
damaged("list-as-traces", "wrong attributes", proto(4) + SNAPSHOT + OBJECT + EMPTY_DICT + MEMOIZE + name("_traces") + EMPTY_LIST + MEMOIZE + SETITEM, BUILD, STOP)
damaged("self-referential", "something other than traces", HEAD + get(11), APPENDS, TAIL[1:])
damaged("text-in-list", "something other than traces", HEAD + text("a.py"), APPENDS, TAIL[1:])
damaged("frame-in-list", "something other than traces", HEAD + FRAME, APPENDS, TAIL[1:])
damaged("append-to-dict", "not the list of traces", proto(4) + SNAPSHOT + OBJECT + EMPTY_DICT + MEMOIZE + NONE, APPEND, STOP)
damaged("setitem-on-list", "not a dict", HEAD[:-1] + text("a") + NONE, SETITEM, STOP)
damaged("setitems-odd", "no value", proto(4) + SNAPSHOT + OBJECT + EMPTY_DICT + MEMOIZE + MARK + text("traceback_limit"), SETITEMS, STOP)
damaged("extra-attribute", "does not have", HEAD + FIRST + APPENDS + SETITEM + BUILD + text("label") + text("nightly"), SETITEMS, BUILD + STOP)
damaged("limit-is-text", "not with such a value", HEAD + FIRST + APPENDS + SETITEM + BUILD + text("traceback_limit") + text("1"), SETITEMS, BUILD + STOP)
damaged("limit-below-zero", "below zero", HEAD + FIRST + APPENDS + SETITEM + BUILD + text("traceback_limit"), int4(-1), SETITEMS + BUILD + STOP)
damaged("state-without-traces", "wrong attributes", proto(4) + SNAPSHOT + OBJECT + EMPTY_DICT + MEMOIZE, BUILD, STOP)
damaged("state-is-text", "not as a dict", proto(4) + SNAPSHOT + OBJECT + text("traces"), BUILD, STOP)
damaged("class-instead-of-object", "not a snapshot", proto(4) + SNAPSHOT + EMPTY_DICT, BUILD, STOP)
damaged("built-twice", "wrong attributes", GOOD[:-1] + get(4), BUILD, STOP)
damaged("second-traces-object", "a second object of class tracemalloc._Traces", HEAD + get(7) + EMPTY_TUPLE, NEWOBJ, TAIL)
damaged("class-name-is-number", "not text", HEAD + int1(1) + int1(2), STACK_GLOBAL, TAIL)

# Frames and traces.
first_trace("negative-size", "below zero", MARK + int1(0) + int4(-100) + TRACEBACK + int1(1) + TUPLE + MEMOIZE, skip=3)
first_trace("huge-size", "above 2^61 - 1", MARK + int1(0) + long1(1 << 61) + TRACEBACK + int1(1) + TUPLE + MEMOIZE, skip=3)
first_trace("size-of-200-bytes", "above 2^61 - 1", MARK + int1(0) + long1(1 << 1599) + TRACEBACK + int1(1) + TUPLE + MEMOIZE, skip=3)
first_trace("huge-domain", "a domain above 2^32 - 1", MARK + long1(1 << 32) + int1(100) + TRACEBACK + int1(1) + TUPLE)
first_trace("negative-line", "below zero", name("a.py") + int4(-1) + TUPLE2, skip=len(name("a.py")))
first_trace("huge-line", "a line number above 2^32 - 1", name("a.py") + long1(1 << 32) + TUPLE2)
first_trace("total-below-frames", "a traceback of 2 frames has a total_nframe of 1",
            MARK + int1(0) + int1(100) + FRAME + get(13) + TUPLE2 + int1(1) + TUPLE)
first_trace("trace-of-5", "neither a frame nor a traceback nor a trace", MARK + int1(0) + int1(100) + TRACEBACK + int1(1) + int1(1) + TUPLE)
first_trace("trace-of-1", "neither a frame nor a traceback nor a trace", int1(100) + TUPLE1)
first_trace("trace-without-size", "not made of domain, size", MARK + int1(0) + name("a.py") + TRACEBACK + int1(1) + TUPLE)
first_trace("trace-without-traceback", "not made of domain, size", MARK + int1(0) + int1(100) + NONE + int1(1) + TUPLE)
first_trace("trace-of-one-frame", "not made of domain, size", MARK + int1(0) + int1(100) + FRAME + int1(1) + TUPLE)
first_trace("frame-of-3", "neither a frame nor a traceback nor a trace", name("a.py") + int1(1) + int1(2) + TUPLE3)
first_trace("frame-without-name", "not made of domain, size", int1(1) + int1(2) + TUPLE2)
first_trace("traceback-of-text", "something other than frames", FRAME + name("a.py") + TUPLE2)
damaged("name-with-nul", "NUL", HEAD, text("a\0b.py"), TAIL)
damaged("name-not-utf-8", "not UTF-8", HEAD, text(b"caf\xe9.py"), TAIL)
damaged("name-overlong-utf-8", "not UTF-8", HEAD, text(b"\xc0\xaf"), TAIL)
add("name-of-65536", "SNAP_ERR_LIMIT", len(HEAD), "a name of 65536 bytes", HEAD + long_text(65536) + TAIL)
add("name-of-4-gib", "SNAP_ERR_LIMIT", len(HEAD), "a name of 4294967295 bytes", HEAD + long_text(0xFFFFFFFF) + TAIL)
add("long-class-name", "SNAP_ERR_LIMIT", 2, "the name of a class", proto(2) + call("x" * 300, "y") + STOP)
# One traceback of many frames with a new total in each trace: much work for few bytes.
long_traceback = MARK + int1(0) + int1(8) + MARK + FRAME + get(13) * 19999 + TUPLE + MEMOIZE + b"M" + struct.pack("<H", 20000) + TUPLE
bomb = HEAD + long_traceback
for total in range(20001, 20100):
    bomb += MARK + int1(0) + int1(8) + get(14) + b"M" + struct.pack("<H", total) + TUPLE
    if (total - 20000) * 20000 > (1 << 20) + 4 * (len(bomb) - 1):
        break
add("total-bomb", "SNAP_ERR_LIMIT", len(bomb) - 1, "too many different values of total_nframe", bomb + TAIL)

# Packed files.
LARGER = HEAD + FIRST + SECOND * 20 + TAIL
other("gzip-of-a-list", "a list", gzip(proto(4) + EMPTY_LIST + STOP), 2)
add("gzip-of-gzip", "SNAP_ERR_UNSUPPORTED", 0, "not a pickle", gzip(gzip(GOOD)))
cut("gzip-truncated-in-header", gzip(GOOD), 2)
cut("gzip-truncated-in-data", gzip(GOOD), 100)
cut("gzip-truncated-in-trailer", gzip(GOOD), len(gzip(GOOD)) - 1)
add("gzip-wrong-checksum", "SNAP_ERR_DAMAGED", len(gzip(GOOD)) - 4, "gzip data is damaged",
    gzip(GOOD)[:-8] + b"\0\0\0\0" + gzip(GOOD)[-4:])
add("gzip-trailing-garbage", "SNAP_ERR_DAMAGED", len(gzip(GOOD)), "not gzip data follow", gzip(GOOD) + b"\0")
add("gzip-of-truncated", "SNAP_ERR_TRUNCATED", 100, "in the middle of the pickle", gzip(GOOD[:100]))
cut("zstd-truncated-in-magic", zstd(LARGER), 3)
cut("zstd-truncated-in-data", zstd(LARGER), 200)
add("zstd-bad-block", "SNAP_ERR_DAMAGED", None, "zstd data is damaged", zstd(LARGER, block_type=3))
add("zstd-trailing-garbage", "SNAP_ERR_DAMAGED", len(zstd(LARGER)), "not zstd data follow", zstd(LARGER) + b"\n")
add("zstd-stack-bomb", "SNAP_ERR_LIMIT", len(HEAD) + (1 << 17) - 7 + 1, "piles up more than 131072 values",
    zstd_runs(HEAD, NONE, 2))
add("zstd-memo-bomb", "SNAP_ERR_DAMAGED", len(HEAD) + 6, "in its memo twice", zstd_runs(HEAD + text("abc"), MEMOIZE, 500))
add("zstd-huge-window", "SNAP_ERR_LIMIT", None, "too large a window", b"\x28\xb5\x2f\xfd\x00\xa8\x01\0\0")

if __name__ == "__main__":
    for old in HERE.glob("*.pickle"):
        old.unlink()
    lines = []
    for file, status, offset, message, data in bad:
        (HERE / f"{file}.pickle").write_bytes(data)
        lines.append(f"{file}.pickle\t{status}\t{offset}\t{message}\n")
    (HERE / "expected.tsv").write_text("".join(lines))
