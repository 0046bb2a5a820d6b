"""User code that kills the process that runs it looks like lost workers: people are told which task it was."""

import re

from tests.support.master_builder import JobUnderTest


def kill_the_runner(job, kind="map", times=1):
    """Kill whoever runs the first task of a kind, so often; let everything else finish between."""
    for _ in range(times):
        for worker, attempt in job.running(kind):
            if attempt.task.index == 0:
                job.kill(worker)
                break
        job.pass_time(1.0)


def said(job):
    return [told.message for told in job.announced if "workers were lost while" in told.message]


def test_a_task_whose_workers_are_lost_again_and_again_is_named_with_what_it_runs():
    job = JobUnderTest(maps=1, reducers=1, workers=1).until_mapping()
    kill_the_runner(job, times=3)
    assert said(job) == []
    kill_the_runner(job)
    (message,) = said(job)
    assert re.match(r"4 workers were lost while they ran map-0: .* It runs job.py on .*, bytes 0 to \d+", message)
    kill_the_runner(job, times=4)
    assert [text[0] for text in said(job)] == ["4", "8"]
    assert job.history("Charged") == []
    assert job.run_to_the_end() == "Succeeded"


def test_that_others_finish_between_does_not_hide_it():
    job = JobUnderTest(maps=9, reducers=1, workers=2).until_mapping()
    for _ in range(4):
        kill_the_runner(job)
        worker, attempt = next(found for found in job.running("map") if found[1].task.index != 0)
        job.finish(worker, attempt)
    assert len(said(job)) == 1
    assert job.run_to_the_end() == "Succeeded"


def test_a_worker_that_was_told_to_stop_is_no_sign_of_it():
    job = JobUnderTest(maps=1, reducers=1, workers=1).until_mapping()
    for _ in range(5):
        worker = job.running("map")[0][0]
        job.see(worker, state="ending")
        job.see(worker, state="gone")
        job.pass_time(1.0)
    assert said(job) == []


def test_the_limit_of_disruptions_names_the_task_and_its_program():
    job = JobUnderTest(maps=1, reducers=1, workers=1).until_mapping()
    kill_the_runner(job, times=40)
    failed = job.status.conditions[-1]
    assert (job.phase, failed.reason) == ("Failed", "DisruptionLimit")
    assert re.search(r"map-0 was disrupted 20 times .*; it runs job.py on .*, bytes 0 to", failed.message)
