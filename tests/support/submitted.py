"""What the tests of `mapreduce submit` submit, with and without a real API server."""

WORD_COUNT = """import mapreduce as mr


class WordCount(mr.Job):
    def map(self, line):
        for word in line.split():
            yield word, 1

    reduce = mr.Sum()
"""
