"""The fuzz corpus of the reader: both decoders take and refuse the same files, for the same reason at the same
offset, and read the same rows and digests in them."""

import unittest

from decoders import ROOT, disagreements


class Corpus(unittest.TestCase):
    def test_reader(self):
        files = sorted(path for path in (ROOT / "testdata/corpus/reader").rglob("*") if path.is_file())
        self.assertGreater(len(files), 0, "there is no corpus")
        self.assertEqual(disagreements(files), [])


if __name__ == "__main__":
    unittest.main()
