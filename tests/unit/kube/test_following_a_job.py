"""One job on an API server that is a dictionary, with a core that notes what it is told."""

import asyncio

from mapreduce import words
from mapreduce.spec import Limits
from mapreduce_operator.core import policies
from mapreduce_operator.core.events import (
    Ended,
    EpochRead,
    FindJobs,
    InputMissing,
    JobDeleted,
    JobsFound,
    JobStatus,
    PhaseCounts,
    PublishStatus,
    ReadEpoch,
    SpecChanged,
    StepDown,
    WorkerChanged,
    WorkersListed,
)
from mapreduce_operator.kube import leaving, reconcile
from mapreduce_operator.kube.client import Ref
from mapreduce_operator.kube.reconcile import Job
from tests.support.followed_job import CLAIMS, JOB, World, following, seen, settled
from tests.support.kube_objects import UID, body, pod


def test_a_new_job_gets_its_finalizer_its_objects_and_a_core_that_knows_all_before_it_begins():
    async def go():
        world = World(body())
        async with following(world):
            assert world.resource["metadata"]["finalizers"] == [words.FINALIZER]
            assert world.resource["metadata"]["annotations"] == {"mapreduce.dev/worker-image": "worker:1"}
            assert sorted(ref.resource for ref, _ in world.api.created) == ["configmaps", "networkpolicies"]
            assert world.resumed == [False]
            assert world.core.told == [
                SpecChanged(workers=2, suspend=False, active_deadline=0.0),
                WorkersListed(()),
            ]
            assert world.registry.get(UID) is not None

    asyncio.run(go())


def test_a_job_that_was_begun_before_resumes_with_its_pods():
    async def go():
        here = pod(phase="Running")
        world = World(
            body(metadata={"finalizers": [words.FINALIZER]}),
            *CLAIMS,
            (Ref("pods", "team", here["metadata"]["name"]), here),
        )
        async with following(world):
            assert world.resumed == [True]
            assert WorkersListed((seen(phase="Running").worker,)) in world.core.told

    asyncio.run(go())


def test_a_pod_that_was_seen_after_a_list_began_is_not_told_as_lost():
    async def go():
        world = World(body())
        async with following(world) as job:
            began = world.now
            world.now += 1
            job.pod_seen(seen(phase="Running"))
            job.pods_listed([], began)
            assert world.core.told[-1] == WorkersListed((seen(phase="Running").worker,))
            world.now += 1
            job.pods_listed([], world.now)
            assert world.core.told[-1] == WorkersListed(())

    asyncio.run(go())


def test_an_older_state_of_a_pod_that_comes_late_is_not_told():
    async def go():
        world = World(body())
        async with following(world) as job:
            job.pod_seen(seen(phase="Failed"))
            job.pod_seen(seen(phase="Running"))
            failed = seen(phase="Failed").worker
            assert list(world.core.told[-1:]) == [WorkerChanged(failed)]
            job.pods_listed([seen(phase="Running")], world.now)
            assert list(world.core.told[-1:]) == [WorkersListed((failed,))]

    asyncio.run(go())


def test_a_missing_claim_is_told_before_the_first_pod_and_again_when_it_came(monkeypatch):
    monkeypatch.setattr(reconcile, "LOOK_AGAIN", 0.0)

    async def go():
        world = World(body(), CLAIMS[0])
        async with following(world):
            missing = next(event for event in world.core.told if isinstance(event, InputMissing))
            assert missing.reason == "ClaimNotFound"
            assert "'results'" in missing.message
            world.api.put(*CLAIMS[1])
            await settled()
            assert world.core.told[-1] == InputMissing("", "")

    asyncio.run(go())


def test_a_job_that_makes_no_sense_fails_alone_and_starts_nothing():
    async def go():
        world = World(body(reducers=0))
        async with following(world):
            (condition,) = world.resource["status"]["conditions"]
            assert (condition["type"], condition["reason"]) == ("Failed", "InvalidSpec")
            assert "reducers must be at least 1" in condition["message"]
            assert world.cores == []
            assert [ref.resource for ref, _ in world.api.created] == ["events"]

    asyncio.run(go())


