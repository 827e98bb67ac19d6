"""Globs: the library answers as CPython does, fnmatch for the matching and tracemalloc.Filter for what stands
around it, on random pairs, on hand-picked ones and on the fuzz corpus."""

import fnmatch
import random
import re
import subprocess
import tracemalloc
import unittest

from decoders import BUILD, ROOT

LINE = 7  # of every name, see match_c.c
# Units of random globs and names: characters of two to four bytes, bytes that are none, and sequences that
# end too early, are overlong, surrogates or too large.
UNITS = ([bytes([c]) for c in b"**??[[]]!!--\\^&~|.ab/\n"] + ["é".encode(), "€".encode(), "\U0001f40d".encode()]
         + [b"\x80", b"\xff", b"\xe2\x82", b"\xf0\x9f\x90", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe0\x9f\xbf",
            b"\xf0\x8f\xbf\xbf", b"\xf8\x88\x80\x80\x80"])
PAIRS = 40000

HAND_PICKED = [
    # whole names; '*' crosses everything
    (b"a.py", b"/x/a.py"), (b"*/a.py", b"/x/y/a.py"), (b"*", b""), (b"*", b"a\nb/c"), (b"?", b"\n"), (b"?", b""), (b"", b""),
    (b"", b"a"), (b"**", b""), (b"***a***", b"a"), (b"*a*a*a*", b"aa"), (b"*ab", b"aab"), (b"a*b*c", b"abcbc"),
    (b"*?", b""), (b"?*?", b"a"), (b"?*?", b"ab"), (b"A", b"a"),
    # code points
    (b"?", "é".encode()), (b"??", "é".encode()), (b"?", b"\xff"), (b"??", b"\xe2\x82"), (b"?", b"\xe2\x82"),
    (b"\xe2\x82*", "€".encode()), (b"*\xac", "€".encode()), (b"[\x80-\xff]", b"\xc3"), (b"[\x80-\xff]", "é".encode()),
    ("[à-ü]".encode(), "é".encode()), (b"?", b"\xed\xa0\x80"), (b"\xe9", b"\xed\xb3\xa9"), (b"\xed\xb3\xa9", b"\xe9"), (b"??", b"\xc0\x80"), (b"????", b"\xf4\x90\x80\x80"),
    (b"?", b"\xf4\x8f\xbf\xbf"), ("*é".encode(), "aé".encode()), (b"?a", b"\xe2\x82a"), (b"??a", b"\xe2\x82a"),
    ("[!€]".encode(), b"\xe2"),
    # sets
    (b"[abc]", b"b"), (b"[!abc]", b"b"), (b"[!abc]", b"d"), (b"[^abc]", b"^"), (b"[^abc]", b"d"), (b"[]a]", b"]"), (b"[]", b"[]"),
    (b"[!]", b"[!]"), (b"[!]a]", b"]"), (b"[!]a]", b"b"), (b"[]-a]", b"_"), (b"[a", b"[a"), (b"a[", b"a["), (b"[[]", b"["),
    (b"[[a]b]", b"[b]"), (b"[a]]", b"a]"), (b"[*]", b"*"), (b"[?]", b"a"), (b"[!!]", b"!"), (b"[!!]", b"a"), (b"[a!]", b"!"),
    (b"\\*", b"\\abc"), (b"[\\]", b"\\"), (b"[\\]]", b"\\]"), (b"[[:alpha:]]", b"a]"), (b"[a&&b]", b"&"), (b"[a~~b]", b"~"),
    (b"[a||b]", b"|"), (b"[&-~]", b"a"), (b"[!\n]", b"\n"), (b"[!a]", b"\n"),
    # ranges
    (b"[a-c]", b"b"), (b"[a-]", b"-"), (b"[-a]", b"-"), (b"[--a]", b"."), (b"[a--]", b"-"), (b"[a--]", b"a"), (b"[!-]", b"-"),
    (b"[!--a]", b"b"), (b"[-]", b"-"), (b"[---]", b"-"), (b"[a-c-e]", b"d"), (b"[a-c-e]", b"-"), (b"[a-cd-f]", b"e"),
    (b"[b-a]", b"b"), (b"[b-a]", b""), (b"[!b-a]", b"x"), (b"[!b-a]", b"\n"), (b"[!b-a]", b""), (b"[xb-a]", b"x"),
    (b"[xb-a]", b"b"), (b"[b-ax]", b"x"), (b"[c-bd-a]", b"c"), (b"[cb-ad]", b"d"), (b"x[b-a]*", b"xb"),
    # a '!' that only comes first when a reversed range has gone
    (b"[b-a!]", b"!"), (b"[b-a!]", b"x"), (b"[b-a!x]", b"x"), (b"[b-a!x]", b"y"), (b"[b-a!-z]", b"a"), (b"[b-a!-z]", b"-"),
    (b"[b-a!-z]", b"z"), (b"[b-a!-!]", b"!"), (b"[b-a!-!]", b"-"), (b"[b-a!-!]", b"a"), (b"[b-a!!]", b"!"), (b"[b-a!!]", b"a"),
    (b"[!b-a!x]", b"!"), (b"[!b-a!x]", b"a"), (b"[b-a^x]", b"^"), (b"[b-a^x]", b"a"), (b"[b-a]]", b"]"), (b"[b-a[]", b"["),
    (b"[b-ad-c!e]", b"e"), (b"[b-ad-c!e]", b"f"), (b"[!-a]", b"a"), (b"[!-a]", b"b"), (b"[!--]", b"-"),
]

