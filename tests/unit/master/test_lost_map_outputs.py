"""Outputs of maps that are lost with their worker are made again where somebody needs them."""

from tests.support.master_builder import JobUnderTest


def maps_given(job):
    return [str(event.attempt) for event in job.history("Assigned") if event.task.kind == "map"]


def holder_of(job, index):
    return next(worker for worker in job.workers if any(output.task.index == index for output in worker.outputs))


def test_finished_maps_of_a_lost_worker_run_again_while_a_reduce_needs_them():
    job = JobUnderTest(maps=4).until_reducing()
    lost = holder_of(job, 0)
    held = sorted(attempt.task.index for attempt in lost.outputs)
    job.kill(lost)
    assert sorted(event.task.index for event in job.history("Lost") if event.task.kind == "map") == held
    assert job.run_to_the_end() == "Succeeded"
    assert sorted(given for given in maps_given(job) if given.endswith(".e1.1")) == [f"map-{i}.e1.1" for i in held]


def test_reducers_hear_that_a_segment_is_gone_and_where_it_is_again():
    job = JobUnderTest(maps=2, workers=4).until_reducing()
    reducer = job.running("reduce")[0][0]
    holder = next(worker for worker in job.workers if worker.outputs and worker is not reducer)
    index = next(iter(holder.outputs)).task.index
    job.kill(holder)
    assert index not in reducer.places
    for worker, attempt in job.running("map"):
        job.finish(worker, attempt)
    assert reducer.places[index][0].number == 1


def test_no_map_runs_again_once_every_part_is_staged():
    job = JobUnderTest(maps=2)
    job.held.add("publish")
    job.until_reducing()
    job.work()
    assert job.phase == "Publishing"
    for worker in list(job.workers):
        job.kill(worker)
    job.held.clear()
    assert job.run_to_the_end() == "Succeeded"
    assert maps_given(job) == ["map-0.e1.0", "map-1.e1.0"]


def test_a_part_whose_worker_is_lost_before_it_was_staged_is_made_again():
    job = JobUnderTest(maps=2, reducers=1, workers=2)
    job.held.add("stage")
    job.until_reducing()
    worker, attempt = job.running("reduce")[0]
    job.finish(worker, attempt)
    job.kill(worker)
    job.held.clear()
    assert job.run_to_the_end() == "Succeeded"
    reduces = [str(event.attempt) for event in job.history("Assigned") if event.task.kind == "reduce"]
    assert reduces == ["reduce-0.e1.0", "reduce-0.e1.1"]


def test_a_part_that_was_staged_although_its_worker_is_lost_counts():
    job = JobUnderTest(maps=2, reducers=1, workers=2)
    job.held.add("stage")
    job.until_reducing()
    worker, attempt = job.running("reduce")[0]
    job.finish(worker, attempt)
    gateway = job.gateway
    gateway.answers_to_lose = 1
    job.kill(worker)
    if any(work.task.kind == "stage" for work in gateway.active):
        job.held.clear()
    job.held.clear()
    assert job.run_to_the_end() == "Succeeded"
    assert set(job.store.staged_times.values()) == {1}


def test_outputs_lost_while_maps_still_run_are_made_again_without_waiting():
    job = JobUnderTest(maps=4, workers=2).until_mapping()
    worker, attempt = job.running("map")[0]
    job.finish(worker, attempt)
    job.kill(worker)
    assert job.status.maps.succeeded == 0
    assert job.run_to_the_end() == "Succeeded"
