"""What `kubectl get` and `kubectl describe` show of a job."""

from pathlib import Path
from typing import get_args, get_type_hints

import msgspec
import yaml

from mapreduce import words
from mapreduce.partition_sizes import HeavyKey
from mapreduce.protocol import OutputSummary
from mapreduce_operator.core import suspension
from mapreduce_operator.core.book import KEPT_FAILURES
from mapreduce_operator.core.events import Announce, Charges, Condition, JobStatus, PhaseCounts, SkewStatus, TaskFailure
from mapreduce_operator.core.skew import HEAVY_TOLD
from mapreduce_operator.core.status import NAMED_TASKS
from mapreduce_operator.kube import events, pods, status
from tests.support.kube_objects import UID, parsed

CRD = Path(__file__).resolve().parents[3] / "crds/mapreducejobs.yaml"
WALL = 1_790_000_000.0
AT = "2026-09-21T14:13:20Z"


def failure(number=0, traceback="Traceback…"):
    return TaskFailure(
        task=f"map-{number}",
        worker="w",
        reason="UserCodeFailed",
        message="ValueError: x",
        where="in/a.txt:7",
        traceback=traceback,
        wall=WALL,
    )


def condition(value="True", since=WALL):
    return Condition(type="Complete", status=value, reason="Succeeded", message="done", since=since)


def test_a_running_job_shows_its_progress():
    shown = status.patch(
        JobStatus(
            phase="Mapping",
            start_wall=WALL,
            maps=PhaseCounts(total=40, active=4, succeeded=31, retried=2, speculative=3),
            reduces=PhaseCounts(total=8, retried=1),
            workers_desired=5,
            workers_ready=4,
            records=7,
            size=70,
            total_size=700,
            message="one worker starts",
            charges=Charges(user=2, segments=1),
        ),
        3,
        {},
    )["status"]
    tasks = {"active": 0, "succeeded": 0, "failed": 0, "speculative": 0}
    assert shown == {
        "observedGeneration": 3,
        "phase": "Mapping",
        "message": "one worker starts",
        "charged": {"user": 2, "disruption": 0, "segments": 1},
        "startTime": AT,
        "completionTime": None,
        "retries": 3,
        "records": 7,
        "bytes": 70,
        "totalBytes": 700,
        "map": tasks | {"total": 40, "active": 4, "succeeded": 31, "retried": 2, "speculative": 3, "progress": "31/40"},
        "reduce": tasks | {"total": 8, "retried": 1, "progress": "0/8"},
        "workers": {"desired": 5, "ready": 4, "summary": "4/5"},
        "counters": None,
        "output": None,
        "lastFailures": None,
        "failedTasks": None,
        "badRecords": None,
        "conditions": [],
    }


def test_a_complete_job_shows_its_output_and_its_condition():
    summary = OutputSummary(path="out", files=1, records=9, size=90, checksum="sha256:ab")
    shown = status.patch(
        JobStatus(phase="Succeeded", completion_wall=WALL, output=summary, conditions=(condition(),)), 1, {}
    )["status"]
    assert shown["output"] == {"path": "out", "files": 1, "records": 9, "bytes": 90, "checksum": "sha256:ab"}
    assert shown["completionTime"] == AT
    assert shown["conditions"] == [
        {
            "type": "Complete",
            "status": "True",
            "reason": "Succeeded",
            "message": "done",
            "lastTransitionTime": AT,
            "observedGeneration": 1,
        }
    ]


def test_a_condition_that_says_the_same_keeps_its_time_and_one_that_turned_does_not():
    before = {"conditions": [{"type": "Complete", "status": "False", "lastTransitionTime": "2020-01-01T00:00:00Z"}]}

    def time_of(value):
        shown = status.patch(JobStatus(phase="Mapping", conditions=(condition(value),)), 1, before)
        return shown["status"]["conditions"][0]["lastTransitionTime"]

    assert time_of("False") == "2020-01-01T00:00:00Z"
    assert time_of("True") == AT


def test_a_failure_says_what_was_printed_last_and_how_much_memory_it_took():
    told = msgspec.structs.replace(failure(), output="x" * 5000 + "the end", peak_memory=1 << 20)
    (shown,) = status.patch(JobStatus(phase="Mapping", last_failures=(told,)), 1, {})["status"]["lastFailures"]
    assert shown["output"] == "x" * 993 + "the end"
    assert shown["peakMemory"] == 1 << 20


