"""A very large value becomes text in pieces: the same text, of which little is there at once."""

from unittest import mock

import pytest

from mapreduce import jsonl, tsv, values
from mapreduce.errors import CorruptionError
from mapreduce.spec import OutputFormat
from mapreduce_worker.engine import blocks, columns, render, text_lists
from mapreduce_worker.engine.blocks import Block

LINE = {"tsv": tsv.line, "jsonl": jsonl.line}
STYLES: list[OutputFormat] = ["tsv", "jsonl"]
MIB = 1 << 20
LARGE = render._LARGE + MIB
TEXT = 'a\t"\\\nä\U0001f600\x7f'


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(
    "value",
    [
        TEXT * (LARGE // len(TEXT.encode())),
        [TEXT, "", "é" * 100, "x" * 300, "y" * 70_000] * (LARGE // 70_300),
        ["z" * LARGE],
        ["a" * MIB, None] * 17,
        b"\xff\x00" * (LARGE // 2),
        {"key": "v" * LARGE},
    ],
    ids=["text", "texts", "one text of a list", "a list of other things too", "bytes", "dictionary"],
)
def test_a_large_value_among_small_ones_is_what_single_records_make_of_it(style, value):
    found = [str(number) for number in range(1500)]
    given = [*found[:700], value, *found[700:]]
    names = [b"%04d" % number for number in range(len(given))]
    expected = b"".join(LINE[style](name.decode(), each) for name, each in zip(names, given, strict=True))
    rows = blocks.of_objects(names, given)
    few = Block(names[690:710], [values.encode(each) for each in given[690:710]])
    with mock.patch.object(render, "_large", wraps=render._large) as large:
        pieces = list(render.pieces(rows, style, "str", own=True))
        assert b"".join(pieces) == expected
        assert large.call_count == 1
        assert b"".join(render.pieces(few, style, "str", own=True)) in expected
        assert large.call_count == 2
    if type(value) is str:
        assert max(map(len, pieces)) < 3 * MIB


@pytest.mark.parametrize("style", STYLES)
def test_of_a_large_list_of_text_a_piece_is_there_at_once(style):
    names, given = [b"a", b"b"], [["text " * 20] * (LARGE // 100), ["b"]]
    pieces = list(render.pieces(columns.of_lists(names, given), style, "str", own=True))
    assert b"".join(pieces) == b"".join(
        LINE[style](name.decode(), each) for name, each in zip(names, given, strict=True)
    )
    assert max(map(len, pieces)) < 2 * MIB
    assert len(pieces) > LARGE // (2 * MIB)


@pytest.mark.parametrize(
    "packed",
    [
        *(b"", b"\xc1", b"\x91", b"\x92\xa1a", b"\x91\xa2a", b"\x91\xa1ab", b"\xdc", b"\xdc\x00", b"\x91\xd9"),
        *(b"\x91\x01", b"\xdd\xff\xff\xff\xff\xa1a", b"\x91\xda\x00", b"\x91\xdb\xff\xff\xff\xffab"),
        *(b"\x91\xc4\x01a", b"\xa1a"),
    ],
)
def test_what_is_no_list_of_text_comes_in_no_pieces(packed):
    assert text_lists.in_pieces(packed) is None


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(
    "packed", [b"\xc1", b"\x91\xa1\xff", b"\x92\xa1a", b"\xdd\xff\xff\xff\xff\xa1a", b"\x91\xa1ab"]
)
def test_forged_values_are_damage_where_they_would_come_in_pieces(style, packed):
    with mock.patch.object(render, "_LARGE", 0):
        for rows in (columns.of_packed([b"k"], [packed]), Block([b"k"], [packed])):
            with pytest.raises(CorruptionError, match="no records"):
                list(render.pieces(rows, style, "str", own=True))
