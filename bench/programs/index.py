"""Inverted index: each word with the files that it is in, by lines and by whole files."""

import mapreduce as mr


class Index(mr.Job):
    """Yields the file for each word; the files come in order, so that the list is sorted."""

    def map(self, line):
        file = self.input.file
        for word in line.split():
            yield word, file

    reduce = mr.Unique()


class OfFiles(mr.Job):
    """The same where a record is the text of a file, so that each word is yielded once: with `--format wholefile`.

    It gathers words line by line, as the program by hand does.
    """

    def map(self, text):
        file = self.input.file
        words = set()
        for line in text.split("\n"):
            words.update(line.split())
        for word in words:
            yield word, file

    reduce = mr.Unique()
