"""What becomes of an attempt on a worker."""

import signal
from collections.abc import Sequence

import msgspec
import pytest

from mapreduce.digests import consumed
from mapreduce.errors import InvalidTransition
from mapreduce.partition_sizes import HeavyKey
from mapreduce.protocol import (
    AttemptCancelled,
    AttemptFailed,
    ErrorInfo,
    MapPartSucceeded,
    MapSucceeded,
    Outcome,
    ReduceSucceeded,
    SegmentsLost,
)
from mapreduce_worker.core.attempts import Attempt
from mapreduce_worker.core.events import (
    Broke,
    ClearScratch,
    DeleteFiles,
    FetchedInput,
    FetchedRange,
    FetchFailed,
    FetchInput,
    FetchSegments,
    InputArrived,
    InputUnreachable,
    KillSlot,
    MapDone,
    MapInSlot,
    MapPartDone,
    Progressed,
    ReduceDone,
    ReduceInSlot,
    Refused,
    SegmentsArrived,
    SegmentSpoiled,
    SessionOpened,
    SlotDied,
    StopFetching,
    Terminated,
    Ticked,
)
from tests.support.worker_messages import (
    Driven,
    at,
    locations,
    map_attempt,
    map_output,
    reduce_attempt,
    registered,
    run_map,
    run_reduce,
    segment,
    split,
)

INPUT = FetchedInput("/scratch/input", (FetchedRange(0, 0, 104),))


def _opened(slots: int = 2, *, direct: bool = False) -> Driven:
    worker = Driven(slots)
    worker.tell(Ticked())
    worker.tell(SessionOpened(worker.registrations[-1].serial, registered(direct=direct)))
    return worker


def _reports(worker: Driven) -> list[Outcome]:
    return [report.outcome for report in worker.sent[-1].body.reports]


# --- maps ---------------------------------------------------------------------------------


def test_a_map_fetches_its_input_then_runs_then_its_output_is_held():
    worker = _opened()
    attempt = map_attempt(3)
    assert worker.answer(run_map(3)) == [FetchInput(attempt, "10.0.0.1:8444", "input-ticket", split(3))]
    assert worker.sent[-1].body.running[0].waiting
    assert worker.tell(InputArrived(attempt, INPUT)) == [
        MapInSlot(slot=0, attempt=attempt, split=split(3), input=INPUT)
    ]
    worker.tell(Progressed(attempt, 10, 100))
    assert worker.tell(MapDone(attempt, map_output(attempt), 20)) == [ClearScratch(attempt)]
    assert _reports(worker) == [MapSucceeded(output=map_output(attempt), records=20)]
    assert worker.core.held.outputs == (map_output(attempt),)


def test_a_held_output_keeps_its_heavy_keys_and_not_its_sizes():
    worker = _opened()
    attempt = map_attempt(3)
    worker.answer(run_map(3))
    worker.tell(InputArrived(attempt, INPUT))
    heavy = (HeavyKey(1, "'a'", 5, 400),)
    made = msgspec.structs.replace(map_output(attempt), sizes=b"abcd", heavy=heavy)
    worker.tell(MapDone(attempt, made, 20))
    assert _reports(worker) == [MapSucceeded(output=made, records=20)]
    assert [(output.sizes, output.heavy) for output in worker.core.held.outputs] == [(b"", heavy)]


def test_a_map_opens_its_input_by_path_where_the_job_allows_it():
    worker = _opened(direct=True)
    assert worker.answer(run_map(0)) == [MapInSlot(slot=0, attempt=map_attempt(0), split=split(0), input=None)]


def test_a_map_of_a_job_without_reduce_reports_a_part_that_is_held_until_it_is_discarded():
    worker = _opened(direct=True)
    attempt = map_attempt(0)
    work = msgspec.structs.replace(run_map(0), makes_part=True)
    assert worker.answer(work) == [
        MapInSlot(slot=0, attempt=attempt, split=split(0), input=None, makes_part=True),
    ]
    done = MapPartDone(attempt=attempt, checksum="x", rows=2, size=3, records=4, counters={"skipped": 1})
    assert worker.tell(done) == [ClearScratch(attempt)]
    assert _reports(worker) == [
        MapPartSucceeded(attempt=attempt, checksum="x", rows=2, size=3, records=4, counters={"skipped": 1})
    ]
    assert worker.core.held.outputs == ()
    assert worker.answer(discard=(attempt,)) == [DeleteFiles(attempt)]


def test_input_that_cannot_be_reached_is_asked_for_again_and_charged_to_nobody():
    worker = _opened()
    worker.answer(run_map(0))
    assert worker.tell(InputUnreachable(map_attempt(0))) == []
    (again,) = worker.tell(Ticked(), after=1)
    assert isinstance(again, FetchInput)
    assert _reports(worker) == []


