"""The rows of `make bench`: what plays against what, on which input, for which target.

A row is here once it can be run. Neighbours: `contenders.py` (the commands), `verdicts.py` (the arithmetic).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from bench import check
from bench.contenders import KEY_ORDER, ROOT, Contender, gnu_sort, limited, ours, peer, program, singles, theirs
from bench.data import files
from bench.truth import Truth
from bench.verdicts import MIB, Verdict

KB, MB, GB = 10**3, 10**6, 10**9
MORE_PYTHON = str(ROOT / ".venv-bench" / "bin" / "python")
"""The interpreter that has Dask, mrjob and PySpark."""

PAIRS, KEYS = "words.py:Pairs", "words.py:Keys"
"""Word count by pairs that are added up, and by words that are counted."""

Match = tuple[tuple[Contender, ...], tuple[Verdict, ...]]


class Row(NamedTuple):
    """One comparison. size: bytes of input. fixed: the size is part of the target.

    most: bytes beyond which the row is another one. asked: run only where it is named.
    """

    name: str
    about: str
    size: int
    match: Callable[[int], Match]
    fixed: bool = False
    most: int = 0
    asked: bool = False

    def sized(self, size: int | None) -> int:
        """Return the bytes to run with, where `size` was asked for."""
        if self.fixed or size is None:
            return self.size
        return min(size, self.most) if self.most else size


def _pairs(size: int) -> Match:
    text = files.ensure("text", size)
    truth = _counted(text, size)
    contenders = (
        ours("ours", PAIRS, text, truth),
        theirs("counter", peer("counter.py"), text, truth),
    )
    return contenders, (Verdict("ours / counter", "ratio", "ours", ("counter",), must=1.1, aim=1.0),)


def _keys(size: int) -> Match:
    text = files.ensure("text", size)
    truth = _counted(text, size)
    contenders = (
        ours("ours", KEYS, text, truth),
        theirs("counter", peer("counter.py"), text, truth),
        theirs("duckdb", peer("duckdb_words.py"), text, truth),
        theirs("polars", peer("polars_words.py"), text, truth),
    )
    # What the last two do without Python is no target of a job that runs Python for each record.
    return contenders, (
        Verdict("ours / counter", "ratio", "ours", ("counter",), must=0.95, aim=0.85),
        Verdict("ours / duckdb", "ratio", "ours", ("duckdb",)),
        Verdict("ours / polars", "ratio", "ours", ("polars",)),
    )


def _batches(size: int) -> Match:
    text = files.ensure("text", size)
    truth = _counted(text, size)
    contenders = (
        ours("ours", "word_batches.py:Batches", text, truth),
        theirs("duckdb", peer("duckdb_words.py"), text, truth),
        theirs("polars", peer("polars_words.py"), text, truth),
    )
    return contenders, (Verdict("ours / the better", "ratio", "ours", ("duckdb", "polars"), must=1.3, aim=1.0),)


def _counted(text: Path, size: int) -> Truth:
    return Truth(program(KEYS), text, size, (*peer("duckdb_words.py"), str(text)))


def _index(size: int) -> Match:
    folder = files.ensure("documents", size)
    truth = Truth(program("index.py:Index"), folder, size, (*peer("index.py"), str(folder)))
    contenders = (
        ours("ours", "index.py:OfFiles", folder, truth, "--format", "wholefile"),
        ours("by lines", "index.py:Index", folder, truth),
        theirs("by hand", peer("index.py"), folder, truth),
    )
    # Who yields a pair for each word of each line pays for that; it is no target.
    return contenders, (Verdict("ours / by hand", "ratio", "ours", ("by hand",), must=1.2, aim=1.0),)


def _identity(size: int) -> Match:
    records = files.ensure("records", size)
    truth = _in_order(records, size)
    through = Truth(program("records.py:Through"), records, size, ("cp", str(records)))
    contenders = (
        ours("ours", "records.py:Sort", records, truth),
        ours("without shuffle", "records.py:Through", records, through),
        ours("with a reduce in Python", "records.py:Identity", records, truth),
    )
    # What a job does beyond one without a reduce is the shuffle, where its reduce calls nobody.
    return contenders, (
        Verdict("share of the shuffle", "share", "ours", ("without shuffle",), must=0.30, aim=0.15),
        Verdict("shuffle and reduce", "share", "with a reduce in Python", ("without shuffle",)),
    )


def _sort(size: int) -> Match:
    records = files.ensure("records", size)
    truth = _in_order(records, size)
    contenders = (
        ours("ours", "record_batches.py:Sort", records, truth, "--order", "total"),
        gnu_sort("sort", records, truth),
        ours("per record", "records.py:Sort", records, truth, "--order", "total"),
    )
    # The job by batches is held against the target; a generator a record stands beside it.
    return contenders, (
        Verdict("ours / sort", "ratio", "ours", ("sort",), must=1.0, aim=0.5),
        Verdict("per record / sort", "ratio", "per record", ("sort",)),
    )


def _in_order(records: Path, size: int) -> Truth:
    proof = partial(check.prove_sorted, source=records)
    return Truth(program("records.py:Identity"), records, size, (*KEY_ORDER, str(records), "--output"), proof)


def _memory(size: int) -> Match:
    records = files.ensure("records", size)
    # An eighth of the input, but never less than an interpreter with Polars needs for itself.
    limit = max(size // 8, 256 * MIB) // MIB
    truth = _in_order(records, size)
    contenders = (
        limited("limited", "records.py:Identity", records, truth, limit),
        ours("in memory", "records.py:Identity", records, truth),
    )
    return contenders, (
        Verdict("peak of a process, MiB", "memory", "limited", must=limit, aim=limit),
        Verdict("limited / in memory", "ratio", "limited", ("in memory",), must=1.5, aim=1.2),
    )


def _skew(job: str, what: str, size: int) -> Match:
    contenders = []
    for kind in ("skewed", "uniform"):
        records = files.ensure(kind, size)
        truth = Truth(program(job), records, size, (*peer("groups.py"), what, str(records)))
        contenders.append(ours(kind, job, records, truth))
    return tuple(contenders), (Verdict("skewed / uniform", "ratio", "skewed", ("uniform",), must=1.5, aim=1.2),)


def _many_files(size: int) -> Match:
    folder, text = files.ensure("small-files", size), files.ensure("text", size)
    truth = _counted(text, size)
    contenders = (
        ours("many files", PAIRS, folder, truth),
        ours("one file", PAIRS, text, truth),
    )
    return contenders, (Verdict("many / one file", "ratio", "many files", ("one file",), must=1.3, aim=1.1),)


def _tiny(size: int) -> Match:
    text = files.ensure("text", size)
    contenders = (ours("ours", PAIRS, text, _counted(text, size)),)
    return contenders, (Verdict("whole process, s", "seconds", "ours", must=1.5, aim=0.7),)


def _two_slots(size: int) -> Match:
    halves = files.ensure("halves", size)
    truth = _counted(files.ensure("text", size), size)
    contenders = (
        ours("two slots", PAIRS, halves, truth, "--workers", "1", "--slots", "2"),
        singles("two singles", PAIRS, halves, truth),
    )
    verdict = Verdict("two singles / two slots", "times", "two slots", ("two singles",), must=0.95, aim=0.98)
    return contenders, (verdict,)


def _against(other: str, job: str, must: float, aim: float, size: int) -> Match:
    # The job has the shape of the peer's program.
    text = files.ensure("text", size)
    truth = _counted(text, size)
    command = (MORE_PYTHON, peer(f"{other}_words.py")[1])
    contenders = (ours("ours", job, text, truth), theirs(other, command, text, truth))
    return contenders, (Verdict(f"times as fast as {other}", "times", "ours", (other,), must=must, aim=aim),)


def _asked(other: str, called: str, job: str, must: float, aim: float) -> Row:
    return Row(
        f"words-{other}", f"word count, {called}", 100 * MB, partial(_against, other, job, must, aim), asked=True
    )


ROWS = (
    Row("words-pairs", "word count by a generator of pairs, with Sum", GB, _pairs),
    Row("words-keys", "word count by `return line.split()`, with Count", GB, _keys),
    Row("words-batch", "word count by `map_batch`, with Count", GB, _batches),
    Row("index", "inverted index of 64 files", GB, _index),
    Row("sort", "records of 100 bytes by `map_batch`, total order, against GNU sort", GB, _sort),
    Row("identity", "records of 100 bytes through the shuffle", GB, _identity),
    Row("memory", "the same, with eight times as much input as a slot has memory", 4 * GB, _memory),
    Row("skew-sum", "a key with 30 % of the records, Sum", GB, partial(_skew, "records.py:Total", "total")),
    Row("skew-collect", "a key with 30 % of the records, Collect", GB, partial(_skew, "records.py:Gather", "gather")),
    Row("many-files", "word count of files of 10 kB", 100 * MB, _many_files, most=100 * MB),
    Row("tiny", "word count of 1 kB", KB, _tiny, fixed=True),
    Row("two-slots", "word count by two slots", GB, _two_slots),
    _asked("dask", "Dask bag", KEYS, must=1.5, aim=3),
    _asked("spark", "PySpark", PAIRS, must=3, aim=5),
    _asked("mrjob", "mrjob", PAIRS, must=20, aim=40),
)
"""In the order in which they are run."""
