"""The word count that the benchmarks run."""

import mapreduce as mr


class WordCount(mr.Job):
    """Counts what white space separates."""

    def map(self, line):
        for word in line.split():
            yield word, 1

    reduce = mr.Sum()
