"""A job has no number that its messages could not carry."""

from typing import Any

import pytest

from mapreduce.errors import UsageError
from mapreduce.program import Program
from mapreduce.spec import LARGEST, JobSpec, Limits

JOB: dict[str, Any] = {
    "uid": "u",
    "name": "job",
    "program": Program("job.py", b""),
    "inputs": ("in",),
    "output": "out",
}


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ({"split_size": LARGEST + 1}, "split size: 9223372036854775808 is more than"),
        ({"reducers": 10**20}, "reducers: 1.* is more than 10000"),
        ({"workers": 2001}, "workers: 2001 is more than 2000"),
        ({"slots": 65}, "slots: 65 is more than 64"),
        ({"limits": Limits(slot_memory=1 << 64)}, "slot memory: "),
    ],
)
def test_a_number_that_cannot_be_told_to_a_worker_is_refused(numbers, said):
    with pytest.raises(UsageError, match=said):
        JobSpec(**JOB | numbers)


def test_the_largest_numbers_are_taken():
    spec = JobSpec(**JOB | {"split_size": LARGEST, "reducers": 10_000, "workers": 2000, "slots": 64})
    assert (spec.split_size, spec.reducers) == (LARGEST, 10_000)
