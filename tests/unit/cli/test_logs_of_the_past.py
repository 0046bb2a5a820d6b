"""`mapreduce logs` of attempts whose Pods are gone: from the history on a claim, a folder here, or the job's status."""

import json

import pytest

from mapreduce.history import Frame, HistoryEvent, render
from mapreduce.ids import AttemptId, TaskId
from mapreduce_worker.gateway import sealed
from tests.support import hostile
from tests.support.fake_cluster import over, run, run_json


def attempt(index, number=0):
    return AttemptId(TaskId(0, "map", index), 1, number)


def event(word, index, number=0, **fields):
    made = attempt(index, number)
    return HistoryEvent(event=word, wall=1.0, task=made.task, attempt=made, worker="w-1", **fields)


FAILURES = (
    event("Assigned", 17),
    event(
        "Failed",
        17,
        reason="UserCodeFailed",
        message="ValueError: no number",
        where="a.txt:40",
        traceback="Traceback (most recent call last):\n  File job.py\nValueError: no number\n",
        log="reading\nmap-1.e1.0 printed:\n",
    ),
    event("Finished", 1, seconds=2.0),
    event("Failed", 17, 1, reason="UserCodeFailed", message="ValueError: no number", same_as=2, log="again\n"),
    event("Lost", 3, reason="WorkerLost", message="evicted"),
)


def history(*events):
    return b"".join(render(Frame(1, number, entry) for number, entry in enumerate(events, 1)))


def kept(folder, *events):
    (folder / "_history").mkdir(parents=True)
    path = folder / "_history" / "events.ndjson"
    path.write_bytes(history(*events))
    return path


def failed_job(cluster, volume, *events):
    made = cluster.job("wc", over("Failed", "UserCodeFailed", "map-17 failed"))
    return kept(volume / f".counts.{made['metadata']['uid']}", *events)


SHOWN = """\
map-17.e1.0 failed on w-1: UserCodeFailed: ValueError: no number
  at a.txt:40
  Traceback (most recent call last):
    File job.py
  ValueError: no number
  printed:
    reading
    map-1.e1.0 printed:
"""
AGAIN = """\
map-17.e1.1 failed on w-1: UserCodeFailed: ValueError: no number
  Traceback (most recent call last):
    File job.py
  ValueError: no number
  printed:
    again
"""


def test_what_a_task_of_a_failed_job_said_is_read_from_its_claim(cluster, volume):
    failed_job(cluster, volume, *FAILURES)
    done = run("logs", "wc", "--task", "map-17")
    assert (done.exit_code, done.stdout) == (0, SHOWN + AGAIN)
    assert "from the history pvc:results/.counts.uid-2/_history/events.ndjson:" in done.stderr
    assert run("logs", "wc", "--attempt", "map-17.e1.1").stdout == AGAIN
    assert run("logs", "wc", "--task", "map-1").stdout == "map-1.e1.0 finished on w-1 after 2s\n"
    assert run("logs", "wc", "--task", "map-3").stdout == "map-3.e1.0 was lost on w-1: WorkerLost: evicted\n"


def test_for_programs_it_is_a_document_with_its_source(cluster, volume):
    failed_job(cluster, volume, *FAILURES)
    told = run_json("logs", "wc", "--attempt", "map-17.e1.1")
    assert told["source"].startswith("the history pvc:results/")
    assert told["attempts"] == [
        {
            "event": "Failed",
            "task": "map-17",
            "attempt": "map-17.e1.1",
            "worker": "w-1",
            "reason": "UserCodeFailed",
            "message": "ValueError: no number",
            "traceback": FAILURES[1].traceback,
            "log": "again\n",
        }
    ]


def test_the_history_of_a_complete_job_is_beside_its_output_unless_another_has_replaced_it(cluster, volume):
    made = cluster.job("wc", over("Complete"))
    kept(volume / "counts", *FAILURES)
    manifest = volume / "counts" / "_manifest.json"
    manifest.write_bytes(sealed.seal({"uid": made["metadata"]["uid"], "files": []}))
    assert run("logs", "wc", "--task", "map-17").stdout == SHOWN + AGAIN
    manifest.write_bytes(sealed.seal({"uid": "another", "files": []}))
    done = run("logs", "wc", "--task", "map-17")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "was replaced by another job's" in done.stderr


@pytest.mark.parametrize("damage", [lambda text: text[:-5], lambda text: text.replace(b"no number", b"a  number")])
def test_a_damaged_history_is_told_of(cluster, volume, damage):
    path = failed_job(cluster, volume, *FAILURES)
    path.write_bytes(damage(path.read_bytes()))
    done = run("logs", "wc", "--task", "map-17")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "of the history" in done.stderr


