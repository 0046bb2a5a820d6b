"""Lines of Pods' logs, as people read them."""

import json

import pytest

from mapreduce_cli.cluster.log_lines import as_text

RECORD = {
    "time": "2026-11-23T21:00:00.123Z",
    "level": "INFO",
    "logger": "mapreduce_worker.slots.printed",
    "message": "map-1.e1.0 printed:\n  hello\n  \u00fc",
    "job": "words",
}
HEAD = b"2026-11-23 21:00:00,123 INFO mapreduce_worker.slots.printed: map-1.e1.0 printed:"


def line(**fields):
    return json.dumps(RECORD | fields).encode()


def test_a_record_becomes_the_text_that_a_laptop_would_show():
    assert as_text(line()) == [HEAD, b"  hello", "  \u00fc".encode()]


def test_only_the_first_line_of_a_record_stands_at_the_margin():
    told = as_text(line(message="m\n2026 INFO forged: x", exception="Traceback\n  File\nE"))
    assert told[1:] == [b"  2026 INFO forged: x", b"  Traceback", b"  File", b"  E"]


@pytest.mark.parametrize("other", [b"", b"registered", b'{"time": broken', b'{"a": 1}', b"  indented", b"\xff\xfe"])
def test_what_is_no_record_stays_as_it_is(other):
    assert as_text(other) == [other]


def test_characters_that_no_encoding_has_are_shown():
    assert as_text(line(message="\udcff")) == [HEAD.replace(b"map-1.e1.0 printed:", b"\\udcff")]
