"""What users change of a job while it lives, and what becomes of one that is over for long enough."""

import asyncio

from mapreduce import words
from mapreduce_operator.core.events import Announce, JobDeleted, JobStatus, SpecChanged
from mapreduce_operator.kube.client import Ref
from tests.support.followed_job import CLAIMS, JOB, World, following, seen, settled
from tests.support.kube_objects import UID, body, pod

END = "2026-09-21T14:13:20Z"
COMPLETE = {"conditions": [{"type": "Complete", "status": "True"}], "completionTime": END}
FAILED = {"conditions": [{"type": "Failed", "status": "True"}], "completionTime": END}


def change(world, **spec):
    """Write fields of the spec as a user does; return the job as a watch shows it then."""
    metadata = world.resource["metadata"] | {"generation": world.resource["metadata"]["generation"] + 1}
    return world.api.put(JOB, world.resource | {"spec": world.resource["spec"] | spec, "metadata": metadata})


def wishes(world):
    return [event for event in world.core.told if isinstance(event, SpecChanged)]


def condition(world, kind):
    return next(known for known in world.resource["status"]["conditions"] if known["type"] == kind)


def test_a_change_of_the_spec_reaches_the_core_and_the_status_names_its_generation():
    async def go():
        world = World(body())
        async with following(world) as job:
            job.status_changed(UID, JobStatus(phase="Mapping"))
            await settled()
            job.seen(change(world, workers={"replicas": 5}, activeDeadlineSeconds=60))
            await settled()
            assert wishes(world)[-1] == SpecChanged(workers=5, suspend=False, active_deadline=60.0)
            job.status_changed(UID, JobStatus(phase="Succeeded"))
            await settled()
            assert world.resource["status"]["observedGeneration"] == 2

    asyncio.run(go())


def test_a_core_that_runs_is_told_of_a_suspension_and_goes_on_following():
    async def go():
        world = World(body())
        async with following(world) as job:
            job.seen(change(world, suspend=True))
            await settled()
            assert wishes(world)[-1].suspend
            job.seen(change(world, suspend=False))
            await settled()
            assert not wishes(world)[-1].suspend
            assert len(world.cores) == 1

    asyncio.run(go())


def test_a_job_that_begins_suspended_creates_nothing_but_its_news():
    async def go():
        world = World(body(suspend=True))
        async with following(world):
            assert [ref.resource for ref, _ in world.api.created] == ["events"]
            assert world.cores == []
            assert "finalizers" not in world.resource["metadata"]
            assert world.resource["status"]["phase"] == "Suspended"
            assert condition(world, "Suspended")["status"] == "True"

    asyncio.run(go())


def test_a_suspended_job_begins_to_run_when_it_is_resumed():
    async def go():
        world = World(body(suspend=True))
        async with following(world) as job:
            job.seen(change(world, suspend=False, workers={"replicas": 3}))
            await settled()
            assert [(wish.workers, wish.suspend) for wish in wishes(world)] == [(3, True), (3, False)]
            assert world.core.spec.workers == 3
            assert world.resource["metadata"]["finalizers"] == [words.FINALIZER]

    asyncio.run(go())


def test_a_job_that_is_resumed_while_no_operator_runs_begins_its_deadlines_anew():
    async def go():
        begun = body(metadata={"finalizers": [words.FINALIZER]}) | {"status": {"phase": "Suspended"}}
        world = World(begun)
        said = Announce(kind="Normal", reason="Suspended", message="all Pods are stopped")
        world.answers[SpecChanged] = (said,)
        async with following(world):
            assert [wish.suspend for wish in wishes(world)] == [True, False]
            assert [ref.resource for ref, _ in world.api.created if ref.resource == "events"] == []

    asyncio.run(go())


def test_an_operator_that_comes_after_a_resume_knows_from_the_status_when_that_was():
    async def go():
        told = {"type": "Suspended", "status": "False", "lastTransitionTime": "2026-11-22T10:00:00Z"}
        status = {"phase": "Pending", "conditions": [told]}
        world = World(body(metadata={"finalizers": [words.FINALIZER]}) | {"status": status})
        async with following(world):
            assert [wish.resumed_wall for wish in wishes(world)] == [1_795_341_600.0]

    asyncio.run(go())


