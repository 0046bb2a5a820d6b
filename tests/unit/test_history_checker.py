"""Each rule of the history checker fires on a history that breaks it, and on no other."""

import inspect
from typing import Any

import pytest

from mapreduce import history
from mapreduce.bad_records import BadRecord
from mapreduce.history import Frame, HistoryEvent
from mapreduce.ids import AttemptId, TaskId
from tests.support import history_checker
from tests.support.history_checker import Events

Told = tuple[int, HistoryEvent]


def attempt(kind: str, index: int, number: int = 0, epoch: int = 1) -> AttemptId:
    return AttemptId(TaskId(0, kind, index), epoch, number)  # type: ignore[arg-type]  # a str that is a kind


def told(word: str, of: AttemptId | None = None, *, epoch: int = 1, **fields: Any) -> Told:
    """Return one event and the epoch of its frame."""
    task = None if of is None else of.task
    return epoch, HistoryEvent(event=word, wall=0.0, task=task, attempt=of, **fields)  # type: ignore[arg-type]


def later(events: list[Told]) -> list[Told]:
    """Return the events as a second master tells them."""
    return [(2, event) for _, event in events]


def life(of: AttemptId, worker: str = "worker-0") -> list[Told]:
    """Return an attempt that is assigned and finishes."""
    return [told("Assigned", of, worker=worker), told("Finished", of, worker=worker, checksum=f"xxh3:{of.task}")]


def staged(of: AttemptId, *, digest: str = "d", checksum: str = "c") -> list[Told]:
    """Return a reduce whose part is staged, with what it consumed."""
    return [told("Consumed", of, checksum=digest), told("Staged", of, checksum=checksum)]


def in_slot(of: AttemptId) -> Told:
    """Return that an attempt has begun in a slot."""
    return told("Started", of, worker="worker-0", slot=1)


MAP_0, MAP_1 = attempt("map", 0), attempt("map", 1)
MAP_0B = attempt("map", 0, 1)
REDUCE_0, REDUCE_1 = attempt("reduce", 0), attempt("reduce", 1)
OPENED, PUBLISHING = told("EpochOpened"), told("Publishing")
MAPS = [*life(MAP_0), *life(MAP_1)]
REDUCES = [*life(REDUCE_0), *life(REDUCE_1)]
ALL_STAGED = [*staged(REDUCE_0), *staged(REDUCE_1)]
GOOD = [OPENED, *MAPS, *REDUCES, *ALL_STAGED, PUBLISHING]
CHARGE = told("Charged", MAP_0, budget="user", reason="UserCodeFailed")
SIZES = told("Sizes", sizes=b"\1\0\2\0")
FAILED = told("JobFailed", reason="UserCodeFailed")
FAILED_0 = told("Failed", MAP_0)
DIVIDED = told("Divided", boundaries=(b"k",))
BAD = BadRecord(file="in", offset=0, reason="UserCodeFailed", message="ValueError: no")


def lines(events: list[Told]) -> Events:
    """Return the events as a run's `events.ndjson` would give them."""
    frames = [Frame(epoch, number, event) for number, (epoch, event) in enumerate(events, 1)]
    return history.parse(b"".join(history.render(frames)))


def broken(events: list[Told], *, published: bool = True) -> list[str]:
    return history_checker.check(lines(events), maps=2, reduces=2, published=published)


