"""Events of a job that stands, and of its end, say what to do next."""

import asyncio

import pytest

from mapreduce.metric_page import Counter
from mapreduce_operator.core.events import Announce, Condition, JobStatus, PhaseCounts
from mapreduce_operator.kube.events import MESSAGE_LIMIT, advised, manifest
from mapreduce_operator.kube.job_series import STALLED_SECONDS, JobSeries
from tests.support.followed_job import World, following, settled
from tests.support.kube_objects import body, parsed

NOW = 1_790_000_000.0
OWNER = parsed().owner


def said(kind, reason, message, status=None):
    return advised(Announce(kind=kind, reason=reason, message=message), OWNER, status).message


def ended(kind, reason, message):
    condition = Condition(type=kind, status="True", reason=reason, message=message, since=NOW)
    return JobStatus(phase="Failed" if kind == "Failed" else "Succeeded", conditions=(condition,))


def test_the_end_of_a_job_that_failed_says_what_to_do():
    status = ended("Failed", "UserCodeFailed", "map-3 failed 4 times")
    told = said("Warning", "UserCodeFailed", "map-3 failed 4 times", status)
    assert told.startswith(f"map-3 failed 4 times; mapreduce explain {OWNER.name} says what to do")
    assert "until the job is deleted" in told


def test_a_failure_on_the_way_does_not():
    status = ended("Failed", "UserCodeFailed", "map-3 failed 4 times")
    assert said("Warning", "UserCodeFailed", "map-3.e1.0 on w-0: no", status) == "map-3.e1.0 on w-0: no"
    assert (
        said("Warning", "UserCodeFailed", "map-3 failed 4 times", JobStatus(phase="Mapping")) == "map-3 failed 4 times"
    )
    assert said("Normal", "Planned", "5 maps") == "5 maps"


def test_what_to_do_is_not_cut_off_behind_a_long_message():
    long = "map-3: " + "x" * 5000
    told = said("Warning", "UserCodeFailed", long, ended("Failed", "UserCodeFailed", long[:2000]))
    assert len(told) == MESSAGE_LIMIT
    assert told.endswith("until the job is deleted")
    announcement = Announce(kind="Warning", reason="UserCodeFailed", message=told)
    assert manifest(OWNER, announcement, NOW, "n")["message"] == told


def test_the_end_of_a_job_that_succeeded_says_where_the_output_and_its_history_are():
    told = said("Normal", "Succeeded", "out: 7 records", ended("Complete", "Succeeded", "the output is published"))
    assert told == f"out: 7 records; mapreduce cat {OWNER.name} prints it, and its history is in its folder _history"


def mapping(**fields):
    return JobStatus(phase="Mapping", maps=PhaseCounts(total=5, active=2), **fields)


@pytest.mark.parametrize(("phase", "stalls"), [("Mapping", True), ("Publishing", True), ("Suspended", False)])
def test_a_job_stalls_once_each_time_and_only_where_it_is_meant_to_move(phase, stalls):
    series = JobSeries("team", "words", "", Counter())
    series.saw(JobStatus(phase=phase), NOW)
    assert not series.stalls(NOW + STALLED_SECONDS - 1)
    assert series.stalls(NOW + STALLED_SECONDS) is stalls
    assert not series.stalls(NOW + STALLED_SECONDS + 60)
    series.saw(JobStatus(phase=phase, maps=PhaseCounts(succeeded=1)), NOW + 2000)
    assert not series.stalls(NOW + 2001)
    assert series.stalls(NOW + 2000 + STALLED_SECONDS) is stalls


def test_people_are_told_of_a_job_that_does_not_move_and_why():
    async def go():
        world = World(body())
        async with following(world) as job:
            job.status_changed("uid", mapping(message="the journal cannot be written: the disk is full"))
            await settled()
            world.wall += STALLED_SECONDS
            for _ in range(2):
                job.seen(world.resource)
                await settled()
        return [made["message"] for ref, made in world.api.created if ref.resource == "events"]

    told = [message for message in asyncio.run(go()) if message.startswith("no task has ended")]
    assert told == [
        "no task has ended for 15 minutes: the journal cannot be written: the disk is full; "
        f"mapreduce explain {OWNER.name} says more"
    ]
