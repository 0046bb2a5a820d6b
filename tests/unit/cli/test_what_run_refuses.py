"""What `mapreduce run` refuses before anything is started: exit status 2, and a message."""

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mapreduce_cli.run import run


def refused(tmp_path: Path, *words: str) -> Result:
    (tmp_path / "job.py").write_text("")
    (tmp_path / "in.txt").write_text("")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        result = CliRunner().invoke(run, words)
    assert result.exit_code == 2, result.output
    return result


STRANGE = os.fsdecode(b"n\xff")


@pytest.mark.parametrize(
    "words",
    [
        ("job.py", "in.txt", "--output", f"{STRANGE}/out"),
        ("job.py", f"{STRANGE}.txt", "--output", "out"),
        (f"{STRANGE}.py", "in.txt", "--output", "out"),
        ("job.py", "in.txt", "--output", "out", "--param", f"a={STRANGE}"),
        ("job.py", "in.txt", "--output", "out", "--files", STRANGE),
    ],
    ids=["output", "input", "program", "parameter", "side file"],
)
def test_text_that_is_not_utf8_is_refused(tmp_path: Path, words: tuple[str, ...]) -> None:
    assert "is not valid UTF-8" in refused(tmp_path, *words).stderr
    told = json.loads(refused(tmp_path, *words, "--json").stdout)
    assert "n\\xff" in told["error"]["message"]


def test_a_working_folder_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / STRANGE
    folder.mkdir()
    assert "is not valid UTF-8" in refused(folder, "job.py", "in.txt", "--output", "out").stderr


@pytest.mark.parametrize(
    "words",
    [
        ("--split-size", "99999999999TiB"),
        ("--reducers", "99999999999999999999"),
        ("--reducers", "100000000"),
        ("--max-failed-tasks", "99999999999999999999"),
        ("--workers", "100000"),
        ("--slots", "100000"),
        ("--max-record", "99999999999TiB"),
    ],
)
def test_a_number_that_no_job_can_have_is_refused(tmp_path: Path, words: tuple[str, ...]) -> None:
    refused(tmp_path, "job.py", "in.txt", "--output", "out", *words)


def test_a_name_that_no_volume_can_have_is_refused(tmp_path: Path) -> None:
    assert "too long" in refused(tmp_path, "job.py", "in.txt", "--output", "n" * 250).stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--workers", "100000"), "--workers 100000 with --slots 1 is 100000 processes that run tasks; at most 512"),
        (("--workers", "100", "--slots", "6"), "is 600 processes"),
        (("--reducers", "100000000"), "reducers: 100000000 is more than 10000"),
        (("--split-size", "99999999999TiB"), "is more bytes than a file can have"),
    ],
)
def test_more_than_one_machine_or_one_message_can_take_is_refused(
    tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    assert said in refused(tmp_path, "job.py", "in.txt", "--output", "out", *words).stderr