def test_a_defect_of_the_core_marks_the_job_and_stops_its_pods():
    async def go():
        here = pod(phase="Running")
        world = World(body(), *CLAIMS, (Ref("pods", "team", here["metadata"]["name"]), here))
        async with following(world) as job:
            job.broken(UID, RuntimeError("a book does not balance"))
            await settled()
            (condition,) = world.resource["status"]["conditions"]
            assert condition["reason"] == "InternalError"
            assert "a book does not balance" in condition["message"]
            assert [ref.name for ref, _ in world.api.deleted] == [here["metadata"]["name"]]
            assert world.registry.get(UID) is None

    asyncio.run(go())


def test_a_defect_of_the_core_takes_nothing_away_that_the_job_had_done():
    async def go():
        world = World(body())
        async with following(world) as job:
            job.status_changed(UID, JobStatus(phase="Mapping", start_wall=0.0, maps=PhaseCounts(total=4, succeeded=3)))
            job.broken(UID, RuntimeError("a book does not balance"))
            await settled()
            shown = world.resource["status"]
            assert (shown["phase"], shown["startTime"]) == ("Failed", "1970-01-01T00:00:00Z")
            assert shown["map"]["progress"] == "3/4"

    asyncio.run(go())


def test_a_complete_job_is_let_go_after_its_status_was_written():
    async def go():
        world = World(body())
        async with following(world) as job:
            done = JobStatus(phase="Succeeded", conditions=())
            world.core.answers[WorkersListed] = (PublishStatus(done), Ended("Succeeded"))
            job.pods_listed([], world.now)
            await settled()
            assert world.resource["status"]["phase"] == "Succeeded"
            assert world.registry.get(UID) is None
            complete = {"type": "Complete", "status": "True"}
            job.seen(world.api.put(JOB, world.resource | {"status": {"conditions": [complete]}}))
            await settled()
            assert world.resource["metadata"]["finalizers"] == []

    asyncio.run(go())


def test_a_core_that_cleans_up_after_a_failure_is_left_alone_until_it_is_done():
    async def go():
        world = World(body())
        async with following(world) as job:
            failed = {"conditions": [{"type": "Failed", "status": "True"}]}
            job.seen(world.api.put(JOB, world.resource | {"status": failed}))
            await settled()
            assert world.registry.get(UID) is not None
            told = len(world.core.told)
            job.seen(world.resource)
            await settled()
            assert len(world.core.told) == told
            job.ended(UID, "Failed")
            await settled()
            assert world.registry.get(UID) is None
            assert world.resource["metadata"]["finalizers"] == [words.FINALIZER], "its history is still there"

    asyncio.run(go())


def deleted(world):
    metadata = world.resource["metadata"] | {"deletionTimestamp": "2026-01-01T00:00:00Z"}
    return world.api.put(JOB, world.resource | {"metadata": metadata})


def test_a_deleted_job_is_let_go_once_its_core_is_done():
    async def go():
        world = World(body())
        async with following(world) as job:
            job.seen(deleted(world))
            await settled()
            assert world.core.told.count(JobDeleted()) == 1
            assert world.resource["metadata"]["finalizers"] == [words.FINALIZER]
            job.ended(UID, "Deleted")
            await settled()
            assert world.resource["metadata"]["finalizers"] == []

    asyncio.run(go())


def test_a_deleted_job_is_let_go_after_its_budget_even_if_its_files_could_not_be_removed():
    async def go():
        world = World(body())
        async with following(world) as job:
            job.seen(deleted(world))
            await settled()
            world.now += leaving.CLEANING_BUDGET
            job.seen(world.resource)
            await settled()
            assert world.resource["metadata"]["finalizers"] == []

    asyncio.run(go())


