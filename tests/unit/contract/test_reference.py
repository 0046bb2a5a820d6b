"""The naive reference, and the text of the output."""

import math
from datetime import date

import pytest

import mapreduce as mr
from mapreduce import testing, tsv
from mapreduce.errors import MixedKeyError, UserError


class WordCount(mr.Job):
    def map(self, line):
        for word in line.split():
            yield word, 1

    reduce = mr.Sum()


class Positions(mr.Job):
    """Yields two records a key, from values in the order in which they were emitted."""

    def map(self, record):
        place, word = record
        yield word, (place, "x")

    def reduce(self, key, values):
        found = list(values)
        yield key, found
        yield key + "!", len(found)


def test_words_are_counted_in_the_order_of_the_keys():
    assert testing.run(WordCount, ["b a", "a", ""]) == [("a", 2), ("b", 1)]


def test_values_come_in_emission_order_and_as_the_codec_gives_them():
    assert testing.run(Positions, [(2, "w"), (1, "w")]) == [("w", [[2, "x"], [1, "x"]]), ("w!", 2)]


def test_a_mixture_of_key_types_is_an_error():
    class Mixed(WordCount):
        def map(self, record):
            yield record, 1

    with pytest.raises(MixedKeyError, match="key 'b' is str, the keys before it are int"):
        testing.run(Mixed, [1, "b"])


def nested(depth, kind):
    made = 1
    for _ in range(depth):
        made = kind((made,))
    return made


class Deep(mr.Job):
    """Yields what is given; without a reduce, a key is any value."""

    def map(self, record):
        yield record


class DeepInReduce(mr.Job):
    def map(self, record):
        yield 1, 1

    def reduce(self, key, values):
        yield key, nested(257, list)


@pytest.mark.parametrize("job", [Deep, type("DeepToReduce", (Deep,), {"reduce": mr.Each()})])
def test_what_is_too_deep_for_the_engine_is_too_deep_for_the_reference(job):
    for pair in ((nested(256, tuple), 1), (1, nested(256, list))):
        assert len(testing.run(job, [pair])) == 1
    for pair in ((nested(257, tuple), 1), (1, nested(257, list))):
        with pytest.raises(UserError, match=r"more than 256 .* within each other"):
            testing.run(job, [pair])
    with pytest.raises(UserError, match=r"more than 256 .* within each other"):
        testing.run(DeepInReduce, [1])


def test_keys_of_the_output_are_carried_as_values_are():
    class Days(mr.Job):
        def map(self, day):
            yield day, {day}

    assert testing.run_tsv(Days, [date(2020, 1, 2), None]) == b'2020-01-02\t["2020-01-02"]\nnull\t[null]\n'


@pytest.mark.parametrize(
    ("key", "value", "line"),
    [
        ("a\tb", "c\\\n\r", "a\\tb\tc\\\\\\n\\r\n"),
        (1, 2.0, "1\t2.0\n"),
        (("a", 1), [math.nan, math.inf, None], '["a",1]\t[NaN,Infinity,null]\n'),
        (b"\xff", {"k": b"\0"}, '/w==\t{"k":"AA=="}\n'),
        (True, "ü", "true\tü\n"),
    ],
)
def test_each_type_has_its_text(key, value, line):
    assert tsv.line(key, value) == line.encode()