def test_failures_are_told_as_the_user_reads_them():
    shown = status.patch(JobStatus(phase="Mapping", last_failures=(failure(),)), 1, {})["status"]
    assert shown["lastFailures"] == [
        {
            "task": "map-0",
            "worker": "w",
            "reason": "UserCodeFailed",
            "message": "ValueError: x",
            "where": "in/a.txt:7",
            "traceback": "Traceback…",
            "time": AT,
        }
    ]


def test_a_status_never_has_more_than_twenty_kilobytes():
    huge = "\\x00é" * 50_000
    many = tuple(failure(number, huge) for number in range(KEPT_FAILURES))
    conditions = tuple(
        Condition(type=kind, status="True", reason="R", message=huge, since=WALL)
        for kind in ("Complete", "Failed", "WorkersReady")
    )
    shown = status.patch(JobStatus(phase="Failed", message=huge, last_failures=many, conditions=conditions), 1, {})
    assert len(msgspec.json.encode(shown)) <= status.MAX_BYTES + 100
    assert len(shown["status"]["lastFailures"]) == KEPT_FAILURES


def test_a_job_that_never_ran_fails_with_a_condition():
    made = status.failed("InvalidSpec", "reducers must be at least 1", WALL)
    shown = status.patch(made, 1, {})["status"]
    assert (shown["phase"], shown["completionTime"]) == ("Failed", AT)
    assert shown["conditions"][0]["type"] == "Failed"
    assert shown["conditions"][0]["message"] == "reducers must be at least 1"
    assert status.is_final(made)


def test_a_job_that_fails_by_a_defect_keeps_what_it_had_done():
    counts = PhaseCounts(total=4, succeeded=3, retried=1)
    ready = Condition(type="WorkersReady", status="True", reason="Running", message="2 of 2", since=WALL)
    last = JobStatus(
        phase="Mapping", start_wall=WALL, maps=counts, last_failures=(failure(),), conditions=(ready,), message="waits"
    )
    shown = status.patch(status.failed("InternalError", "a defect", WALL + 60, last), 1, {})["status"]
    assert (shown["phase"], shown["startTime"], shown["message"]) == ("Failed", AT, "a defect")
    assert (shown["map"]["progress"], shown["retries"]) == ("3/4", 1)
    assert len(shown["lastFailures"]) == 1
    assert [known["type"] for known in shown["conditions"]] == ["WorkersReady", "Failed"]


def test_an_operator_that_restarted_and_knows_of_no_start_takes_no_progress_away():
    made = status.failed("DeadlineExceeded", "no program", WALL)
    before = {"startTime": AT, "map": {"total": 4}}
    shown = status.patch(made, 1, before)["status"]
    assert set(shown).isdisjoint({"startTime", "map", "reduce", "records", "lastFailures"})
    assert (shown["phase"], shown["message"]) == ("Failed", "no program")


def test_a_failed_job_says_why_in_its_message_too():
    why = Condition(type="Failed", status="True", reason="UserCodeFailed", message="map-0 failed 4 times", since=WALL)
    shown = status.patch(JobStatus(phase="Failed", conditions=(condition(), why)), 1, {})["status"]
    assert shown["message"] == "map-0 failed 4 times"


def test_an_event_names_the_job_and_fits_the_api_s_limit():
    owner = parsed().owner
    event = events.manifest(owner, Announce(kind="Warning", reason="Failed", message="m" * 5000), WALL, "n")
    assert event["involvedObject"] == {
        "apiVersion": "mapreduce.dev/v1alpha1",
        "kind": "MapReduceJob",
        "name": "wordcount",
        "namespace": "team",
        "uid": UID,
    }
    assert len(event["message"]) <= 1024
    assert (event["type"], event["reason"], event["firstTimestamp"]) == ("Warning", "Failed", AT)


def test_counters_are_shown_and_one_that_is_gone_is_taken_away():
    made = JobStatus(phase="Mapping", counters={"skipped": 3, "huge": 1 << 70})
    shown = status.patch(made, 1, {"counters": {"lost": 7}})["status"]
    assert shown["counters"] == {"lost": None, "skipped": 3, "huge": (1 << 63) - 1}
    assert status.patch(JobStatus(phase="Mapping"), 1, {})["status"]["counters"] is None


