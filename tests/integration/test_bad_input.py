"""Bad input for each feature, in both local modes: the right answer, or an error that says what, where, what to do."""

import gzip
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zstandard

from tests.support.local_runs import finished, hidden, running, succeeded, write_program
from tests.support.parquet_files import parquet

MODES = pytest.mark.parametrize("mode", [("--workers", "1"), ("--sequential",)], ids=["local", "sequential"])

LINES = """
import mapreduce as mr

class Lines(mr.Job):
    def map(self, line):
        yield line, 1

    reduce = mr.Sum()
"""

PAIRS = """
import mapreduce as mr

class Pairs(mr.Job):
    {extra}

    def map(self, line):
        yield {pair}

    def reduce(self, key, values):
        yield key, list(values)
"""


def program(pair: str = "line, 1", extra: str = "pass") -> str:
    """Return a program that maps each line to one pair, with something more in its class."""
    return PAIRS.format(pair=pair, extra=extra.replace("\n", "\n    "))


class Bad(msgspec.Struct, frozen=True, kw_only=True):
    """One job that cannot end well, and what its user reads."""

    name: str
    files: dict[str, bytes]
    says: tuple[str, ...]
    source: str = LINES
    options: tuple[str, ...] = ()
    status: int = 1


GZ = gzip.compress(b"one line\n" * 2000, mtime=0)
ZST = zstandard.compress(b"one line\n" * 2000)
BOMB = gzip.compress(b"short\n" + b"x" * (64 << 20), mtime=0)
TYPED = """
import mapreduce as mr
import polars as pl

class Lines(mr.Job):
    def map_batch(self, batch):
        return batch.select(key="value", value="value")

    reduce = mr.Sum()
"""
BATCHES = """
import mapreduce as mr
import polars as pl

class Batches(mr.Job):
    def map_batch(self, batch):
        return batch.select(key=pl.col("size"), value=pl.col("offset"))

    reduce = mr.Sum()
"""
LARGE = parquet([("x", 1), ("y", 2**63)], rows=1)
PARAMS = "class Params:\n    least: int"