BREAKS: dict[str, list[tuple[list[Told], str]]] = {
    "_epochs_grow": [
        ([told("EpochOpened", epoch=2), *GOOD[1:]], "epoch 1 after epoch 2 at event 2"),
        ([OPENED, told("EpochOpened", epoch=3), *later(GOOD)], "epoch 2 after epoch 3"),
    ],
    "_budgets_are_respected": [
        ([OPENED, *[CHARGE] * 4, *GOOD[1:]], "map-0 was charged 4 times with a budget of 4"),
        ([OPENED, *[CHARGE] * 5, FAILED, *GOOD[1:]], "map-0 was charged 5 times with a budget of 4"),
    ],
    "_each_reduce_is_staged_once": [
        (
            [
                OPENED,
                *MAPS,
                *REDUCES,
                *life(attempt("reduce", 0, 1)),
                *ALL_STAGED,
                *staged(attempt("reduce", 0, 1)),
                PUBLISHING,
            ],
            "reduce-0 was staged from more than one attempt",
        ),
        (
            [OPENED, *MAPS, *REDUCES, *ALL_STAGED, *staged(REDUCE_0, checksum="other"), PUBLISHING],
            "reduce-0 was staged from more than one attempt",
        ),
        ([OPENED, *MAPS, *REDUCES, *staged(REDUCE_0), PUBLISHING], "1 of 2 reduces were staged"),
    ],
    "_one_version_of_each_map_is_consumed": [
        (
            [OPENED, *MAPS, *REDUCES, *staged(REDUCE_0), *staged(REDUCE_1, digest="e"), PUBLISHING],
            "the staged reduces consumed different map outputs: ['d', 'e']",
        ),
        (
            [OPENED, *MAPS, *REDUCES, *staged(REDUCE_0), told("Staged", REDUCE_1, checksum="c"), PUBLISHING],
            "nobody knows what these staged reduces consumed: ['reduce-1.e1.0']",
        ),
    ],
    "_published_after_all_parts": [
        (GOOD[:-1], "the job was published, but its history has no Publishing"),
        ([OPENED, *MAPS, *REDUCES, *staged(REDUCE_0), PUBLISHING, *staged(REDUCE_1)], "publishing began: ['reduce-1']"),
    ],
    "_every_map_finished": [
        ([OPENED, *life(MAP_0), *REDUCES, *ALL_STAGED, PUBLISHING], "1 of 2 maps finished"),
        (
            [OPENED, *life(MAP_0), *life(attempt("map", 0, 1)), *REDUCES, *ALL_STAGED, PUBLISHING],
            "1 of 2 maps finished",
        ),
    ],
    "_nothing_comes_of_what_was_not_assigned": [
        ([OPENED, *life(MAP_0), MAPS[3], *GOOD[5:]], "map-1.e1.0 is Finished, but was never assigned"),
        ([OPENED, *MAPS, *life(REDUCE_0), *ALL_STAGED, PUBLISHING], "reduce-1.e1.0 is Staged, but was never assigned"),
    ],
    "_nothing_comes_of_what_was_given_up": [
        ([OPENED, told(word, MAP_0), *GOOD[1:]], "map-0.e1.0 finished after it was given up")
        for word in ("Cancelled", "Failed", "Lost")
    ],
    "_what_was_consumed_is_known_before_a_part_is_staged": [
        (
            [OPENED, *MAPS, *REDUCES, *staged(REDUCE_0), *reversed(staged(REDUCE_1)), PUBLISHING],
            "reduce-1.e1.0 was staged before it was known what it consumed",
        ),
    ],
    "_an_attempt_is_assigned_once": [
        (
            [*GOOD[:-1], told("EpochOpened", epoch=2), *later([*MAPS[:2], PUBLISHING])],
            "map-0.e1.0 was assigned 2 times",
        ),
    ],
    "_an_attempt_ends_once": [
        (
            [OPENED, MAPS[0], FAILED_0, told("Lost", MAP_0), *life(MAP_0B), *GOOD[3:]],
            "map-0.e1.0 was Failed, and is Lost",
        ),
        ([*GOOD[:3], told("Failed", MAP_0), *GOOD[3:]], "map-0.e1.0 was Finished, and is Failed later"),
        ([*GOOD[:-1], told("Assigned", MAP_0B), PUBLISHING], "these attempts never ended: ['map-0.e1.1']"),
        ([*GOOD[:-1], told("Started", MAP_0B), PUBLISHING], "these attempts never ended: ['map-0.e1.1']"),
    ],
    "_a_slot_has_one_attempt": [
        ([OPENED, in_slot(MAP_0), in_slot(MAP_1), *GOOD[1:]], "slot 1 of worker-0 has map-1.e1.0, and has map-0.e1.0"),
        (
            [OPENED, in_slot(MAP_0B), told("Cancelled", MAP_0B), in_slot(MAP_1), *GOOD[1:]],
            "slot 1 of worker-0 has map-1.e1.0, and has map-0.e1.1 still",
        ),
    ],
    "_ranges_are_told_once_and_first": [
        ([OPENED, *MAPS, DIVIDED, *REDUCES, *ALL_STAGED, DIVIDED, PUBLISHING], "keys were divided 2 times"),
        (
            [OPENED, *MAPS, *life(REDUCE_0), DIVIDED, *life(REDUCE_1), *ALL_STAGED, PUBLISHING],
            "reduce-0.e1.0 was assigned before keys were divided",
        ),
    ],
    "_a_name_is_one_worker": [
        (
            [
                OPENED,
                *[told("Started", MAP_0, worker="worker-0", worker_uid=uid) for uid in ("uid-1", "uid-2")],
                *GOOD[1:],
            ],
            "the name worker-0 was that of 2 workers: ['uid-1', 'uid-2']",
        ),
    ],
    "_an_attempt_says_the_same_of_its_bad_records": [
        ([*GOOD[:-1], told("Held", MAP_0, bad=(BAD,)), PUBLISHING], "map-0.e1.0 left out 0 or 1 records"),
    ],
    "_sizes_are_told_once": [
        ([*GOOD[:-1], SIZES, SIZES, PUBLISHING], "the sizes of the partitions are told 2 times"),
    ],
}