def test_input_is_fetched_from_where_the_gateway_is_now():
    worker = _opened()
    worker.answer(run_map(0), input_address="")
    assert worker.sent[-1].body.running[0].waiting
    (fetch,) = worker.answer(input_address="10.0.0.9:8444")
    assert isinstance(fetch, FetchInput)
    worker.tell(InputUnreachable(map_attempt(0)))
    (fetch,) = worker.answer(input_address="10.0.0.10:8444")
    assert isinstance(fetch, FetchInput)
    assert fetch.address == "10.0.0.10:8444"


def test_input_that_changed_is_reported_as_the_gateway_told_it():
    worker = _opened()
    worker.answer(run_map(0))
    error = ErrorInfo(kind="refused", reason="InputChanged", message="a.txt changed")
    commands = worker.tell(FetchFailed(map_attempt(0), error))
    assert commands == [StopFetching(map_attempt(0)), DeleteFiles(map_attempt(0))]
    assert _reports(worker) == [AttemptFailed(attempt=map_attempt(0), error=error)]


def test_more_attempts_than_slots_wait_for_a_slot():
    worker = _opened(slots=1, direct=True)
    assert len(worker.answer(run_map(0), run_map(1))) == 1
    assert worker.sent[-1].body.free_slots == 0
    commands = worker.tell(MapDone(map_attempt(0), map_output(map_attempt(0)), 1))
    assert commands[-1] == MapInSlot(slot=0, attempt=map_attempt(1), split=split(1), input=None)


def test_an_output_is_kept_until_the_master_discards_it():
    worker = _opened(direct=True)
    worker.answer(run_map(0))
    worker.tell(MapDone(map_attempt(0), map_output(map_attempt(0)), 1))
    assert worker.answer() == []
    assert worker.answer(discard=(map_attempt(0),)) == [DeleteFiles(map_attempt(0))]
    assert worker.core.held.outputs == ()


def test_user_code_that_raises_is_reported_and_its_files_deleted():
    worker = _opened(direct=True)
    worker.answer(run_map(0))
    error = ErrorInfo(kind="user", reason="UserCodeFailed", message="ValueError", where="a.txt:7")
    assert worker.tell(Broke(map_attempt(0), error)) == [DeleteFiles(map_attempt(0))]
    assert _reports(worker) == [AttemptFailed(attempt=map_attempt(0), error=error)]


# --- cancelling ---------------------------------------------------------------------------


def test_an_attempt_in_a_slot_is_cancelled_by_killing_the_slot():
    worker = _opened(direct=True)
    worker.answer(run_map(0))
    assert worker.answer(cancellations=(map_attempt(0),)) == [KillSlot(0, map_attempt(0))]
    assert _reports(worker) == []
    assert worker.answer(cancellations=(map_attempt(0),)) == []
    assert worker.tell(SlotDied(attempt=map_attempt(0), code=-9)) == [DeleteFiles(map_attempt(0))]
    assert _reports(worker) == [AttemptCancelled(attempt=map_attempt(0))]
    assert worker.sent[-1].body.free_slots == 2


def test_an_attempt_that_ends_while_it_is_cancelled_counts_as_cancelled():
    worker = _opened(direct=True)
    worker.answer(run_map(0))
    worker.answer(cancellations=(map_attempt(0),))
    assert worker.tell(MapDone(map_attempt(0), map_output(map_attempt(0)), 1)) == [DeleteFiles(map_attempt(0))]
    assert _reports(worker) == [AttemptCancelled(attempt=map_attempt(0))]
    assert worker.core.held.outputs == ()


def test_an_attempt_that_waits_is_cancelled_at_once():
    worker = _opened()
    worker.answer(run_map(0))
    commands = worker.answer(cancellations=(map_attempt(0),))
    assert commands == [StopFetching(map_attempt(0)), DeleteFiles(map_attempt(0))]
    assert _reports(worker) == [AttemptCancelled(attempt=map_attempt(0))]
    assert worker.tell(InputArrived(map_attempt(0), INPUT)) == []


# --- slots that die -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("died", "kind", "reason"),
    [
        ({"code": 3}, "user", "SlotExited"),
        ({"code": 0}, "user", "SlotExited"),
        ({"code": -signal.SIGSEGV}, "user", "SlotKilled"),
        ({"code": -signal.SIGKILL}, "disruption", "SlotKilled"),
        ({"code": -signal.SIGTERM}, "disruption", "SlotKilled"),
        ({"code": -signal.SIGKILL, "over_memory": 1 << 30}, "user", "SlotOverMemory"),
        ({"code": -signal.SIGKILL, "out_of_memory": True}, "user", "SlotOverMemory"),
    ],
)
def test_the_death_of_a_slot_is_charged_to_whom_it_belongs(died, kind, reason):
    worker = _opened(direct=True)
    worker.answer(run_map(0))
    worker.tell(SlotDied(attempt=map_attempt(0), log_tail="last words", **died))
    (failed,) = _reports(worker)
    assert isinstance(failed, AttemptFailed)
    assert (failed.error.kind, failed.error.reason, failed.error.log_tail) == (kind, reason, "last words")


