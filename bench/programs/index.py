"""Inverted index: each word with the files that it is in."""

import mapreduce as mr


class Index(mr.Job):
    """Yields the file for each word; the files come in order, so that the list is sorted."""

    def map(self, line):
        file = self.input.file
        for word in line.split():
            yield word, file

    reduce = mr.Unique()
