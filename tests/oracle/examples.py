#!/usr/bin/env python3
"""The worked examples of schema/snap-format.md: makes their bytes and says what each means.

usage: examples.py            prints section 11 of the document
       examples.py --update   puts it into the document
"""

import pathlib
import re
import struct
import sys
import zlib

import describing
import snapdump
from decoders import ROOT
from describing import describe

DOCUMENT = ROOT / "schema/snap-format.md"
FENCE = re.compile(r"^```snap-hex name=([a-z-]+)\n(.*?)^```$", re.M | re.S)

# --- what they hold --------------------------------------------------------------------------------

MAIN, PAGES, CLIENT = (b"/srv/main.py", 7, None), (b"/srv/shop/pages.py", 12, None), (b"/srv/shop/client.py", 31, None)
SEND = (b"/srv/shop/client.py", 58, None)


def plain(frames, blocks, size, total, domain=0):
    return frames, total, domain, size, (blocks, blocks * size)


STANDALONE = describe(
    [plain([CLIENT, PAGES, MAIN], 45, 1000, 3), plain([PAGES, MAIN], 10, 64, 2), plain([PAGES, MAIN], 1, 80, 2),
     plain([PAGES, MAIN], 1, 4096, 2, 389047), plain([SEND, CLIENT, SEND], 2, 56, 5)],
    [(b"pid", b"4242"), (b"traceback_limit", b"3")])
SERIES = [
    describe([plain([MAIN], 1, 56, 1), plain([PAGES, MAIN], 3, 64, 2)], [(b"pid", b"4242"), (b"seq", b"1")]),
    describe([plain([MAIN], 1, 56, 1), plain([PAGES, MAIN], 5, 64, 2), plain([PAGES, MAIN], 1, 72, 2),
              plain([CLIENT, PAGES, MAIN], 1, 1000, 3)], [(b"pid", b"4242"), (b"seq", b"2")]),
]

INTRODUCTION = """\
Each line has an offset, bytes, and behind `;` what they mean; offsets and bytes are hexadecimal. `tests/oracle/examples.py` makes this section, and a test reads the bytes back and gives them to both decoders. Bodies as short as these are stored at any level.
"""


def smallest():
    """By hand, as no writer leaves out the flag CANONICAL here."""
    def section(tag, flags, body):
        head = tag + struct.pack("<BBHIII", 0, flags, 0, len(body), len(body), zlib.crc32(body))
        return head + struct.pack("<I", zlib.crc32(head)) + body

    head = snapdump.MAGIC + struct.pack("<HHI", 1, 1, 0)
    digest = snapdump.digest_of_rows([b"blocks", b"bytes"], [], [])
    return (head + struct.pack("<I", zlib.crc32(head)) + section(b"META", 0, b"\0")
            + section(b"COLS", 1, b"\2\6blocks\0\0\0\5bytes\1\2\0") + section(b"STKR", 1, b"\0\0")
            + section(b"END ", 1, bytes(48) + struct.pack("<QQ", *digest)))


def examples():
    """(name, title, text, bytes)"""
    return [
        ("smallest", "The smallest member", "No metadata, no strings, no sites.", smallest()),
        ("standalone", "A member that stands alone",
         "Two stacks share the nodes of `/srv/main.py:7` and `/srv/shop/pages.py:12`; the frames of a third are the last "
         "3 of 5, so that its root stands at depth 3. It has the stack of the rule, min(5, 3) frames and total 5, and "
         "so no STKX is needed. One block is of numpy's domain.", describing.make([STANDALONE], 0)),
        ("series", "A series of two members",
         "In the second member `seq` is 2; 64-byte blocks have become 5; the stack has a new block of 72 bytes; and "
         "`/srv/shop/client.py:31` is a new frame below an old node, with one block of 1,000.", describing.make(SERIES, 0)),
    ]


# --- what the bytes mean -----------------------------------------------------------------------------

