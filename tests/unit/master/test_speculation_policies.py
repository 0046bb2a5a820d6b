"""Which attempts are called slow, how many may have a backup, and where it runs."""

import pytest

from mapreduce_operator.core import policies
from mapreduce_operator.core.pace import KEPT, Pace
from mapreduce_operator.core.policies import BackupCandidate


@pytest.mark.parametrize(
    ("done", "total", "nearly"),
    [(0, 0, False), (1, 2, False), (2, 3, False), (3, 4, True), (5, 8, False), (6, 8, True), (8, 8, False)],
)
def test_nobody_is_slow_before_three_quarters_of_a_phase_are_done(done, total, nearly):
    assert policies.is_nearly_done(done, total) is nearly


@pytest.mark.parametrize(
    ("elapsed", "share", "reached_after", "seconds"),
    [
        (8.0, 0.0, 0.0, 8.0),
        # A tenth of its input in eight seconds.
        (8.0, 0.1, 8.0, 80.0),
        # What it had read when it said so last, not what it may have read since.
        (8.0, 0.5, 6.0, 12.0),
        # It said long ago that it would be done by now.
        (30.0, 0.9, 9.0, 30.0),
        # It has read everything: when it will end is not known.
        (30.0, 1.0, 9.0, 30.0),
        (30.0, 3.0, 9.0, 30.0),
        # Too early to tell from its progress: imports and `setup` come first.
        (4.9, 0.01, 4.9, 4.9),
    ],
)
def test_the_end_of_an_attempt_is_estimated_from_its_progress_where_there_is_any(
    elapsed, share, reached_after, seconds
):
    assert policies.estimate(elapsed, 10.0, share, reached_after) == pytest.approx(seconds)


def test_an_attempt_is_slow_beyond_one_and_a_half_times_what_is_usual():
    assert policies.slow("map-7", "wc-w-1", 15.0, 10.0, 15.0) is None
    verdict = policies.slow("map-7", "wc-w-1", 15.1, 10.0, 8.0)
    assert verdict is not None
    assert (verdict.action, verdict.reason) == ("back_up", "Speculative")
    assert verdict.message == "map-7 takes 15.1 s or more on wc-w-1, 10.0 s would be usual"


def test_what_is_over_in_a_second_is_never_slow():
    assert policies.slow("map-7", "wc-w-1", 0.9, 0.01, 0.9) is None
    assert policies.slow("map-7", "wc-w-1", 1.1, 0.01, 1.1) is not None


@pytest.mark.parametrize(
    ("size", "usual", "seconds"), [(100, 100, 10.0), (300, 100, 30.0), (1, 100, 10.0), (0, 0, 10.0)]
)
def test_more_input_may_take_longer_and_less_takes_no_less(size, usual, seconds):
    assert policies.usual_duration(10.0, size, usual) == seconds


@pytest.mark.parametrize(
    ("slots", "running", "more"), [(1, 0, 1), (2, 1, 0), (19, 0, 1), (20, 0, 2), (40, 3, 1), (40, 9, 0), (0, 0, 1)]
)
def test_backups_take_one_slot_or_a_tenth_of_them(slots, running, more):
    assert policies.backups_allowed(slots, running) == more


@pytest.mark.parametrize(
    ("candidates", "number"),
    [
        # Another node comes before an idle worker of the same node.
        ([BackupCandidate(1, 0, "a", False), BackupCandidate(2, 3, "b", False)], 2),
        # A worker that is not slow itself comes before one that is.
        ([BackupCandidate(1, 0, "b", True), BackupCandidate(2, 3, "c", False)], 2),
        # Then the least busy one.
        ([BackupCandidate(1, 2, "b", False), BackupCandidate(2, 1, "b", False), BackupCandidate(3, 1, "c", False)], 2),
        # Where all are on one node, any of them.
        ([BackupCandidate(4, 1, "a", False), BackupCandidate(5, 0, "a", False)], 5),
        # A worker whose node nobody knows may be elsewhere.
        ([BackupCandidate(1, 0, "a", False), BackupCandidate(2, 0, "", False)], 2),
    ],
)
def test_a_backup_runs_on_another_node_where_there_is_one(candidates, number):
    assert policies.worker_of_backup("a", candidates) == number


def test_the_pace_of_a_phase_is_the_median_of_what_finished_last():
    pace = Pace()
    assert pace.median() is None
    for seconds in (1.0, 9.0, 2.0):
        pace.add(seconds)
    assert pace.median() == 2.0
    pace.add(3.0)
    assert pace.median() == 2.5
    for _ in range(KEPT):
        pace.add(7.0)
    assert pace.median() == 7.0
