"""Who may register, what it is told, and who is sent away."""

from mapreduce_operator.core import events
from tests.support.master_builder import JobUnderTest


def refusal(job, process, **changes):
    before = len(job.refusals)
    assert job.register(process, **changes) is None
    return job.refusals[before]


def test_a_welcome_says_all_that_holds_for_the_session():
    job = JobUnderTest()
    welcome = job.register(job.gateway)
    assert welcome.epoch == 1
    assert welcome.worker == job.gateway.name
    assert welcome.job.serves_input
    assert welcome.job.serves_output
    assert welcome.job.program_digest == job.spec.program.digest
    assert welcome.job.spec == job.spec, "it keeps the history, and with it the program"
    worker = job.register(job.workers[0])
    assert worker.job.spec.program.source == b""
    assert worker.job.program_digest == job.spec.program.digest
    assert not worker.job.serves_output
    assert welcome.ticket_keys == (b"k1",)


def test_another_version_of_the_protocol_is_refused_with_both():
    job = JobUnderTest()
    refused = refusal(job, job.workers[0], version=3)
    assert refused.status == 426
    assert "version 3" in refused.message
    assert "master 2" in refused.message


def test_another_engine_than_the_plans_is_refused_with_both():
    job = JobUnderTest()
    refused = refusal(job, job.workers[0], engine="9.9")
    assert refused.status == 410
    assert "9.9" in refused.message
    assert "1.0" in refused.message
    assert any("9.9" in announcement.message for announcement in job.announced)


def test_after_a_restart_workers_keep_the_engine_that_the_job_was_planned_with():
    job = JobUnderTest().until_mapping()
    newer = type(job.master.book.context)(ticket_key=b"k", engine_version="2.0", resumed=True)
    job.restart_master()
    job.master.book.context = newer
    job.settle()
    assert all(process.session for process in job.living())
    assert job.run_to_the_end() == "Succeeded"


def test_a_worker_that_was_given_up_is_not_wanted_any_more():
    job = JobUnderTest().until_mapping()
    worker = job.workers[0]
    job.kill(worker)
    worker.alive = True
    assert refusal(job, worker).status == 410


def test_somebody_that_was_never_asked_for_is_not_wanted():
    job = JobUnderTest()
    worker = job.workers[0]
    worker.name = "wordcount-01234567-w-7-1-0"
    assert refusal(job, worker).status == 410


def test_another_process_under_the_same_name_is_not_wanted():
    job = JobUnderTest().until_mapping()
    worker = job.workers[0]
    worker.uid = "another"
    assert refusal(job, worker).status == 410


def test_the_newest_session_counts():
    job = JobUnderTest().until_mapping()
    worker = job.workers[1]
    old = worker.session
    job.register(worker)
    commands = job.tell(events.Exchanged(request=9999, session=old, body=worker.exchange()))
    assert [(command.status, command.request) for command in commands if isinstance(command, events.Refuse)] == [
        (401, 9999)
    ]


def test_a_parked_request_of_the_older_session_is_released():
    job = JobUnderTest().until_mapping()
    worker = job.workers[1]
    job.pass_time(1)
    parked = worker.request
    assert parked
    job.register(worker)
    assert worker.refusals == [] or worker.refusals[-1] == 401


def test_a_registration_that_is_repeated_changes_nothing():
    job = JobUnderTest(maps=2).until_mapping()
    worker, attempt = job.running("map")[0]
    job.register(worker)
    job.settle()
    assert attempt in worker.active
    assert job.history("Lost") == []
    assert job.run_to_the_end() == "Succeeded"
    assert len(job.history("Assigned")) == len({str(event.attempt) for event in job.history("Assigned")})
    assert not [event for event in job.history("Assigned") if event.task.kind == "map" and event.attempt.number]


def test_a_worker_whose_process_was_started_again_loses_what_it_does_not_name():
    job = JobUnderTest(maps=1, workers=1).until_mapping()
    worker, attempt = job.running("map")[0]
    worker.start_again()
    job.settle()
    assert [(event.attempt, event.reason) for event in job.history("Lost")] == [(attempt, "WorkerLost")]
    assert job.running("map")[0][1].number == 1
    assert job.run_to_the_end() == "Succeeded"


def test_a_finished_output_that_a_worker_no_longer_names_is_made_again():
    job = JobUnderTest(maps=2, workers=1, slots=1).until_mapping()
    worker, attempt = job.running("map")[0]
    job.finish(worker, attempt)
    worker.start_again()
    job.settle()
    assert attempt in [event.attempt for event in job.history("Lost")]
    assert job.run_to_the_end() == "Succeeded"


def test_after_the_end_nobody_is_wanted():
    job = JobUnderTest()
    job.run_to_the_end()
    worker = next(process for process in job.processes.values() if process.role == "worker")
    worker.alive = True
    worker.cut_off()
    assert refusal(job, worker).status == 410
