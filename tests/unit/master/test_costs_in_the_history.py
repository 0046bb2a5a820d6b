"""What each attempt has cost is in the history: of those that finished, failed, and were cancelled."""

from mapreduce.protocol import Report, Spent
from tests.support.master_builder import JobUnderTest

SPENT = Spent(cpu_ms=700, peak_memory=9000, waited_ms=2500, printed="end\n")


def costly(**changes):
    """A job whose workers say of each attempt what it has cost."""
    job = JobUnderTest(**({"maps": 1, "workers": 1, "reducers": 1} | changes))
    for worker in job.workers:
        exchange = worker.exchange

        def with_costs(exchange=exchange):
            body = exchange()
            reports = tuple(Report(number=one.number, outcome=one.outcome, spent=SPENT) for one in body.reports)
            return type(body)(**{name: getattr(body, name) for name in body.__struct_fields__} | {"reports": reports})

        worker.exchange = with_costs
    return job.until_mapping()


def costs(events):
    return [(event.cpu, event.peak_memory, event.waited) for event in events]


def test_an_attempt_that_finished_tells_its_cost_and_what_it_printed_at_last():
    job = costly()
    job.work()
    (event,) = [event for event in job.history("Finished") if event.task.kind == "map"]
    assert (event.cpu, event.peak_memory, event.waited, event.log) == (0.7, 9000, 2.5, "end\n")


def test_an_attempt_that_failed_tells_the_larger_of_two_measurements():
    job = costly()
    for peak in (8000, 10_000):
        worker, attempt = job.running("map")[0]
        worker.fail(attempt, peak_memory=peak, log_tail="more\n")
        worker.request = 0
        job.settle()
    failed = job.history("Failed")
    assert costs(failed) == [(0.7, 9000, 2.5), (0.7, 10_000, 2.5)]
    assert [event.log for event in failed] == ["more\n"] * 2


def test_an_attempt_that_was_cancelled_has_a_cost_too():
    job = costly(maps=3, reducers=3, workers=3).until_reducing()
    worker, attempt = job.running("reduce")[0]
    holder = next(one for one in job.workers if one is not worker and one.outputs)
    worker.complain(attempt, holder.name, [next(iter(holder.outputs)).task.index])
    worker.request = 0
    job.settle()
    job.pass_time(10)
    assert costs(job.history("Ended")) == [(0.7, 9000, 2.5)]


def test_a_later_master_goes_on_counting_what_was_printed():
    job = costly(maps=2)
    job.work()
    job.pass_time(3)
    used = job.master.book.texts.printed
    job.restart_master()
    job.settle()
    assert job.master.book.texts.printed == used >= 4
