"""Which workers and gateways are asked for, when, and under which names."""

from mapreduce_operator.core import events
from tests.support.master_builder import JobUnderTest


def test_gateway_and_workers_are_asked_for_at_once():
    job = JobUnderTest(workers=3)
    assert [(command.role, command.index, command.name) for command in job.asked_for] == [
        ("gateway", 0, "wordcount-01234567-g-0-1-0"),
        ("worker", 0, "wordcount-01234567-w-0-1-0"),
        ("worker", 1, "wordcount-01234567-w-1-1-0"),
        ("worker", 2, "wordcount-01234567-w-2-1-0"),
    ]
    assert job.asked_for[0].serves_output
    assert job.asked_for[0].serves_input


def test_an_input_on_another_store_has_a_gateway_of_its_own():
    job = JobUnderTest(separate_input=True)
    gateways = [command for command in job.asked_for if command.role == "gateway"]
    assert [(gateway.serves_output, gateway.serves_input) for gateway in gateways] == [(True, False), (False, True)]
    assert job.run_to_the_end() == "Succeeded"


def test_a_long_name_is_cut_so_that_a_pod_can_have_it():
    job = JobUnderTest(name="n" * 60)
    assert job.asked_for[1].name == f"{'n' * 40}-01234567-w-0-1-0"


def test_a_lost_worker_is_replaced_under_a_name_of_its_own():
    job = JobUnderTest(workers=2).until_mapping()
    first = job.workers[0]
    job.kill(first)
    assert job.asked_for[-1].name == "wordcount-01234567-w-0-1-1"
    assert job.asked_for[-1].incarnation == "1-1"
    assert first.name in job.stopped


def test_after_a_restart_nobody_is_started_before_the_platform_was_listed():
    job = JobUnderTest(resumed=True)
    assert job.asked_for == []
    job.list_pods()
    assert len(job.asked_for) == 3


def test_after_a_restart_pods_of_an_older_epoch_keep_their_places():
    job = JobUnderTest().until_mapping()
    before = len(job.asked_for)
    job.restart_master()
    job.settle()
    assert len(job.asked_for) == before


def test_of_two_pods_for_one_place_the_newer_stays():
    job = JobUnderTest(workers=1).until_mapping()
    old = job.workers[0]
    job.start_at_once = False
    job.see(old, state="ending")
    newer = job.start(job.asked_for[-1])
    job.restart_master()
    job.settle()
    assert newer.alive
    assert newer.session
    assert [worker.name for worker in job.workers] == [old.name, newer.name]


def test_a_stranger_without_a_place_is_stopped():
    job = JobUnderTest().until_mapping()
    stranger = job.pod(job.workers[0], name="wordcount-01234567-w-9-0-0", uid="x", index=9)
    job.tell(events.WorkerChanged(stranger))
    assert job.stopped == ["wordcount-01234567-w-9-0-0"]


def test_a_worker_that_never_registers_is_started_again_with_growing_pauses():
    job = JobUnderTest(workers=1)
    job.start_at_once = False
    starts = []
    for _ in range(4):
        worker = next(process for process in job.living() if process.role == "worker")
        asked = len(job.asked_for)
        began = job.mono
        job.kill(worker)
        while len(job.asked_for) == asked:
            job.pass_time(0.5)
        starts.append(job.mono - began)
        job.start(job.asked_for[-1])
    assert starts == sorted(starts)
    assert starts[0] == 0.0 or starts[0] <= 0.5
    assert starts[-1] >= 5.0


def test_a_refused_pod_is_tried_again_unless_the_refusal_is_final():
    job = JobUnderTest(workers=1)
    job.start_at_once = False
    name = job.asked_for[-1].name
    job.tell(events.WorkerNotStarted(name=name, reason="QuotaExceeded", message="exceeded quota: pods"))
    assert "exceeded quota" in job.status.message
    job.pass_time(2)
    assert job.asked_for[-1].name == "wordcount-01234567-w-0-1-1"
    job.tell(events.WorkerNotStarted(name=job.asked_for[-1].name, reason="PodRefused", message="no", final=True))
    assert job.phase == "Failed"
    assert job.status.conditions[-1].reason == "PodRefused"


def test_while_the_output_is_published_no_worker_is_replaced():
    job = JobUnderTest()
    job.held.add("publish")
    job.until_reducing()
    job.work()
    assert job.phase == "Publishing"
    asked = len(job.asked_for)
    job.kill(job.workers[0])
    job.pass_time(2)
    assert len(job.asked_for) == asked


def test_a_second_master_of_an_epoch_gives_names_that_were_never_used():
    job = JobUnderTest(workers=2).until_mapping()
    job.kill(job.workers[0])
    used = {command.name for command in job.asked_for}
    first = job.master.next_incarnation
    for process in job.living():
        process.alive = False
    job.asked_for.clear()
    job.epoch -= 1
    job.start_master(resumed=True, first_incarnation=first)
    job.list_pods()
    names = {command.name for command in job.asked_for}
    assert names == {"wordcount-01234567-g-0-1-2", "wordcount-01234567-w-0-1-2", "wordcount-01234567-w-1-1-2"}
    assert not names & used
