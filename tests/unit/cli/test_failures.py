"""What people read of a job that failed: message, place, traceback, and what to do about it."""

import functools
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from mapreduce.words import REASONS
from mapreduce_cli import failures, hints
from mapreduce_cli.cluster.submit import submit
from mapreduce_cli.failures import JobFailed
from mapreduce_cli.run import run


def test_a_failure_says_what_where_how_and_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    failure = JobFailed(
        "RecordUndecodable",
        "map-1 failed: not UTF-8",
        where="a.txt:17",
        traceback="Traceback:\n  line 1\n",
        notes=("history: /x/events.ndjson",),
    )
    failures.show(failure)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == (
        "mapreduce: the job failed: RecordUndecodable: map-1 failed: not UTF-8\n"
        "  at a.txt:17\n"
        "  Traceback:\n"
        "    line 1\n"
        "  hint: --encoding-errors replace reads it with the bad bytes replaced; a parquet file is read with --format "
        "parquet\n"
        "  history: /x/events.ndjson\n"
    )


def test_what_the_message_says_already_is_not_said_twice(capsys: pytest.CaptureFixture[str]) -> None:
    failures.show(JobFailed("UserCodeFailed", "map-1 failed (at a.txt:17)", where="a.txt:17"), resource=True)
    assert capsys.readouterr().err == "mapreduce: the job failed: UserCodeFailed: map-1 failed (at a.txt:17)\n"


@pytest.mark.parametrize(
    ("reason", "status"), [("OutputExists", 2), ("ProgramInvalid", 2), ("InputNotFound", 2), ("UserCodeFailed", 1)]
)
def test_what_never_began_is_refused_and_anything_else_failed(reason: str, status: int) -> None:
    assert JobFailed(reason, "m").status == status


def test_every_reason_is_one_of_the_words() -> None:
    assert REASONS.keys() >= failures.REFUSED_REASONS


def test_every_reason_with_which_a_job_fails_has_a_hint() -> None:
    assert not hints.NO_END & hints.HINTS.keys()
    assert hints.NO_END | hints.HINTS.keys() == REASONS.keys()


def test_only_what_a_cluster_alone_has_is_without_a_hint_for_a_local_run() -> None:
    assert {reason for reason, hint in hints.HINTS.items() if not hint.run} == {
        "ProgramNotFound",
        "ClaimNotFound",
        "ConfigMapNotFound",
        "ImageUnavailable",
        "Unschedulable",
        "QuotaExceeded",
        "PodRefused",
        "ObjectRefused",
        "SegmentUnreadable",
        "DeadlineExceeded",
    }


def test_every_option_that_a_hint_names_exists() -> None:
    for mode, command in (("run", run), ("resource", submit)):
        known = {name for parameter in command.params for name in parameter.opts} | {"--sequential"}
        for hint in hints.HINTS.values():
            assert set(re.findall(r"--[a-z-]+", getattr(hint, mode))) <= known


def test_every_field_that_a_hint_names_exists() -> None:
    for hint in hints.HINTS.values():
        for path in re.findall(r"spec((?:\.\w+)+)", hint.resource):
            fields = schema()
            for name in path.strip(".").split("."):
                if fields.get("type") != "object" or "properties" not in fields:
                    break
                fields = fields["properties"][name]


@functools.cache
def document() -> Any:
    return yaml.safe_load((Path(__file__).parents[3] / "crds" / "mapreducejobs.yaml").read_text())


def schema() -> dict[str, Any]:
    """Return the schema of a resource's spec."""
    crd = document()
    found: dict[str, Any] = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    return found
