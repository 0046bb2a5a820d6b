"""A history folded into rows: what became of each attempt, and what is done of the job."""

import pytest

from mapreduce import partition_sizes, usage_rows
from mapreduce.partition_sizes import HeavyKey
from mapreduce_page import columns, crew, model
from mapreduce_page.fold import Fold
from tests.support.page_events import T0, Story, spec


def test_an_attempt_that_finished_tells_when_it_was_given_when_it_began_and_how_long_it_took():
    story = Story(maps=2).event("Assigned", "map-1").event("Started", "map-1", after=0.5)
    story.event("Finished", "map-1", after=2.25, records=7, size=900, spills=1, cpu=1.5, peak_memory=5 << 20)
    row = story.row("map-1")
    assert (row["given"], row["began"], row["took"]) == (1000, 1500, 2250)
    assert (row["outcome"], row["records"], row["size"]) == (model.FINISHED, 7, 900)
    assert (row["flags"], row["cpu"], row["peak"]) == (model.SPILL, 1500, 5 << 10)


def test_what_runs_has_no_end_and_what_never_said_that_it_began_began_when_it_was_given():
    story = Story(maps=2).event("Assigned", "map-0")
    row = story.row("map-0")
    assert (row["outcome"], row["began"], row["took"]) == (model.RUNS, row["given"], model.NEVER)


@pytest.mark.parametrize(
    ("word", "outcome"), [("Failed", model.FAILED), ("Lost", model.LOST), ("Cancelled", model.CANCELLED)]
)
def test_an_attempt_ends_badly_in_one_of_three_ways(word, outcome):
    story = Story(maps=1).event("Assigned", "map-0").event("Started", "map-0").event(word, "map-0", reason="PodDeleted")
    assert (story.row("map-0")["outcome"], story.row("map-0")["took"]) == (outcome, 1000)
    assert story.page().head.phases[0].active == 0


def test_a_second_attempt_is_a_retry_and_a_speculative_one_a_backup():
    story = Story(maps=1).event("Assigned", "map-0").event("Lost", "map-0", reason="PodDeleted")
    story.event("Assigned", "map-0.e1.1").event("Assigned", "map-0.e1.2", reason="Speculative")
    assert [row["flags"] for row in story.page().rows.values()] == [0, model.RETRY, model.BACKUP]
    phase = story.page().head.phases[0]
    assert (phase.retried, phase.backups, phase.active) == (1, 1, 1)


def test_a_map_whose_output_is_gone_does_not_count_until_it_has_run_again():
    story = Story(maps=2).ran("map-0", records=5).ran("map-1", records=6)
    story.event("Lost", "map-0", reason="PodDeleted", message="its finished output is gone")
    phase = story.page().head.phases[0]
    assert (phase.done, phase.records, phase.size) == (1, 6, 100)
    assert story.row("map-0")["outcome"] == model.OUTPUT_LOST
    assert story.page().whole["groups"] == [], "the attempt itself ended well"
    story.ran("map-0.e1.1", records=5)
    phase = story.page().head.phases[0]
    assert (phase.done, phase.records, phase.size) == (2, 11, 200)


def test_a_reduce_counts_once_its_part_is_durable():
    story = Story(maps=1).ran("map-0").ran("reduce-0", rows=3, size=50)
    assert story.page().head.phases[1].done == 0
    story.event("Staged", "reduce-0", rows=3, size=50, worker="", worker_uid="")
    story.ran("stage-0")
    phase = story.page().head.phases[1]
    assert (phase.done, phase.records, phase.size) == (1, 3, 50)


@pytest.mark.parametrize("of", ["map-2", "reduce-2"])
def test_the_attempt_that_staged_an_output_ends_when_that_is_durable(of):
    story = Story(maps=3).ran(of).event("Assigned", "stage-2").event("Started", "stage-2")
    story.event("Staged", of, after=2, rows=3, size=50, worker="", worker_uid="")
    row = story.row("stage-2")
    assert (row["outcome"], row["took"], row["records"], row["size"]) == (model.FINISHED, 2000, 3, 50)


def test_a_staging_that_is_heard_of_after_it_ended_gets_no_second_row():
    story = Story(maps=1).ran("reduce-0").event("Assigned", "stage-0")
    story.event("Staged", "reduce-0", worker="", worker_uid="").event("Started", "stage-0")
    stages = [row for row in story.page().rows.values() if model.KINDS[row["kind"]] == "stage"]
    assert [(row["outcome"], row["took"]) for row in stages] == [(model.FINISHED, 1000)]


