"""The plan is a function of the listing: every byte in one split, in order."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mapreduce import plan
from mapreduce.errors import UsageError
from mapreduce.plan import ListedFile
from mapreduce.program import Program
from mapreduce.spec import MIB, InputFormat, JobSpec, Limits


def listing(*sizes):
    return [ListedFile(f"in/{number}", str(number), size, "mtime:1") for number, size in enumerate(sizes)]


def spec(**changes):
    fields: dict[str, Any] = {
        "uid": "u",
        "name": "j",
        "program": Program("job.py", b""),
        "inputs": ("in",),
        "output": "out",
    }
    return JobSpec(**(fields | changes))


@given(st.lists(st.integers(0, 50), max_size=12), st.integers(1, 20))
def test_the_splits_cover_every_byte_once_and_in_order(sizes, split_size):
    files = listing(*sizes)
    splits = list(plan.split_files(files, split_size))
    covered = [
        (part.file.path, byte) for split in splits for part in split.ranges for byte in range(part.start, part.end)
    ]
    assert covered == [(file.path, byte) for file in files for byte in range(file.size)]
    assert [split.index for split in splits] == list(range(len(splits)))
    assert all(0 < split.size <= split_size for split in splits)


def test_small_files_share_a_split_and_large_ones_are_divided():
    splits = list(plan.split_files(listing(3, 4, 25, 2, 0, 1), 10))
    assert [[(part.file.name, part.start, part.end) for part in split.ranges] for split in splits] == [
        [("0", 0, 3), ("1", 0, 4)],
        [("2", 0, 10)],
        [("2", 10, 20)],
        [("2", 20, 25)],
        [("3", 0, 2), ("5", 0, 1)],
    ]


def named(*files: tuple[str, int]) -> list[ListedFile]:
    return [ListedFile(f"in/{name}", name, size, "mtime:1") for name, size in files]


def shares(files: list[ListedFile], split_size: int, input_format: InputFormat = "text") -> list[list[str]]:
    """Return the names of the files in each split."""
    return [[part.file.name for part in split.ranges] for split in plan.split_files(files, split_size, input_format)]


def test_a_compressed_file_is_one_split_of_its_own_whatever_its_size_and_in_its_place():
    files = named(("a", 1), ("b.gz", 30), ("c", 2), ("d.zst", 1), ("e.gz", 0), ("f", 1), ("g", 1))
    assert shares(files, 10) == [["a"], ["b.gz"], ["c"], ["d.zst"], ["e.gz"], ["f", "g"]]
    assert [split.size for split in plan.split_files(files, 10)] == [1, 30, 2, 1, 0, 2]


def test_a_name_alone_says_how_a_file_is_compressed():
    names = ["a.gz", "a.zst", "a.GZ", "gz", "a.gz.txt", "x/.gz/a"]
    assert [plan.compression(name) for name in names] == [".gz", ".zst", None, None, None, None]


def test_whole_files_are_packed_but_never_divided_and_empty_ones_count():
    files = named(("a", 0), ("b", 4), ("c", 25), ("d", 0), ("e", 6), ("f", 6), ("g.gz", 1), ("h", 0))
    assert shares(files, 10, "wholefile") == [["a", "b"], ["c"], ["d", "e"], ["f"], ["g.gz"], ["h"]]


def test_a_split_has_a_bounded_number_of_files():
    splits = shares(listing(*[1] * 2500), MIB)
    assert [len(split) for split in splits] == [1000, 1000, 500]


@pytest.mark.parametrize(("total", "size"), [(0, MIB), (5 * MIB, MIB), (320 * MIB, 10 * MIB), (10**12, 64 * MIB)])
def test_the_split_size_follows_from_the_input_alone(total, size):
    assert plan.default_split_size(total) == size


def test_no_input_bytes_make_a_plan_without_splits():
    header, splits = plan.make_plan(listing(0, 0), spec(), "1")
    assert (header.splits, splits, header.files) == (0, [], 2)


@pytest.mark.parametrize("limits", [Limits(max_splits=9), Limits(max_cells=75)])
def test_a_plan_that_is_too_large_names_a_split_size_that_fits(limits):
    files = listing(10 * MIB)
    with pytest.raises(UsageError, match="use a splitSize of at least 2Mi"):
        plan.make_plan(files, spec(split_size=MIB, limits=limits), "1")
    plan.make_plan(files, spec(split_size=2 * MIB, limits=limits), "1")


def test_too_many_files_that_cannot_be_packed_are_refused_with_another_advice():
    files = named(*((f"{number}.gz", 10) for number in range(20)))
    with pytest.raises(UsageError, match=r"makes 20 splits .* join some of its files"):
        plan.make_plan(files, spec(limits=Limits(max_splits=9)), "1")


def test_a_plan_whose_ranges_carry_too_many_names_of_columns_names_a_split_size_that_fits(monkeypatch):
    monkeypatch.setattr(plan, "MAX_HEADERS", 100)
    header = "a" * 11

    def cut(file, split_size):
        return plan.Cuts(tuple(range(split_size, file.size, split_size)), header)

    files = listing(20 * MIB)
    with pytest.raises(UsageError, match=r"20 splits carry 209 characters .* use a splitSize of at least 6Mi"):
        plan.make_plan(files, spec(split_size=MIB, format="csv"), "1", cut)
    assert len(plan.make_plan(files, spec(split_size=6 * MIB, format="csv"), "1", cut)[1]) == 4
