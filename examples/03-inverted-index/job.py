"""For every word, the files that hold it."""

import re

import mapreduce as mr

WORD = re.compile(r"[^\W\d_]+")


class Index(mr.Job):
    """Yields (word, file) once a line; Unique keeps each file once a word, in the order of the input."""

    def map(self, line):
        for word in sorted(set(WORD.findall(line.lower()))):
            yield word, self.input.file

    reduce = mr.Unique()