BAD = [
    Bad(name="gzip cut short", files={"a.gz": GZ[:-9]}, says=("a.gz", "cut short|truncated|ends")),
    Bad(name="gzip damaged", files={"a.gz": GZ[:40] + b"\xff" * 20 + GZ[60:]}, says=("a.gz",)),
    Bad(name="no gzip at all", files={"a.gz": b"plain text\n"}, says=("a.gz", "gzip")),
    Bad(name="zstd cut short", files={"a.zst": ZST[:-3]}, says=("a.zst", "cut short|truncated|ends")),
    Bad(
        name="jsonl that is no JSON",
        files={"a.jsonl": b'{"a":1}\n{"a":}\n'},
        source=program("str(line), 1"),
        options=("--format", "jsonl"),
        says=(r"a\.jsonl:8", "column 6|byte 5|character 6"),
    ),
    Bad(
        name="csv row with too many fields",
        files={"a.csv": b"name,size\n1,2\n1,2,3\n"},
        source=program("row['size'], 1").replace("line", "row"),
        options=("--format", "csv"),
        says=(r"a\.csv:14", "3 fields", "2 columns", "--skip-bad-records"),
    ),
    Bad(
        name="csv quote that is not closed",
        files={"a.csv": b'name,size\n1,"2\n1,2\n'},
        source=program("row['size'], 1").replace("line", "row"),
        options=("--format", "csv"),
        says=(r"a\.csv:10", "character 3", "the quote is not closed"),
    ),
    Bad(
        name="csv with one column twice",
        files={"a.csv": b"name,size,name\n1,2,3\n"},
        source=program("row['size'], 1").replace("line", "row"),
        options=("--format", "csv", "--skip-bad-records", "9"),
        says=(r"a\.csv:0", "two columns are called 'name'"),
    ),
    Bad(
        name="csv in a large file with an endless quote",
        files={"a.csv": b'name,size\n1,"2\n' + b"1,2\n" * 200},
        source=program("row['size'], 1").replace("line", "row"),
        options=("--format", "csv", "--max-record", "100", "--split-size", "160"),
        says=(r"a\.csv:10", "longer than 100 bytes", "maxRecordBytes", "is a quote in it not closed"),
    ),
    Bad(
        name="parquet cut short",
        files={"a.parquet": parquet([("x", 1)])[:-20]},
        source=program("row['size'], 1").replace("line", "row"),
        options=("--format", "parquet"),
        says=(r"a\.parquet", "cut short or damaged", "does not end with PAR1"),
    ),
    Bad(
        name="parquet cut short and divided",
        files={"a.parquet": parquet([("x", 1)])[:-20]},
        source=program("row['size'], 1").replace("line", "row"),
        options=("--format", "parquet", "--split-size", "10"),
        says=(r"a\.parquet", "cut short or damaged", "does not end with PAR1"),
    ),
    Bad(
        name="csv row with too many fields in a batch",
        files={"a.csv": b"name,size\n1,2\n1,2,3\n"},
        source=BATCHES,
        options=("--format", "csv"),
        says=(r"a\.csv:14", "3 fields", "2 columns", "--skip-bad-records"),
    ),
    Bad(
        name="parquet with a damaged page in a batch",
        files={"a.parquet": LARGE[:8] + b"\xff" * 20 + LARGE[28:]},
        source=BATCHES,
        options=("--format", "parquet", "--skip-bad-records", "9"),
        says=(r"a\.parquet:4", "cannot be read as parquet, at byte 4"),
    ),
    Bad(
        name="column of keys beyond 64 bits in a batch",
        files={"a.parquet": LARGE},
        source=BATCHES,
        options=("--format", "parquet"),
        says=(r"a\.parquet:1", "9223372036854775808 does not fit in 64 bits"),
    ),
    Bad(
        name="record too long in a batch",
        files={"a.txt": b"short\n" + b"x" * 2000 + b"\n"},
        source=BATCHES,
        options=("--max-record", "1000"),
        says=(r"a\.txt:6|byte 6 of a\.txt", "1000", "max-record"),
    ),
    Bad(
        name="value of another type in a batch",
        files={"a.txt": b"a\nb\n"},
        source=TYPED,
        says=(r"a\.txt:0 to a\.txt:2, row 0 of what map_batch returned", "Sum adds numbers, not str"),
    ),
    Bad(
        name="line that a small file expands to",
        files={"a.txt.gz": BOMB},
        options=("--max-record", "1Mi"),
        says=(r"a\.txt\.gz:6|byte 6 of a\.txt\.gz", "1048576", "max-record"),
    ),
    Bad(
        name="line that a small file expands to in a batch",
        files={"a.txt.gz": BOMB},
        source=TYPED,
        options=("--max-record", "1Mi"),
        says=(r"a\.txt\.gz:6|byte 6 of a\.txt\.gz", "1048576", "max-record"),
    ),
    Bad(
        name="half a pair of surrogates in json",
        files={"a.jsonl": b'{"k": "a"}\n{"k": "\\ud800"}\n'},
        source=LINES.replace("line, 1", "line['k'], 1"),
        options=("--format", "jsonl"),
        says=(r"a\.jsonl:11", "pair of surrogates", "column 8"),
    ),
    Bad(
        name="half a pair of surrogates in a batch",
        files={"a.txt": b"a\nb\xed\xa0\x80\n"},
        source=TYPED,
        says=(r"a\.txt:2", "byte 0xed at offset 3", "not valid UTF-8"),
    ),
    Bad(
        name="no parquet at all",
        files={"a.parquet": b"name,size\n1,2\n"},
        source=program("row['size'], 1").replace("line", "row"),
        options=("--format", "parquet"),
        says=(r"a\.parquet:0", "does not begin with PAR1"),
    ),
    Bad(
        name="record too long",
        files={"a.txt": b"short\n" + b"x" * 2000 + b"\n"},
        options=("--max-record", "1000"),
        says=(r"a\.txt:6|byte 6 of a\.txt", "1000", "max-record"),
    ),
    Bad(
        name="whole file too long",
        files={"a.txt": b"x" * 2000},
        options=("--format", "wholefile", "--max-record", "1000"),
        says=("a.txt", "1000"),
    ),
    Bad(
        name="combiner that changes the key",
        files={"a.txt": b"a\na\n"},
        source=program(extra="def combine(self, key, values):\n    yield key + '!', sum(values)"),
        says=("combine", "key 'a'|'a!'"),
    ),
    Bad(
        name="partition out of range",
        files={"a.txt": b"a\n"},
        source=program(extra="def partition(self, key, n):\n    return n"),
        says=("partition", "'a'", "8"),
    ),
    Bad(
        name="partition that is no number",
        files={"a.txt": b"a\n"},
        source=program(extra="def partition(self, key, n):\n    return None"),
        says=("partition", "'a'", "None"),
    ),
    Bad(
        name="value that cannot be carried",
        files={"a.txt": b"a\n"},
        source=program("line, object()"),
        says=("object", r"a\.txt:0"),
    ),
    Bad(name="key of 65 bits", files={"a.txt": b"a\n"}, source=program("2 ** 64, 1"), says=("64", r"a\.txt:0")),
    Bad(
        name="values that have no order",
        files={"a.txt": b"a\n"},
        source=program("line, {}", extra="sort_values = True"),
        says=("sort_values", "dict"),
    ),
    Bad(
        name="parameter that is missing",
        files={"a.txt": b"a\n"},
        source=program(extra=PARAMS),
        says=("least", "int"),
        status=2,
    ),
    Bad(
        name="parameter of another type",
        files={"a.txt": b"a\n"},
        source=program(extra=PARAMS),
        options=("--param", "least=three"),
        says=("least", "int", "three"),
        status=2,
    ),
    Bad(
        name="parameter that nobody knows",
        files={"a.txt": b"a\n"},
        source=program(extra=PARAMS),
        options=("--param", "least=3", "--param", "most=4"),
        says=("most", "least"),
        status=2,
    ),
    Bad(
        name="counter that is no number",
        files={"a.txt": b"a\n"},
        source=program(extra="def setup(self):\n    self.counters['x'] = 'y'"),
        says=("counter", "'x'", "str"),
    ),
    Bad(
        name="too many counters",
        files={"a.txt": b"a\n"},
        source=program(extra="def setup(self):\n    for n in range(51):\n        self.counters[f'{n}'] += 1"),
        says=("counters", "50"),
    ),
    Bad(
        name="side file that is not there",
        files={"a.txt": b"a\n"},
        source=program(extra="def setup(self):\n    self.file('stop.txt')"),
        says=(r"stop\.txt", "--files"),
    ),
    Bad(
        name="module that is not there",
        files={"a.txt": b"a\n"},
        source="no.such.module",
        says=("no.such.module|'no'",),
        status=2,
    ),
]


