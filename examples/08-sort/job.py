"""Sort requests by how long they took, the slowest first."""

import mapreduce as mr


class Slowest(mr.Job):
    """Yields (milliseconds, page); nothing is summed up, so every request comes out again."""

    descending = True

    def map(self, line):
        page, milliseconds = line.split()
        yield int(milliseconds), page

    reduce = mr.Each()
