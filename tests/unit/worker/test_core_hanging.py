"""An attempt whose code hangs is ended by its worker, and reported with where the code was."""

from mapreduce.protocol import AttemptFailed, MapSucceeded
from mapreduce_worker.core.events import KillSlot, MapDone, Progressed, SessionOpened, SlotAwaited, SlotDied, Ticked
from tests.support.worker_messages import Driven, map_attempt, map_output, registered, run_map


def running():
    """A worker whose slot has a map."""
    worker = Driven(2)
    worker.tell(Ticked())
    worker.tell(SessionOpened(worker.registrations[-1].serial, registered(direct=True)))
    worker.answer(run_map(0))
    return worker


def hanging():
    """A worker whose map the master found to hang, and what it does about it."""
    worker = running()
    return worker, worker.answer(hanging=(map_attempt(0),))


def reports(worker):
    return [report.outcome for report in worker.sent[-1].body.reports]


def test_its_slot_says_where_it_is_before_it_is_killed():
    worker, commands = hanging()
    assert commands == [KillSlot(0, map_attempt(0), ask=True)]
    worker.tell(SlotDied(attempt=map_attempt(0), code=-9, stack="line 3 in map", log_tail="slow", peak=5))
    (failed,) = reports(worker)
    assert isinstance(failed, AttemptFailed)
    assert (failed.error.kind, failed.error.reason, failed.error.traceback) == ("user", "NoProgress", "line 3 in map")
    assert (failed.error.log_tail, failed.error.peak_memory) == ("slow", 5)


def test_the_master_may_ask_again():
    worker, _ = hanging()
    assert worker.answer(hanging=(map_attempt(0),)) == []


def test_one_that_ends_by_itself_meanwhile_has_ended():
    worker, _ = hanging()
    worker.tell(MapDone(map_attempt(0), map_output(map_attempt(0)), 1))
    (done,) = reports(worker)
    assert isinstance(done, MapSucceeded)


def test_an_attempt_whose_slot_is_still_starting_waits():
    worker = running()
    worker.tell(SlotAwaited(map_attempt(0)))
    worker.answer()
    assert [progress.waiting for progress in worker.sent[-1].body.running] == [True]
    worker.tell(Progressed(map_attempt(0), 0, 0))
    worker.answer()
    assert [progress.waiting for progress in worker.sent[-1].body.running] == [False]
