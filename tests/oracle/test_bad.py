"""Bad files: both decoders refuse each for the reason that its recipe gives. Odd files: both read them."""

import importlib.util
import pathlib
import re
import struct
import subprocess
import sys
import tempfile
import unittest

import snapdump
from decoders import BIN, ROOT, disagreements, disagreements_on_bytes, read_by_c, read_by_python

BAD = ROOT / "testdata/bad"


def expected(folder):
    """{path: the fields of its line}"""
    lines = (BAD / folder / "expected.tsv").read_text().splitlines()
    return {BAD / folder / name: rest for name, *rest in (line.split("\t") for line in lines)}


def load_make():
    spec = importlib.util.spec_from_file_location("bad_make", BAD / "make.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def check(paths):
    """[(exit status, standard output, standard error)] of snapinfo --check."""
    out = []
    for path in paths:
        done = subprocess.run([BIN / "snapinfo", "--check", path], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        out.append((done.returncode, done.stdout.decode(), done.stderr.decode()))
    return out


class Recipes(unittest.TestCase):
    def test_files_are_what_make_py_makes(self):
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([sys.executable, "-B", BAD / "make.py", folder], check=True)
            for part in "snap", "odd":
                made = {path.name: path.read_bytes() for path in pathlib.Path(folder, part).iterdir()}
                there = {path.name: path.read_bytes() for path in (BAD / part).iterdir()}
                self.assertEqual(sorted(made), sorted(there))
                self.assertEqual([name for name in made if made[name] != there[name]], [])


class Bad(unittest.TestCase):
    def test_snapinfo_refuses_them(self):
        files = expected("snap")
        self.assertGreater(len(files), 200)
        for (path, (kind, offset)), (status, out, err) in zip(files.items(), check(files)):
            with self.subTest(file=path.name):
                self.assertEqual((status, out), (2, ""), err)
                found = re.fullmatch(rf"snapinfo: {re.escape(str(path))}: offset (\d+): (\w.+)\n", err)
                self.assertTrue(found, err)
                self.assertEqual(found[1], offset, err)
                self.assertEqual("truncated" in found[2], kind == "truncated", err)
                self.assertEqual("digest" in found[2], "digest" in path.name, err)

    def test_both_decoders_agree(self):
        files = expected("snap")
        self.assertEqual(disagreements(files), [])
        by_c = read_by_c(files)
        for path, (kind, offset) in files.items():
            for reader, read in ("the library", by_c[str(path)]), ("snapdump.py", read_by_python(path.read_bytes())):
                with self.subTest(file=path.name, reader=reader):
                    self.assertIsNotNone(read.error)
                    self.assertEqual(read.error[:2], (kind, int(offset)), read.error)


class Odd(unittest.TestCase):
    def test_snapinfo_takes_them(self):
        files = expected("odd")
        for (path, (members,)), found in zip(files.items(), check(files)):
            with self.subTest(file=path.name):
                plural = "" if members == "1" else "s"
                self.assertEqual(found, (0, f"{path}: ok, {members} member{plural}\n", ""))

    def test_both_decoders_agree(self):
        files = expected("odd")
        self.assertEqual(disagreements(files), [])
        for path, (members,) in files.items():
            read = read_by_python(path.read_bytes())
            self.assertIsNone(read.error, path.name)
            self.assertEqual(len(read.members), int(members), path.name)


class Large(unittest.TestCase):
    """What is too large to lie in the tree."""

    def metadata(self, together, resolved):
        """A file whose metadata take so much together; those of a second member are mostly taken over."""
        make = load_make()
        values = [(key, b"x" * 1048576) for key in (b"a", b"b", b"c")]
        rest = b"y" * (together - sum(len(key) + len(value) + 16 for key, value in values) - 17)
        whole = [*values, (b"d", rest)]
        f = make.File((ROOT / "testdata/golden/v1/empty.snap").read_bytes())
        if resolved:
            f.extend(make.File((ROOT / "testdata/golden/v1/empty.snap").read_bytes()))
            f[1].flags = 1
            f[1][:] = [f.get("META", 1), f.get("END", 1)]
            f.get("META", 1).body = b"\4\1\0\2\0\3\0" + make.entry(b"d", rest)
        for member, entries in zip(f, [values, whole] if resolved else [whole]):
            if member is f[0]:
                member[0].body = make.uint(len(entries)) + b"".join(make.entry(*e) for e in entries)
            digest = snapdump.digest_of_rows([b"blocks", b"bytes"], entries, [])
            member[-1].body = member[-1].body[:48] + struct.pack("<QQ", *digest)
        return f.join()[0]

    def test_metadata_at_their_limit(self):
        limit = snapdump.MAX_META
        cases = [(f"{size}-{resolved}", self.metadata(size, resolved))
                 for size in (limit - 1, limit, limit + 1) for resolved in (False, True)]
        self.assertEqual(disagreements_on_bytes(cases), [])
        self.assertEqual([read_by_python(data).error is None for _, data in cases], [True] * 4 + [False] * 2)

    def test_short_sections_behind_many_callers(self):
        """A time that grows with callers x sections is one that nobody waits for."""
        make = load_make()
        callers, sections = 2000000, 400000
        f = make.File((ROOT / "testdata/golden/v1/empty.snap").read_bytes())
        member = f[0]
        member.pop()  # END

        def put(tag, rows):
            member.extend(make.Section(tag, rows[i:i + 65536], flags=make.MUST) for i in range(0, len(rows), 65536))

        for tag, rows in (b"STRP", b"\0\1"), (b"STRB", b"a"), (b"FRMF", b"\0"):
            put(tag, rows)
        put(b"FRML", b"\2" * (callers - 1) + b"\3")
        put(b"PRSC", b"\1" * callers)  # each has a list, which only the first begins
        put(b"PRSF", b"\0")
        data = f.join()[0] + make.Section(b"PRST", b"\0").join() * sections
        with tempfile.NamedTemporaryFile(suffix=".snap") as file:
            file.write(data)
            file.flush()
            done = subprocess.run([BIN / "snapinfo", file.name], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)
        self.assertEqual((done.returncode, done.stdout), (2, b""))
        self.assertIn(b"offset %d: truncated" % len(data), done.stderr)


if __name__ == "__main__":
    unittest.main()
