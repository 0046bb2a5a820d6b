"""Parts that are not merged by key hold lines: those that the output has, and nothing else is taken for them."""

import math
from itertools import cycle
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
from xxhash import xxh3_128

import mapreduce as mr
from mapreduce import keys
from mapreduce.errors import CorruptionError
from mapreduce.spec import JobSpec
from mapreduce_worker.engine import blocks, data_file, map_part, merge, options, part, part_lines, ranges
from mapreduce_worker.engine.blocks import Block
from mapreduce_worker.engine.data_file import Style
from mapreduce_worker.engine.failure import UserTaskError
from mapreduce_worker.engine.map_output import SegmentFile
from mapreduce_worker.engine.options import TaskOptions
from mapreduce_worker.engine.part import LineFormat
from mapreduce_worker.engine.reduce_task import run_reduce
from tests.support.engine_runs import attempt, emitter, nothing, one_split, write_input, write_segment
from tests.support.simulated.toy import PROGRAM

ROWS = TaskOptions()
FORMATS: tuple[LineFormat, ...] = ("tsv", "jsonl")
TOTAL = Style(by_key=False)


def each(self, key, group):
    for value in group:
        yield key, value


def loud_from_the_middle(self, key, group):
    """Keep half of the keys, then yield others: values become pairs on the way."""
    for value in group:
        yield (key, value) if len(repr(key)) < 5 else ([key], value)


def collected(self, key, group):
    yield key, list(group)


KEYS: dict[str, list[Any]] = {
    "str": ["", "a", "k\tk", "k\\", 'q"q', "\x01", "é\r\n", *(f"key {number}" for number in range(20))],
    "bytes": [b"", b"\n", b"\xff\t", *(b"%d" % number for number in range(20))],
    "int": [-(2**63), -1, 0, 7, 2**63 - 1, *range(100, 120)],
    "tuple[str,int]": [("a\t", 1), ("a", 2), *(("b", number) for number in range(20))],
    "float": [-1.5, 0.1, 1e300, math.inf],
    "desc[int]": [1, 2, -3],
    "bool": [True, False],
}
VALUES: dict[str, list[Any]] = {
    "text": ["", "plain", "tab\there", "line\nand \\", "\r", "ü", '"'],
    "bytes": [b"", b"\n\t", b"\xff"],
    "int": [0, -5, 2**60],
    "large": [2**70, 1],
    "float": [0.5, math.nan, -math.inf],
    "bool": [True, False],
    "any": [None, [1, "\n"], {"k": ["\t"]}, 1.5, "x"],
}
REDUCERS = {
    "Each": mr.Each(),
    "First": mr.First(),
    "Collect": mr.Collect(),
    "each": each,
    "other keys": loud_from_the_middle,
    "list": collected,
}


def segments(folder: Path, key_type: str, values: str, count: int) -> list[SegmentFile]:
    """Write what two maps have for a partition."""
    draw = Random(f"{key_type} {values}")
    found = []
    for number in range(2):
        pairs = [(draw.choice(KEYS[key_type]), draw.choice(VALUES[values])) for _ in range(count)]
        rows = [(keys.encode(key, key_type), value) for key, value in pairs]
        found.append(write_segment(folder / f"m{number}", sorted(rows, key=lambda row: row[0])))
    return found


def reduced(job, given, out: Path, key_type: str, chosen: TaskOptions):
    return run_reduce(
        job,
        given,
        options=chosen,
        key_type=key_type,
        partition=0,
        attempt=attempt("reduce"),
        out=out,
        scratch=out.parent,
        progress=nothing,
    )


def of_lines(lines: LineFormat = "tsv", **more: Any) -> TaskOptions:
    return TaskOptions(lines=lines, **{"order": "total"} | more)


KEYS_IN_TURN = cycle(KEYS)
CASES = [(next(KEYS_IN_TURN), values, reducer) for values in VALUES for reducer in REDUCERS]


@pytest.mark.parametrize(("key_type", "values", "reducer"), CASES)
def test_lines_are_those_that_publishing_would_have_made_of_rows(tmp_path, key_type, values, reducer):
    job = emitter(REDUCERS[reducer])
    for count in (2, 600):
        given = segments(tmp_path, key_type, values, count)
        reduced(job, given, tmp_path / "rows", key_type, ROWS)
        for lines in FORMATS:
            made = reduced(job, given, tmp_path / "lines", key_type, of_lines(lines))
            assert part.verify(tmp_path / "lines") == part.verify(tmp_path / "lines", deep=True) == made
            style = Style(format=lines, by_key=False)
            expected = merge.merge_parts([tmp_path / "rows"], tmp_path / "a", nothing, style)
            assert merge.merge_parts([tmp_path / "lines"], tmp_path / "b", nothing, style) == expected
            assert (tmp_path / "b").read_bytes() == (tmp_path / "a").read_bytes()
            assert made.rows == expected.records


