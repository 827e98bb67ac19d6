"""Golden files: both decoders read in them what was found when they were made, and writers of this version
make the same again."""

import importlib.util
import random
import unittest

import describing
import snapdump
from decoders import ROOT, disagreements, read_by_c, read_by_python
from describing import describe

GOLDEN = ROOT / "testdata/golden/v1"
FILES = sorted(GOLDEN.glob("*.snap"))


def load(path):
    spec = importlib.util.spec_from_file_location("golden_make", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def unpacked(data):
    """Headers and sections with their raw bodies: another zstd may pack the same in other bytes."""
    snapdump.prefetch([data])
    out, pos = [], 0
    while pos < len(data):
        out.append(data[pos:pos + snapdump.HEADER_SIZE])
        pos += snapdump.HEADER_SIZE
        while True:
            s = snapdump.parse_section(data, pos)
            body = snapdump.unpack(s.body, s.raw) if s.codec == snapdump.ZSTD else s.body
            out.append((s.tag, s.flags, s.index, body))
            pos += snapdump.SECTION_HEADER_SIZE + s.stored
            if s.tag == b"END ":
                break
    return out


def raw(text):
    return None if text is None else text.encode("utf-8", "surrogateescape")


def description(member, shuffle):
    """A member of expected.json as text for the library's builder, told in another order."""
    rows = [([(raw(file), line, raw(function)) for file, line, function in frames], *rest)
            for frames, *rest in member["rows"]]
    shuffle(rows)
    meta = [(raw(key), raw(value)) for key, value in member["meta"]]
    return describe(rows, meta, list(zip(map(raw, member["columns"]), member["units"])))


class Golden(unittest.TestCase):
    maxDiff = 2000

    @classmethod
    def setUpClass(cls):
        cls.recipes = load(GOLDEN.parent / "make.py")
        cls.data = {path.stem: path.read_bytes() for path in FILES}
        cls.expected = {path.stem: describing.from_text(path.with_name(f"{path.stem}.expected.json").read_text())
                        for path in FILES}

    def test_there_is_a_file_for_each_recipe(self):
        self.assertEqual(sorted(self.data), sorted(self.recipes.RECIPES))

    def test_all_sections_occur(self):
        tags = {section.tag for data in self.data.values() for section in snapdump.glance(data)}
        self.assertEqual(tags, snapdump.TAGS)

    def test_the_oracle_reads_what_it_read(self):
        for name, data in self.data.items():
            with self.subTest(file=name):
                found = read_by_python(data)
                self.assertIsNone(found.error)
                self.assertEqual(found.members, self.expected[name])

    def test_the_library_reads_the_same(self):
        self.assertEqual(disagreements(FILES), [])
        self.assertEqual({path for path, read in read_by_c(FILES).items() if read.error}, set())

    def test_made_again_they_are_the_same(self):
        for name, data in self.data.items():
            with self.subTest(file=name):
                again = self.recipes.make(name)
                self.assertEqual(unpacked(again), unpacked(data))
                self.assertEqual(again, self.recipes.make(name))

    def test_equal_content_gives_equal_bytes(self):
        """From rows in any order, whatever tool and level made the file."""
        rng = random.Random(5)
        for name, data in self.data.items():
            if not all(member["canonical"] or member["continues"] for member in self.expected[name]):
                continue  # a stream between tools keeps the forest that it has
            with self.subTest(file=name):
                descriptions = [description(member, rng.shuffle) for member in self.expected[name]]
                continues = any(member["continues"] for member in self.expected[name])
                self.assertEqual(unpacked(describing.make(descriptions, 3, continues)), unpacked(data))


if __name__ == "__main__":
    unittest.main()
