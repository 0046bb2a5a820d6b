"""Parquet is read row by row in plain values: the same rows wherever it is divided; damage is told with its place."""

import asyncio
import contextlib
import datetime
import decimal
import io
from itertools import chain
from typing import Any

import hypothesis.strategies as st
import polars as pl
import pytest
from hypothesis import given

from mapreduce import protocol
from mapreduce.plan import FileRange, ListedFile, Split, split_files
from mapreduce.protocol import ErrorInfo
from mapreduce_worker import fetch
from mapreduce_worker.core.events import FetchedInput
from mapreduce_worker.engine import cuts, formats, parquet_footer, parquet_rows, ranges
from mapreduce_worker.engine.failure import InputDamaged, InputUnreadable
from mapreduce_worker.engine.options import TaskOptions
from mapreduce_worker.gateway import input_server
from mapreduce_worker.gateway.input_files import InputFiles
from mapreduce_worker.slots.process import fetched_range
from tests.support import budget
from tests.support.engine_runs import write_input
from tests.support.parquet_files import OF_ARROW, OF_ARROW_EMPTY, parquet, written

OPTIONS = TaskOptions(format="parquet")
ROWS = [(f"name {number}", number) for number in range(120)]


def rows(read):
    """Return the rows with their numbers."""
    return [(batch.offset(index), record) for batch in read for index, record in enumerate(batch.records)]


def read(content, size=1 << 20, path="f", **options):
    """Return the rows of a file, whose bytes come in chunks of that size."""
    pieces = [content[at : at + size] for at in range(0, len(content), size)]
    file = ListedFile(path, path, len(content), "")
    return rows(formats.read(file, 0, iter(pieces), TaskOptions(format="parquet", **options)))


def read_part(folder, part, source):
    """Return the rows of a part of a plan."""
    offset, chunks = source
    return rows(formats.read_range(part, offset, chunks, OPTIONS, scratch=folder))


def divided(folder, file, split_size):
    """Return the parts of a file as a plan divides it."""
    splits = split_files([file], split_size, "parquet", cuts.finder(folder, "parquet", 1, skips=False))
    return [part for split in splits for part in split.ranges]


def expected(given_rows):
    return [(number, {"name": name, "size": size}) for number, (name, size) in enumerate(given_rows)]


def test_values_are_what_any_job_can_carry():
    day, time = datetime.date(2024, 1, 31), datetime.datetime(2024, 1, 31, 12)  # noqa: DTZ001 - without a zone
    frame = pl.DataFrame(
        {
            "day": [day, None],
            "time": [time, None],
            "zone": pl.Series([time, None]).dt.replace_time_zone("Europe/Berlin"),
            "ns": pl.Series([1_000_000_001, None]).cast(pl.Datetime("ns")),
            "clock": [datetime.time(1, 2, 3, 4), None],
            "span": [datetime.timedelta(days=1, seconds=2), None],
            "price": [decimal.Decimal("1.50"), None],
            "kind": pl.Series(["x", None], dtype=pl.Categorical),
            "list": [[day, None], None],
            "struct": [{"a": day, "b": [{"c": time}]}, None],
            "array": pl.Series([[1, 2], None], dtype=pl.Array(pl.Int64, 2)),
            "bytes": [b"\xff", None],
            "u64": pl.Series([2**64 - 1, None], dtype=pl.UInt64),
            "f32": pl.Series([1.5, None], dtype=pl.Float32),
            "bool": [True, None],
            "null": pl.Series([None, None]),
            "map": pl.Series([{day: [time]}, None], dtype=pl.Map(pl.Date, pl.List(pl.Datetime("us")))),
        }
    )
    (_, first), (_, second) = read(written(frame))
    assert first == {
        "day": "2024-01-31",
        "time": "2024-01-31T12:00:00.000000",
        "zone": "2024-01-31T11:00:00.000000+00:00",
        "ns": "1970-01-01T00:00:01.000000001",
        "clock": "01:02:03.000004",
        "span": "P1DT2S",
        "price": "1.50",
        "kind": "x",
        "list": ["2024-01-31", None],
        "struct": {"a": "2024-01-31", "b": [{"c": "2024-01-31T12:00:00.000000"}]},
        "array": [1, 2],
        "bytes": b"\xff",
        "u64": 2**64 - 1,
        "f32": 1.5,
        "bool": True,
        "null": None,
        "map": {"2024-01-31": ["2024-01-31T12:00:00.000000"]},
    }
    assert second == dict.fromkeys(first)


