"""Which jobs of this machine live: what a later run may sweep away."""

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from mapreduce_cli import localjobs


def dead_uid() -> str:
    """Return the uid of a job whose process has ended."""
    code = "from mapreduce_cli import localjobs; print(localjobs.new_uid())"
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip()


def test_a_job_lives_as_long_as_its_process() -> None:
    assert localjobs.lives(localjobs.new_uid())
    assert not localjobs.lives(dead_uid())


def test_a_number_that_another_process_has_now_brings_no_job_back() -> None:
    fields = localjobs.new_uid().split("-")
    assert not localjobs.lives("-".join([*fields[:3], "1"]))


def test_a_job_of_elsewhere_counts_as_living() -> None:
    assert localjobs.lives("0b9c1a52-4d55-4c3e-9d0b-6f7b1c2d3e4f")
    assert localjobs.lives("something")
    fields = localjobs.new_uid().split("-")
    assert localjobs.lives("-".join([fields[0], "00000000", *fields[2:]]))


def test_uids_differ() -> None:
    assert localjobs.new_uid() != localjobs.new_uid()


def test_jobs_are_judged_by_their_processes() -> None:
    living, dead = localjobs.new_uid(), dead_uid()
    assert localjobs.judge([dead, living]) == ((living,), (dead,))


def test_the_scratch_of_killed_jobs_is_swept_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    dead, living = dead_uid(), localjobs.make_scratch(localjobs.new_uid())
    (tmp_path / f"mapreduce-{dead}.x" / "w-0").mkdir(parents=True)
    (tmp_path / f"mapreduce-{dead}").mkdir()
    (tmp_path / "mapreduce-of-mine.d").mkdir()
    (tmp_path / f"mapreduce-{dead}.y").symlink_to(living)
    made = localjobs.make_scratch(localjobs.new_uid())
    kept = {living.name, made.name, f"mapreduce-{dead}", "mapreduce-of-mine.d", f"mapreduce-{dead}.y"}
    assert {path.name for path in tmp_path.iterdir()} == kept


def test_kept_logs_outlive_the_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    dead = tmp_path / f"mapreduce-{dead_uid()}.x"
    dead.mkdir()
    logs = localjobs.keep_logs(dead)
    localjobs.make_scratch(localjobs.new_uid())
    assert logs is not None
    assert logs.is_dir()


def test_logs_that_somebody_removed_are_not_kept(tmp_path: Path) -> None:
    assert localjobs.keep_logs(tmp_path / "mapreduce-gone.x") is None
