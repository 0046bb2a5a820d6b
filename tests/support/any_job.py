"""Any small job: a program put together from kinds of keys, values and reducers, and text to run it on."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import strategies as st

from mapreduce import testing

KEYS = {
    "str": "word",
    "bytes": "word.encode()",
    "int": "len(word) - 3",
    "float": "(len(word) - 3) / 2",
    "bool": "len(word) % 2 == 0",
    "tuple": "(word[:1], len(word))",
    "nested": "((word[:1], b'x'), -len(word))",
}
VALUES = {
    "int": "len(word)",
    "large": "3 ** 60 * len(word)",
    "float": "len(word) / 7",
    "str": "word",
    "bytes": "word.encode()",
    "list": "[word, None, True]",
    "dict": "{'n': len(word)}",
}
NUMBERS = ("int", "large", "float")

BUILT_IN = """
import mapreduce as mr

class Any(mr.Job):
    def map(self, line):
        for word in {words}:
            yield {key}, {value}

    reduce = mr.{reducer}
"""

OWN = """
import mapreduce as mr

class Any(mr.Job):
    def map(self, line):
        for word in {words}:
            yield {key}, [{value}]
{combine}
    def reduce(self, key, lists):
        joined = [value for values in lists for value in values]
        yield key, joined
        yield "again", len(joined)
"""

COMBINE = """
    def combine(self, key, lists):
        yield key, [value for values in lists for value in values]
"""

PIECES = ["a", "bb", "ccc", "naïve", "日本", " ", "\t", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u3000", "\0", "\\"]
ENDS = [b"\n", b"\r\n", b"\r", b"\n\n", b"\r\r\n", b""]


class AnyJob(msgspec.Struct, frozen=True, kw_only=True):
    """One job: its program, its files, and the numbers that must not matter."""

    program: str
    files: tuple[bytes, ...]
    split_size: int
    reducers: int
    workers: int


@st.composite
def programs(draw: st.DrawFn) -> str:
    """Draw the source of a program."""
    words = draw(st.sampled_from(["line.split()", "[line]", "line.split(' ')"]))
    names = {"words": words, "key": KEYS[draw(st.sampled_from(sorted(KEYS)))]}
    kind = draw(st.sampled_from(["Sum()", "Collect()", "First()", "own"]))
    value = draw(st.sampled_from(sorted(NUMBERS if kind == "Sum()" else VALUES)))
    if kind == "own":
        combine = draw(st.sampled_from(["", COMBINE]))
        return OWN.format(value=VALUES[value], combine=combine, **names)
    return BUILT_IN.format(value=VALUES[value], reducer=kind, **names)


@st.composite
def texts(draw: st.DrawFn) -> bytes:
    """Draw a file of lines, with every kind of white space and line end."""
    lines = draw(st.lists(st.tuples(st.lists(st.sampled_from(PIECES), max_size=6), st.sampled_from(ENDS)), max_size=8))
    return b"".join("".join(pieces).encode() + end for pieces, end in lines)


@st.composite
def jobs(draw: st.DrawFn) -> AnyJob:
    """Draw a job."""
    return AnyJob(
        program=draw(programs()),
        files=tuple(draw(st.lists(texts(), min_size=1, max_size=4))),
        split_size=draw(st.integers(1, 200)),
        reducers=draw(st.integers(1, 7)),
        workers=draw(st.integers(1, 4)),
    )


def expected(job: AnyJob) -> bytes:
    """Return the output, by the naive reference over naively read lines."""
    names: dict[str, Any] = {"__name__": "any_job"}
    exec(job.program, names)  # noqa: S102 - put together from this module's own constants
    return testing.run_tsv(names["Any"], [line for content in job.files for line in _lines(content)])


def _lines(content: bytes) -> list[str]:
    lines = content.decode().split("\n")
    return [line.removesuffix("\r") for line in (lines[:-1] if lines[-1] == "" else lines)]
