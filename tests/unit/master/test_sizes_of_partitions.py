"""How much goes to each partition: summed, journalled, told, and the largest is reduced first."""

import pytest

from mapreduce import partition_sizes
from mapreduce.partition_sizes import HeavyKey
from mapreduce_operator.core import policies
from mapreduce_operator.core.partition_sums import KEPT, PartitionSums
from mapreduce_operator.core.skew import HEAVY_TOLD
from mapreduce_operator.core.tasks import TaskTable
from tests.support.master_builder import JobUnderTest

MIB = 1 << 20


def job_with(sizes, heavy=(), **changes):
    job = JobUnderTest(maps=len(sizes), reducers=len(sizes[0]), **changes)
    job.sizes.update(enumerate(sizes))
    job.heavy.update(enumerate(heavy))
    return job


def told(job):
    skew = job.status.skew
    return skew and (skew.largest, skew.median, [key.key for key in skew.heavy])


def test_sizes_are_summed_over_maps_and_told_once_all_have_succeeded():
    job = job_with([(10, 20, 30), (1, 2, 300)], workers=1).until_mapping()
    job.finish(*job.running("map")[0])
    assert told(job) is None
    job.finish(*job.running("map")[0])
    assert told(job) == (330, 22, [])
    (event,) = job.history("Sizes")
    assert (partition_sizes.unpack(event.sizes), event.size) == ([11, 22, 330], 363)
    assert job.run_to_the_end() == "Succeeded"
    assert told(job) == (330, 22, [])


def test_the_largest_partition_is_reduced_first():
    job = job_with([(10, 20, 500, 30)], workers=1).until_reducing()
    order = []
    while job.running("reduce"):
        worker, attempt = job.running("reduce")[0]
        order.append(attempt.task.index)
        job.finish(worker, attempt)
    assert order == [2, 3, 1, 0]


def test_reduces_that_gather_early_are_those_of_the_partitions_that_are_the_largest_so_far():
    job = job_with([(1, 2, 9), (0, 0, 0)], workers=2).until_mapping()
    job.finish(*job.running("map")[0])
    assert [attempt.task.index for _, attempt in job.running("reduce")] == [2]


def test_a_map_that_runs_again_is_not_added_again():
    job = job_with([(10, 20), (30, 40)], workers=2).until_mapping()
    first = job.workers[0]
    job.finish(first, next(iter(first.active)))
    job.kill(first)
    job.run_to_the_end()
    assert told(job) == (60, 40, [])
    assert [partition_sizes.unpack(event.sizes) for event in job.history("Sizes")] == [[40, 60]]


def test_a_job_whose_maps_tell_nothing_goes_without():
    job = JobUnderTest(maps=2).until_reducing()
    assert told(job) is None
    assert job.history("Sizes") == []
    assert job.run_to_the_end() == "Succeeded"


@pytest.mark.parametrize("wrong", [(1,), (1, 2, 3)])
def test_what_does_not_fit_the_job_is_not_believed(wrong):
    job = JobUnderTest(maps=1, reducers=2)
    job.sizes[0] = wrong
    job.until_reducing()
    assert told(job) is None


def test_keys_that_are_heavy_in_the_job_are_named_the_heaviest_first():
    heavy = [
        (HeavyKey(1, "'a'", 5, 400), HeavyKey(0, "'c'", 1, 30)),
        (HeavyKey(1, "'a'", 6, 450), HeavyKey(1, "'b'", 9, 100)),
    ]
    job = job_with([(50, 500, 50), (50, 600, 60)], heavy).until_reducing()
    assert told(job) == (1100, 110, ["'a'", "'b'"])
    assert [(key.rows, key.size) for key in job.status.skew.heavy] == [(11, 850), (9, 100)]
    (event,) = job.history("Sizes")
    assert [key.key for key in event.heavy] == ["'a'", "'b'"]
    assert "heavy keys: 'a'" in event.message


def test_a_partition_far_larger_than_the_others_is_worth_an_event():
    heavy = [(HeavyKey(2, "'the'", 9, 90 * MIB),)]
    job = job_with([(MIB, 2 * MIB, 100 * MIB, 2 * MIB)], heavy).until_reducing()
    (event,) = [event for event in job.announced if event.reason == "Skewed"]
    assert event.kind == "Warning"
    assert event.message.startswith(
        "the largest partition has 100.0 MiB, the median 2.0 MiB; heavy keys: 'the' (90.0 MiB)"
    )


