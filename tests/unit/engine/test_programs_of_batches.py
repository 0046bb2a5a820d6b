"""A program with map_batch or reduce_batch is loaded, or refused with what to write instead."""

import pytest

import mapreduce as mr
from mapreduce.errors import ProgramError
from mapreduce.program import Program
from mapreduce_worker.engine import job_checks, program
from mapreduce_worker.engine.options import TaskOptions

FUNCTIONS = b"""
def map_batch(job, batch):
    return batch.select(key="value", value="offset")

def reduce_batch(frame):
    return frame
"""


def returns(self, frame):
    return frame


def job(**members):
    return type("Refused", (mr.Job,), members)


REFUSED = {
    "has map and map_batch: a job has one of them": job(map=returns, map_batch=returns),
    "has reduce and reduce_batch: a job has one of them": job(map=returns, reduce=mr.Sum(), reduce_batch=returns),
    "reduce_batch must be a method: a built-in reducer is written reduce = mr.Sum()": job(
        map=returns, reduce_batch=mr.Sum()
    ),
    "reduce_batch must be a method: a": job(map=returns, reduce_batch=mr.Sum),
    "has no map": job(reduce_batch=returns),
    "map_batch cannot be mr.Sum()": job(map_batch=mr.Sum()),
    "map_batch must be a method or a built-in reducer, not int": job(map_batch=1),
    "has combine but no reduce": job(map_batch=returns, combine=returns),
    "counts keys alone": job(map_batch=returns, reduce=mr.Count(), sort_values=True),
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_does_not_go_together_is_refused(message):
    with pytest.raises(ProgramError) as told:
        job_checks.check(REFUSED[message])
    assert message in str(told.value)


BESIDE = [
    {"reduce": mr.Sum()},
    {"reduce": returns, "combine": returns},
    {"reduce_batch": returns, "sort_values": True, "partition": returns},
]


@pytest.mark.parametrize("members", BESIDE)
def test_what_may_stand_beside_map_may_stand_beside_map_batch(members):
    job_checks.check(job(map_batch=returns, **members))


@pytest.mark.parametrize("given", ["jsonl", "wholefile"])
def test_only_text_and_tables_come_in_batches(given, tmp_path):
    options = TaskOptions(format=given)
    with pytest.raises(
        ProgramError, match=rf"map_batch takes lines of text, csv or parquet, and the input's format is {given}"
    ):
        program.ready(Program("job.py", FUNCTIONS), tmp_path, options)


@pytest.mark.parametrize("given", ["text", "csv", "parquet"])
def test_text_and_tables_come_in_batches(given, tmp_path):
    found, _ = program.ready(Program("job.py", FUNCTIONS), tmp_path, TaskOptions(format=given))
    assert found.map_batch is not None


def test_functions_are_a_job_that_is_called_as_its_first_parameter_says(tmp_path):
    found, _ = program.ready(Program("job.py", FUNCTIONS, "map_batch"), tmp_path, TaskOptions())
    assert mr.testing.run(found, ["b", "a"]) == [("a", 1), ("b", 0)]
    assert program.shape(found).has_reduce
    assert not program.shape(found).has_combine


def test_a_job_of_batches_without_a_reduce_is_told_as_one():
    assert not program.shape(job(map_batch=returns)).has_reduce
    assert program.shape(job(map_batch=returns, reduce=mr.Sum())).has_combine
