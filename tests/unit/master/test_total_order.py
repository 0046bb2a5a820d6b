"""Ranges of keys are chosen when all maps have ended, are written before a reduce is given out, and stand."""

import msgspec

from mapreduce import history
from mapreduce.boundaries import ALL, NONE, KeyRange, range_of
from mapreduce.protocol import MapOutput, RunMap, RunReduce
from mapreduce_operator.core import divide
from tests.support.history_checker import check
from tests.support.master_builder import JobUnderTest


def job_of(*, maps=3, workers=4, order="total"):
    return JobUnderTest(maps=maps, reducers=4, workers=workers, order=order)


def ranges(job):
    """Return the range that each reduce was given, by its partition."""
    active = [work for worker in job.workers for work in worker.active.values()]
    return {work.partition: work.range for work in active if isinstance(work, RunReduce)}


def told(job):
    return [event.boundaries for event in job.history("Divided")]


def problems(job, maps, reduces):
    lines = history.parse(b"".join(history.render(job.store.frames)))
    return check(lines, maps=maps, reduces=reduces)


def test_each_reduce_gets_a_range_of_its_own():
    job = job_of().until_reducing()
    assert told(job) == [(b"25", b"50", b"75")]
    assert ranges(job) == {
        0: KeyRange(b"", b"25"),
        1: KeyRange(b"25", b"50"),
        2: KeyRange(b"50", b"75"),
        3: KeyRange(b"75", None),
    }
    assert job.run_to_the_end() == "Succeeded"
    assert problems(job, 3, 4) == []


def test_maps_are_asked_for_keys_only_where_these_have_an_order():
    asked = []
    for order in ("total", "hash"):
        job = job_of(order=order).until_mapping()
        active = [work for worker in job.workers for work in worker.active.values()]
        asked.append({work.samples for work in active if isinstance(work, RunMap)})
    assert asked[0] != asked[1] == {0}


def test_by_hash_there_are_no_ranges():
    job = job_of(order="hash").until_reducing()
    assert told(job) == []
    assert set(ranges(job).values()) == {ALL}


def test_no_reduce_is_given_out_before_the_ranges_are_written():
    job = job_of().until_mapping()
    running = job.running("map")
    job.held.add("journal")
    for worker, attempt in running:
        job.finish(worker, attempt)
    job.work(3)
    assert job.phase == "Reducing"
    assert job.running("reduce") == []
    job.held.clear()
    job.settle()
    assert told(job) == [(b"25", b"50", b"75")]
    assert len(ranges(job)) == 4


def test_ranges_that_were_not_written_are_chosen_again_after_a_restart():
    job = job_of().until_mapping()
    job.held.add("journal")
    for worker, attempt in job.running("map"):
        job.finish(worker, attempt)
    job.restart_master()
    job.held.clear()
    assert job.run_to_the_end() == "Succeeded"
    assert told(job) == [(b"25", b"50", b"75")]
    assert problems(job, 3, 4) == []


def test_ranges_stand_after_a_restart_whatever_maps_say_then():
    job = job_of(workers=1).until_reducing()
    job.finish(*job.running("reduce")[0])
    for worker in job.workers:
        worker.key_count = 10
        for attempt, output in list(worker.outputs.items()):
            worker.outputs[attempt] = msgspec.structs.replace(output, sample=(b"x",))
    job.restart_master()
    job.settle()
    assert job.run_to_the_end() == "Succeeded"
    assert told(job) == [(b"25", b"50", b"75")]
    assert problems(job, 3, 4) == []


def test_a_map_that_runs_again_changes_no_range():
    job = job_of(workers=2).until_reducing()
    for worker in job.workers:
        worker.key_count = 10
    job.kill(job.workers[0])
    given: dict[int, KeyRange] = {}
    for _ in range(200):
        if job.ended:
            break
        given |= ranges(job)
        job.work()
        job.pass_time(1)
    assert job.ended == "Succeeded"
    assert len(job.history("Finished")) > 1 + 3 + 4
    assert told(job) == [(b"25", b"50", b"75")]
    assert given
    assert all(wanted == range_of((b"25", b"50", b"75"), at) for at, wanted in given.items())
    assert problems(job, 3, 4) == []


def test_an_empty_input_has_empty_ranges():
    job = job_of(maps=0).until_mapping()
    job.settle()
    assert told(job) == [()]
    assert ranges(job) == {0: ALL, 1: NONE, 2: NONE, 3: NONE}
    assert job.run_to_the_end() == "Succeeded"


def test_more_keys_than_were_asked_for_are_not_kept():
    job = job_of(maps=1).until_mapping()
    attempt = job.running("map")[0][1]
    output = MapOutput(attempt=attempt, checksum="c", rows=9999, size=1, key_type="bytes", sample=(b"k",) * 9999)
    divide.note(job.master.book, output)
    assert job.master.book.samples == {0: (9999, (b"k",) * 1000)}


def test_without_reduce_nothing_is_divided():
    job = job_of()
    job.settle()
    for worker, attempt in job.running("load"):
        worker.has_reduce = False
        job.finish(worker, attempt)
    assert job.run_to_the_end() == "Succeeded"
    assert told(job) == []
