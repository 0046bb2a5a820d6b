"""A reduce of a job that goes on without some map."""

from collections.abc import Sequence

from mapreduce.digests import consumed
from mapreduce.protocol import Outcome, ReduceSucceeded
from mapreduce_worker.core.events import (
    FetchSegments,
    ReduceDone,
    ReduceInSlot,
    SegmentsArrived,
    SessionOpened,
    Ticked,
)
from mapreduce_worker.core.locations import LEFT_OUT
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


def _opened(slots: int = 2, *, direct: bool = False) -> Driven:
    worker = Driven(slots)
    worker.tell(Ticked())
    worker.tell(SessionOpened(worker.registrations[-1].serial, registered(direct=direct)))
    return worker


def _fetches(commands: Sequence[object]) -> dict[str, FetchSegments]:
    return {command.holder.worker: command for command in commands if isinstance(command, FetchSegments)}


def _reports(worker: Driven) -> list[Outcome]:
    return [report.outcome for report in worker.sent[-1].body.reports]


def test_a_reduce_does_not_wait_for_a_map_that_is_left_out():
    worker = _opened()
    attempt = reduce_attempt(0)
    places = locations(1, at(0, 0, 0, "sum"), at(1, 1, LEFT_OUT))
    asked = _fetches(worker.answer(run_reduce(0, 2), locations=places))
    arrived = (segment(map_attempt(0)),)
    commands = worker.tell(SegmentsArrived(attempt=attempt, fetch=asked["w-0"].fetch, arrived=arrived))
    assert isinstance(commands[-1], ReduceInSlot)
    worker.tell(ReduceDone(attempt=attempt, checksum="x", rows=2, size=3))
    (report,) = _reports(worker)
    assert isinstance(report, ReduceSucceeded)
    assert report.consumed == consumed([(0, "sum"), (1, "")])


def test_what_was_fetched_of_a_map_that_is_left_out_later_is_dropped():
    worker = _opened()
    attempt = reduce_attempt(0)
    first = _fetches(worker.answer(run_reduce(0, 2), locations=locations(1, at(0, 0, 0, "sum"))))
    worker.tell(SegmentsArrived(attempt=attempt, fetch=first["w-0"].fetch, arrived=(segment(map_attempt(0)),)))
    then = _fetches(worker.answer(locations=locations(2, at(0, 0, LEFT_OUT), at(1, 1, 1, "other"))))
    arrived = (segment(map_attempt(1)),)
    commands = worker.tell(SegmentsArrived(attempt=attempt, fetch=then["w-1"].fetch, arrived=arrived))
    assert isinstance(commands[-1], ReduceInSlot)
    assert [found.source for found in commands[-1].segments] == [map_attempt(1)]