def test_a_job_that_is_deleted_with_its_claim_is_kept_for_a_moment_only():
    async def go():
        world = World(body())
        async with following(world) as job:
            world.api.put(CLAIMS[1][0], {"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}})
            job.seen(deleted(world))
            await settled()
            assert world.resource["metadata"]["finalizers"] == [words.FINALIZER]
            world.now += leaving.CLAIM_GOES_TOO
            job.seen(world.resource)
            await settled()
            assert world.resource["metadata"]["finalizers"] == []

    asyncio.run(go())


def test_a_job_that_was_never_begun_is_let_go_at_once():
    async def go():
        program = {"configMap": {"name": "absent", "key": "job.py"}}
        world = World(body(program=program))
        async with following(world) as job:
            assert world.resource["metadata"]["finalizers"] == [words.FINALIZER]
            job.seen(deleted(world))
            await settled()
            assert world.resource["metadata"]["finalizers"] == []
            assert world.cores == []

    asyncio.run(go())


def test_a_failed_job_is_cleaned_by_a_core_of_its_own_when_it_is_deleted():
    async def go():
        failed = {"conditions": [{"type": "Failed", "status": "True"}]}
        world = World(body(metadata={"finalizers": [words.FINALIZER]}) | {"status": failed})
        async with following(world) as job:
            assert world.cores == []
            job.seen(deleted(world))
            await settled()
            assert world.resumed == [True]
            assert world.core.told[-1] == JobDeleted()

    asyncio.run(go())


def test_the_core_that_cleans_up_counts_names_on_from_the_one_before():
    async def go():
        world = World(body())
        async with following(world) as job:
            world.core.next_incarnation = 3
            job.broken(UID, RuntimeError("no"))
            await settled()
            job.seen(deleted(world))
            await settled()
            assert world.first_incarnations == [0, 3]

    asyncio.run(go())


def test_whether_there_is_a_newer_master_is_read_from_the_lease():
    async def go():
        world = World(body())
        world.epoch = 7
        async with following(world) as job:
            world.core.answers[JobDeleted] = (ReadEpoch(),)
            job.seen(deleted(world))
            await settled()
            assert EpochRead(7) in world.core.told
            assert world.deposed == []

    asyncio.run(go())


def test_a_core_that_is_deposed_ends_the_operator():
    async def go():
        world = World(body())
        async with following(world) as job:
            world.core.answers[JobDeleted] = (StepDown("epoch 7 was seen"),)
            job.seen(deleted(world))
            await settled()
            assert world.deposed == ["job team/wordcount: epoch 7 was seen"]

    asyncio.run(go())


def test_a_job_whose_program_does_not_come_fails_at_the_deadline_by_the_cores_own_rule():
    async def go():
        world = World(body(program={"configMap": {"name": "code", "key": "job.py"}}, preRunningDeadlineSeconds=60))
        async with following(world) as job:
            world.now += 59.0
            job.seen(world.resource)
            await settled()
            assert world.resource["status"]["phase"] == "Pending"
            world.now += 1.0
            job.seen(world.resource)
            await settled()
            (condition,) = world.resource["status"]["conditions"]
            missing = "the ConfigMap 'code' that should hold the program does not exist"
            verdict = policies.before_running(60.0, Limits(pre_running_deadline=60.0), missing)
            assert verdict is not None
            assert (condition["type"], condition["reason"]) == ("Failed", verdict.reason)
            assert condition["message"] == verdict.message
            assert world.cores == []

    asyncio.run(go())


def test_a_job_whose_output_claim_is_gone_has_no_files_and_is_let_go_at_once():
    async def go():
        failed = {"conditions": [{"type": "Failed", "status": "True"}]}
        world = World(body(metadata={"finalizers": [words.FINALIZER]}) | {"status": failed}, CLAIMS[0])
        async with following(world) as job:
            job.seen(deleted(world))
            await settled()
            assert world.cores == []
            assert world.resource["metadata"]["finalizers"] == []

    asyncio.run(go())


def test_a_write_that_met_a_newer_version_is_made_again_on_that_one():
    async def go():
        world = World(body())
        stale = dict(world.resource)
        world.api.put(JOB, world.resource | {"metadata": world.resource["metadata"] | {"labels": {"a": "b"}}})
        job = Job(stale, world.shared(), world.find)
        await settled()
        assert world.resource["metadata"]["finalizers"] == [words.FINALIZER]
        assert world.resource["metadata"]["labels"] == {"a": "b"}
        await job.close()

    asyncio.run(go())


def test_who_else_lives_is_looked_up_when_it_is_asked_and_not_before():
    async def go():
        world = World(body())
        world.exist = [(UID, "began-now")]
        async with following(world) as job:
            job.jobs_sought(UID, FindJobs(("began-now", "deleted")))
            await settled()
            assert world.core.told[-1] == JobsFound(("began-now",), ("deleted",))

    asyncio.run(go())