def test_the_time_of_a_suspension_does_not_count_against_a_job_that_waits_for_its_program():
    async def go():
        program = {"configMap": {"name": "code", "key": "job.py"}}
        world = World(body(suspend=True, program=program, preRunningDeadlineSeconds=60))
        async with following(world) as job:
            world.now += 1000
            job.seen(world.resource)
            await settled()
            job.seen(change(world, suspend=False))
            await settled()
            assert "Failed" not in [known["type"] for known in world.resource["status"]["conditions"]]
            world.now += 61
            job.seen(world.resource)
            await settled()
            assert condition(world, "Failed")["reason"] == "DeadlineExceeded"

    asyncio.run(go())


def test_an_operator_that_restarts_starts_no_core_for_a_suspended_job_and_removes_its_last_pods():
    async def go():
        here = pod(phase="Running")
        where = Ref("pods", "team", here["metadata"]["name"])
        begun = body(suspend=True, metadata={"finalizers": [words.FINALIZER]})
        world = World(begun | {"status": {"phase": "Suspended"}}, *CLAIMS, (where, here))
        async with following(world) as job:
            job.pods_listed([seen(phase="Running")], world.now)
            await settled()
            assert world.cores == []
            assert where not in world.api.objects
            assert world.api.created == [], "that it is suspended was told before"

    asyncio.run(go())


def test_a_suspended_job_that_is_deleted_is_cleaned_by_a_core_that_is_not_suspended():
    async def go():
        begun = body(suspend=True, metadata={"finalizers": [words.FINALIZER]})
        world = World(begun)
        async with following(world) as job:
            metadata = world.resource["metadata"] | {"deletionTimestamp": "2026-01-01T00:00:00Z"}
            job.seen(world.api.put(JOB, world.resource | {"metadata": metadata}))
            await settled()
            assert wishes(world) == []
            assert world.core.told[-1] == JobDeleted()

    asyncio.run(go())


def test_a_finished_job_is_deleted_when_its_time_to_live_is_over_and_not_before():
    async def go():
        world = World(body(ttlSecondsAfterFinished=60) | {"status": COMPLETE})
        world.wall += 59
        async with following(world) as job:
            assert world.api.deleted == []
            world.wall += 1
            job.seen(world.resource)
            await settled()
            assert world.api.deleted == [(JOB, UID)]

    asyncio.run(go())


def test_a_failed_job_that_expires_is_cleaned_like_one_that_a_user_deletes():
    async def go():
        begun = body(ttlSecondsAfterFinished=0, metadata={"finalizers": [words.FINALIZER]})
        world = World(begun | {"status": FAILED})
        async with following(world) as job:
            assert world.resource["metadata"]["deletionTimestamp"]
            job.seen(world.resource)
            await settled()
            assert world.core.told[-1] == JobDeleted()

    asyncio.run(go())


def test_a_job_without_a_time_to_live_is_kept_and_one_that_gets_it_later_goes():
    async def go():
        world = World(body() | {"status": COMPLETE})
        world.wall += 1e9
        async with following(world) as job:
            assert world.api.deleted == []
            job.seen(change(world, ttlSecondsAfterFinished=60))
            await settled()
            assert world.api.deleted == [(JOB, UID)]

    asyncio.run(go())


def test_a_time_to_live_that_was_lengthened_a_moment_ago_counts():
    async def go():
        world = World(body(ttlSecondsAfterFinished=60) | {"status": COMPLETE})
        async with following(world) as job:
            stale = world.resource
            change(world, ttlSecondsAfterFinished=3600)
            world.wall += 61
            job.seen(stale)
            await settled()
            assert JOB in world.api.objects
            assert world.api.deleted == []

    asyncio.run(go())


def test_a_running_job_is_never_deleted_for_its_time_to_live():
    async def go():
        world = World(body(ttlSecondsAfterFinished=0))
        async with following(world) as job:
            world.wall += 1e9
            job.seen(world.resource)
            await settled()
            assert world.api.deleted == []

    asyncio.run(go())


def test_a_job_that_failed_for_its_spec_expires_too():
    async def go():
        world = World(body(reducers=0, ttlSecondsAfterFinished=60))
        async with following(world) as job:
            assert condition(world, "Failed")["reason"] == "InvalidSpec"
            assert world.resource["status"]["completionTime"] == END
            world.wall += 59
            job.seen(world.resource)
            await settled()
            assert world.api.deleted == []
            world.wall += 1
            job.seen(world.resource)
            await settled()
            assert world.api.deleted == [(JOB, UID)]

    asyncio.run(go())