def test_a_crash_in_a_map_names_what_it_was_reading():
    worker = _opened(direct=True)
    worker.answer(run_map(0))
    worker.tell(SlotDied(attempt=map_attempt(0), code=-signal.SIGABRT))
    (failed,) = _reports(worker)
    assert "crashed: aborted (SIGABRT), over bytes 0 to 100 of a.txt" in str(failed)


# --- reduces ------------------------------------------------------------------------------


def _fetches(commands: Sequence[object]) -> dict[str, FetchSegments]:
    return {command.holder.worker: command for command in commands if isinstance(command, FetchSegments)}


def test_a_reduce_asks_each_holder_once_and_runs_when_all_segments_are_here():
    worker = _opened()
    attempt = reduce_attempt(0)
    asked = _fetches(worker.answer(run_reduce(0, 4), locations=locations(1, at(0, 1, 0), at(2, 3, 1))))
    assert asked["w-0"].request.maps == (map_attempt(0), map_attempt(1))
    assert asked["w-1"].request.maps == (map_attempt(2), map_attempt(3))
    assert worker.sent[-1].body.running[0].waiting
    assert worker.sent[-1].body.locations_seen == 1
    second = tuple(segment(map_attempt(index)) for index in (2, 3))
    assert worker.tell(SegmentsArrived(attempt=attempt, fetch=asked["w-1"].fetch, arrived=second)) == []
    first = (segment(map_attempt(0)), segment(map_attempt(1), rows=0))
    commands = worker.tell(SegmentsArrived(attempt=attempt, fetch=asked["w-0"].fetch, arrived=first))
    assert commands == [
        StopFetching(attempt),
        ReduceInSlot(slot=0, attempt=attempt, partition=0, key_type="str", segments=(first[0], *second)),
    ]


def test_a_reduce_tells_what_it_consumed():
    worker = _opened()
    attempt = reduce_attempt(0)
    asked = _fetches(worker.answer(run_reduce(0, 1), locations=locations(1, at(0, 0, 0, "sum"))))
    arrived = (segment(map_attempt(0)),)
    worker.tell(SegmentsArrived(attempt=attempt, fetch=asked["w-0"].fetch, arrived=arrived))
    assert worker.tell(ReduceDone(attempt=attempt, checksum="x", rows=2, size=3)) == [ClearScratch(attempt)]
    assert _reports(worker) == [
        ReduceSucceeded(attempt=attempt, checksum="x", rows=2, size=3, consumed=consumed([(0, "sum")]))
    ]


def test_a_reduce_without_maps_runs_at_once():
    worker = _opened()
    commands = worker.answer(run_reduce(0, 0))
    assert [type(command) for command in commands] == [StopFetching, ReduceInSlot]


def test_locations_that_come_later_are_asked_for():
    worker = _opened()
    worker.answer(run_reduce(0, 2), locations=locations(1, at(0, 0, 0)))
    asked = _fetches(worker.answer(locations=locations(2, at(1, 1, 1))))
    assert asked["w-1"].request.maps == (map_attempt(1),)


def test_a_lost_segment_is_complained_about_once_and_fetched_from_its_new_place():
    worker = _opened()
    attempt = reduce_attempt(0)
    asked = _fetches(worker.answer(run_reduce(0, 1), locations=locations(1, at(0, 0, 0))))
    lost = ((map_attempt(0), "not found"),)
    assert worker.tell(SegmentsArrived(attempt=attempt, fetch=asked["w-0"].fetch, lost=lost)) == []
    assert _reports(worker) == [SegmentsLost(attempt=attempt, holder="w-0", maps=lost)]
    assert worker.tell(Ticked(), after=30) == []
    assert worker.answer(locations=locations(2, at(0, 0, -1))) == []
    asked = _fetches(worker.answer(locations=locations(3, at(0, 0, 1, number=1))))
    assert asked["w-1"].request.maps == (map_attempt(0, number=1),)


def test_no_complaint_about_an_output_that_has_moved_meanwhile():
    worker = _opened()
    attempt = reduce_attempt(0)
    asked = _fetches(worker.answer(run_reduce(0, 1), locations=locations(1, at(0, 0, 0))))
    worker.answer(locations=locations(2, at(0, 0, 1, number=1)))
    lost = ((map_attempt(0), "closed"),)
    worker.tell(SegmentsArrived(attempt=attempt, fetch=asked["w-0"].fetch, lost=lost))
    assert _reports(worker) == []