class Notes:
    """Lines of (bytes, meaning) for one member after another."""

    def __init__(self, data):
        self.data, self.lines, self.pos = data, [], 0
        self.strings, self.frames, self.nodes, self.columns, self.meta = [], [], [], [], []
        self.stacks, self.sites, self.callees = [], [], {}
        while self.pos < len(data):
            self.member()

    def put(self, size, meaning):
        self.lines.append((self.data[self.pos:self.pos + size], meaning))
        self.pos += size

    def uint(self):
        """(value, length) at the present place."""
        end = self.pos
        while self.data[end] > 127:
            end += 1
        return snapdump.uints(self.data[self.pos:end + 1])[0], end + 1 - self.pos

    def rows(self, end, width=1):
        """Calls for the meaning of each row and puts it."""
        while self.pos < end:
            start, row = self.pos, []
            for _ in range(width):
                value, size = self.uint()
                row.append(value)
                self.pos += size
            size, self.pos = self.pos - start, start
            meaning = yield row if width > 1 else row[0]
            self.put(size, meaning)

    def member(self):
        version, lowest, flags = struct.unpack("<HHI", self.data[self.pos + 8:self.pos + 16])
        names = [name for bit, name in ((1, "CONTINUES"), (2, "CANONICAL")) if flags & bit]
        self.put(8, "magic")
        self.put(4, f"format version {version}, lowest reader version {lowest}")
        self.put(4, "flags: " + (", ".join(names) or "none"))
        self.put(4, "CRC-32 of the 16 bytes above")
        self.roots, self.new_nodes = [], len(self.nodes)
        self.tokens, self.points, self.stacks_told = [], [0], []
        tag = ""
        while tag != "END":
            s = snapdump.parse_section(self.data, self.pos)
            tag = s.tag.decode().strip()
            end = self.pos + snapdump.SECTION_HEADER_SIZE + s.stored
            self.put(4, tag if tag != "END" else "END, a space behind it")
            must = "MUST" if s.flags & snapdump.MUST else "no flags"
            what = f", index {s.index}: column `{self.columns[s.index]}`" if tag in ("VALS", "CHGV") else ""
            self.put(4, f"stored, {must}{what}")
            self.put(8, f"stored length {s.stored}, raw length {s.raw}")
            self.put(8, "CRC-32 of the body, CRC-32 of the 20 bytes above")
            getattr(self, tag)(end)

    def tell(self, end, meaning, width=1):
        """A line a row, with what meaning(row) says."""
        rows = self.rows(end, width)
        row = next(rows, None)
        while row is not None:
            try:
                row = rows.send(meaning(row))
            except StopIteration:
                row = None

    def META(self, end):
        count, size = self.uint()
        self.put(size, f"{count} entries")
        before, self.meta = self.meta, []
        for _ in range(count):
            start = self.pos
            ref, size = self.uint()
            self.pos += size
            if ref:
                key = before[ref - 1][0]
            else:
                n, size = self.uint()
                key = self.data[self.pos + size:self.pos + size + n].decode()
                self.pos += size + n
            n, size = self.uint()
            value = self.data[self.pos + size:self.pos + size + n - 1].decode() if n else before[ref - 1][1]
            told = f"{key} = {value}" + (f": key of entry {ref - 1}" if ref else "") + ("" if n else " and its value")
            size, self.pos = self.pos + size + max(n - 1, 0) - start, start
            self.put(size, told)
            self.meta.append((key, value))

    def COLS(self, end):
        count, size = self.uint()
        self.put(size, f"{count} columns")
        while self.pos < end:
            n, _ = self.uint()
            name = self.data[self.pos + 1:self.pos + 1 + n].decode()
            self.columns.append(name)
            unit, predictor, source = self.data[self.pos + 1 + n:self.pos + 4 + n]
            self.put(4 + n, f"{name}: unit {unit}, predictor {predictor} from {source}")

    def STKR(self, end):
        def meaning(row):
            self.limit, self.known = row
            return f"limit {row[0]}, known {row[1]}"
        self.tell(end, meaning, 2)

    def STRP(self, end):
        self.shape = []

        def meaning(row):
            self.shape.append(row)
            return f"string {len(self.strings) + len(self.shape) - 1}: {row[0]} bytes shared, {row[1]} more"
        self.tell(end, meaning, 2)

    def STRB(self, end):
        for shared, suffix in self.shape:
            rest = self.data[self.pos:self.pos + suffix].decode()
            before = self.strings[-1][:shared] if shared else ""
            self.put(suffix, f"`{rest}`: string {len(self.strings)} is {before}{rest}")
            self.strings.append(before + rest)

    def FRMF(self, end):
        self.files, file = [], -1

        def meaning(gap):
            nonlocal file
            file += gap + 1
            self.files.append(file)
            return f"gap {gap}: file {file}"
        self.tell(end, meaning)

    def FRML(self, end):
        line, files = 0, iter(self.files)
        file = next(files)

        def meaning(token):
            nonlocal line, file
            line += token >> 1
            told = f"{token >> 1} << 1 | {token & 1}: frame {len(self.frames)} is {self.strings[file]}:{line}"
            self.frames.append(f"{self.strings[file].rpartition('/')[2]}:{line}")
            if token & 1:
                told, line, file = told + ", the last of the file", 0, next(files, None)
            return told
        self.tell(end, meaning)

    def PRSC(self, end):
        self.callers, caller = [], -1

        def meaning(token):
            nonlocal caller
            caller += (token >> 1) + 1
            self.callers.append((caller, token & 1))
            return f"{token >> 1} << 1 | {token & 1}: caller {caller}, {self.frames[caller]}" + (
                ", with more callees than one" if token & 1 else "")
        self.tell(end, meaning)

    def PRSF(self, end):
        self.firsts = []

        def meaning(change):
            callee = snapdump.unzigzag(change) + (self.firsts[-1] if self.firsts else 0)
            caller = self.callers[len(self.firsts)][0]
            self.firsts.append(callee)
            self.callees.setdefault(caller, []).append(callee)
            return f"change {snapdump.unzigzag(change):+}: {self.frames[caller]} calls frame {callee}, {self.frames[callee]}"
        self.tell(end, meaning)

    def PRST(self, end):
        todo = [caller for caller, more in self.callers if more]

        def meaning(token):
            caller = todo[0]
            callee = self.callees[caller][-1] + 1 + (token >> 1)
            self.callees[caller].append(callee)
            if token & 1:
                todo.pop(0)
            return f"{token >> 1} << 1 | {token & 1}: {self.frames[caller]} calls frame {callee}, {self.frames[callee]}"
        self.tell(end, meaning)

    def ATCH(self, end):
        self.points, code = [], -1

        def meaning(gap):
            nonlocal code
            code += gap + 1
            self.points.append(code)
            return f"gap {gap}: code {code}, " + (f"the old node {code - 1}" if code else "the virtual root")
        self.tell(end, meaning)

    def NODE(self, end):
        lists, frame = [], 0

        def meaning(token):
            nonlocal frame
            if not lists:
                lists.append([self.points.pop(0) - 1, -1])
            d, parent, number = token >> 3, lists[-1][0], len(self.nodes)
            if parent < 0:
                frame += d
                node, where = frame, "a root"
                self.roots.append(number)
            else:
                lists[-1][1] += d + 1
                node = self.callees[self.nodes[parent][0]][lists[-1][1]]
                where = f"below node {parent}"
            self.nodes.append((node, token >> 2 & 1))
            flags = [name for bit, name in ((4, "stack"), (2, "children"), (1, "last")) if token & bit]
            if token & 1:
                lists.pop()
            if token & 2:
                lists.append([number, -1])
            return f"{d} << 3 | {token & 7}: node {number} is {self.frames[node]}, {where}; " + (", ".join(flags) or "no flags")
        self.tell(end, meaning)

    def RDEP(self, end):
        roots = iter(self.roots)
        self.tell(end, lambda row: f"node {next(roots)} has depth {row + 1}")

    def CHGI(self, end):
        self.changed, site = [], -1

        def meaning(gap):
            nonlocal site
            site += gap + 1
            self.changed.append(site)
            return f"gap {gap}: site {site}"
        self.tell(end, meaning)

    def CHGV(self, end):
        sites = iter(self.changed)
        self.tell(end, lambda change: f"the residual of site {next(sites)} changes by {snapdump.unzigzag(change)}")

    def SITO(self, end):
        stack = -1

        def meaning(gap):
            nonlocal stack
            stack += gap + 1
            self.stacks_told.append(stack)
            return f"gap {gap}: stack {stack}, {self.stacks[stack]}"
        self.tell(end, meaning)

    def new_stacks_in_turn(self):
        """Only stacks of the rule occur here."""
        told = [(node, number) for number, (node, stack) in enumerate(self.nodes) if stack and number >= self.new_nodes]
        numbers = range(len(self.stacks), len(self.stacks) + len(told))
        self.stacks += [self.frames[node] for node, _ in told]
        return [number for _, number in sorted(zip(told, numbers), key=lambda pair: (pair[0][0], pair[1]))]

    def SITT(self, end):
        turn = self.stacks_told + self.new_stacks_in_turn()
        # Sizes cannot be told without the domains behind.
        follows = snapdump.parse_section(self.data, end)
        runs = snapdump.uints(follows.body) if follows.tag == b"DOMS" else [end - self.pos, 0]
        domains = iter([domain for run, domain in zip(runs[::2], runs[1::2]) for _ in range(run)])
        before = None

        def meaning(token):
            nonlocal before
            domain, stack = next(domains), turn[0]
            size = (token >> 2) + (before[1] if before and before[0] == domain else 0)
            flags = [name for bit, name in ((2, "explicit"), (1, "last")) if token & bit]
            before = None if token & 1 else (domain, size)
            if token & 1:
                turn.pop(0)
            self.sites.append(size)
            self.tokens.append((len(self.sites) - 1, token & 2))
            return (f"{token >> 2} << 2 | {token & 3}: site {len(self.sites) - 1} of stack {stack}, {self.stacks[stack]}: "
                    f"{size} bytes" + (f" in domain {domain}" if domain else "") + "; " + (", ".join(flags) or "no flags"))
        self.tell(end, meaning)

    def DOMS(self, end):
        self.tell(end, lambda row: f"{row[0]} sites of domain {row[1]}", 2)

    def VALS(self, end):
        explicit = iter([site for site, told in self.tokens if told])
        self.tell(end, lambda value: f"site {next(explicit)}: {snapdump.unzigzag(value)}")

    def END(self, end):
        flags, _, *counts = struct.unpack("<IIQQQQQ", self.data[self.pos:self.pos + 48])
        self.put(4, "flags: " + ("MORE" if flags & 1 else "none"))
        self.put(4, "must be zero")
        for count, what in zip(counts, ("strings", "frames", "nodes", "stacks", "sites")):
            self.put(8, f"{count} {what}")
        self.put(16, "digest, D0 and D1")


