"""Text: splitting, counting, joining and formatting of words."""

import collections
import re

TEXT = "It was the best of times, it was the worst of times, it was the age of wisdom %d; it was the age of %s."


def main():
    counts = collections.Counter()
    lines = []
    for number in range(160000):
        line = TEXT % (number % 1000, "x" * (number % 13))
        words = [word.strip(",;.").lower() for word in line.split()]
        counts.update(words)
        lines.append(" ".join(sorted(words))[: 20 + number % 30])
        if len(lines) > 2000:
            lines = [re.sub(r"\d+", "#", line) for line in lines[-200:]]
    assert counts["it"] == 640000


main()
