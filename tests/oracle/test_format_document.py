"""schema/snap-format.md against both of its implementations: constants, tags, limits and worked examples."""

import json
import re
import subprocess
import tempfile
import unittest

import examples
import snapdump
from decoders import BIN, ROOT, disagreements_on_bytes, read_by_python

TEXT = examples.DOCUMENT.read_text("utf-8")
HEADERS = ("libsnap/format/layout.h", "libsnap/include/snap/snapshot.h", "libsnap/include/snap/meta.h",
           "libsnap/include/snap/reader.h")


def number(text):
    """A number as the document writes it, such as `4,194,304` or `2³² − 1`."""
    text = text.strip().replace(",", "").replace("−", "-")
    power = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
    text = re.sub("2([⁰¹²³⁴⁵⁶⁷⁸⁹]+)", lambda m: f"2**{m[1].translate(power)}", text)
    if not re.fullmatch(r"[0-9* -]+", text):
        raise ValueError(text)
    return eval(text)


def found(pattern, flags=0):
    """The groups of a pattern that occurs in the document once, as numbers where they are digits."""
    hits = list(re.finditer(pattern, TEXT, flags))
    if len(hits) != 1:
        raise AssertionError(f"{pattern!r} occurs {len(hits)} times")
    return hits[0].groups() if len(hits[0].groups()) > 1 else hits[0][1]


def table(title):
    """The rows of the table that follows a text, without its head."""
    lines = TEXT[TEXT.index(title):].splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("|---"))
    rows = []
    for line in lines[start + 1:]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def library():
    """{name: value} of the numeric macros of the headers."""
    out = {}
    for header in HEADERS:
        text = re.sub(r"/\*.*?\*/", "", (ROOT / header).read_text("utf-8"), flags=re.S)
        for name, value in re.findall(r"^#define (SNAP_\w+) (.+)$", text, re.M):
            value = re.sub(r"UINT(?:32|64)_C\((\w+)\)", r"\1", value)
            value = re.sub(r"\b(0x[0-9A-Fa-f]+|\d+)u\b", r"\1", value).strip()
            if re.fullmatch(r"[0-9A-Fa-fx<()\s+-]+", value):
                out[name] = eval(value)
    return out