@MODES
@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.name.replace(" ", "-"))
def test_what_is_wrong_is_said_with_its_place(tmp_path: Path, bad: Bad, mode: tuple[str, ...]) -> None:
    write(tmp_path, bad.files)
    name: Any = write_program(tmp_path, bad.source) if "\n" in bad.source else bad.source
    status, stdout, stderr = finished(tmp_path, name, "in", "--output", "out", *mode, *bad.options)
    assert status == bad.status, stderr
    assert stdout == ""
    for text in bad.says:
        assert any(word in stderr for word in text.replace("\\", "").split("|")), f"{text!r} is not in:\n{stderr}"
    assert "mapreduce_worker" not in stderr
    assert "mapreduce_cli" not in stderr
    assert not (tmp_path / "out").exists()


@MODES
def test_nan_minus_zero_and_sixty_four_bits_have_their_place_in_the_order(
    tmp_path: Path, mode: tuple[str, ...]
) -> None:
    write(tmp_path, {"a.txt": b"nan\n-0.0\n0.0\n-inf\n1e300\nnan\n"})
    succeeded(tmp_path, write_program(tmp_path, program("float(line), 1")), "in", "--output", "floats", *mode)
    expected = b"-Infinity\t[1]\n0.0\t[1,1]\n1e+300\t[1]\nNaN\t[1,1]\n"
    assert (tmp_path / "floats" / "output.tsv").read_bytes() == expected
    write(tmp_path, {"a.txt": b"9223372036854775807\n-9223372036854775808\n0\n"})
    succeeded(tmp_path, write_program(tmp_path, program("int(line), 2 ** 80")), "in", "--output", "ints", *mode)
    rows = [row.split(b"\t")[0] for row in (tmp_path / "ints" / "output.tsv").read_bytes().split(b"\n")[:-1]]
    assert rows == [b"-9223372036854775808", b"0", b"9223372036854775807"]


