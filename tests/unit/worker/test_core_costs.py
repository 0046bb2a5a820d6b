"""The last report of an attempt says what it has cost: what its slot says, and how long it waited."""

from mapreduce.protocol import ErrorInfo, Spent, Usage
from mapreduce_worker.core.events import (
    Broke,
    FetchedInput,
    InputArrived,
    MapDone,
    Measured,
    SegmentsArrived,
    SegmentSpoiled,
    SessionOpened,
    Ticked,
    UsageSeen,
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
)

SPENT = Spent(cpu_ms=700, peak_memory=9000, printed="end\n")


def working(*assignments, direct=True, slots=2):
    worker = Driven(slots)
    worker.tell(Ticked())
    worker.tell(SessionOpened(worker.registrations[-1].serial, registered(direct=direct)))
    worker.answer(*assignments)
    return worker


def spent_of_last(worker):
    return worker.sent[-1].body.reports[-1].spent


def done(worker, index=0, spent=SPENT):
    worker.tell(Measured(map_attempt(index), spent))
    worker.tell(MapDone(map_attempt(index), map_output(map_attempt(index)), 1))


def test_what_the_slot_says_is_reported_with_the_end():
    worker = working(run_map(0))
    done(worker)
    assert spent_of_last(worker) == SPENT


def test_failures_have_a_cost_too():
    worker = working(run_map(0))
    worker.tell(Measured(map_attempt(0), SPENT))
    worker.tell(Broke(map_attempt(0), ErrorInfo(kind="user", reason="UserCodeFailed", message="m")))
    assert spent_of_last(worker).cpu_ms == 700


def test_a_map_waits_for_its_input():
    worker = working(run_map(0), direct=False)
    worker.tell(InputArrived(map_attempt(0), FetchedInput("input", ())), after=2.5)
    worker.tell(Ticked(), after=4.0)
    done(worker)
    assert spent_of_last(worker).waited_ms == 2500


def test_an_attempt_waits_for_a_slot():
    worker = working(run_map(0), run_map(1), slots=1)
    worker.tell(Ticked(), after=1.5)
    done(worker, 0)
    worker.tell(Ticked(), after=1.0)
    done(worker, 1)
    assert [report.spent.waited_ms for report in worker.core._line.book.unacknowledged()] == [0, 1500]


def test_a_reduce_that_gathers_again_waits_again_and_its_costs_add_up():
    worker = working(run_reduce(0, 1))
    commands = worker.answer(locations=locations(1, at(0, 0, 1)))
    source = map_attempt(0)
    fetch = commands[-1].fetch
    arrived = SegmentsArrived(attempt=reduce_attempt(0), fetch=fetch, arrived=(segment(source),))
    worker.tell(arrived, after=1.0)
    worker.tell(Measured(reduce_attempt(0), Spent(cpu_ms=100, peak_memory=5000)), after=10.0)
    commands = worker.tell(SegmentSpoiled(reduce_attempt(0), source, "crc"))
    fetch = next(command.fetch for command in commands if hasattr(command, "fetch"))
    arrived = SegmentsArrived(attempt=reduce_attempt(0), fetch=fetch, arrived=(segment(source),))
    worker.tell(arrived, after=2.0)
    worker.tell(Measured(reduce_attempt(0), Spent(cpu_ms=300, peak_memory=4000)))
    worker.tell(Broke(reduce_attempt(0), ErrorInfo(kind="user", reason="UserCodeFailed", message="m")))
    assert spent_of_last(worker) == Spent(cpu_ms=400, peak_memory=5000, waited_ms=3000)


def test_what_the_worker_uses_is_said_with_each_exchange():
    worker = working(run_map(0))
    assert worker.sent[-1].body.usage is None
    usage = Usage(at_ms=5000, cpu_ms=700, resident=9000)
    worker.tell(UsageSeen(usage))
    worker.answer()
    worker.answer()
    assert [sent.body.usage for sent in worker.sent[-2:]] == [usage, usage]
