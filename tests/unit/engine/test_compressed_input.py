"""A compressed file gives the records of its content; a damaged one is refused with file and offset."""

import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from mapreduce.plan import FileRange, ListedFile, Suffix
from mapreduce.spec import MIB, InputFormat
from mapreduce_worker.engine import formats, ranges
from mapreduce_worker.engine.decompression import CHUNK, Stream
from mapreduce_worker.engine.failure import InputChanged, InputDamaged, RecordRefused, describe
from mapreduce_worker.engine.options import TaskOptions
from tests.support import budget
from tests.support.compressed import SKIPPED, compress
from tests.support.engine_runs import write_input

SUFFIXES: list[Suffix] = [".gz", ".zst"]
TEXT = b"".join(b"line %d\r\n" % number for number in range(5000))


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


def records(name: str, data: bytes, input_format: InputFormat = "text", *, piece: int = 1 << 20, **more: Any) -> Any:
    options = TaskOptions(format=input_format, **more)
    file = ListedFile(f"in/{name}", name, len(data), "mtime:1")
    return [record for batch in formats.read(file, 0, pieces(data, piece), options) for record in batch.records]


def refused(name: str, data: bytes, piece: int = 1 << 20) -> tuple[str, str]:
    with pytest.raises(InputDamaged) as caught:
        records(name, data, piece=piece)
    info = describe(caught.value)
    assert (info.kind, info.reason) == ("refused", "InputDamaged")
    return info.where, info.message


@budget.examples(60)
@given(st.sampled_from(SUFFIXES), st.lists(st.binary(max_size=200), min_size=1, max_size=4), st.integers(1, 300))
def test_members_and_frames_are_joined_however_the_bytes_arrive(suffix, contents, piece):
    data = b"".join(compress(suffix, content) for content in contents)
    assert b"".join(Stream("f", suffix, pieces(data, piece))) == b"".join(contents)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("piece", [1, 100, 1 << 20])
def test_every_format_is_read_from_compressed_files(suffix, piece):
    assert records(f"a{suffix}", compress(suffix, TEXT), piece=piece) == TEXT.decode().split("\r\n")[:-1]
    assert records(f"a{suffix}", compress(suffix, b'1\n[2]\n\n"x"'), "jsonl", piece=piece) == [1, [2], "x"]
    assert records(f"a{suffix}", compress(suffix, TEXT), "wholefile", piece=piece) == [TEXT.decode()]
    assert records(f"a{suffix}", compress(suffix, b""), "wholefile", piece=piece) == [""]
    assert records(f"a{suffix}", compress(suffix, b""), piece=piece) == []


def test_zeros_behind_a_gzip_file_and_frames_without_data_are_no_damage():
    assert records("a.gz", compress(".gz", b"a\n") + bytes(1000) + compress(".gz", b"b\n") + bytes(7)) == ["a", "b"]
    assert records("a.zst", SKIPPED + compress(".zst", b"a\n") + SKIPPED + compress(".zst", b"b")) == ["a", "b"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_that_is_cut_short_anywhere_is_refused_with_file_and_offset(suffix):
    data = compress(suffix, b"one\ntwo\n") + compress(suffix, b"three\n")
    whole = len(compress(suffix, b"one\ntwo\n"))
    for size in set(range(len(data))) - {whole}:
        where, message = refused(f"a{suffix}", data[:size])
        assert where == f"a{suffix}:{size}"
        assert "cut short" in message


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_damaged_file_is_refused_with_file_and_offset(suffix):
    data = bytearray(compress(suffix, TEXT))
    data[len(data) // 2] ^= 0x55
    where, message = refused(f"a{suffix}", bytes(data))
    file, _, offset = where.rpartition(":")
    assert file == f"a{suffix}"
    assert 0 <= int(offset) <= len(data)
    assert f"a{suffix} cannot be decompressed near byte {offset}" in message


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_that_was_changed_while_it_was_read_is_told_as_such_and_not_as_damaged(suffix, tmp_path):
    file = write_input(tmp_path, compress(suffix, TEXT), f"a{suffix}")
    _, chunks = ranges.read_range(tmp_path, FileRange(file, 0, file.size))
    (tmp_path / f"a{suffix}").write_bytes(b"x" * file.size)
    with pytest.raises(InputChanged):
        list(formats.read(file, 0, chunks, TaskOptions()))


def test_a_frame_that_needs_more_memory_than_a_slot_should_give_is_refused():
    window = zstandard.ZstdCompressionParameters(window_log=30, enable_ldm=True)
    compressor = zstandard.ZstdCompressor(compression_params=window).compressobj()
    data = compressor.compress(b"x\n") + compressor.flush()
    assert "too much memory" in refused("a.zst", data)[1]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_is_not_compressed_or_has_something_behind_it_is_refused(suffix):
    assert refused(f"a{suffix}", b"plain text\n")[0] == f"a{suffix}:0"
    good = compress(suffix, b"x\n")
    assert refused(f"a{suffix}", good + b"plain text\n")[0] == f"a{suffix}:{len(good)}"


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_offsets_are_those_of_the_content_and_sizes_those_of_the_file(suffix):
    content = "\ufeffab\r\nä\n".encode()
    data = compress(suffix, content)
    file = ListedFile("a", f"a{suffix}", len(data), "mtime:1")
    file = ListedFile(file.name, file.name, file.size, file.identity)
    (batch,) = formats.read(file, 0, iter([data]), TaskOptions())
    assert (batch.records, batch.where(1), batch.size) == (["ab", "ä"], f"a{suffix}:7", len(data))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_that_holds_far_more_than_memory_is_read_in_bounded_chunks(suffix):
    bomb = compress(suffix, bytes(200 * MIB))
    assert len(bomb) < MIB
    tracemalloc.start()
    try:
        total, largest = 0, 0
        for chunk in Stream("a", suffix, pieces(bomb, MIB)):
            total, largest = total + len(chunk), max(largest, len(chunk))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (total, largest) == (200 * MIB, CHUNK)
    assert peak < 64 * MIB


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("input_format", ["text", "jsonl", "wholefile"])
def test_a_record_of_far_more_than_its_limit_is_refused_before_it_is_held(suffix, input_format):
    bomb = compress(suffix, b" " * (30 * MIB))
    with pytest.raises(RecordRefused, match="longer than 1000 bytes") as caught:
        records(f"a{suffix}", bomb, input_format, max_record_bytes=1000)
    assert caught.value.where == f"a{suffix}:0"
