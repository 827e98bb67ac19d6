"""The fuzz corpus of the reader, and golden files changed at random: both decoders take and refuse the same
files, for the same reason at the same offset, and read the same rows and digests in them."""

import importlib.util
import random
import unittest

from decoders import ROOT, disagreements, disagreements_on_bytes

BASES = ("one", "series", "standalone-members", "stacks", "functions", "columns", "diff-stored", "frequent-stored",
         "empty-between", "py3.11.7")
MUTANTS = 3000
NUMBERS = [0, 1, 2, 127, 128, 65535, 65536, 1 << 30, (1 << 32) - 1, 1 << 32, 1 << 61, 1 << 63, (1 << 64) - 1]


def load_editor():
    spec = importlib.util.spec_from_file_location("bad_make", ROOT / "testdata/bad/make.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Mutator:
    """Changes rows, sections and members; checksums stay right, so that decoders look at what is inside."""

    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.editor = load_editor()
        self.bases = [(ROOT / f"testdata/golden/v1/{name}.snap").read_bytes() for name in BASES]

    def mutant(self):
        f = self.editor.File(self.rng.choice(self.bases))
        for _ in range(self.rng.choice((1, 1, 1, 2, 3))):
            member = self.rng.choice(f)
            if member:
                at = self.rng.randrange(len(member))
                self.rng.choice((self.row, self.row, self.row, self.row, self.byte, self.section, self.header))(f, member, at)
        return f.join()[0]

    def row(self, f, member, at):
        section, rng = member[at], self.rng
        rows = section.rows
        if section.codec or section.tag in (b"STRB", b"META", b"COLS", b"END ") or not rows:
            return self.byte(f, member, at)
        i = rng.randrange(len(rows))
        what = rng.randrange(7)
        if what == 0:
            rows[i] ^= 1 << rng.randrange(5)
        elif what == 1:
            rows[i] = rng.choice(NUMBERS)
        elif what == 2:
            rows[i] += rng.randint(1, 5)
        elif what == 3:
            del rows[i]
        elif what == 4:
            rows.insert(i, rng.choice(rows + [0, 1, 2, 3]))
        elif what == 5:
            del rows[i:]
        else:
            rest = section.copy()
            section.rows, rest.rows = rows[:i], rows[i:]
            member.insert(at + 1, rest)
            return None
        section.rows = [min(row, (1 << 64) - 1) for row in rows]
        return None

    def byte(self, f, member, at):
        body = bytearray(member[at].body)
        if body:
            i = self.rng.randrange(len(body))
            body[i] = self.rng.choice((0, 1, 255, body[i] ^ 1 << self.rng.randrange(8)))
            member[at].body = bytes(body)

    def section(self, f, member, at):
        what = self.rng.randrange(5)
        if what == 0:
            del member[at]
        elif what == 1:
            member.insert(at, member[at].copy())
        elif what == 2:
            other = self.rng.randrange(len(member))
            member[at], member[other] = member[other], member[at]
        elif what == 3:
            source = self.rng.choice(f)
            if source:
                member.insert(at, self.rng.choice(source).copy())
        else:
            f.insert(self.rng.randrange(len(f) + 1), self.editor.File(self.rng.choice(self.bases))[0])

    def header(self, f, member, at):
        rng, section = self.rng, member[at]
        what = rng.randrange(5)
        if what == 0:
            section.index = rng.randrange(4)
        elif what == 1:
            section.flags ^= 1 << rng.randrange(8)
        elif what == 2:
            section.codec ^= rng.choice((1, 2))
        elif what == 3:
            section.raw = len(section.body) + rng.randint(-2, 2000)
            section.raw = max(section.raw, 0)
        else:
            member.flags ^= 1 << rng.choice((0, 0, 1, 2, 16))


class Corpus(unittest.TestCase):
    def test_reader(self):
        files = sorted(path for path in (ROOT / "testdata/corpus/reader").rglob("*") if path.is_file())
        self.assertGreater(len(files), 0, "there is no corpus")
        self.assertEqual(disagreements(files), [])

    def test_golden_files_changed_at_random(self):
        mutator = Mutator(20260701)
        self.assertEqual(disagreements_on_bytes([("mutant", mutator.mutant()) for _ in range(MUTANTS)]), [])


if __name__ == "__main__":
    unittest.main()
