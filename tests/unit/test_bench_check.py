"""`make bench` notices an output that is wrong."""

import random

import pytest

from bench import check
from bench.check import Sorted, WrongOutput


@pytest.fixture
def source(tmp_path):
    """Return a file of records in no order, two of which have the same key."""
    keys = [f"{number:04}" for number in range(100)] + ["0007"]
    lines = [f"{key}\tvalue {place}\n" for place, key in enumerate(keys)]
    random.Random(1).shuffle(lines)
    (tmp_path / "source").write_text("".join(lines))
    return tmp_path / "source"


def in_order(source):
    return sorted(source.read_text().splitlines(keepends=True), key=lambda line: line[:4])


def written(tmp_path, lines):
    (tmp_path / "output").write_text("".join(lines))
    return tmp_path / "output"


def test_records_in_order_are_right(tmp_path, source):
    output = written(tmp_path, in_order(source))
    check.prove_sorted(output, source)
    assert check.sorted_file(output)._replace(in_order=False) == check.sorted_file(source)


def test_a_swap_is_found(tmp_path, source):
    lines = in_order(source)
    lines[20], lines[21] = lines[21], lines[20]
    with pytest.raises(WrongOutput, match="order"):
        check.prove_sorted(written(tmp_path, lines), source)


def test_a_lost_record_is_found(tmp_path, source):
    lines = in_order(source)
    del lines[20]
    with pytest.raises(WrongOutput, match="100 records"):
        check.prove_sorted(written(tmp_path, lines), source)


def test_a_doubled_record_in_the_place_of_another_is_found(tmp_path, source):
    lines = in_order(source)
    lines[20] = lines[21]
    with pytest.raises(WrongOutput, match="other records"):
        check.prove_sorted(written(tmp_path, lines), source)


def test_a_pair_that_became_another_pair_twice_is_found(tmp_path):
    # What an exclusive or of hashes would miss.
    once, other = written(tmp_path, ["a\t1\n", "a\t1\n"]), tmp_path / "other"
    other.write_text("b\t2\nb\t2\n")
    assert check.sorted_file(once).checksum != check.sorted_file(other).checksum


def test_an_empty_file_is_in_order(tmp_path):
    assert check.sorted_file(written(tmp_path, [])) == Sorted(0, True, 0)


def test_counts_of_several_files_are_added_up_in_order(tmp_path):
    first, second, whole = tmp_path / "first", tmp_path / "second", tmp_path / "whole"
    first.write_text("a\t1\nc\t3\n")
    second.write_text("a\t10\nb\t2\n")
    whole.write_text("a\t11\nb\t2\nc\t3\n")
    assert check.added_digest([first, second]) == check.digest(whole)
    assert check.added_digest([first]) != check.digest(whole)
