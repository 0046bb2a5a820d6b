"""Features of the program: what a job may define, and the reducers that come with the package."""

from __future__ import annotations

from tests.support.features.case import Case

NUMBERS = {"a.txt": b"x 3\ny 10\nx 1\n", "b.txt": b"x 2\nz 7\ny 10\n"}
ONE_A_SPLIT = {"split-size": "12"}


def _reduced(name: str, expression: str, output: bytes) -> Case:
    program = f"""
import mapreduce as mr

class Reduced(mr.Job):
    def map(self, line):
        key, value = line.split()
        yield key, int(value)

    reduce = {expression}
"""
    return Case(
        feature=f"reducer {name}",
        program=program,
        files=NUMBERS,
        output={"output.tsv": output},
        options=ONE_A_SPLIT,
    )


COUNT = """
import mapreduce as mr

class Words(mr.Job):
    def map(self, line):
        return line.split()

    reduce = mr.Count()
"""

PARAMS = """
import mapreduce as mr

class Longer(mr.Job):
    class Params:
        least: int
        suffix: str = "!"

    def map(self, line):
        for word in line.split():
            if len(word) >= self.params.least:
                yield word + self.params.suffix, 1

    reduce = mr.Sum()
"""

COUNTERS = """
import mapreduce as mr

class Counting(mr.Job):
    def map(self, line):
        if not line:
            self.counters["empty lines"] += 1
        for word in line.split():
            self.counters["words"] += 1
            yield word, 1

    def reduce(self, word, ones):
        self.counters["keys"] += 1
        yield word, sum(ones)
"""

INPUT = """
import mapreduce as mr

class Where(mr.Job):
    def map(self, line):
        for word in line.split():
            yield word, f"{self.input.file}:{self.input.offset}"

    def reduce(self, word, places):
        yield word, ",".join(sorted(places))
"""

PROGRESS = """
import mapreduce as mr

class Slow(mr.Job):
    def map(self, line):
        self.progress()
        yield line, 1

    def reduce(self, line, ones):
        self.progress()
        yield line, sum(ones)
"""

MAP_ONLY = """
import mapreduce as mr

class Upper(mr.Job):
    def map(self, line):
        yield line.upper(), len(line)
"""

PARTITION = """
import mapreduce as mr

class ByLetter(mr.Job):
    def partition(self, key, n):
        return 0 if key < "m" else 1

    def map(self, line):
        for word in line.split():
            yield word, 1

    reduce = mr.Sum()
"""

SORT_VALUES = """
import mapreduce as mr

class Sorted(mr.Job):
    sort_values = True

    def map(self, line):
        key, value = line.split()
        yield key, int(value)

    def reduce(self, key, values):
        yield key, list(values)
"""

DESCENDING = """
import mapreduce as mr

class Descending(mr.Job):
    descending = True
    sort_values = "descending"

    def map(self, line):
        key, value = line.split()
        yield key, int(value)

    def reduce(self, key, values):
        yield key, list(values)
"""

FUNCTIONS = """
def map(line):
    for word in line.split():
        yield word, 1

def reduce(word, ones):
    yield word, sum(ones)
"""

COMBINE = """
import mapreduce as mr

class Combined(mr.Job):
    def map(self, line):
        for word in line.split():
            yield word, [1, len(word)]

    def combine(self, word, pairs):
        pairs = list(pairs)
        yield word, [sum(count for count, _ in pairs), pairs[0][1]]

    def reduce(self, word, pairs):
        pairs = list(pairs)
        yield word, sum(count for count, _ in pairs) * pairs[0][1]
"""

LIFE = """
import mapreduce as mr

class Life(mr.Job):
    def setup(self):
        self.prefix = "set up:"

    def teardown(self):
        self.counters["torn down"] += 1

    def map(self, line):
        yield self.prefix + line, 1

    reduce = mr.Sum()
"""

SIDE_FILES = """
import mapreduce as mr
import words_of_ours

class Kept(mr.Job):
    def setup(self):
        self.stop = set(self.file("stop.txt").read_text().split())

    def map(self, line):
        for word in words_of_ours.words(line):
            if word not in self.stop:
                yield word, 1

    reduce = mr.Sum()
"""

FAILING = """
import mapreduce as mr

class Failing(mr.Job):
    def map(self, line):
        if line == "bad":
            raise ValueError("this line is bad")
        yield line, 1

    reduce = mr.Sum()
"""

TEXTS = {"a.txt": b"one two\n\ntwo three\n", "b.txt": b"three three\none\n"}