@pytest.mark.parametrize(("largest", "median"), [(63 * MIB, 0), (100 * MIB, 30 * MIB)])
def test_what_is_small_or_hardly_larger_is_not(largest, median):
    assert policies.skew(largest, median, []).action == "accept"


def test_a_later_master_knows_the_sizes_from_the_journal():
    job = job_with([(10, 20, 500), (0, 9, 0)], [(HeavyKey(2, "'a'", 5, 400),)], workers=1).until_reducing()
    job.pass_time(2)
    job.restart_master()
    job.pass_time(1)
    assert job.run_to_the_end() == "Succeeded"
    assert told(job) == (partition_sizes.unpack(partition_sizes.pack([500]))[0], 29, ["'a'"])
    assert len(job.history("Sizes")) == 1


def test_after_a_restart_the_maps_that_tell_stand_for_those_that_told_before():
    job = job_with([(10, 20), (30, 40), (50, 60)], workers=1).until_mapping()
    job.finish(*job.running("map")[0])
    job.pass_time(2)
    job.restart_master()
    job.pass_time(1)
    assert job.run_to_the_end() == "Succeeded"
    # Two of three maps told (30, 40) and (50, 60).
    assert told(job) == (150, 120, [])


def test_heavy_keys_are_those_of_all_maps_after_a_restart_too():
    heavy = [(HeavyKey(1, "'a'", 5, 400), HeavyKey(7, "'no such partition'", 1, 9000))] * 3
    job = job_with([(30, 500)] * 3, heavy, workers=1).until_mapping()
    job.finish(*job.running("map")[0])
    job.pass_time(2)
    for _ in range(2):
        job.restart_master()
        job.pass_time(1)
    assert job.run_to_the_end() == "Succeeded"
    assert [(key.key, key.rows, key.size) for key in job.status.skew.heavy] == [("'a'", 15, 1200)]


def test_keys_of_a_map_are_added_once_whether_its_sizes_come_before_or_after():
    keys = [HeavyKey(0, "'a'", 1, 100)]
    sums = PartitionSums()
    sums.name(0, keys)
    assert not sums.has(0)
    sums.add(0, [100], keys)
    sums.add(1, [200], keys)
    sums.name(1, keys)
    assert (sums.heavy(), sums.maps, list(sums.of)) == ([HeavyKey(0, "'a'", 2, 200)], 2, [300])


def test_only_the_heaviest_of_many_keys_are_kept_and_told():
    sums = PartitionSums()
    for number in range(5 * KEPT):
        sums.add(number, [0, 0], [HeavyKey(0, str(number), 1, number)])
    kept = sums.heavy()
    assert [key.size for key in kept[:3]] == [5 * KEPT - 1, 5 * KEPT - 2, 5 * KEPT - 3]
    assert len(kept) <= 2 * KEPT
    heavy = tuple(HeavyKey(0, str(number), 1, 1000 + number) for number in range(2 * HEAVY_TOLD))
    job = job_with([(10, 10)] * 3, [heavy[:4], heavy[4:8], heavy[8:]]).until_reducing()
    assert len(job.status.skew.heavy) == HEAVY_TOLD


def test_tasks_run_in_the_order_that_is_preferred_whatever_waited_before():
    table = TaskTable("reduce", 5)
    table.run_alone(1)
    table.run_alone(3)
    table.move(0, "assigned")
    table.prefer([4, 3, 2, 1, 0])
    assert table.first_ready(0.0, 0) == 4
    assert table.ready_alone(0.0, 0, most=5) == [3, 1]
    table.move(4, "assigned")
    assert table.first_ready(0.0, 0) == 2
    table.move(0, "put_back")
    table.move(4, "put_back")
    table.paused[4] = 1.0
    assert [table.first_ready(now, 0) for now in (0.0, 1.0)] == [2, 4]
    table.prefer([0, 1, 2, 3, 4])
    assert table.first_ready(0.0, 0) == 0
    assert table.ready_alone(0.0, 0, most=1) == [1]
