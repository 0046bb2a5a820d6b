"""One output line of JSON is JSON, whatever the key and value."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mapreduce import jsonl, tsv, values
from tests.support import budget

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.binary(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3) | st.integers(-9, 9), inner, max_size=3)
    ),
    max_leaves=6,
)


def no_constant(name: str) -> None:
    raise AssertionError(f"{name} is no JSON")


@budget.examples(60)
@given(PLAIN, PLAIN)
def test_every_line_is_strict_json_with_key_and_value(key, value):
    carried = values.decode(values.encode(value))
    line = jsonl.line(key, carried)
    assert line.endswith(b"}\n")
    assert line.count(b"\n") == 1
    assert list(json.loads(line, parse_constant=no_constant)) == ["key", "value"]
    assert jsonl.lines([(key, carried), [key, carried]]) == line * 2


@budget.examples(100)
@given(st.text(st.sampled_from("\\\t\n\rtnr ü"), max_size=12))
def test_each_character_of_a_text_is_escaped_once(text):
    escapes = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}
    assert tsv.field(text) == "".join(escapes.get(character, character) for character in text)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ('a\t"ä\u2028\n', '"a\\t\\"ä\u2028\\n"'),
        (2**70, "1180591620717411303424"),
        (True, "true"),
        (None, "null"),
        (1.0, "1.0"),
        (1e16, "1e+16"),
        (-0.0, "-0.0"),
        (math.nan, '"NaN"'),
        ([math.inf, {"x": -math.inf}], '["Infinity",{"x":"-Infinity"}]'),
        (b"\x00\xff", '"AP8="'),
        ({1: [b"", (2, "x")]}, '{"1":["",[2,"x"]]}'),
    ],
)
def test_a_value_has_one_spelling(value, text):
    assert jsonl.field(value) == text.encode()
    assert jsonl.line("k", value) == b'{"key":"k","value":%b}\n' % text.encode()
