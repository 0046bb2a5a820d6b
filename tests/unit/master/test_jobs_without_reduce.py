"""A job without reduce: each map makes a part, which is staged under the map's index."""

from mapreduce.protocol import AttemptFailed, ErrorInfo, RunMap, StagePart
from tests.support.master_builder import JobUnderTest


def job_without_reduce(**changes):
    """A job of three maps and no reduce."""
    return JobUnderTest(has_reduce=False, **({"maps": 3} | changes))


def maps_given(job):
    """Every map attempt that was ever given out."""
    return [str(event.attempt) for event in job.history("Assigned") if event.task.kind == "map"]


def test_its_maps_make_parts_and_no_reduce_follows():
    job = job_without_reduce().until_mapping()
    given = [work for worker in job.workers for work in worker.active.values() if isinstance(work, RunMap)]
    assert given
    assert all(work.makes_part for work in given)
    assert job.run_to_the_end() == "Succeeded"
    assert (job.status.maps.succeeded, job.status.reduces.total) == (3, 0)
    assert "Reducing" not in {status.phase for status in job.statuses}


def test_every_part_is_staged_under_the_index_of_its_map():
    job = job_without_reduce()
    assert job.run_to_the_end() == "Succeeded"
    assert {partition: str(part.source) for partition, part in job.store.staged.items()} == {
        0: "map-0.e1.0",
        1: "map-1.e1.0",
        2: "map-2.e1.0",
    }


def test_publishing_is_told_how_many_parts_there_are():
    job = job_without_reduce(reducers=7)
    job.held.add("publish")
    for _ in range(20):
        job.work()
    (work,) = [work for work in job.gateway.active.values() if work.attempt.task.kind == "publish"]
    assert work.parts == 3


def test_a_map_has_succeeded_only_when_its_part_is_staged():
    job = job_without_reduce(maps=1)
    job.held.add("stage")
    job.until_mapping().work()
    assert (job.status.maps.active, job.status.maps.succeeded, job.status.records) == (1, 0, 0)
    job.held.clear()
    job.settle()
    assert (job.status.maps.succeeded, job.status.records, job.status.size) == (1, 10, 100)


def test_what_is_staged_may_be_deleted_by_the_worker():
    job = job_without_reduce(maps=1, workers=1)
    job.held.add("publish")
    job.until_mapping().work()
    job.pass_time(4)
    assert [str(attempt) for attempt in job.workers[0].discarded] == ["map-0.e1.0"]


def test_a_map_whose_part_is_lost_before_it_is_staged_runs_again():
    job = job_without_reduce(maps=1)
    job.held.add("stage")
    job.until_mapping()
    worker, attempt = job.running("map")[0]
    job.finish(worker, attempt)
    job.kill(worker)
    job.held.clear()
    assert job.run_to_the_end() == "Succeeded"
    assert maps_given(job) == ["map-0.e1.0", "map-0.e1.1"]


def test_a_map_whose_part_is_staged_never_runs_again():
    job = job_without_reduce(maps=2, workers=2)
    job.until_mapping()
    worker, attempt = job.running("map")[0]
    job.finish(worker, attempt)
    job.kill(worker)
    assert job.run_to_the_end() == "Succeeded"
    assert maps_given(job).count(str(attempt)) == 1
    assert len(maps_given(job)) == 2


def test_a_part_that_cannot_be_read_three_times_is_made_again():
    job = job_without_reduce(maps=1)
    job.held.add("stage")
    job.until_mapping().work()
    for _ in range(3):
        (work,) = [work for work in job.gateway.active.values() if isinstance(work, StagePart)]
        error = ErrorInfo(kind="disruption", reason="SegmentUnreadable", message="it is damaged")
        job.gateway.report(AttemptFailed(attempt=work.attempt, error=error))
        job.gateway.request = 0
        job.pass_time(9)
    job.held.clear()
    assert job.run_to_the_end() == "Succeeded"
    assert maps_given(job) == ["map-0.e1.0", "map-0.e1.1"]


def test_an_empty_input_gives_an_empty_output():
    job = job_without_reduce(maps=0)
    assert job.run_to_the_end() == "Succeeded"
    assert job.store.published


def test_after_a_restart_staged_parts_stay_and_the_program_is_not_loaded_again():
    job = job_without_reduce(maps=3, workers=1)
    job.until_mapping()
    worker, attempt = job.running("map")[0]
    job.finish(worker, attempt)
    job.restart_master()
    assert job.run_to_the_end() == "Succeeded"
    assert {partition: part.source.epoch for partition, part in job.store.staged.items()} == {0: 1, 1: 1, 2: 2}
    assert [str(event.attempt) for event in job.history("Assigned") if event.task.kind == "load"] == ["load-0.e1.0"]
    assert (job.status.records, job.status.maps.succeeded) == (30, 3)


def test_a_part_that_was_reported_to_nobody_is_taken_over_by_the_next_master():
    job = job_without_reduce(maps=1, workers=1)
    job.until_mapping()
    worker, attempt = job.running("map")[0]
    worker.mute = True
    worker.succeed(attempt)
    worker.mute = False
    job.restart_master()
    assert job.run_to_the_end() == "Succeeded"
    assert str(job.store.staged[0].source) == "map-0.e1.0"


def test_after_a_restart_without_a_word_in_the_journal_the_program_is_loaded_again():
    job = job_without_reduce(maps=1, workers=2)
    job.until_mapping()
    for worker in job.workers:
        worker.alive = False
    job.restart_master()
    assert job.run_to_the_end() == "Succeeded"
    assert "load-0.e2.0" in [str(event.attempt) for event in job.history("Assigned")]
    assert job.status.reduces.total == 0
