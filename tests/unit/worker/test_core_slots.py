"""What a worker says of its slots: which one each attempt has, and had when it ended."""

from mapreduce_worker.core.events import MapDone, Progressed, SessionOpened, SlotAwaited, Ticked
from tests.support.worker_messages import Driven, map_attempt, map_output, registered, run_map


def said(core):
    """What the next exchange says of the slots."""
    return {progress.attempt.task.index: progress.slot for progress in core.core._line.book.exchange().running}


def working(*indices, slots=2):
    core = Driven(slots)
    core.tell(Ticked())
    core.tell(SessionOpened(core.registrations[0].serial, registered(direct=True)))
    core.answer(*(run_map(index) for index in indices))
    return core


def test_an_attempt_without_a_slot_says_so():
    assert said(working(0, 1, 2)) == {0: 0, 1: 1, 2: -1}


def test_the_slot_is_said_whatever_else_changes():
    core = working(0, 1)
    core.tell(SlotAwaited(map_attempt(1)))
    core.tell(Progressed(map_attempt(0), 5, 50, 1))
    assert said(core) == {0: 0, 1: 1}


def test_an_attempt_that_has_ended_says_which_slot_it_had_and_the_next_one_has_it():
    core = working(0, 1, 2)
    core.tell(MapDone(map_attempt(1), map_output(map_attempt(1)), 1))
    assert said(core) == {0: 0, 1: 1, 2: 1}
