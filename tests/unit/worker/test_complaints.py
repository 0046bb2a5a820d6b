"""What a worker says of segments that it could not read: as often as a master needs it, and no more than it takes."""

from mapreduce import protocol
from mapreduce.protocol import COMPLAINT_CHARACTERS, Exchange, Outcome, SegmentsLost
from mapreduce_worker.core.events import (
    Command,
    FetchSegments,
    Refused,
    SegmentsArrived,
    SegmentSpoiled,
    SessionOpened,
    Ticked,
)
from tests.support.worker_messages import (
    Driven,
    at,
    locations,
    map_attempt,
    reduce_attempt,
    registered,
    run_reduce,
    segment,
)

REFUSED = (
    "ClientConnectorError Cannot connect to host 10.244.1.15:8444 ssl:default "
    "[Connect call failed ('10.244.1.15', 8444)]"
)


ATTEMPT, SOURCE = reduce_attempt(0), map_attempt(0)
COMPLAINT = SegmentsLost(attempt=ATTEMPT, holder="w-0", maps=((SOURCE, REFUSED[:COMPLAINT_CHARACTERS]),))


def reducing() -> tuple[Driven, FetchSegments]:
    """A worker whose reduce has asked for its one segment, and how."""
    worker = Driven()
    worker.tell(Ticked())
    worker.tell(SessionOpened(worker.registrations[-1].serial, registered()))
    return worker, fetch_in(worker.answer(run_reduce(0, 1), locations=locations(1, at(0, 0, 0))))


def fetch_in(commands: list[Command]) -> FetchSegments:
    (found,) = (command for command in commands if isinstance(command, FetchSegments))
    return found


def complaints(worker: Driven) -> list[Outcome]:
    """What it has told, as the master reads it."""
    told = protocol.decode(protocol.encode(worker.sent[-1].body), Exchange)
    return [report.outcome for report in told.reports]


def test_why_a_segment_was_not_to_be_had_is_cut():
    worker, asked = reducing()
    worker.tell(SegmentsArrived(attempt=ATTEMPT, fetch=asked.fetch, lost=((SOURCE, REFUSED),)))
    assert complaints(worker) == [COMPLAINT]


def test_what_a_slot_says_of_a_spoiled_segment_is_cut():
    worker, asked = reducing()
    arrived = (segment(SOURCE),)
    worker.tell(SegmentsArrived(attempt=ATTEMPT, fetch=asked.fetch, arrived=arrived))
    again = fetch_in(worker.tell(SegmentSpoiled(ATTEMPT, SOURCE, REFUSED)))
    worker.tell(SegmentsArrived(attempt=ATTEMPT, fetch=again.fetch, arrived=arrived))
    worker.tell(SegmentSpoiled(ATTEMPT, SOURCE, REFUSED))
    assert complaints(worker) == [COMPLAINT]


def test_what_cannot_be_read_in_a_new_session_either_is_told_anew():
    worker, asked = reducing()
    worker.tell(SegmentsArrived(attempt=ATTEMPT, fetch=asked.fetch, lost=((SOURCE, REFUSED),)))
    worker.tell(Refused(worker.sent[-1].serial, 401, "SessionUnknown", ""))
    worker.tell(SessionOpened(worker.registrations[-1].serial, registered("s2", epoch=2)))
    worker.answer_number = 0
    again = fetch_in(worker.answer(epoch=2, locations=locations(1, at(0, 0, 0))))
    assert complaints(worker) == []
    worker.tell(SegmentsArrived(attempt=ATTEMPT, fetch=again.fetch, lost=((SOURCE, REFUSED),)))
    assert complaints(worker) == [COMPLAINT]