@MODES
@pytest.mark.parametrize("change", ["shrinks", "grows", "vanishes"])
def test_a_file_that_changes_while_the_job_runs_ends_it(tmp_path: Path, mode: tuple[str, ...], change: str) -> None:
    write(tmp_path, {"a.txt": b"first\n", "b.txt": b"second\nthird\n"})
    source = f"""
import time
from pathlib import Path
import mapreduce as mr

class Waits(mr.Job):
    def map(self, line):
        if line == "first":
            Path({str(tmp_path / "reached")!r}).touch()
            while not Path({str(tmp_path / "changed")!r}).exists():
                time.sleep(0.02)
        yield line, 1

    reduce = mr.Sum()
"""
    arguments = (write_program(tmp_path, source), "in", "--output", "out", "--split-size", "6", *mode)
    with running(tmp_path, *arguments) as run:
        run.until((tmp_path / "reached").exists)
        target = tmp_path / "in" / "b.txt"
        if change == "vanishes":
            target.unlink()
        else:
            target.write_bytes(b"second\n" if change == "shrinks" else b"second\nthird\nfourth\n")
        (tmp_path / "changed").touch()
        assert run.wait() == 1, run.stderr
        assert "InputChanged" in run.stderr
        assert "b.txt" in run.stderr
    assert not (tmp_path / "out").exists()


def write(folder: Path, files: dict[str, bytes]) -> None:
    """Write the input."""
    (folder / "in").mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / "in" / name).write_bytes(content)


def test_an_output_that_is_no_output_of_a_job_is_never_replaced(tmp_path: Path) -> None:
    write(tmp_path, {"a.txt": b"a\n"})
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    job = write_program(tmp_path, LINES)
    for mode in ((), ("--sequential",)):
        status, _, stderr = finished(tmp_path, job, "in", "--output", "mine", "--overwrite", *mode)
        assert status == 2, stderr
        assert "no output of a job" in stderr
        assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"
        assert hidden(tmp_path, "mine") == []


@pytest.mark.parametrize(
    "mode",
    [
        pytest.param(("--workers", "1"), id="local", marks=pytest.mark.feature("overwrite", "local")),
        pytest.param(("--sequential",), id="sequential", marks=pytest.mark.feature("overwrite", "sequential")),
    ],
)
def test_overwrite_replaces_the_output_of_an_earlier_job_and_nothing_of_it_stays(
    tmp_path: Path, mode: tuple[str, ...]
) -> None:
    write(tmp_path, {"a.txt": b"a\n"})
    job = write_program(tmp_path, LINES)
    succeeded(tmp_path, job, "in", "--output", "out", "--merge", "none", *mode)
    succeeded(tmp_path, job, "in", "--output", "out", "--overwrite", *mode)
    assert (tmp_path / "out" / "output.tsv").read_bytes() == b"a\t1\n"
    assert [path.name for path in (tmp_path / "out").iterdir() if path.name.startswith("part")] == []
    assert hidden(tmp_path, "out") == []