class Constants(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.library = library()

    def same(self, document, oracle, macro=None):
        """One number in all places."""
        self.assertEqual(document, oracle)
        if macro is not None:
            self.assertEqual(document, self.library[macro], macro)

    def test_magic(self):
        magic = bytes.fromhex(found(r"^    magic     = ([0-9A-F ]+)$", re.M))
        self.assertEqual(magic, snapdump.MAGIC)
        layout = (ROOT / HEADERS[0]).read_text("utf-8")
        macro = re.search(r'#define SNAP_MAGIC "(.*)"', layout)[1]
        self.assertEqual(magic, macro.encode().decode("unicode_escape").encode("latin-1"))
        self.assertEqual(len(magic), self.library["SNAP_MAGIC_SIZE"])

    def test_versions(self):
        header = {row[0]: row[2] for row in table("### 2.1 Header")}
        version = int(header["8"].rpartition(" ")[2])
        self.same(version, snapdump.VERSION, "SNAP_FORMAT_VERSION")
        self.same(int(header["10"].rpartition(" ")[2]), 1, "SNAP_MIN_READER")
        self.assertEqual(version, int(found(r"describing format version (\d+)")))
        self.assertEqual(found(r"^Document version ([0-9.]+)", re.M), table("## 12. Changes")[-1][0])

    def test_sizes(self):
        self.same(int(found(r"magic version minreader flags crc +; (\d+) bytes")), snapdump.HEADER_SIZE, "SNAP_HEADER_SIZE")
        self.same(int(found(r"headcrc body +; (\d+) bytes \+ stored")), snapdump.SECTION_HEADER_SIZE, "SNAP_SECTION_HEADER_SIZE")
        self.same(int(found(r'section with tag "END " and a (\d+)-byte body')), snapdump.END_SIZE, "SNAP_END_SIZE")
        for title, size in (("### 2.1 Header", snapdump.HEADER_SIZE), ("### 2.2 Section", snapdump.SECTION_HEADER_SIZE),
                            ("### 5.11 END", snapdump.END_SIZE)):
            at = 0
            for offset, length, *_ in table(title):
                self.assertEqual(int(offset), at, title)
                at += int(length)
            self.assertEqual(at, size, title)

    def test_flags(self):
        bits = {}
        for bit, name, _ in table("| flag bit |"):
            low, _, high = bit.partition("–")
            bits[name] = sum(1 << i for i in range(int(low), int(high or low) + 1))
        self.same(bits["CONTINUES"], snapdump.CONTINUES, "SNAP_FLAG_CONTINUES")
        self.same(bits["CANONICAL"], snapdump.CANONICAL, "SNAP_FLAG_CANONICAL")
        self.same(bits["reserved"], snapdump.FLAGS_RESERVED, "SNAP_FLAGS_RESERVED")
        self.assertEqual(sum(bits.values()), 0xFFFFFFFF)
        must, low, high = map(int, found(r"bit (\d): MUST, .*bits (\d)–(\d) reserved, must be zero; bits 4–7 unused"))
        self.same(1 << must, snapdump.MUST, "SNAP_SECTION_MUST")
        self.same((2 << high) - (1 << low), snapdump.SECTION_RESERVED, "SNAP_SECTION_RESERVED")
        more, low, high = map(int, found(r"flags: bit (\d) MORE, .*bits (\d)–(\d+) reserved"))
        self.same(1 << more, snapdump.MORE, "SNAP_END_MORE")
        self.same((2 << high) - (1 << low), snapdump.END_RESERVED, "SNAP_END_RESERVED")
        stored, zstd = map(int, found(r"codec of the body: (\d) stored, (\d) one or more zstd frames"))
        self.same(stored, snapdump.STORED, "SNAP_CODEC_STORED")
        self.same(zstd, snapdump.ZSTD, "SNAP_CODEC_ZSTD")

    def test_tags(self):
        rows = table("## 5. The sections")
        tags = [row[0].strip("`").strip() for row in rows]
        self.assertEqual(tags, snapdump.ORDER)
        layout = (ROOT / HEADERS[0]).read_text("utf-8")
        macros = re.findall(r"#define SNAP_TAG_(\w+) SNAP_TAG\('(.)', '(.)', '(.)', '(.)'\)", layout)
        self.assertEqual([name for name, *_ in macros], tags)
        self.assertEqual(["".join(letters).strip() for _, *letters in macros], tags)
        self.assertEqual([row[0] for row in rows if row[1] == "no"], ["`META`"])

    def test_limits(self):
        limits = {row[0]: row[1] for row in table("## 9. Limits")}
        string, strings = re.fullmatch(r"(.*) bytes; strings of a series (.*) bytes together", limits["string"]).groups()
        self.same(number(string), snapdump.MAX_STRING, "SNAP_STRING_MAX")
        self.assertEqual(number(strings), snapdump.MAX_STRINGS)
        rows = limits["strings, frames, pairs, nodes, stacks, sites of a series"].replace(" each", "")
        self.same(number(rows), snapdump.MAX_COUNT, "SNAP_ROWS_MAX")
        self.same(number(limits["depth, length, total"]), snapdump.MAX_DEPTH, "SNAP_DEPTH_MAX")
        self.same(number(limits["block size"]), snapdump.MAX_BLOCK_SIZE, "SNAP_BLOCK_SIZE_MAX")
        entries, key, value = re.fullmatch(r"(.*) entries; key (.*) bytes; value (.*) bytes", limits["metadata"]).groups()
        self.same(number(entries), snapdump.MAX_ENTRIES, "SNAP_META_ENTRIES_MAX")
        self.same(number(key), snapdump.MAX_KEY, "SNAP_META_KEY_MAX")
        self.same(number(value), snapdump.MAX_VALUE, "SNAP_META_VALUE_MAX")
        self.same(number(limits["columns"]), snapdump.MAX_COLUMNS, "SNAP_COLUMNS_MAX")
        raw, ratio = re.fullmatch(r"raw (.*) bytes; raw ≤ (\d+) × stored", limits["section"]).groups()
        self.same(number(raw), snapdump.MAX_RAW, "SNAP_SECTION_RAW_MAX")
        self.same(number(ratio), snapdump.MAX_RATIO, "SNAP_SECTION_RATIO")

    def test_limits_in_the_text(self):
        self.same(number(found(r"stored length at most the raw length \+ ([\d,]+)\.")), snapdump.MAX_SLACK,
                  "SNAP_SECTION_STORED_SLACK")
        rows, frequent = found(r"at least one row and at most ([\d,]+); SITD at most (\d+),")
        self.same(number(rows), snapdump.MAX_ROWS, "SNAP_SECTION_ROWS")
        self.same(int(frequent), snapdump.MAX_FREQUENT, "SNAP_FREQUENT_MAX")
        self.same(int(found(r"at most (\d+) × \(suffix \+ 2\)")), snapdump.SHARED_FACTOR, "SNAP_STRING_SHARED_FACTOR")
        self.same(int(found(r"names 1–(\d+) bytes of `a`")), snapdump.MAX_COLUMN_NAME, "SNAP_COLUMN_NAME_MAX")
        together, cost = found(r"take at most ([\d,]+) bytes with (\d+) more for each entry")
        self.same(number(together), snapdump.MAX_META, "SNAP_META_BYTES_MAX")
        self.assertEqual(int(cost), snapdump.ENTRY_COST)
        sites, below, written = found(r"if the member has ([\d,]+) new sites or more: of the tokens below ([\d,]+) the (\d+)")
        self.assertEqual([number(sites), number(below), number(written)],
                         [self.library[f"SNAP_FREQUENT_{name}"] for name in ("SITES", "BELOW", "WRITTEN")])

    def test_digest(self):
        text = TEXT[TEXT.index("## 6. The digest"):TEXT.index("## 7.")]
        constants = re.findall(r"0x[0-9A-F]{16}", text)
        self.assertEqual(len(constants), 5)
        multiply_first, multiply_second, step, base, second = (int(c, 16) for c in constants)
        self.assertEqual((base, second), (snapdump.B, snapdump.SECOND))

        def mix(h):
            for shift, multiplier in zip(map(int, re.findall(r"h \^= h >> (\d+)", text)),
                                         (multiply_first, multiply_second, 1)):
                h = (h ^ h >> shift) * multiplier & snapdump.M64
            return h

        for h in (1, 0x0123456789ABCDEF, snapdump.M64):
            self.assertEqual(mix(h), snapdump.mix(h))
        used = {int(k) for k in re.findall(r"K\((\d)\)", text)}
        self.assertEqual(used, set(range(1, len(snapdump.K))))
        self.assertEqual([mix(j * step & snapdump.M64) | 1 for j in used], snapdump.K[1:])
        sources = "".join(path.read_text("utf-8").upper() for path in sorted((ROOT / "libsnap").rglob("*.[ch]")))
        for constant in constants:
            self.assertIn(constant.upper(), sources)


class Examples(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.examples = examples.read_back(TEXT)

    def test_the_section_is_what_examples_py_makes(self):
        self.assertEqual(TEXT.partition("## 11. Worked examples\n\n")[2].partition("\n## 12.")[0], examples.section(),
                         "run tests/oracle/examples.py --update")
        self.assertEqual(list(self.examples), ["smallest", "standalone", "series"])

    def test_both_decoders_read_them(self):
        self.assertEqual(disagreements_on_bytes(self.examples.items()), [])
        for name, data in self.examples.items():
            self.assertIsNone(read_by_python(data).error, name)

    def test_lengths_in_the_text(self):
        for name, data in self.examples.items():
            self.assertRegex(TEXT, rf" {len(data)} bytes\.\n\n```snap-hex name={name}\n")

    def test_tools_read_them(self):
        for name, data in self.examples.items():
            with self.subTest(example=name), tempfile.TemporaryDirectory() as folder:
                with open(f"{folder}/{name}.snap", "wb") as f:
                    f.write(data)
                said = subprocess.run([BIN / "snapinfo", "--json", f.name], check=True, stdout=subprocess.PIPE).stdout
                members = read_by_python(data).members
                for ours, theirs in zip(json.loads(said)["members"], members):
                    self.assertEqual(ours["digest"], theirs["digest"])
                    self.assertEqual(ours["meta"], dict(theirs["meta"]))
                    self.assertEqual(ours["total"], theirs["totals"])
                    for count in "strings", "frames", "nodes", "stacks", "sites":
                        self.assertEqual(ours[count], theirs[count])
                for n, member in enumerate(members, 1):
                    said = subprocess.run([BIN / "snaptop", "--json", "-g", "traceback", "0", f"{f.name}@{n}"], check=True,
                                          stdout=subprocess.PIPE).stdout
                    self.assertEqual(self.groups(member), {
                        (tuple((frame["file"], frame.get("line", 0)) for frame in row["traceback"]), row["count"], row["size"])
                        for row in json.loads(said)["rows"]})

    @staticmethod
    def groups(member):
        total = {}
        for frames, _, _, _, (blocks, size) in member["rows"]:
            key = tuple((file, line) for file, line, _ in reversed(frames))
            count = total.get(key, (0, 0))
            total[key] = count[0] + blocks, count[1] + size
        return {(key, *value) for key, value in total.items()}


if __name__ == "__main__":
    unittest.main()