CASES = [
    _reduced("Sum", "mr.Sum()", b"x\t6\ny\t20\nz\t7\n"),
    _reduced("Min", "mr.Min()", b"x\t1\ny\t10\nz\t7\n"),
    _reduced("Max", "mr.Max()", b"x\t3\ny\t10\nz\t7\n"),
    _reduced("Mean", "mr.Mean()", b"x\t2.0\ny\t10.0\nz\t7.0\n"),
    _reduced("Top", "mr.Top(2)", b"x\t[3,2]\ny\t[10,10]\nz\t[7]\n"),
    _reduced("Unique", "mr.Unique()", b"x\t[3,1,2]\ny\t[10]\nz\t[7]\n"),
    _reduced("Collect", "mr.Collect()", b"x\t[3,1,2]\ny\t[10,10]\nz\t[7]\n"),
    _reduced("Each", "mr.Each()", b"x\t3\nx\t1\nx\t2\ny\t10\ny\t10\nz\t7\n"),
    _reduced("First", "mr.First()", b"x\t3\ny\t10\nz\t7\n"),
    Case(
        feature="reducer Count",
        program=COUNT,
        files=TEXTS,
        output={"output.tsv": b"one\t2\nthree\t3\ntwo\t2\n"},
        options=ONE_A_SPLIT,
    ),
    Case(
        feature="parameters",
        program=PARAMS,
        files=TEXTS,
        params={"least": "4"},
        output={"output.tsv": b"three!\t3\n"},
    ),
    Case(
        feature="counters",
        program=COUNTERS,
        files=TEXTS,
        options=ONE_A_SPLIT,
        output={"output.tsv": b"one\t2\nthree\t3\ntwo\t2\n"},
        counters={"empty lines": 1, "words": 7, "keys": 3},
    ),
    Case(
        feature="self.input",
        program=INPUT,
        files=TEXTS,
        options={"split-size": "10"},
        output={"output.tsv": b"one\ta.txt:0,b.txt:12\nthree\ta.txt:9,b.txt:0,b.txt:0\ntwo\ta.txt:0,a.txt:9\n"},
    ),
    Case(feature="self.progress", program=PROGRESS, files={"a.txt": b"a\na\n"}, output={"output.tsv": b"a\t2\n"}),
    Case(
        feature="map-only job",
        program=MAP_ONLY,
        files={"a.txt": b"zeta\nalpha\n", "b.txt": b"beta\n"},
        options={"split-size": "6"},
        output={"output.tsv": b"ZETA\t4\nALPHA\t5\nBETA\t4\n"},
    ),
    Case(
        feature="partition",
        program=PARTITION,
        files={"a.txt": b"zebra ant bee\nyak bee\n"},
        options={"merge": "none", "reducers": "2"},
        output={"part-r-00000.tsv": b"ant\t1\nbee\t2\n", "part-r-00001.tsv": b"yak\t1\nzebra\t1\n"},
    ),
    Case(
        feature="sort_values",
        program=SORT_VALUES,
        files=NUMBERS,
        options=ONE_A_SPLIT,
        output={"output.tsv": b"x\t[1,2,3]\ny\t[10,10]\nz\t[7]\n"},
    ),
    Case(
        feature="descending",
        program=DESCENDING,
        files=NUMBERS,
        options=ONE_A_SPLIT,
        output={"output.tsv": b"z\t[7]\ny\t[10,10]\nx\t[3,2,1]\n"},
    ),
    Case(
        feature="plain functions",
        program=FUNCTIONS,
        files=TEXTS,
        output={"output.tsv": b"one\t2\nthree\t3\ntwo\t2\n"},
    ),
    Case(
        feature="combine",
        program=COMBINE,
        files=TEXTS,
        options=ONE_A_SPLIT,
        output={"output.tsv": b"one\t6\nthree\t15\ntwo\t6\n"},
    ),
    Case(
        feature="setup and teardown",
        program=LIFE,
        files={"a.txt": b"a\n"},
        options={"reducers": "1"},
        output={"output.tsv": b"set up:a\t1\n"},
        counters={"torn down": 2},
    ),
    Case(
        feature="side files",
        program=SIDE_FILES,
        files=TEXTS,
        side_files={
            "words_of_ours.py": b"def words(line):\n    return line.split()\n",
            "stop.txt": b"one two\n",
        },
        output={"output.tsv": b"three\t3\n"},
    ),
    Case(
        feature="failed tasks left out",
        program=FAILING,
        files={"a.txt": b"good\n", "b.txt": b"bad\n"},
        options={"split-size": "5", "max-failed-tasks": "1"},
        output={"output.tsv": b"good\t1\n"},
    ),
]
