"""When a worker counts as lost, and what becomes of its tasks."""

from mapreduce_operator.core import events
from tests.support.master_builder import JobUnderTest


def test_a_worker_that_is_silent_for_a_lease_is_lost_and_its_task_runs_elsewhere():
    job = JobUnderTest(maps=1).until_mapping()
    silent, attempt = job.running("map")[0]
    silent.alive = False
    job.pass_time(14)
    assert job.history("WorkerLost") == []
    job.pass_time(2)
    lost = job.history("WorkerLost")
    assert [(event.worker, event.worker_uid, event.reason) for event in lost] == [
        (silent.name, silent.uid, "WorkerSilent")
    ]
    assert silent.name in job.stopped
    assert [(event.attempt, event.reason) for event in job.history("Lost")] == [(attempt, "WorkerSilent")]
    assert [str(attempt) for _, attempt in job.running("map")] == ["map-0.e1.1"]


def test_a_healthy_task_far_longer_than_the_lease_runs_once():
    job = JobUnderTest(maps=1).until_mapping()
    worker, attempt = job.running("map")[0]
    job.pass_time(120)
    assert attempt in worker.active
    assert job.history("Lost", "WorkerLost") == []
    assert job.run_to_the_end() == "Succeeded"


def test_a_closed_process_is_lost_at_once():
    job = JobUnderTest(maps=1).until_mapping()
    worker, _ = job.running("map")[0]
    job.kill(worker)
    assert [str(attempt) for _, attempt in job.running("map")] == ["map-0.e1.1"]


def test_a_pod_is_lost_only_if_its_uid_was_seen_some_time_ago_and_a_list_lacks_it():
    job = JobUnderTest(maps=1).until_mapping()
    worker, _ = job.running("map")[0]
    job.tell(events.WorkersListed(()))
    assert job.history("WorkerLost") == []
    job.list_pods()
    others = tuple(job.pod(process) for process in job.living() if process is not worker)
    job.tell(events.WorkersListed(others))
    assert job.history("WorkerLost") == []
    job.pass_time(5)
    job.tell(events.WorkersListed(others))
    assert [event.worker for event in job.history("WorkerLost")] == [worker.name]


def test_a_hint_about_another_pod_of_that_name_is_ignored():
    job = JobUnderTest().until_mapping()
    job.list_pods()
    job.see(job.workers[0], uid="another", state="gone")
    assert job.history("WorkerLost") == []


def test_a_pod_that_ended_is_lost_with_its_reason():
    job = JobUnderTest().until_mapping()
    worker = job.workers[0]
    worker.alive = False
    job.see(worker, state="gone", reason="PodEvicted", message="the node was low on memory")
    lost = job.history("WorkerLost")[0]
    assert (lost.reason, lost.message) == ("PodEvicted", "the node was low on memory")
    told = [(event.kind, event.reason, event.message) for event in job.announced]
    assert ("Warning", "PodEvicted", f"{worker.name}: the node was low on memory") in told


def test_a_disruption_has_its_reason_in_the_history_of_what_ran_and_charges_no_program():
    job = JobUnderTest(maps=1).until_mapping()
    worker, attempt = job.running("map")[0]
    job.see(worker, state="ending", reason="PodPreempted", message="for a more important one")
    assert [event.reason for event in job.announced].count("PodPreempted") == 1
    worker.alive = False
    job.see(worker, state="gone", reason="PodPreempted", message="for a more important one")
    assert (attempt, "PodPreempted") in [(event.attempt, event.reason) for event in job.history("Lost")]
    assert job.run_to_the_end() == "Succeeded"
    assert job.history("Charged") == []


def test_a_pod_killed_for_memory_charges_what_ran_in_it():
    job = JobUnderTest(maps=1).until_mapping()
    worker, attempt = job.running("map")[0]
    worker.alive = False
    job.see(worker, state="gone", oom=True)
    charged = job.history("Charged")
    assert [(event.attempt, event.budget, event.reason) for event in charged] == [(attempt, "user", "SlotOverMemory")]
    assert job.run_to_the_end() == "Succeeded"


def test_a_worker_that_runs_and_never_registers_is_given_up():
    job = JobUnderTest(workers=1)
    job.list_pods()
    mute = job.workers[0]
    mute.mute = True
    job.pass_time(61)
    assert [event.worker for event in job.history("WorkerLost")] == [mute.name]


def test_a_lost_gateway_is_replaced_and_opens_again():
    job = JobUnderTest(maps=2).until_mapping()
    first = job.gateway
    job.kill(first)
    assert job.gateway.name == "wordcount-01234567-g-0-1-1"
    opened = [str(event.attempt) for event in job.history("Assigned") if event.task.kind == "open"]
    assert opened == ["open-0.e1.0", "open-0.e1.1"]
    assert job.run_to_the_end() == "Succeeded"
    assert len(job.history("Planned")) == 1


def test_a_gateway_lost_while_it_plans_is_replaced_and_plans_anew():
    job = JobUnderTest()
    job.held.add("plan")
    job.settle()
    job.kill(job.gateway)
    job.held.clear()
    assert job.run_to_the_end() == "Succeeded"


def test_a_gateway_lost_while_it_stages_or_publishes_costs_no_part():
    for kind in ("stage", "publish"):
        job = JobUnderTest()
        job.held.add(kind)
        job.until_reducing()
        job.work()
        job.kill(job.gateway)
        job.held.clear()
        assert job.run_to_the_end() == "Succeeded"
        assert job.store.staged_times == {0: 1, 1: 1}


def test_a_gateway_that_is_ending_is_replaced_only_when_it_is_gone():
    job = JobUnderTest().until_mapping()
    gateway = job.gateway
    asked = len(job.asked_for)
    job.see(gateway, state="ending")
    assert len(job.asked_for) == asked
    gateway.alive = False
    job.see(gateway, state="gone")
    assert job.asked_for[-1].role == "gateway"
    assert job.run_to_the_end() == "Succeeded"