def test_a_history_without_faults_breaks_no_rule():
    assert broken(GOOD) == []


@pytest.mark.parametrize("end", ["Finished", "Ended", "WorkerLost", "WorkerReady"])
def test_a_slot_is_free_once_its_attempt_or_worker_has_ended(end):
    of = None if end.startswith("Worker") else MAP_0B
    events = [in_slot(MAP_0B), told("Cancelled", MAP_0B)] if end == "Ended" else [in_slot(MAP_0B)]
    events += [told(end, of, worker="worker-0"), in_slot(MAP_1)]
    assert list(history_checker._a_slot_has_one_attempt(lines(events))) == []


def test_what_a_master_did_not_live_to_see_ended_need_not_end():
    events = [OPENED, told("Assigned", MAP_0B), told("EpochOpened", epoch=2), *later(GOOD[1:])]
    assert list(history_checker._an_attempt_ends_once(lines(events), published=True)) == []


@pytest.mark.parametrize(
    ("events", "says"),
    [pytest.param(*case, id=f"{rule}-{n}") for rule, cases in BREAKS.items() for n, case in enumerate(cases)],
)
def test_a_broken_rule_is_told_and_no_other(events, says):
    (found,) = broken(events)
    assert says in found


def test_every_rule_of_the_checker_has_a_history_that_breaks_it():
    rules = {name for name, _ in inspect.getmembers(history_checker, inspect.isfunction) if name.startswith("_")}
    assert rules == BREAKS.keys()


@pytest.mark.parametrize(
    "events",
    [
        pytest.param([OPENED, *[CHARGE] * 3, *GOOD[1:]], id="within-the-budget"),
        pytest.param([OPENED, *MAPS, DIVIDED, *REDUCES, *ALL_STAGED, PUBLISHING], id="ranges-before-reduces"),
        pytest.param(
            [OPENED, *[told("Charged", MAP_0, budget="segments")] * 9, *GOOD[1:]], id="another-budget-is-not-the-users"
        ),
        pytest.param([*GOOD[:-1], told("EpochOpened", epoch=2), told("Publishing", epoch=2)], id="a-second-master"),
        pytest.param(
            [OPENED, *life(MAP_0), told("Held", MAP_1), *REDUCES, *ALL_STAGED, PUBLISHING], id="held-proves-finished"
        ),
        pytest.param(
            [OPENED, told("EpochOpened", epoch=2), *later([MAPS[1], *MAPS[2:], *GOOD[5:]])],
            id="an-assignment-may-die-with-its-master",
        ),
        pytest.param(
            [OPENED, *MAPS, *REDUCES, told("Consumed", attempt("reduce", 0, 7), checksum="e"), *ALL_STAGED, PUBLISHING],
            id="what-was-never-staged-may-have-consumed-anything",
        ),
        pytest.param([*GOOD[:-1], staged(REDUCE_1)[1], PUBLISHING], id="the-same-part-told-twice"),
        pytest.param(
            [OPENED, told("Cancelled", MAP_0), told("EpochOpened", epoch=2), *later(GOOD[1:])],
            id="a-cancellation-may-die-with-its-master",
        ),
    ],
)
def test_what_may_happen_to_a_good_run_breaks_no_rule(events):
    assert broken(events) == []