def test_what_a_gateway_began_and_another_was_given_is_lost():
    story = Story(maps=1).event("Assigned", "open-0").event("Assigned", "open-0.e1.1")
    assert (story.row("open-0.e1.0")["outcome"], story.row("open-0.e1.0")["took"]) == (model.LOST, 1000)
    assert story.row("open-0.e1.1")["outcome"] == model.RUNS


def test_phases_follow_one_another():
    story = Story()
    seen = [story.page().head.phase]
    for step in (
        lambda: story.event("EpochOpened"),
        lambda: story.event("Assigned", "plan-0"),
        lambda: story.plan(2),
        lambda: story.ran("map-0"),
        lambda: story.left_out("map", 1),
        lambda: story.event("Suspended"),
        lambda: story.event("Resumed"),
        lambda: story.event("Publishing"),
    ):
        step()
        seen.append(story.page().head.phase)
    assert seen == [
        *("Pending", "Pending", "Planning", "Mapping", "Mapping", "Reducing", "Suspended", "Reducing", "Publishing")
    ]
    assert story.page().head.left_out == ["map-1"]
    assert story.page().head.phases[0].failed == 1


def test_a_job_without_reduce_has_one_phase():
    story = Story(maps=1).ran("map-0", message="the program has no reduce")
    story.event("Staged", "map-0", rows=3, worker="", worker_uid="")
    head = story.page().head
    assert [(phase.kind, phase.done) for phase in head.phases] == [("map", 1)]
    assert head.phase == "Mapping"


def test_a_later_master_takes_over_what_runs_and_what_is_held_and_loses_the_rest():
    story = Story(maps=3).ran("map-0", records=5).event("Assigned", "map-1").event("Assigned", "map-2")
    story.epoch = 2
    story.event("EpochOpened").event("Held", "map-0", records=5)
    story.event("Started", "map-1", message="taken over").event("Finished", "map-1", records=5)
    story.event("Assigned", "map-2.e2.0")
    rows = story.page().rows.values()
    assert [(row["index"], row["epoch"], row["outcome"], row["flags"]) for row in rows] == [
        (0, 1, model.FINISHED, model.TAKEN_OVER),
        (1, 1, model.FINISHED, model.TAKEN_OVER),
        (2, 1, model.LOST, 0),
        (2, 2, model.RUNS, model.RETRY),
    ]
    head = story.page().head
    assert (head.phases[0].done, head.phases[0].records) == (2, 10)
    assert head.epochs == [0, 5000]


def test_what_runs_when_the_job_fails_was_stopped_then():
    story = Story(maps=2).event("Assigned", "map-0").event("JobFailed", reason="UserCodeFailed", message="map-1 failed")
    head, row = story.page().head, story.row("map-0")
    assert (head.phase, head.reason, head.message, head.ended) == ("Failed", "UserCodeFailed", "map-1 failed", 2000)
    assert (row["outcome"], row["given"] + row["took"]) == (model.CANCELLED, head.ended)


def test_what_is_known_beside_the_history_is_told_too():
    story = Story(maps=1).ran("map-0", counters={"bad": 1})
    assert story.page().head.counters == {"bad": 1}
    story.fold.tell(phase="Succeeded", ended=story.wall + 5, counters={"bad": 2})
    head = story.page().head
    assert (head.phase, head.counters, head.ended) == ("Succeeded", {"bad": 2}, 7000)


def test_counters_are_those_of_the_tasks_that_count():
    story = Story(maps=2).ran("map-0", counters={"a": 1}).ran("map-1", counters={"a": 2, "b": 1})
    story.event("Lost", "map-1", message="its finished output is gone")
    assert story.page().head.counters == {"a": 1}


def test_workers_have_a_row_each_and_say_why_they_are_gone():
    story = Story(maps=2).ran("map-0").event("Assigned", "map-1", worker="w-1", worker_uid="p-9")
    story.event("WorkerLost", worker="w-1", worker_uid="p-9", reason="PodDeleted")
    workers = story.page().workers
    assert [(worker.name, worker.reason, worker.gone) for worker in workers.values()] == [
        ("w-0", "", model.NEVER),
        ("w-1", "PodDeleted", 4000),
    ]
    assert story.row("map-1")["worker"] == 1


def test_a_worker_that_is_ready_tells_its_node_and_slots():
    story = Story(maps=1).event("WorkerReady", worker="w-0", worker_uid="p-0", node="n-1", slots=2, number=3)
    (worker,) = story.page().workers.values()
    assert (worker.name, worker.node, worker.slots, worker.joined) == ("w-0", "n-1", 2, 1000)


