"""Jobs over records `KEY TAB VALUE`."""

import mapreduce as mr


class Identity(mr.Job):
    """Every record goes through the shuffle and comes out as it was."""

    def map(self, line):
        key, _, value = line.partition("\t")
        yield key, value

    def reduce(self, key, values):
        for value in values:
            yield key, value


class Sort(mr.Job):
    """The records by their keys."""

    def map(self, line):
        key, _, value = line.partition("\t")
        yield key, value

    reduce = mr.Each()


class Through(mr.Job):
    """The same without a shuffle: what reading, mapping and writing cost by themselves."""

    def map(self, line):
        key, _, value = line.partition("\t")
        yield key, value


class Total(mr.Job):
    """Adds up the numbers that values begin with."""

    def map(self, line):
        key, _, value = line.partition("\t")
        yield key, int(value[:8])

    reduce = mr.Sum()


class Gather(mr.Job):
    """Gathers all values of a key."""

    def map(self, line):
        key, _, value = line.partition("\t")
        yield key, value

    reduce = mr.Collect()