def test_a_column_may_have_any_name_also_one_that_polars_would_take_for_a_pattern():
    row = {"^a.*$": 0, "*": 1, "ab": 2, "": 3, "a\n": 4, "s": {"^.*$": "2024-01-31", "*": 1}}
    frame = pl.DataFrame({**row, "s": [{"^.*$": datetime.date(2024, 1, 31), "*": 1}]})
    assert read(written(frame)) == [(0, row)]


@pytest.mark.parametrize("compression", ["zstd", "snappy", "gzip", "lz4", "uncompressed"])
@pytest.mark.parametrize("size", [1000, 1 << 20])
def test_rows_come_in_their_order_with_their_numbers_however_the_bytes_come(compression, size):
    assert read(parquet(ROWS, rows=50, compression=compression), size) == expected(ROWS)


@budget.examples(50)
@given(st.integers(0, 40), st.integers(1, 15), st.integers(1, 4000))
def test_rows_are_the_same_wherever_the_plan_divides_the_file(tmp_path_factory, count, group, split_size):
    folder = tmp_path_factory.mktemp("in")
    file = write_input(folder, parquet(ROWS[:count], rows=group))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cuts, "TAIL_SHARE", 0)
        parts = divided(folder, file, split_size)
    found = [read_part(folder, part, ranges.read_range(folder, part)) for part in parts]
    assert list(chain(*found)) == expected(ROWS[:count])
    assert all(found) or not count
    assert sum(part.end - part.start for part in parts) == file.size


def test_every_group_is_a_range_where_splits_are_small_and_has_the_footer_with_it(tmp_path, monkeypatch):
    monkeypatch.setattr(cuts, "TAIL_SHARE", 0)
    file = write_input(tmp_path, parquet(ROWS, rows=50))
    groups = parquet_footer.read(io.BytesIO((tmp_path / file.path).read_bytes()), "f").groups
    starts = [0, groups[1].start, groups[2].start]
    bounds = list(zip(starts, [*starts[1:], file.size], strict=True))
    tail = groups[2].end
    assert divided(tmp_path, file, 1) == [
        FileRange(file, start, end, exact=True, tail=tail if end < file.size else 0) for start, end in bounds
    ]
    assert divided(tmp_path, file, file.size - 1) == [FileRange(file, 0, file.size)]


def test_a_range_is_longer_than_what_is_sent_with_it(tmp_path):
    long = [(f"{number:0800}", number) for number in range(120)]
    file = write_input(tmp_path, parquet(long, rows=5, compression="uncompressed", statistics=False))
    tail = file.size - parquet_footer.read(io.BytesIO((tmp_path / file.path).read_bytes()), "f").groups[-1].end
    *parts, _ = divided(tmp_path, file, 1)
    assert len(parts) > 1
    assert min(part.end - part.start for part in parts) >= 4 * tail
    few = write_input(tmp_path, parquet(ROWS, rows=10), "few")
    assert divided(tmp_path, few, 1) == [FileRange(few, 0, few.size)]


def test_a_large_group_is_read_in_pieces(monkeypatch):
    monkeypatch.setattr(parquet_rows, "WINDOW", 300)
    monkeypatch.setattr(parquet_rows, "ROWS", 3)
    assert read(parquet(ROWS, rows=60)) == expected(ROWS)


def sent(folder, part):
    """Return a range as a slot reads it when a gateway has sent it."""
    frames = input_server.frames(InputFiles(folder, [""]), Split(0, (part,)))
    body = b"".join(input_server.joined(frames, 1000))

    async def receive():
        # It reads alike, and needs no connection.
        stream: Any = asyncio.StreamReader()
        stream.feed_data(body)
        stream.feed_eof()
        with (folder / ".fetched").open("wb") as file:
            return await fetch._receive_ranges(stream, 1, file)

    return fetched_range(FetchedInput(str(folder / ".fetched"), asyncio.run(receive())), 0)


def test_what_a_gateway_sends_is_what_is_read_on_its_own_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(cuts, "TAIL_SHARE", 0)
    file = write_input(tmp_path, parquet(ROWS, rows=50))
    parts = divided(tmp_path, file, 1)
    for part in parts:
        offset, chunks = sent(tmp_path, part)
        here = ranges.read_range(tmp_path, part)
        assert (offset, b"".join(map(repr_of, chunks))) == (here[0], b"".join(map(repr_of, here[1])))
    found = [read_part(tmp_path, part, sent(tmp_path, part)) for part in parts]
    assert list(chain(*found)) == expected(ROWS)


def repr_of(chunk):
    return chunk if isinstance(chunk, bytes) else repr(chunk).encode()