def test_memory_leaves_no_trace_in_a_part_of_lines(tmp_path):
    given = [write_segment(tmp_path / f"m{at}", [(b"%05d" % number, at) for number in range(900)]) for at in range(5)]
    made = []
    for memory in (1, 1 << 30):
        told = reduced(emitter(mr.Each()), given, tmp_path / "p", "bytes", of_lines(memory=memory))
        made.append((msgspec.structs.replace(told, spills=0), (tmp_path / "p").read_bytes(), told.spills > 0))
    assert made[0][:2] == made[1][:2]
    assert (made[0][2], made[1][2]) == (True, False)


@pytest.mark.parametrize("chosen", [ROWS, TaskOptions(lines="tsv", merge="none")])
def test_a_row_that_is_too_large_is_refused_in_either_form(tmp_path, monkeypatch, chosen):
    given = [write_segment(tmp_path / "m", [(b"k", "x" * 2000)])]
    monkeypatch.setattr("mapreduce_worker.engine.blocks.MAX_RAW", 1000)
    with pytest.raises(UserTaskError, match="2004 bytes") as told:
        reduced(emitter(mr.Each()), given, tmp_path / "p", "bytes", chosen)
    assert told.value.where.startswith("key b'k', partition ")
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


def test_a_map_without_reduce_leaves_lines_too(tmp_path):
    file = write_input(tmp_path, b"b\ta\n\nc\\\n" * 3000)
    job = emitter(None, emit=lambda line: [(line, len(line)), (len(line), [line])])
    read = lambda piece, _: ranges.read_range(tmp_path, piece)  # noqa: E731 - one line, used once
    for lines in FORMATS:
        for name, chosen in (("rows", ROWS), ("lines", TaskOptions(lines=lines))):
            out = tmp_path / name
            made = map_part.run_map(job, one_split(file), read, options=chosen, out=out, progress=nothing)
            assert part.verify(out) == msgspec.structs.replace(made, records=0)
        style = Style(format=lines, by_key=False)
        expected = merge.merge_parts([tmp_path / "rows"], tmp_path / "a", nothing, style)
        assert merge.merge_parts([tmp_path / "lines"], tmp_path / "b", nothing, style) == expected
        assert expected.records == 18_000


@pytest.mark.parametrize("order", ["hash", "total"])
@pytest.mark.parametrize("merge_", ["sorted", "none"])
@pytest.mark.parametrize("form", ["tsv", "jsonl", "parquet"])
def test_the_job_alone_tells_which_parts_have_lines(tmp_path, order, merge_, form):
    spec = JobSpec(
        uid="u", name="n", program=PROGRAM, inputs=("in",), output="out", order=order, merge=merge_, output_format=form
    )
    chosen = options.of_job(spec, 1, 1)
    for of_map in (True, False):
        with (tmp_path / "p").open("wb") as file:
            part_lines.open_writer(file, chosen, "str", of_map=of_map).finish()
        by_key = not of_map and order == "hash" and merge_ == "sorted"
        assert data_file.merges_by_key(order, merge_, of_maps=of_map) == by_key
        assert part.read_summary(tmp_path / "p").lines == (None if by_key or form == "parquet" else form)


def test_rows_are_divided_where_they_are_many_or_large_and_joined_where_they_are_few(tmp_path):
    def rows(count: int, size: int = 1) -> blocks.Rows:
        return blocks.of_objects([b"k"] * count, ["x" * size] * count)

    given = [rows(1)] * 7 + [
        rows(2000),
        rows(3),
        rows(999, 5000),
        rows(1),
        rows(20_000),
        *[rows(1, 3 << 20)] * 4,
        rows(2),
    ]
    with (tmp_path / "p").open("wb") as file:
        found = list(part_lines.LinesWriter(file, "tsv", "bytes", own=True).divided(given))
    assert [each.count for each in found[:3]] == [7, 2000, 213]
    assert all(each.count <= blocks.MAX_ROWS for each in found)
    assert max(each.size() for each in found) < 4 << 20
    assert [value for each in found for value in each.unpacked()] == [
        value for each in given for value in each.unpacked()
    ]


# --- what is no such part -------------------------------------------------------------------


def write_lines(path: Path, text: bytes, rows: int) -> Path:
    """Write a part of lines as one does who may lie."""
    checksum = part.checksum_of(xxh3_128(text))
    summary = part.Summary(key_type="str", rows=rows, length=len(text), checksum=checksum, lines="tsv")
    with path.open("wb") as file:
        file.write(part.LINES_HEAD + text)
        part.write_end(file, summary)
    return path


def write_rows(path: Path, words: str) -> Path:
    with path.open("wb") as file:
        writer = part.Writer(file, "str", own=True)
        writer.add(Block([keys.encode(word) for word in words], [ord(word) for word in words], packed=False))
        writer.finish()
    return path


@pytest.mark.parametrize(
    ("text", "rows"), [(b"a\t1\n", 2), (b"a\t1\nb\t2\n", 1), (b"a\t1", 1), (b"a\t1\nb", 1), (b"", 1), (b"a", 0)]
)
def test_who_claims_more_or_fewer_lines_than_there_are_is_found_out(tmp_path, text, rows):
    with pytest.raises(CorruptionError, match=f"claims {rows}"):
        part.verify(write_lines(tmp_path / "p", text, rows))


