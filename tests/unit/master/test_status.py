"""What people see of a job that has a core: counts, phases, conditions, messages."""

from tests.support.master_builder import JobUnderTest


def test_people_see_how_far_maps_and_reduces_are():
    job = JobUnderTest(maps=4, reducers=2, workers=2).until_mapping()
    job.finish(*job.running("map")[0])
    status = job.status
    assert (status.maps.total, status.maps.active, status.maps.succeeded) == (4, 2, 1)
    assert (status.reduces.total, status.reduces.succeeded) == (2, 0)
    assert (status.records, status.size, status.total_size) == (10, 100, 400)
    assert (status.workers_desired, status.workers_ready) == (2, 2)
    assert status.message == ""


def test_phases_are_seen_in_their_order():
    job = JobUnderTest()
    job.run_to_the_end()
    seen = list(dict.fromkeys(status.phase for status in job.statuses))
    assert seen == ["Pending", "Planning", "Mapping", "Reducing", "Publishing", "Succeeded"]


def test_a_status_is_published_only_when_it_changed():
    job = JobUnderTest().until_mapping()
    job.pass_time(10)
    before = len(job.statuses)
    job.pass_time(20)
    assert len(job.statuses) == before
    assert all(one != other for one, other in zip(job.statuses, job.statuses[1:], strict=False))


def test_a_condition_says_since_when_it_is_so():
    job = JobUnderTest(workers=2).until_mapping()
    ready = job.status.conditions[0]
    assert (ready.type, ready.status) == ("WorkersReady", "True")
    job.pass_time(5)
    job.finish(*job.running("map")[0])
    assert job.status.conditions[0].since == ready.since
    job.start_at_once = False
    job.kill(job.workers[0])
    assert job.status.conditions[0].status == "False"
    assert job.status.conditions[0].since > ready.since


def test_attempts_beyond_the_first_are_counted():
    job = JobUnderTest(maps=1, workers=2).until_mapping()
    job.kill(job.running("map")[0][0])
    assert job.status.maps.retried == 1


def test_a_lost_worker_is_announced_by_name():
    job = JobUnderTest().until_mapping()
    worker = job.workers[0]
    job.kill(worker)
    told = [announcement for announcement in job.announced if worker.name in announcement.message]
    assert [(announcement.kind, announcement.reason) for announcement in told] == [("Warning", "WorkerLost")]


def test_a_failed_attempt_is_announced_with_task_and_place():
    job = JobUnderTest(maps=1, workers=1).until_mapping()
    worker, attempt = job.running("map")[0]
    worker.fail(attempt, where="a.txt:17")
    worker.request = 0
    job.settle()
    told = [announcement for announcement in job.announced if announcement.reason == "UserCodeFailed"]
    assert "map-0" in told[0].message
    assert "a.txt:17" in told[0].message


def test_a_job_that_does_not_know_whether_another_lives_says_so():
    job = JobUnderTest()
    job.store.others = {"other": "dead"}
    job.settle()
    assert job.status.message == "finding out whether jobs that left something at the output live: other"


def test_workers_that_cannot_start_are_told_in_the_condition_and_once_as_an_event():
    job = JobUnderTest(workers=1)
    worker = job.workers[0]
    job.gateway.mute = worker.mute = True
    for _ in range(3):
        job.see(worker, state="pending", reason="Unschedulable", message="0/3 nodes are available")
    ready = job.status.conditions[0]
    assert (ready.status, ready.reason) == ("False", "Unschedulable")
    assert "0/3 nodes are available" in ready.message
    assert [announcement.reason for announcement in job.announced] == ["Unschedulable"]


def test_start_and_failures_are_known_after_a_restart():
    job = JobUnderTest(maps=1, workers=1).until_mapping()
    started = job.status.start_wall
    worker, attempt = job.running("map")[0]
    worker.fail(attempt, where="a.txt:17")
    worker.request = 0
    job.settle()
    job.mono += 50
    job.restart_master()
    job.settle()
    assert job.status.start_wall == started
    assert [(failure.message, failure.where) for failure in job.status.last_failures] == [
        ("ValueError: no", "a.txt:17")
    ]


def test_a_job_that_is_over_has_no_ready_workers():
    job = JobUnderTest()
    job.run_to_the_end()
    conditions = {condition.type: (condition.status, condition.reason) for condition in job.status.conditions}
    assert conditions == {"Complete": ("True", "Succeeded"), "WorkersReady": ("False", "JobEnded")}
