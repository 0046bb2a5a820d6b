"""The plan is a function of the listing: every byte in one split, in order."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mapreduce import plan
from mapreduce.errors import UsageError
from mapreduce.plan import ListedFile
from mapreduce.program import Program
from mapreduce.spec import MIB, JobSpec, Limits


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