def test_lines_have_no_place_where_rows_are_needed(tmp_path):
    path = write_lines(tmp_path / "p", b"a\t1\n", 1)
    assert part.verify(path).rows == 1
    for read in (
        lambda: list(part.read(path)),
        lambda: list(merge.pairs([path])),
        lambda: merge.merge_parts([path], tmp_path / "out", nothing),
        lambda: merge.merge_parts([path], tmp_path / "out", nothing, Style(format="jsonl", by_key=False)),
        lambda: list(merge.merge_files([([path], tmp_path / "out")], nothing, Style(format="parquet", by_key=False))),
    ):
        with pytest.raises(CorruptionError, match="lines"):
            read()
        assert [each.name for each in tmp_path.iterdir()] == ["p"]


def test_parts_of_rows_that_were_staged_before_stand_beside_parts_of_lines(tmp_path):
    parts = [write_rows(tmp_path / "0", "ab"), write_lines(tmp_path / "1", b"c\t1\nd\t2\n", 2)]
    parts += [write_rows(tmp_path / "2", "e"), write_lines(tmp_path / "3", b"", 0)]
    told = []
    made = merge.merge_parts(parts, tmp_path / "out", lambda *done: told.append(done), TOTAL)
    assert (tmp_path / "out").read_bytes() == b"a\t97\nb\t98\nc\t1\nd\t2\ne\t101\n"
    assert (made.records, made.size) == told[-1] == (5, 24)


@pytest.mark.parametrize("compression", ["none", "gzip", "zstd"])
def test_damaged_lines_leave_no_file(tmp_path, compression):
    good, bad = write_lines(tmp_path / "0", b"a\t1\n" * 9, 9), write_lines(tmp_path / "1", b"b\t2\n" * 9, 9)
    content = bytearray(bad.read_bytes())
    content[len(part.LINES_HEAD) + 5] ^= 1
    bad.write_bytes(content)
    with pytest.raises(CorruptionError, match="checksum"):
        merge.merge_parts([good, bad], tmp_path / "out", nothing, Style(compression=compression, by_key=False))
    assert sorted(each.name for each in tmp_path.iterdir()) == ["0", "1"]


def test_every_flipped_bit_of_a_part_of_lines_is_noticed(tmp_path):
    content = write_lines(tmp_path / "0", b"key\tvalue\n" * 3, 3).read_bytes()
    for position in range(len(content)):
        for bit in range(8):
            flipped = bytearray(content)
            flipped[position] ^= 1 << bit
            (tmp_path / "1").write_bytes(flipped)
            with pytest.raises(CorruptionError):
                part.verify(tmp_path / "1")
            with pytest.raises(CorruptionError):
                merge.merge_parts([tmp_path / "1"], tmp_path / "out", nothing, TOTAL)
    for length in range(len(content)):
        (tmp_path / "1").write_bytes(content[:length])
        with pytest.raises(CorruptionError):
            part.verify(tmp_path / "1")


@pytest.mark.parametrize(
    "claimed",
    [{"lines": "csv"}, {"lines": None}, {"rows": -1}, {"rows": "1"}, {"length": 3}, {"key_type": "s" * 70_000}],
)
def test_a_summary_with_a_good_crc_is_not_believed(tmp_path, claimed):
    path = write_lines(tmp_path / "p", b"a\t1\n", 1)
    told = msgspec.to_builtins(part.read_summary(path)) | claimed
    body = msgspec.msgpack.encode(told)
    crc = part._summary_crc(part.LINES_HEAD, body)
    path.write_bytes(part.LINES_HEAD + b"a\t1\n" + body + part._FOOTER.pack(len(body), crc, part.END))
    with pytest.raises(CorruptionError):
        part.verify(path)


# --- the data file --------------------------------------------------------------------------


@pytest.mark.parametrize("compression", ["none", "gzip", "zstd"])
def test_neither_the_thread_that_sums_up_nor_the_disk_that_begins_early_leaves_a_trace(
    tmp_path, monkeypatch, compression
):
    text = b"".join(b"%d\tx\n" % Random(7).randrange(10**number) for number in range(1, 400)) * 40
    path = write_lines(tmp_path / "0", text, text.count(b"\n"))
    style = Style(compression=compression, by_key=False)
    expected = merge.merge_parts([path], tmp_path / "a", nothing, style)
    for piece, along, held, stride in [(1000, 1, 10, 1), (1000, 1, 10_000, 5000), (1 << 16, 1 << 20, 1, 1 << 30)]:
        monkeypatch.setattr(part, "PIECE", piece)
        monkeypatch.setattr(data_file, "ALONG", along)
        monkeypatch.setattr(data_file, "HELD", held)
        monkeypatch.setattr(data_file, "STRIDE", stride)
        assert merge.merge_parts([path], tmp_path / "b", nothing, style) == expected
        assert (tmp_path / "b").read_bytes() == (tmp_path / "a").read_bytes()