def test_counters_give_way_where_the_status_would_be_too_large():
    names = {f"{number:02}" + "é" * 98: number for number in range(50)}
    conditions = tuple(
        Condition(type=kind, status="True", reason="R", message="é" * 9000, since=WALL)
        for kind in ("Complete", "Failed", "WorkersReady")
    )
    made = JobStatus(phase="Failed", message="x" * 9000, counters=names, conditions=conditions)
    shown = status.patch(made, 1, {})["status"]
    assert len(msgspec.json.encode(shown)) <= status.MAX_BYTES
    assert shown["counters"] is None


def schema_of_the_status():
    crd = yaml.safe_load(CRD.read_text())
    return crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"]["properties"]


def test_the_phases_of_a_job_are_those_of_the_schema_in_their_order():
    assert get_args(get_type_hints(JobStatus)["phase"]) == words.PHASES
    assert schema_of_the_status()["phase"]["enum"] == list(words.PHASES)


def test_what_the_core_names_is_as_much_as_the_schema_takes():
    takes = schema_of_the_status()
    assert (takes["failedTasks"]["maxItems"], takes["lastFailures"]["maxItems"]) == (NAMED_TASKS, KEPT_FAILURES)
    assert takes["skew"]["properties"]["heavyKeys"]["maxItems"] == HEAVY_TOLD


def test_tasks_that_are_left_out_are_named():
    made = JobStatus(phase="Succeeded", failed_tasks=("map-0", "map-7"))
    assert status.patch(made, 1, {})["status"]["failedTasks"] == ["map-0", "map-7"]


def test_bad_records_that_are_left_out_are_counted():
    made = JobStatus(phase="Mapping", start_wall=1.0, bad_records=7)
    assert status.patch(made, 1, {})["status"]["badRecords"] == 7


def test_the_sizes_of_partitions_are_shown_and_stay_where_nobody_knows_them_any_more():
    heavy = (HeavyKey(3, "'the'", 9, 70), HeavyKey(0, "'a'", 4, 30))
    made = JobStatus(phase="Reducing", skew=SkewStatus(largest=100, median=20, heavy=heavy))
    assert status.patch(made, 1, {})["status"]["skew"] == {
        "largestBytes": 100,
        "medianBytes": 20,
        "heavyKeys": [{"key": "'the'", "partition": 3, "bytes": 70}, {"key": "'a'", "partition": 0, "bytes": 30}],
    }
    even = JobStatus(phase="Reducing", skew=SkewStatus(largest=21, median=20))
    assert status.patch(even, 1, {})["status"]["skew"]["heavyKeys"] is None
    assert "skew" not in status.patch(JobStatus(phase="Reducing"), 1, {})["status"]


def test_the_scale_subresource_finds_the_workers_by_their_labels():
    shown = status.patch(JobStatus(phase="Mapping"), 1, {}, selector=pods.worker_selector(UID))["status"]
    assert shown["workers"]["selector"] == f"mapreduce.dev/job-uid={UID},mapreduce.dev/role=worker"


def test_a_suspended_job_says_so_in_phase_condition_and_message_and_keeps_what_it_had_done():
    paused, _ = suspension.without_core(WALL)
    shown = status.patch(paused, 2, {"startTime": AT, "map": {"total": 4}})["status"]
    assert shown["phase"] == "Suspended"
    assert [(known["type"], known["status"]) for known in shown["conditions"]] == [("Suspended", "True")]
    assert "spec.suspend" in shown["message"]
    assert set(shown).isdisjoint({"startTime", "map", "records", "counters"})


def test_a_job_that_was_suspended_and_runs_again_turns_the_condition():
    stands = {"type": "Suspended", "status": "True", "lastTransitionTime": "2020-01-01T00:00:00Z"}
    (shown,) = status.patch(JobStatus(phase="Mapping"), 3, {"conditions": [stands]}, wall=WALL)["status"]["conditions"]
    assert (shown["type"], shown["status"], shown["reason"]) == ("Suspended", "False", "Resumed")
    assert shown["lastTransitionTime"] == AT
    again = status.patch(JobStatus(phase="Mapping"), 3, {"conditions": [shown]}, wall=WALL + 60)
    assert again["status"]["conditions"] == [shown]
