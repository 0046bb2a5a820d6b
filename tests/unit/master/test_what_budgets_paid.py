"""Each of the three budgets shows in the status, in what is announced, and in the history, also after a restart."""

from mapreduce_operator.core.events import Charges
from tests.support.master_builder import JobUnderTest


def fail(job, **fields):
    worker, attempt = job.running("map")[0]
    worker.fail(attempt, **fields)
    worker.request = 0
    job.settle()
    return worker, attempt


def said(job, reason):
    return [told.message for told in job.announced if told.reason == reason]


def budgets(job):
    """Return the budgets that history names, event by event."""
    return [(event.event, event.budget) for event in job.history("Charged", "Failed", "Lost") if event.budget]


def test_a_failure_of_user_code():
    job = JobUnderTest(maps=1, workers=1).until_mapping()
    worker, _ = fail(job, message="ValueError: no", log_tail="a line\n")
    assert job.status.charges == Charges(user=1)
    assert budgets(job) == [("Charged", "user")]
    assert said(job, "UserCodeFailed") == [f"map-0 on {worker.name}: ValueError: no"]
    assert job.status.last_failures[-1].output == "a line\n"


def test_disruptions_are_told_ever_more_rarely():
    job = JobUnderTest(maps=1, workers=1).until_mapping()
    (worker,) = job.workers
    for _ in range(9):
        fail(job, kind="disruption", reason="SlotKilled", message="killed by signal 9 (SIGKILL)")
    assert job.status.charges == Charges(disruption=9)
    assert budgets(job) == [("Failed", "disruption")] * 9
    about = f"map-0 on {worker.name}: killed by signal 9 (SIGKILL); it runs again"
    assert said(job, "SlotKilled") == [f"{about} (disruption {count} of 20 in a row)" for count in (1, 2, 4, 8)]


def test_a_lost_worker_is_a_disruption_of_what_it_ran():
    job = JobUnderTest(maps=2, workers=1, slots=2).until_mapping()
    job.kill(job.running("map")[0][0])
    assert job.status.charges == Charges(disruption=2)
    assert budgets(job) == [("Lost", "disruption")] * 2


def test_segments_that_cannot_be_read_are_charged_to_who_holds_them():
    job = JobUnderTest(maps=2, reducers=1, workers=2).until_reducing()
    ((worker, attempt),) = job.running("reduce")
    holder = next(other for other in job.workers if other is not worker and other.outputs)
    index = next(iter(holder.outputs)).task.index
    worker.complain(attempt, holder.name, [index])
    worker.request = 0
    job.settle()
    assert job.status.charges.segments == 1
    assert ("Charged", "segments") in budgets(job)
    (message,) = said(job, "SegmentUnreadable")
    assert message == f"{holder.name}: what map-{index} made cannot be read from it, and is made again"
    assert job.run_to_the_end() == "Succeeded"


def test_a_master_that_was_started_again_knows_what_was_paid():
    job = JobUnderTest(maps=1, workers=1).until_mapping()
    fail(job, message="ValueError: no")
    fail(job, kind="disruption", reason="SlotKilled", message="killed")
    fail(job, message="ValueError: again")
    job.pass_time(5)
    job.restart_master()
    job.pass_time(20)
    assert (job.status.charges.user, job.status.charges.segments) == (2, 0)
    assert job.status.charges.disruption >= 1


def test_the_spent_budget_of_disruptions_is_no_disruption_of_its_own():
    job = JobUnderTest(maps=1, workers=1).until_mapping()
    for _ in range(20):
        fail(job, kind="disruption", reason="SlotKilled", message="killed by signal 9 (SIGKILL)")
    failed = job.status.conditions[-1]
    assert failed.reason == "DisruptionLimit"
    assert failed.message.startswith("map-0 was disrupted 20 times while no task finished; the last time: SlotKilled")
    assert job.status.charges == Charges(disruption=20)
