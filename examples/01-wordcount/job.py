"""Count the words of a text: runs of letters, whatever their case."""

import re

import mapreduce as mr

WORD = re.compile(r"[^\W\d_]+")


class WordCount(mr.Job):
    """Yields (word, 1) for every word; Sum adds the ones up, on both sides of the shuffle."""

    def map(self, line):
        for word in WORD.findall(line.lower()):
            yield word, 1

    reduce = mr.Sum()