def test_a_refused_ticket_is_no_complaint_and_is_tried_again_after_a_pause():
    worker = _opened()
    asked = _fetches(worker.answer(run_reduce(0, 1), locations=locations(1, at(0, 0, 0))))
    assert worker.tell(SegmentsArrived(attempt=reduce_attempt(0), fetch=asked["w-0"].fetch)) == []
    assert _reports(worker) == []
    assert list(_fetches(worker.tell(Ticked(), after=1.5))) == ["w-0"]


def test_a_map_that_ran_again_with_another_checksum_is_fetched_again():
    worker = _opened()
    attempt = reduce_attempt(0)
    asked = _fetches(worker.answer(run_reduce(0, 2), locations=locations(1, at(0, 0, 0, "old"))))
    arrived = (segment(map_attempt(0)),)
    worker.tell(SegmentsArrived(attempt=attempt, fetch=asked["w-0"].fetch, arrived=arrived))
    assert worker.answer(locations=locations(2, at(0, 0, 1, "old", number=1))) == []
    asked = _fetches(worker.answer(locations=locations(3, at(0, 0, 1, "new", number=2))))
    assert asked["w-1"].request.maps == (map_attempt(0, number=2),)


def test_after_a_restart_of_the_master_places_are_learnt_anew_and_what_is_here_is_kept():
    worker = _opened()
    attempt = reduce_attempt(0)
    asked = _fetches(worker.answer(run_reduce(0, 2), locations=locations(1, at(0, 0, 0))))
    arrived = (segment(map_attempt(0)),)
    worker.tell(SegmentsArrived(attempt=attempt, fetch=asked["w-0"].fetch, arrived=arrived))
    worker.tell(Refused(worker.sent[-1].serial, 401, "SessionUnknown", ""))
    worker.tell(SessionOpened(worker.registrations[-1].serial, registered("s2", epoch=2)))
    assert worker.sent[-1].body.locations_seen == 0
    worker.answer_number = 0
    asked = _fetches(worker.answer(epoch=2, locations=locations(1, at(0, 1, 1))))
    assert asked["w-1"].request.maps == (map_attempt(1),)


def test_a_segment_that_the_slot_cannot_read_is_fetched_once_more_then_complained_about():
    worker = _opened()
    attempt, source = reduce_attempt(0), map_attempt(0)
    asked = _fetches(worker.answer(run_reduce(0, 1), locations=locations(1, at(0, 0, 0))))
    worker.tell(SegmentsArrived(attempt=attempt, fetch=asked["w-0"].fetch, arrived=(segment(source),)))
    asked = _fetches(worker.tell(SegmentSpoiled(attempt, source, "damaged")))
    assert list(asked) == ["w-0"]
    assert _reports(worker) == []
    worker.tell(SegmentsArrived(attempt=attempt, fetch=asked["w-0"].fetch, arrived=(segment(source),)))
    assert worker.tell(SegmentSpoiled(attempt, source, "damaged")) == []
    assert _reports(worker) == [SegmentsLost(attempt=attempt, holder="w-0", maps=((source, "damaged"),))]


def test_at_most_four_holders_are_asked_at_once():
    worker = _opened()
    places = [at(index, index, index) for index in range(6)]
    asked = _fetches(worker.answer(run_reduce(0, 6), locations=locations(1, *places, holders=tuple(range(6)))))
    assert len(asked) == 4


def test_reducers_of_different_partitions_begin_with_different_holders():
    worker = _opened()
    places = [at(index, index, index) for index in range(6)]
    delta = locations(1, *places, holders=tuple(range(6)))
    commands = worker.answer(run_reduce(0, 6), run_reduce(1, 6), locations=delta)
    first = {command.attempt: command.holder.number for command in reversed(commands)}  # type: ignore[union-attr]  # all fetch
    assert first == {reduce_attempt(0): 0, reduce_attempt(1): 1}


def test_attempts_that_wait_are_given_back_when_the_worker_is_told_to_stop():
    worker = _opened()
    worker.answer(run_map(0))
    commands = worker.tell(Terminated())
    assert commands == [StopFetching(map_attempt(0)), DeleteFiles(map_attempt(0))]
    (failed,) = _reports(worker)
    assert isinstance(failed, AttemptFailed)
    assert failed.error.kind == "disruption"


def test_a_step_that_the_table_does_not_know_tells_the_attempts_history():
    attempt = Attempt(run_map(0), 0.0)
    attempt.move("run")
    attempt.move("finish")
    with pytest.raises(
        InvalidTransition, match=r"map-0.e1.0: run in state ended \(queued run, running finish, ended\)"
    ):
        attempt.move("run")
