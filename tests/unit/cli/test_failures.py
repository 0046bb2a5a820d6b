import pytest

from mapreduce.words import REASONS
from mapreduce_cli import failures
from mapreduce_cli.failures import JobFailed


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
        "  hint: --encoding-errors replace reads it with the bad bytes replaced\n"
        "  history: /x/events.ndjson\n"
    )


def test_what_the_message_says_already_is_not_said_twice(capsys: pytest.CaptureFixture[str]) -> None:
    failures.show(JobFailed("UserCodeFailed", "map-1 failed (at a.txt:17)", where="a.txt:17"))
    assert capsys.readouterr().err == "mapreduce: the job failed: UserCodeFailed: map-1 failed (at a.txt:17)\n"


@pytest.mark.parametrize(
    ("reason", "status"), [("OutputExists", 2), ("ProgramInvalid", 2), ("InputNotFound", 2), ("UserCodeFailed", 1)]
)
def test_what_never_began_is_refused_and_anything_else_failed(reason: str, status: int) -> None:
    assert JobFailed(reason, "m").status == status


def test_every_reason_is_one_of_the_words() -> None:
    assert failures.REFUSALS | failures.HINTS.keys() <= REASONS.keys()
