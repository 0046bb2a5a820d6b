"""The jobs of this package."""

import mapreduce as mr
from wordtools import letters


class Longest(mr.Job):
    """Yields (first letter, word); the longest word of each letter, and of equal ones the first by the alphabet."""

    def map(self, line):
        for word in letters.words(line):
            yield word[0], [-len(word), word]

    def reduce(self, letter, words):
        yield letter, min(words)[1]
