"""`mapreduce report`: the data of a report in our own page, from a folder here or a claim; never what came with it."""

import json
import os
import tempfile
import webbrowser
from pathlib import Path

import pytest

from mapreduce_page import report as reports
from mapreduce_worker.gateway import sealed
from tests.support.fake_cluster import over, run, run_json
from tests.support.page_events import Story

PLANTED = b"<script>steal()</script>"


@pytest.fixture(autouse=True)
def opened(monkeypatch):
    """The addresses that a browser was told to open."""
    told = []

    def shown(address):
        told.append(address)
        return True

    monkeypatch.setattr(webbrowser, "open", shown)
    return told


def kept(folder, content=None):
    """Write a report with a script that somebody planted; return what it tells."""
    story = Story(maps=1).ran("map-0")
    file = reports.render(story.fold, now=story.wall)
    (folder / "_history").mkdir(parents=True)
    (folder / "_history" / "events.ndjson").write_bytes(b"")
    planted = file.replace(b"<body>", b"<body>" + PLANTED) if content is None else content
    (folder / "_history" / "report.html").write_bytes(planted)
    return reports.read(file)


def test_of_a_run_here_our_own_page_is_opened(tmp_path, opened):
    told = kept(tmp_path / "out")
    target = tmp_path / "page.html"
    done = run("report", f"{tmp_path}/out", "--output", target)
    assert (done.exit_code, done.stdout) == (0, f"{target}\n")
    assert opened == [target.as_uri()]
    assert PLANTED not in target.read_bytes()
    assert reports.read(target.read_bytes()) == told


def test_without_a_file_it_is_a_temporary_one_that_only_its_owner_reads(tmp_path, opened, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    kept(tmp_path / "out")
    path = Path(run("report", f"{tmp_path}/out", "--no-open").stdout.strip())
    assert opened == []
    assert reports.read(path.read_bytes()).v == 1
    assert path.parent.stat().st_mode & 0o077 == 0


def test_of_a_failed_job_on_a_cluster_it_comes_from_the_claim(cluster, volume, tmp_path):
    made = cluster.job("wc", over("Failed", "UserCodeFailed", "map-17 failed"))
    uid = made["metadata"]["uid"]
    told = kept(volume / f".counts.{uid}")
    found = run_json("report", "wc", "--output", tmp_path / "page.html")
    assert found == {"report": str(tmp_path / "page.html"), "source": f"pvc:results/.counts.{uid}/_history/report.html"}
    assert reports.read((tmp_path / "page.html").read_bytes()) == told


def test_of_a_complete_job_the_output_must_be_that_jobs(cluster, volume):
    made = cluster.job("wc", over("Complete", "Succeeded", ""))
    kept(volume / "counts")
    manifest = volume / "counts" / "_manifest.json"
    manifest.write_bytes(sealed.seal({"uid": "another", "files": []}))
    assert "was replaced by another job's" in run("report", "wc", "--no-open").stderr
    manifest.write_bytes(sealed.seal({"uid": made["metadata"]["uid"], "files": []}))
    assert run("report", "wc", "--no-open").exit_code == 0


def test_of_a_job_that_runs_there_is_none_yet(cluster, volume):
    cluster.job("wc")
    done = run("report", "wc")
    assert done.exit_code != 0
    assert "its report is written when it is over" in done.stderr
    assert "mapreduce watch wc" in done.stderr


@pytest.mark.parametrize("content", [b"", PLANTED, b"\0" * 100])
def test_what_is_no_report_is_told_and_not_opened(tmp_path, opened, content):
    kept(tmp_path / "out", content)
    done = run("report", f"{tmp_path}/out")
    assert done.exit_code == 1
    assert "is no report that can be shown" in done.stderr
    assert opened == []


def test_a_pipe_in_its_place_is_not_waited_for(tmp_path):
    kept(tmp_path / "out")
    path = tmp_path / "out" / "_history" / "report.html"
    path.unlink()
    os.mkfifo(path)
    done = run("report", f"{tmp_path}/out", "--no-open")
    assert done.exit_code == 1
    assert "the report is no file" in done.stderr


def test_raw_writes_what_is_there_and_opens_nothing(tmp_path, opened):
    kept(tmp_path / "out", PLANTED)
    target = tmp_path / "raw.html"
    assert run("report", f"{tmp_path}/out", "--raw").exit_code == 2
    assert run("report", f"{tmp_path}/out", "--raw", "--output", target).exit_code == 0
    assert (target.read_bytes(), opened) == (PLANTED, [])
    assert "exists already" in run("report", f"{tmp_path}/out", "--output", target).stderr


def test_a_folder_without_history_is_refused(tmp_path):
    done = run("report", f"{tmp_path}/nothing")
    assert done.exit_code != 0
    assert "no history of a job" in done.stderr
    assert json.loads(run("report", f"{tmp_path}/nothing", "--json").stdout)
