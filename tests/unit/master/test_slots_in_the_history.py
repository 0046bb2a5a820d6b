"""Who ran what, where: the history names workers with their slots, and the slot of each attempt."""

from mapreduce.protocol import Progress
from mapreduce_operator.core import policies
from tests.support.master_builder import JobUnderTest


def in_slot(worker, slot):
    """Let a worker say that whatever it runs is, or was, in this slot."""
    worker.progress = lambda attempt: Progress(attempt=attempt, slot=slot, waiting=attempt in worker.waiting)


def mapping(slot):
    job = JobUnderTest(maps=2, workers=1, reducers=1, slots=2)
    job.settle()
    in_slot(job.workers[0], slot)
    return job.until_mapping()


def slots(job, word):
    return [event.slot for event in job.history(word) if event.task.kind == "map"]


def test_a_worker_that_registers_is_in_the_history_with_number_and_slots():
    job = JobUnderTest(workers=2, slots=3)
    job.settle()
    ready = {event.worker: event for event in job.history("WorkerReady")}
    assert [ready[worker.name].slots for worker in job.workers] == [3, 3]
    known = [job.master.book.registry.by_number(ready[worker.name].number) for worker in job.workers]
    assert [worker.name for worker in known] == [worker.name for worker in job.workers]
    assert job.gateway.name in ready


def test_the_history_says_on_which_node_a_worker_is_if_that_is_known():
    job = JobUnderTest(workers=1)
    (worker,) = job.workers
    job.see(worker, node="node-3")
    assert [event.node for event in job.history("WorkerReady") if event.worker == worker.name] == ["node-3"]


def test_a_new_session_of_the_same_process_is_not_another_worker():
    job = JobUnderTest(workers=1)
    job.settle()
    before = len(job.history("WorkerReady"))
    job.register(job.workers[0])
    assert len(job.history("WorkerReady")) == before
    job.workers[0].start_again()
    job.register(job.workers[0])
    assert len(job.history("WorkerReady")) == before + 1


def test_an_attempt_begins_in_a_slot():
    assert slots(mapping(1), "Started") == [1, 1]


def test_a_slot_that_the_worker_does_not_have_is_not_believed():
    assert slots(mapping(2), "Started") == [-1, -1]


def test_a_slot_that_was_told_is_not_told_again():
    job = mapping(1)
    job.work()
    assert slots(job, "Finished") == [-1, -1]


def test_of_an_attempt_that_ends_before_it_was_named_the_end_tells_the_slot():
    job = JobUnderTest(maps=1, workers=1, reducers=1)
    job.settle()
    (worker,) = job.workers
    take = worker.take

    def take_and_fail(assignment):
        take(assignment)
        if assignment.attempt.task.kind == "map":
            worker.fail(assignment.attempt)

    worker.take = take_and_fail
    exchange = worker.exchange

    def exchange_in_slot():
        body = exchange()
        running = tuple(Progress(attempt=progress.attempt, slot=0) for progress in body.running)
        return type(body)(**{name: getattr(body, name) for name in body.__struct_fields__} | {"running": running})

    worker.exchange = exchange_in_slot
    job.until_mapping()
    job.settle()
    assert slots(job, "Started") == []
    assert slots(job, "Failed")[0] == 0


def test_a_cancelled_attempt_has_its_slot_until_its_worker_says_otherwise():
    job = JobUnderTest(maps=3, reducers=3, workers=3).until_reducing()
    worker, attempt = job.running("reduce")[0]
    worker.cannot_kill = True
    holder = next(one for one in job.workers if one is not worker and one.outputs)
    worker.complain(attempt, holder.name, [next(iter(holder.outputs)).task.index])
    worker.request = 0
    job.settle()
    assert [event.attempt for event in job.history("Cancelled")] == [attempt]
    assert job.history("Ended") == []
    worker.cannot_kill = False
    job.pass_time(10)
    assert [(event.attempt, event.worker) for event in job.history("Ended")] == [(attempt, worker.name)]


def test_who_registers_again_and_again_does_not_fill_the_journal():
    job = JobUnderTest(maps=2).until_mapping()
    worker = job.workers[0]
    for number in range(2 * policies.BEGINNINGS_TOLD):
        job.register(worker, boot=f"another-{number}")
    told = [event for event in job.history("WorkerReady") if event.worker == worker.name]
    assert len(told) == policies.BEGINNINGS_TOLD
