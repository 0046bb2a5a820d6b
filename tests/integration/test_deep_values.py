"""Values of very many lists within each other: the right answer up to a limit, and beyond it one clear error."""

from pathlib import Path

import pytest

from tests.support.local_runs import finished, succeeded, write_program

MODES = pytest.mark.parametrize("mode", [("--workers", "1"), ("--sequential",)], ids=["local", "sequential"])
FORMATS = {"tsv": "k\t{}\n", "jsonl": '{{"key":"k","value":{}}}\n', "parquet": ""}
DEEP = """
import mapreduce as mr


def nested(depth):
    value = 1
    for _ in range(depth):
        value = [value]
    return value


class Deep(mr.Job):
    def map(self, line):
        yield "k", {map}

    def reduce(self, key, values):
        for value in values:
            yield key, {reduce}
"""
IN_MAP = DEEP.format(map="nested(int(line))", reduce="value")
IN_REDUCE = DEEP.format(map="int(line)", reduce="nested(value)")


def text(depth: int) -> str:
    return "[" * depth + "1" + "]" * depth


@MODES
@pytest.mark.parametrize("kind", FORMATS)
def test_values_up_to_the_limit_come_out_and_deeper_ones_are_told(
    tmp_path: Path, mode: tuple[str, ...], kind: str
) -> None:
    line = tmp_path / "line.txt"
    options = ("--output-format", kind, *mode)
    line.write_text("256\n")
    succeeded(tmp_path, write_program(tmp_path, IN_MAP), "line.txt", "--output", "out", *options)
    if FORMATS[kind]:
        assert (tmp_path / "out" / f"output.{kind}").read_text() == FORMATS[kind].format(text(256))
    line.write_text("1000\n")
    for source, where in ((IN_MAP, "line.txt:0"), (IN_REDUCE, "key 'k', partition")):
        program = write_program(tmp_path, source)
        status, stdout, stderr = finished(tmp_path, program, "line.txt", "--output", "deep", *options)
        assert (status, stdout) == (1, "")
        assert "ValueNotEncodable" in stderr
        assert "more than 256 lists or dictionaries are within each other" in stderr
        assert where in stderr
        assert "RecursionError" not in stderr
        assert not (tmp_path / "deep").exists()


DEEP_KEYS = """
import mapreduce as mr


class Deep(mr.Job):
    {sorts}

    def map(self, line):
        key = line
        for _ in range(int(line)):
            key = (key,)
        yield {pair}

    reduce = {reduce}
"""


@MODES
@pytest.mark.parametrize(
    ("sorts", "pair", "reduce", "says"),
    [
        ("", "key, 1", "mr.Sum()", "in a key more than"),
        ("", "key, line", "mr.Each()", "in a key more than"),
        ("", "key", "mr.Count()", "in a key more than"),
        ("descending = True", "key, 1", "mr.Max()", "in a key more than"),
        ("sort_values = True", "1, key", "mr.Each()", "with sort_values a value must be what a key may be: in a key"),
    ],
    ids=["sums", "pairs", "keys alone", "descending", "sorted values"],
)
def test_keys_up_to_the_limit_come_out_and_deeper_ones_are_told(
    tmp_path: Path, mode: tuple[str, ...], sorts: str, pair: str, reduce: str, says: str
) -> None:
    program = write_program(tmp_path, DEEP_KEYS.format(sorts=sorts, pair=pair, reduce=reduce))
    line = tmp_path / "line.txt"
    line.write_text("256\n")
    succeeded(tmp_path, program, "line.txt", "--output", "out", *mode)
    assert "[" * 256 + '"256"' + "]" * 256 in (tmp_path / "out" / "output.tsv").read_text()
    line.write_text("330\n")
    status, stdout, stderr = finished(tmp_path, program, "line.txt", "--output", "deep", *mode)
    assert (status, stdout) == (1, "")
    assert "UnsupportedKey" in stderr
    assert says in stderr
    assert "line.txt:0" in stderr
    assert "RecursionError" not in stderr


@MODES
def test_a_line_of_json_may_hold_what_a_value_may(tmp_path: Path, mode: tuple[str, ...]) -> None:
    program = write_program(tmp_path, DEEP.format(map="line", reduce="value"))
    lines = tmp_path / "lines.jsonl"
    options = ("--format", "jsonl", *mode)
    lines.write_text(text(256) + "\n")
    succeeded(tmp_path, program, "lines.jsonl", "--output", "out", *options)
    assert (tmp_path / "out" / "output.tsv").read_text() == f"k\t{text(256)}\n"
    for depth, says in ((300, "are within each other"), (5000, "nested too deeply")):
        lines.write_text(text(depth) + "\n")
        status, _, stderr = finished(tmp_path, program, "lines.jsonl", "--output", "deep", *options)
        assert status == 1
        assert says in stderr
        assert "lines.jsonl:0" in stderr
