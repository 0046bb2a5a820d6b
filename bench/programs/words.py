"""Word count, as a user would write it: by pairs, and by keys alone."""

import mapreduce as mr


class Pairs(mr.Job):
    """Yields a pair for each word."""

    def map(self, line):
        for word in line.split():
            yield word, 1

    reduce = mr.Sum()


class Keys(mr.Job):
    """Returns the words of a line as they are."""

    def map(self, line):
        return line.split()

    reduce = mr.Count()
