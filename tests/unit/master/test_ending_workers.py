"""A worker that was told to stop: others take over at once, the first to finish wins, what it holds is served."""

from tests.support.master_builder import JobUnderTest


def ending(job):
    worker, attempt = job.running("map")[0]
    job.see(worker, state="ending")
    return worker, attempt


def test_its_running_attempt_is_begun_elsewhere_at_once():
    job = JobUnderTest(maps=1, workers=2).until_mapping()
    worker, attempt = ending(job)
    assert attempt in worker.active
    assert [str(other) for runner, other in job.running("map") if runner is not worker] == ["map-0.e1.1"]
    assert job.history("Charged", "Lost") == []


def test_it_gets_nothing_new_and_is_replaced_at_once():
    job = JobUnderTest(maps=4, workers=2).until_mapping()
    worker, _ = ending(job)
    assert job.asked_for[-1].index == worker.index
    job.work(rounds=2)
    assert len(worker.known) <= 2


def test_if_it_finishes_first_the_other_attempt_is_cancelled():
    job = JobUnderTest(maps=1, workers=2).until_mapping()
    worker, attempt = ending(job)
    job.finish(worker, attempt)
    assert [event.attempt for event in job.history("Finished") if event.task.kind == "map"] == [attempt]
    assert [str(event.attempt) for event in job.history("Cancelled")] == ["map-0.e1.1"]
    assert job.running("map") == []
    assert job.run_to_the_end() == "Succeeded"


def test_if_the_other_finishes_first_its_own_attempt_is_cancelled():
    job = JobUnderTest(maps=1, workers=2).until_mapping()
    worker, attempt = ending(job)
    other = next(runner for runner, _ in job.running("map") if runner is not worker)
    job.finish(other, next(iter(other.active)))
    assert [event.attempt for event in job.history("Cancelled")] == [attempt]
    assert worker.active == {}


def test_what_it_holds_is_served_until_it_is_gone():
    job = JobUnderTest(maps=2, workers=2).until_reducing()
    holder = job.workers[0]
    job.see(holder, state="ending")
    assert job.history("Lost") == []
    assert all(len(worker.places) == 2 for worker, _ in job.running("reduce"))
    holder.alive = False
    job.see(holder, state="gone")
    assert [event.reason for event in job.history("Lost") if event.task.kind == "map"] == ["WorkerLost"]
    assert job.run_to_the_end() == "Succeeded"


def test_a_reduce_that_finishes_on_it_is_staged_from_it():
    job = JobUnderTest(maps=2, reducers=1, workers=2).until_reducing()
    worker, attempt = job.running("reduce")[0]
    job.see(worker, state="ending")
    job.finish(worker, attempt)
    assert job.store.staged[0].source == attempt
    assert job.run_to_the_end() == "Succeeded"


def test_its_own_word_is_enough():
    job = JobUnderTest(maps=1, workers=2).until_mapping()
    worker, attempt = job.running("map")[0]
    worker.draining = True
    worker.request = 0
    job.settle()
    assert job.asked_for[-1].index == worker.index
    assert attempt in worker.active
    assert [str(other) for runner, other in job.running("map") if runner is not worker] == ["map-0.e1.1"]
    assert job.run_to_the_end() == "Succeeded"


def test_the_word_of_a_worker_that_registers_with_the_next_master_counts_too():
    job = JobUnderTest(maps=3, workers=2).until_mapping()
    job.work()
    job.pass_time(2)
    worker = job.workers[0]
    worker.draining = True
    job.restart_master()
    given = len(worker.known)
    job.pass_time(1)
    assert job.run_to_the_end() == "Succeeded"
    assert len(worker.known) == given