AROUND = [
    (b"a.pyc", b"a.py"), (b"a.py", b"a.pyc"), (b"a.pyc", b"a.pyc"), (b"*.pyc", b"a.py"), (b"*c", b"a.pyc"), (b"*.pyo", b"a.pyo"),
    (b"*.pyo", b"a.py"), (b".pyc", b".py"), (b"pyc", b"pyc"), (b"a.pycc", b"a.pyc"), (b"[a].pyc", b"a.py"), (b"*.pyc*", b"a.pyc"),
    (b"a.py:7", b"a.py"), (b"a.py:8", b"a.py"), (b"a.py:007", b"a.py"), (b"a.pyc:7", b"a.py"), (b"a:7:7", b"a:7"),
    (b"a:7:8", b"a:7"), (b"a:7", b"a:7"), (b":7", b":7"), (b":7", b""), (b"a:", b"a:"), (b"a:b7", b"a:b7"), (b"a:7b", b"a:7b"),
    (b"a[:]7", b"a:7"), (b"a[:]7", b"a"), (b"a:4294967303", b"a:4294967303"), (b"a:4294967303", b"a"), (b"a:4294967295", b"a"),
    (b"*:0", b"a"), (b"*:7", b"a"), (b"<unknown>:7", b"<unknown>"), (b"[ab:7]", b"a"), (b"[ab:7", b"[ab"),
    (b"a:00000000000000000000000000000007", b"a"), (b"a:-7", b"a:-7"), (b"a:+7", b"a:+7"), (b"a:7 ", b"a:7 "),
    ("a:٧".encode(), "a:٧".encode()),
]


def by_library(pairs):
    """One of '0', '1', '!' for each."""
    given = b"".join(glob + b"\0" + name + b"\0" for glob, name in pairs)
    done = subprocess.run([BUILD / "tests/oracle/match_c"], input=given, stdout=subprocess.PIPE, check=True)
    return done.stdout.decode()


def text(raw):
    """Surrogates stand in names of a pickle as "surrogatepass" writes them; all else is surrogateescape."""
    parts = re.split(rb"(\xed[\xa0-\xbf][\x80-\xbf])", raw)
    return "".join(part.decode("utf-8", ("surrogateescape", "surrogatepass")[i % 2]) for i, part in enumerate(parts))


def by_fnmatch(glob, name):
    return str(int(fnmatch.fnmatchcase(text(name), text(glob))))