def block(name, data):
    out, pos = [f"```snap-hex name={name}"], 0
    for raw, meaning in Notes(data).lines:
        for i in range(0, len(raw), 12):
            part = raw[i:i + 12].hex(" ").upper()
            out.append(f"{pos + i:04X}  {part:35}  ; {meaning}" if i == 0 else f"{pos + i:04X}  {part}")
        pos += len(raw)
    return "\n".join([*out, "```", ""])


def section():
    parts = [INTRODUCTION]
    for number, (name, title, text, data) in enumerate(examples(), 1):
        parts.append(f"### 11.{number} {title}\n\n{text} {len(data)} bytes.\n\n{block(name, data)}")
    return "\n".join(parts)


def read_back(document):
    """{name: bytes} of the hex blocks of a text; their offsets must be right."""
    out = {}
    for name, body in FENCE.findall(document):
        data = b""
        for line in body.splitlines():
            offset, _, rest = line.partition("  ")
            if int(offset, 16) != len(data):
                raise ValueError(f"{name}: offset {offset} should be {len(data):04X}")
            data += bytes.fromhex(rest.partition(";")[0])
        out[name] = data
    return out


def main():
    if sys.argv[1:] == ["--update"]:
        text = DOCUMENT.read_text("utf-8")
        head, _, rest = text.partition("## 11. Worked examples\n\n")
        DOCUMENT.write_text(head + "## 11. Worked examples\n\n" + section() + "\n## 12." + rest.partition("## 12.")[2], "utf-8")
    else:
        sys.stdout.write(section())


if __name__ == "__main__":
    main()