@pytest.mark.parametrize(
    ("start", "end", "tail"), [(-1, 5, 0), (5, 4, 0), (1, 1 << 40, 0), (1, 5, 4), (1, 5, 1 << 40), (1, 5, -2)]
)
def test_a_range_that_is_none_is_refused(tmp_path, start, end, tail):
    file = write_input(tmp_path, parquet(ROWS))
    with pytest.raises(InputUnreadable):
        list(ranges.read_range(tmp_path, FileRange(file, start, end, exact=True, tail=tail))[1])


def test_a_file_without_rows_has_no_records():
    assert read(parquet([])) == []


@pytest.mark.parametrize(("content", "count"), [(OF_ARROW_EMPTY, 0), (OF_ARROW, 3)])
def test_a_group_without_rows_needs_no_page(tmp_path, monkeypatch, content, count):
    monkeypatch.setattr(cuts, "TAIL_SHARE", 0)
    file = write_input(tmp_path, content)
    wanted = list(enumerate([{"b": True}, {"b": False}, {"b": True}][:count]))
    assert read(content) == wanted
    parts = divided(tmp_path, file, 1)
    assert [row for part in parts for row in read_part(tmp_path, part, ranges.read_range(tmp_path, part))] == wanted
    assert len(parts) == max(1, count - 1)


def test_a_file_that_is_cut_short_is_told_with_its_name_and_place(tmp_path):
    whole = parquet(ROWS, rows=50)
    for length in [0, 3, 4, 11, 12, 100, len(whole) // 2, len(whole) - 9, len(whole) - 1]:
        with pytest.raises(InputDamaged, match=r"cut short|does not begin with PAR1|damaged") as caught:
            read(whole[:length])
        assert caught.value.where.startswith("f:")
        (tmp_path / "input.txt").unlink(missing_ok=True)
        file = write_input(tmp_path, whole[:length])
        if length > 10:
            with pytest.raises(InputDamaged, match=file.name):
                divided(tmp_path, file, 10)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"name,size\na,1\n", "f is no parquet file: it does not begin with PAR1"),
        (b"PARE" + b"x" * 20 + b"PARE", "is encrypted"),
        (b"PAR1" + b"x" * 20 + (1 << 30).to_bytes(4, "little") + b"PAR1", "a footer of 1073741824 bytes does not fit"),
        (b"PAR1" + b"\xff" * 20 + (20).to_bytes(4, "little") + b"PAR1", "its footer cannot be read"),
    ],
)
def test_what_is_no_parquet_file_is_told(content, told):
    with pytest.raises(InputDamaged, match=told):
        read(content)


def test_a_damaged_page_is_told_with_the_place_of_its_group():
    content = bytearray(parquet(ROWS, rows=50, compression="zstd"))
    second = parquet_footer.read(io.BytesIO(bytes(content)), "f").groups[1]
    content[second.start : second.start + 30] = b"\xff" * 30
    good: list[Any] = []
    file = ListedFile("f", "f", len(content), "")
    with pytest.raises(InputDamaged, match="f cannot be read as parquet, at byte") as caught:
        good.extend(row for batch in formats.read(file, 0, iter([bytes(content)]), OPTIONS) for row in batch.records)
    assert (len(good), caught.value.where) == (50, f"f:{second.start}")


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_a_file_that_is_compressed_as_a_whole_is_refused(suffix):
    with pytest.raises(InputDamaged, match=r"compressed as a whole, which cannot be read: decompress it"):
        read(parquet(ROWS), path=f"f{suffix}")


@budget.examples(200)
@given(st.binary(max_size=200), st.integers(0, 5))
def test_any_footer_is_read_or_told_to_be_damaged(junk, keep):
    footer = parquet(ROWS[:5])[-300:-8]
    body = footer[: len(footer) * keep // 5] + junk
    content = b"PAR1" + bytes(50) + body + len(body).to_bytes(4, "little") + b"PAR1"
    with contextlib.suppress(InputDamaged):
        found = parquet_footer.read(io.BytesIO(content), "f")
        assert found.rows == sum(group.rows for group in found.groups)


def test_a_gateway_tells_of_a_file_that_changed_while_it_was_sent(tmp_path):
    file = write_input(tmp_path, parquet(ROWS))
    gone = FileRange(ListedFile(file.path, file.name, file.size, "mtime:1"), 0, file.size)
    (answer,) = input_server.frames(InputFiles(tmp_path, [""]), Split(0, (gone,)))
    error = protocol.decode(answer[4:], ErrorInfo)
    assert error.reason == "InputChanged"