def test_what_stands_for_a_history_and_is_no_file_is_told_of(cluster, volume):
    path = failed_job(cluster, volume)
    path.unlink()
    (path / "x").mkdir(parents=True)
    done = run("logs", "wc", "--task", "map-17")
    assert (done.exit_code, "the history cannot be read" in done.stderr) == (1, True)


def test_while_a_job_runs_or_its_claim_cannot_be_read_the_status_tells_what_it_keeps(cluster):
    failure = {"task": "map-17", "worker": "w-1", "reason": "UserCodeFailed", "message": "no", "output": "hello"}
    cluster.job("wc", {"phase": "Mapping", "lastFailures": [failure]})
    done = run("logs", "wc", "--attempt", "map-17.e1.0")
    assert done.stdout == "map-17 failed on w-1: UserCodeFailed: no\n  printed:\n    hello\n"
    assert "from the last failures that the status of wc keeps" in done.stderr
    cluster.job("wc", over("Failed") | {"lastFailures": [failure]})
    done = run("logs", "wc", "--task", "map-17")
    assert "map-17 failed on w-1" in done.stdout
    assert "the history could not be read: there is no claim 'results'" in done.stderr
    none = run("logs", "wc", "--task", "map-18")
    assert (none.exit_code, none.stdout) == (2, "")


@pytest.mark.parametrize(
    "words", [("--attempt", "map-17"), ("--task", "map-17.e1.0"), ("--task", "map-1", "--attempt", "map-1.e1.0")]
)
def test_what_is_neither_task_nor_attempt_is_refused(cluster, words):
    done = run("logs", "wc", *words)
    assert (done.exit_code, "hint: " in done.stderr) == (2, True)


# --- a run on this machine -------------------------------------------------------------------------


def test_a_folder_here_tells_of_the_last_run_which_may_have_failed_beside_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    none = run("logs", "./out")
    assert (none.exit_code, "./out has no history of a job" in none.stderr) == (2, True)
    kept(tmp_path / "out", event("Finished", 0, seconds=1.0))
    assert run("logs", "./out", "--task", "map-0").stdout == "map-0.e1.0 finished on w-1 after 1s\n"
    assert "nothing tells of a failure: neither a Pod that is there, nor the history" in run("logs", "./out").stderr
    kept(tmp_path / ".out.u1", *FAILURES)
    done = run("logs", "./out")
    assert (done.exit_code, done.stdout) == (0, SHOWN + AGAIN)
    assert f"from the history {tmp_path}/.out.u1/_history/events.ndjson:" in done.stderr
    assert run("logs", "./.out.u1/", "--attempt", "map-17.e1.0").stdout == SHOWN


def test_a_run_that_goes_on_has_no_history_yet(tmp_path):
    (tmp_path / ".out.u1").mkdir()
    (tmp_path / ".out.u1" / "journal").touch()
    done = run("logs", f"{tmp_path}/out")
    assert (done.exit_code, "its history is written when it ends" in done.stderr) == (2, True)


def test_of_many_failures_the_last_are_printed(tmp_path):
    kept(tmp_path / "out", *(event("Failed", index, reason="UserCodeFailed") for index in range(30)))
    done = run("logs", f"{tmp_path}/out")
    assert len(done.stdout.split("\n")) == 21
    assert "the last 20 of 30 failures; --task chooses others" in done.stderr


@pytest.mark.parametrize("text", [*hostile.ALL.values(), hostile.LONG_LINE], ids=[*hostile.ALL, "long"])
def test_whatever_a_history_says_is_shown_as_text(tmp_path, text):
    said = {"reason": text, "message": text, "where": text, "traceback": text, "log": text}
    kept(tmp_path / "out", event("Failed", 0, **said))
    done = run("logs", f"{tmp_path}/out")
    assert done.exit_code == 0
    assert done.stdout.startswith("map-0.e1.0 failed on w-1: ")
    assert all(row.isprintable() for row in done.stdout.split("\n"))
    assert [row for row in done.stdout.split("\n") if row and not row.startswith("  ")] == [done.stdout.split("\n")[0]]
    assert json.loads(run("logs", f"{tmp_path}/out", "--json").stdout)["attempts"][0]["log"] == text


def test_who_sees_a_job_fail_is_told_where_the_rest_is(cluster):
    failure = {"task": "map-17", "reason": "UserCodeFailed", "message": "no"}
    cluster.job("wc", over("Failed", "UserCodeFailed") | {"lastFailures": [failure]})
    assert "every attempt of map-17: mapreduce logs wc --task map-17" in run("watch", "wc").stderr
    assert "mapreduce logs wc --task map-17 what each attempt printed" in run("explain", "wc").stdout
