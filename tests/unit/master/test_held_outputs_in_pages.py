"""A worker that holds more than a registration has room for names the rest in its exchanges."""

import msgspec

from mapreduce_operator.core import events
from tests.support.master_builder import JobUnderTest


def maps_given_in(job, epoch):
    return [e.attempt for e in job.history("Assigned") if e.task.kind == "map" and e.attempt.epoch == epoch]


def mapped(*, page=1):
    """A job whose worker holds five outputs and names so many in a message."""
    job = JobUnderTest(maps=5, reducers=1, workers=1).until_reducing()
    (worker,) = job.workers
    worker.page = page
    return job, worker


def test_after_a_restart_every_page_is_heard_and_nothing_runs_again():
    job, worker = mapped(page=2)
    job.restart_master()
    job.settle()
    assert worker.held_seen == 5
    assert [event.attempt for event in job.history("Held")] == [output.attempt for output in worker.held()]
    assert job.run_to_the_end() == "Succeeded"
    assert maps_given_in(job, 2) == []


def test_nothing_is_assigned_before_the_last_page():
    job, worker = mapped()
    job.restart_master()
    worker.page = 0
    job.settle()
    assert worker.session
    job.pass_time(10)
    assert maps_given_in(job, 2) == []
    worker.page = 4
    job.pass_time(4)
    assert worker.held_seen == 5
    assert job.run_to_the_end() == "Succeeded"
    assert maps_given_in(job, 2) == []


def test_nothing_is_lost_while_a_worker_that_registers_again_still_names_its_outputs():
    job, worker = mapped()
    job.register(worker)
    assert worker.held_seen == 1
    assert job.history("Lost") == []
    job.settle()
    assert worker.held_seen == 5
    assert job.history("Lost") == []


def test_what_the_last_page_does_not_name_is_lost():
    job, worker = mapped(page=2)
    missing = worker.outputs.popitem()[0]
    job.register(worker)
    assert job.history("Lost") == []
    job.settle()
    assert [event.attempt for event in job.history("Lost")] == [missing]
    assert job.run_to_the_end() == "Succeeded"


def test_a_page_that_comes_twice_changes_nothing():
    job, worker = mapped(page=2)
    worker.mute = True
    job.restart_master()
    job.settle()
    record = job.master.book.registry.by_name(worker.name)
    assert record is not None
    assert job.master.book.rebuilt
    job.register(worker)
    body = worker.exchange()
    assert (body.held_from, len(body.held)) == (2, 2)
    for _ in range(3):
        request = next(job.numbers)
        job.tell(events.Exchanged(request=request, session=worker.session, body=body))
        assert len(job.master.book.outputs.held_by(record.number)) == record.held_seen == 4
    worker.mute = False
    job.settle()
    assert len(job.history("Held")) == 5
    assert job.run_to_the_end() == "Succeeded"
    assert maps_given_in(job, 2) == []


def test_before_the_journal_was_read_nothing_is_kept_and_all_is_heard_after_it():
    job, worker = mapped(page=5)
    job.held.add("open")
    job.restart_master()
    job.settle()
    job.pass_time(5)
    record = job.master.book.registry.by_name(worker.name)
    assert record is not None
    assert not job.master.book.rebuilt
    assert (bool(worker.session), record.held_total, record.held_seen, worker.held_seen) == (True, 5, 0, 0)
    job.held.clear()
    job.settle()
    assert (record.taken_over, worker.held_seen) == (True, 5)
    assert len(job.history("Held")) == 5
    assert job.run_to_the_end() == "Succeeded"
    assert maps_given_in(job, 2) == []


def test_a_journal_that_is_read_for_longer_than_a_lease_lets_nothing_run_again():
    job, _ = mapped(page=2)
    job.held.add("open")
    job.restart_master()
    job.pass_time(3 * job.spec.timing.lease)
    assert not job.master.book.rebuilt
    job.held.clear()
    assert job.run_to_the_end() == "Succeeded"
    assert maps_given_in(job, 2) == []


def test_the_grace_lasts_while_pages_come_and_a_lease_more():
    job, worker = mapped(page=1)
    job.restart_master()
    lease = job.spec.timing.lease
    worker.page = 0
    job.settle()
    for named in range(1, 5):
        job.pass_time(0.75 * lease)
        assert not job.master.book.grace_over
        worker.page = 1
        job.exchange(worker)
        worker.page = 0
        assert worker.held_seen == named
    job.pass_time(1.5 * lease)
    assert job.master.book.grace_over
    worker.page = 1
    assert job.run_to_the_end() == "Succeeded"


def test_a_worker_that_announces_without_an_end_makes_the_master_keep_nothing_more():
    job, worker = mapped()
    record = job.master.book.registry.by_name(worker.name)
    assert record is not None
    endless = tuple(worker.held())
    for number in range(20):
        body = msgspec.structs.replace(worker.exchange(), held=endless, held_from=number * len(endless))
        job.tell(events.Exchanged(request=next(job.numbers), session=worker.session, body=body))
    assert (record.unnamed, record.held_seen) == (set(), 0)
