"""Find the lines of a text that match a pattern, with file and offset of each."""

import re

import mapreduce as mr


class Grep(mr.Job):
    """Yields (place, line) for every line that holds the pattern; counts both kinds of lines."""

    class Params:
        pattern: str
        ignore_case: bool = False

    def setup(self):
        self.search = re.compile(self.params.pattern, re.IGNORECASE if self.params.ignore_case else 0).search

    def map(self, line):
        self.counters["lines"] += 1
        if self.search(line):
            self.counters["matches"] += 1
            yield f"{self.input.file}:{self.input.offset}", line