def by_filter(glob, name):
    """Whether tracemalloc's own filter picks the frame, once GLOB:LINE is taken apart."""
    line = re.fullmatch(rb"(.+):([0-9]+)", glob, re.S)
    if line and int(line[2]) < 1 << 32:
        picks = tracemalloc.Filter(True, text(line[1]), lineno=int(line[2]))
    else:
        picks = tracemalloc.Filter(True, text(glob))
    return str(int(picks._match_frame(text(name), LINE)))


def random_text(rng, units, most):
    return b"".join(rng.choice(units) for _ in range(rng.randrange(most + 1)))


def random_pair(rng):
    """Half of the names are made from the glob, or most would not match."""
    units = rng.choice((UNITS, UNITS, UNITS[:22], [b"*", b"?", b"a", b"b"], [b"[", b"]", b"!", b"-", b"a", b"b", b"^", b"*"]))
    glob = random_text(rng, units, 12)
    if rng.randrange(3) == 0:
        inside = random_text(rng, [b"-", b"-", *(bytes([c]) for c in b"!abc][\\^\x80\xff"), "é".encode()], 9)
        glob = random_text(rng, units, 2) + b"[" + rng.choice((b"", b"!")) + inside + b"]" + random_text(rng, units, 2)
    if rng.randrange(2):
        return glob, random_text(rng, UNITS, 6)
    name = glob.replace(b"*", random_text(rng, UNITS, 2)).replace(b"?", rng.choice(UNITS))
    name = re.sub(rb"\[.*?\]", lambda _: rng.choice((b"a", b"b", b"-", b"!", b"\x80", "é".encode())), name, flags=re.S)
    return glob, name


def corpus_pairs():
    """As fuzz_glob.c reads its input: a glob, a zero byte, a name. CPython knows no presets."""
    for path in sorted((ROOT / "testdata/corpus/glob").iterdir()):
        glob, _, name = path.read_bytes().partition(b"\0")
        if not glob.startswith(b"@"):
            yield glob, name.partition(b"\0")[0]


class Globs(unittest.TestCase):
    def compare(self, pairs, reference):
        pairs = list(pairs)
        answers = by_library(pairs)
        self.assertEqual(len(answers), len(pairs))
        wrong = [(glob, name, answer) for (glob, name), answer in zip(pairs, answers) if answer != reference(glob, name)]
        self.assertEqual(wrong[:10], [])
        return answers

    def test_hand_picked(self):
        self.compare(HAND_PICKED, by_fnmatch)

    def test_lines_and_pyc(self):
        self.compare(AROUND, by_filter)

    def test_random(self):
        rng = random.Random(20260702)
        answers = self.compare((random_pair(rng) for _ in range(PAIRS)), by_fnmatch)
        self.assertGreater(answers.count("1"), PAIRS // 10, "pairs that match nothing try nothing")
        self.assertGreater(answers.count("0"), PAIRS // 10)

    def test_decoding(self):
        """Every sequence of up to three bytes from where decoding branches: as many '?' as code points."""
        rng = random.Random(3)
        edges = [0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef, 0xf0,
                 0xf1, 0xf3, 0xf4, 0xf5, 0xff]
        names = [bytes((a, b, c)) for a in edges for b in edges for c in edges]
        names += [bytes(rng.choice(edges) for _ in range(5)) for _ in range(4000)]
        names += [bytes((a, b, c, 0x80)) for a in (0xf0, 0xf1, 0xf4) for b in edges for c in edges]
        counts = [len(text(name)) for name in names]
        self.assertEqual(set(by_library([(b"?" * n, name) for n, name in zip(counts, names)])), {"1"})
        self.assertEqual(set(by_library([(name, name) for name in names])), {"1"})

    def test_corpus(self):
        self.assertGreater(len(self.compare(corpus_pairs(), by_filter)), 30)

    def test_time_does_not_explode(self):
        many = b"a" * 60000
        self.assertEqual(by_library([(b"*a" * 30 + b"*b*", many), (b"*" + b"a" * 2000 + b"b*", many), (b"[" * 60000, b"["),
                                     (b"[a]*" * 15000, many)]), "0001")


if __name__ == "__main__":
    unittest.main()
