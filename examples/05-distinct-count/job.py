"""Count the distinct visitors of each page."""

import mapreduce as mr


class Visitors(mr.Job):
    """Yields (page, visitor); what is left after the combiner may still repeat, so reduce looks again."""

    def map(self, line):
        page, visitor = line.split()
        yield page, visitor

    def combine(self, page, visitors):
        for visitor in sorted(set(visitors)):
            yield page, visitor

    def reduce(self, page, visitors):
        yield page, len(set(visitors))
