"""Keys are of one type, and a map that runs again must give what it gave before."""

import msgspec
import pytest

from mapreduce.protocol import MapSucceeded
from tests.support.master_builder import JobUnderTest


def finish_with_key_type(job, worker, attempt, key_type, key_at):
    worker.succeed(attempt)
    number, outcome = worker.reports.popitem()
    assert isinstance(outcome, MapSucceeded)
    output = msgspec.structs.replace(outcome.output, key_type=key_type, key_at=key_at)
    worker.reports[number] = MapSucceeded(output=output, records=outcome.records)
    worker.outputs[attempt] = output
    worker.request = 0
    job.settle()


@pytest.mark.parametrize(
    ("types", "shown"),
    [
        (("str", "int"), ("str", "int")),
        (("desc[str]", "desc[tuple[str,int]]"), ("str", "tuple[str,int]")),
        (("desc[str] by desc[int]", "desc[str] by desc[float]"), ("int", "float")),
        (("str by int", "int by str"), ("str", "int")),
    ],
)
def test_keys_of_two_types_fail_the_job_and_both_places_are_named_whatever_their_order(types, shown):
    job = JobUnderTest(maps=2).until_mapping()
    (first, one), (second, two) = job.running("map")
    finish_with_key_type(job, first, one, types[0], "a.txt:0")
    finish_with_key_type(job, second, two, types[1], "b.txt:7")
    failed = job.status.conditions[-1]
    assert failed.reason == "MixedKeys"
    assert f"there are {shown[0]} (at a.txt:0) and {shown[1]} (at b.txt:7)" in failed.message
    about_values = types[0].partition(" by ")[0] == types[1].partition(" by ")[0]
    assert failed.message.startswith(
        "with sort_values all values must" if about_values else "keys must all have one type"
    )


def test_a_map_without_rows_has_no_key_type_and_that_is_no_mixture():
    job = JobUnderTest(maps=2).until_mapping()
    (first, one), (second, two) = job.running("map")
    finish_with_key_type(job, first, one, "", "")
    finish_with_key_type(job, second, two, "int", "b.txt:7")
    assert job.run_to_the_end() == "Succeeded"


def lose_first_map_after(job, staged):
    """Lose the holder of map 0 when `staged` reduces are staged; let it give another output."""
    job.until_reducing()
    holder = next(worker for worker in job.workers if any(output.task.index == 0 for output in worker.outputs))
    others = [pair for pair in job.running("reduce") if pair[0] is not holder]
    for worker, attempt in others[:staged]:
        job.finish(worker, attempt)
    job.outputs_of_maps[0] = "another"
    job.kill(holder)


def test_a_map_that_gives_another_output_after_a_reduce_read_the_first_fails_the_job():
    job = JobUnderTest(maps=2, reducers=3, workers=3)
    lose_first_map_after(job, staged=1)
    assert job.run_to_the_end() == "Failed"
    assert job.status.conditions[-1].reason == "NonDeterministicMap"
    assert "map-0" in job.status.conditions[-1].message


def test_where_no_reduce_has_finished_the_other_output_is_taken_by_all():
    job = JobUnderTest(maps=2, reducers=3, workers=3)
    lose_first_map_after(job, staged=0)
    assert job.run_to_the_end() == "Succeeded"
    consumed = {event.checksum for event in job.history("Consumed")}
    assert len(consumed) == 1


def test_a_reduce_that_had_read_the_first_output_runs_again():
    job = JobUnderTest(maps=2, reducers=2, workers=3).until_reducing()
    holder = next(worker for worker in job.workers if any(output.task.index == 0 for output in worker.outputs))
    reducer, attempt = next(pair for pair in job.running("reduce") if pair[0] is not holder)
    reducer.compute(attempt)
    job.outputs_of_maps[0] = "another"
    job.kill(holder)
    for worker, again in job.running("map"):
        job.finish(worker, again)
    job.finish(reducer, attempt)
    assert [event.attempt for event in job.history("Lost") if event.task.kind == "reduce"][-1] == attempt
    assert job.run_to_the_end() == "Succeeded"
    assert len({event.checksum for event in job.history("Consumed")}) == 1


def test_the_same_output_again_is_no_news_to_what_was_staged():
    job = JobUnderTest(maps=2, reducers=3, workers=3)
    job.until_reducing()
    holder = job.workers[0]
    others = [pair for pair in job.running("reduce") if pair[0] is not holder]
    job.finish(*others[0])
    job.kill(holder)
    assert job.run_to_the_end() == "Succeeded"
