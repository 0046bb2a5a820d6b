"""A worker that holds more than a registration has room for names the rest in its exchanges."""

import msgspec

from mapreduce_operator.core import adoption, events
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
    job.restart_master()
    for process in job.living():
        if process is not worker:
            job.register(process)
    job.register(worker)
    body = worker.exchange()
    for _ in range(3):
        request = next(job.numbers)
        job.tell(events.Exchanged(request=request, session=worker.session, body=body))
    job.settle()
    assert len(job.history("Held")) == 5
    assert job.run_to_the_end() == "Succeeded"
    assert maps_given_in(job, 2) == []


def test_of_more_than_there_is_room_for_the_rest_is_made_again(monkeypatch):
    job, worker = mapped(page=2)
    job.restart_master()
    largest = max(map(adoption.size, worker.held()))
    monkeypatch.setattr(adoption, "MOST_OFFERED", 3 * largest)
    job.settle()
    assert worker.held_seen == 5
    assert len(job.history("Held")) == 3
    assert job.run_to_the_end() == "Succeeded"
    assert len(maps_given_in(job, 2)) == 2


def test_a_worker_that_announces_without_an_end_makes_the_master_keep_nothing_more():
    job, worker = mapped()
    record = job.master.book.registry.by_name(worker.name)
    assert record is not None
    endless = tuple(worker.held())
    for number in range(20):
        body = msgspec.structs.replace(worker.exchange(), held=endless, held_from=number * len(endless))
        job.tell(events.Exchanged(request=next(job.numbers), session=worker.session, body=body))
    assert (record.offered_held, record.offered_size, record.held_seen) == ([], 0, 0)


def test_long_texts_of_an_announced_output_count():
    _, worker = mapped()
    output = worker.held()[0]
    long = msgspec.structs.replace(output, key_at="x" * 10_000)
    assert adoption.size(long) - adoption.size(output) == 10_000 - len(output.key_at)
