"""Parts become one text file in the order of the group keys, for any number of parts."""

import hashlib

import pytest

from mapreduce import keys, tsv, values
from mapreduce.errors import CorruptionError, ValueEncodingError
from mapreduce_worker.engine import emitted, merge, part
from mapreduce_worker.engine.blocks import Block
from tests.support.engine_runs import nothing


def write_part(path, pairs, key_type="int"):
    with path.open("wb") as file:
        writer = part.Writer(file, key_type)
        for key, pair in pairs:
            writer.add(Block([keys.encode(key)], [values.encode(pair)]))
        writer.finish()
    return path


def test_records_are_ordered_by_group_key_then_by_yield(tmp_path):
    pairs = [(-2, ("x", 1)), (-2, ("a", [2.5, None])), (0, ("tab\t", b"\x00")), (7, ((1, "t"), float("nan")))]
    expected = b"".join(tsv.line(*pair) for _, pair in pairs)
    for count in (1, 2, 3):
        parts = [
            write_part(tmp_path / f"p{n}", [pair for pair in pairs if abs(pair[0]) % count == n]) for n in range(count)
        ]
        result = merge.merge_parts(parts, tmp_path / "out", nothing)
        assert (tmp_path / "out").read_bytes() == expected
        assert result.checksum == f"sha256:{hashlib.sha256(expected).hexdigest()}"
        assert (result.records, result.size) == (4, len(expected))


def test_no_records_make_an_empty_file(tmp_path):
    result = merge.merge_parts([write_part(tmp_path / "p", [], "")], tmp_path / "out", nothing)
    assert (result.records, (tmp_path / "out").read_bytes()) == (0, b"")


def test_a_damaged_part_leaves_no_output(tmp_path):
    path = write_part(tmp_path / "p", [(1, ("a", 1))])
    data = bytearray(path.read_bytes())
    data[40] ^= 1
    path.write_bytes(data)
    with pytest.raises(CorruptionError):
        merge.merge_parts([path], tmp_path / "out", nothing)
    assert [left.name for left in tmp_path.iterdir()] == ["p"]


def test_parts_with_keys_of_different_types_do_not_merge(tmp_path):
    parts = [write_part(tmp_path / "a", [(1, ("a", 1))]), write_part(tmp_path / "b", [("x", ("a", 1))], "str")]
    with pytest.raises(CorruptionError, match="int, str"):
        merge.merge_parts(parts, tmp_path / "out", nothing)


def test_progress_grows_to_the_whole(tmp_path):
    told = []
    path = write_part(tmp_path / "p", [(1, ("a", 1)), (2, ("b", 2))])
    result = merge.merge_parts([path], tmp_path / "out", lambda *now: told.append(now))
    assert told == sorted(told)
    assert told[-1] == (result.records, result.size) == (2, 8)


@pytest.mark.parametrize(
    "value", [1, "x", None, [], ["a", 1, None, 0.5, b"b", True], [2**70], [[1], "a"], (1, "t"), {"k": [1]}]
)
def test_a_value_alone_is_packed_as_the_codec_does(value):
    assert emitted.pack_value(value) == values.encode(value)


@pytest.mark.parametrize("value", ["\ud800", ["\ud800"], [2**20000], [{1: 2, "1": 3}]])
def test_a_value_that_is_no_text_is_refused_where_it_is_yielded(value):
    with pytest.raises(ValueEncodingError):
        emitted.pack_value(value)


@pytest.mark.parametrize("value", [{1: 2, "1": 3}, [{None: 1, "null": 2}], {b"k": 1, "aw==": 2}])
def test_a_dictionary_whose_keys_are_one_text_is_refused_where_it_is_yielded(value):
    with pytest.raises(ValueEncodingError, match="two keys of a dictionary are the same text"):
        emitted.pack(("k", value))