def test_what_workers_used_is_told_by_their_rows_and_once():
    story = Story(maps=1).event("WorkerReady", worker="g-0", worker_uid="p-g", number=1)
    story.event("WorkerReady", worker="w-0", worker_uid="p-0", number=7)
    story.event("Usage", usage=usage_rows.pack([usage_rows.Row(7, 900, 64), usage_rows.Row(99, 1, 1)]))
    update = story.fold.update(now=story.wall)
    assert update.usage == model.Usage(row=[1], at=[3000], cpu=[900], mem=[64])
    assert story.fold.update(update.rev, now=story.wall).usage == model.Usage()
    story.event("EpochOpened").event("Usage", usage=usage_rows.pack([usage_rows.Row(7, 900, 64)]))
    assert story.fold.update(update.rev, now=story.wall).usage == model.Usage(), "numbers are of one epoch"


def test_when_there_are_too_many_samples_every_second_goes(monkeypatch):
    monkeypatch.setattr(crew, "MOST_POINTS", 10)
    story = Story(maps=1).event("WorkerReady", worker="w-0", worker_uid="p-0", number=7)
    for _ in range(25):
        story.event("Usage", usage=usage_rows.pack([usage_rows.Row(7, 900, 64)]))
    at = story.fold.update(now=story.wall).usage.at
    assert len(at) <= 10
    assert (at[0], at[-1]) == (2000, 26_000)


def test_an_attempt_has_a_slot_from_its_beginning_or_its_end_on():
    story = Story(maps=3).event("Assigned", "map-0").event("Started", "map-0", slot=1)
    story.event("Assigned", "map-1").event("Finished", "map-1", slot=0).event("Assigned", "map-2")
    assert [row["slot"] for row in story.page().rows.values()] == [1, 0, model.UNKNOWN_SLOT]


def test_an_attempt_that_was_cancelled_runs_until_it_has_given_its_slot_back():
    story = Story(maps=1).event("Assigned", "map-0").event("Started", "map-0").event("Cancelled", "map-0")
    assert story.row("map-0")["took"] == 1000
    story.event("Ended", "map-0", after=2.0, slot=1)
    row = story.row("map-0")
    assert (row["took"], row["slot"], row["outcome"]) == (3000, 1, model.CANCELLED)
    assert story.page().head.phases[0].active == 0


def test_partitions_are_told_with_their_heavy_keys():
    packed = partition_sizes.pack([7, 5000])
    story = Story(maps=1).event("Sizes", sizes=packed, heavy=(HeavyKey(1, "'a'", 9, 4000),))
    told = story.page().whole["partitions"]
    assert told.sizes == partition_sizes.unpack(packed)
    assert told.heavy == [model.HeavyKey(partition=1, key="'a'", rows=9, size=4000)]


def test_sums_at_moments_grow_with_what_is_done():
    story = Story(maps=2).ran("map-0", records=5).ran("map-1", records=6)
    rate = story.page().whole["rate"]
    assert (rate.records[-1], rate.size[-1], rate.done[-1]) == (11, 200, 2)
    assert rate.at == sorted(rate.at)


def test_time_left_follows_from_the_bytes_that_are_done():
    story = Story(maps=10)
    for index in range(5):
        story.ran(f"map-{index}")
    phase = story.page().head.phases[0]
    assert (phase.size_s, phase.left_s) == (50.0, 10.0)
    assert (phase.median, phase.max) == (1000, 1000)


def test_the_oldest_rows_go_when_there_are_too_many_but_never_what_runs():
    story = Story(Fold(spec(), most_rows=10, dropped=5), maps=20)
    story.event("Assigned", "map-19")
    reader = story.page()
    for index in range(14):
        story.ran(f"map-{index}", records=1)
        while reader.read(story.fold.update(reader.rev, now=story.wall)):
            pass
    assert len(reader.rows) <= 10
    assert reader.rows == story.page().rows
    assert story.row("map-19")["outcome"] == model.RUNS
    assert reader.head.rows_dropped + len(reader.rows) == 15
    assert reader.head.phases[0].records == 14
    story.event("Finished", "map-19", records=1)
    assert story.row("map-19")["outcome"] == model.FINISHED


def test_an_attempt_takes_at_most_48_bytes():
    newest = 4
    assert columns.Columns().bytes_per_row + newest <= 48


def test_a_clock_that_goes_back_makes_no_time_before_the_beginning():
    story = Story(maps=1).event("Assigned", "map-0").event("Finished", "map-0", after=-100.0)
    row = story.row("map-0")
    assert row["took"] == 0
    assert story.page().head.began == 0
    assert story.fold.update(now=T0 - 50).now == 0


def test_the_part_of_a_stage_that_is_lost_after_it_is_there_still():
    story = Story(maps=1).ran("map-0").ran("reduce-1").event("Assigned", "stage-1").event("Staged", "reduce-1")
    story.event("Lost", "stage-1", reason="WorkerLost")
    assert story.fold.update(now=story.wall).attempts.outcome[-1] == model.FINISHED