def test_a_job_that_failed_need_not_have_finished_but_its_budget_counts():
    assert broken([OPENED, *life(MAP_0), *[CHARGE] * 4, FAILED], published=False) == []
    (found,) = broken([OPENED, *[CHARGE] * 4], published=False)
    assert "charged 4 times" in found
    two = [*staged(REDUCE_0), *staged(attempt("reduce", 0, 1))]
    assert broken([OPENED, *REDUCES, *life(attempt("reduce", 0, 1)), *two, FAILED], published=False) != []


def test_the_questions_about_a_history_are_answered():
    again = [told("Lost", MAP_0, worker="worker-0"), *life(attempt("map", 0, 1), "worker-1")]
    events = lines([OPENED, *MAPS, *again])
    assert [event["attempt"] for event in history_checker.lost_on(events, "worker-0")] == ["map-0.e1.0"]
    assert history_checker.lost_on(events, "worker-1") == []
    assert history_checker.finished_more_than_once(events) == ["map-0"]
    assert history_checker.assigned_again_after_finishing(events) == ["map-0"]
    assert history_checker.holders_of_what_ran_again(events) == {"worker-0"}
    assert history_checker.assigned_again_after_finishing(lines(GOOD)) == []
    assert history_checker.most_workers_busy_at_once(events) == 1
    both = [told("Assigned", MAP_0, worker="worker-0"), told("Assigned", MAP_1, worker="worker-1")]
    assert history_checker.most_workers_busy_at_once(lines(both)) == 2
    forgotten = told("Lost", MAP_0, message=history_checker.FORGOTTEN)
    assert history_checker.forgotten_by_their_workers(lines([forgotten, told("Lost", MAP_1)])) == ["map-0.e1.0"]


def test_tasks_that_were_given_out_before_older_attempts_were_told_of_are_named():
    new = told("Assigned", attempt("map", 0, epoch=2), epoch=2)
    held, running = told("Held", MAP_0, epoch=2), told("Started", MAP_0, epoch=2)
    assert history_checker.assigned_before_all_had_told(lines([new, held])) == ["map-0"]
    assert history_checker.assigned_before_all_had_told(lines([new, running])) == ["map-0"]
    assert history_checker.assigned_before_all_had_told(lines([held, new])) == []
    begun = told("Started", attempt("map", 0, epoch=2), epoch=2)
    assert history_checker.assigned_before_all_had_told(lines([*MAPS, new, begun])) == []


def test_counters_are_summed_over_the_last_finish_of_each_map_and_the_staged_parts():
    again = attempt("map", 0, 1)
    events = lines(
        [
            told("Finished", MAP_0, counters={"a": 5}),
            told("Finished", REDUCE_0, counters={"b": 9}),
            told("Lost", MAP_0),
            told("Finished", again, counters={"a": 1}),
            told("Held", MAP_1, counters={"a": 2, "c": -1}),
            told("Staged", REDUCE_0, counters={"b": 4}),
        ]
    )
    assert history_checker.counters_that_count(events) == {"a": 3, "b": 4, "c": -1}
    assert history_checker.wrong_counters(events, {"a": 3, "b": 4, "c": -1}) == []
    (said,) = history_checker.wrong_counters(events, {"a": 8, "b": 4, "c": -1})
    assert "'a': 8" in said


def test_bad_records_are_those_of_the_attempts_that_count():
    again, of_a_part = attempt("map", 0, 1), attempt("map", 2)
    events = lines(
        [
            told("Finished", MAP_0, bad=(BAD,)),
            told("Finished", MAP_1),
            told("Finished", of_a_part, bad=(BAD,)),
            told("Lost", MAP_0),
            told("Finished", again, bad=(BAD, BAD)),
            told("Staged", of_a_part, bad=(BAD,)),
        ]
    )
    assert history_checker.bad_records_that_count(events) == {"map-0.e1.1": 2, "map-2.e1.0": 1}
