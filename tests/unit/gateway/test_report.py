"""The report beside a history: of a job that ends well or badly; and none, in one line, where it cannot be made."""

import errno

import pytest

import mapreduce
from mapreduce import history, kept_job, paths
from mapreduce.history import Frame, HistoryEvent
from mapreduce.program import Program
from mapreduce.spec import JobSpec
from mapreduce_page import fold, report
from mapreduce_worker.gateway import history_files
from mapreduce_worker.gateway import report as reporting
from mapreduce_worker.gateway.report import Ending
from mapreduce_worker.gateway.store import PosixStore, StoreError

SPEC = JobSpec(uid="u", name="wc", program=Program("job.py", b""), inputs=("in",), output="out", params={"min": "3"})
JOB = kept_job.render_job(SPEC, mapreduce.__version__)
OPENED = Frame(1, 1, HistoryEvent(event="EpochOpened", wall=100.0))
LATER = Frame(1, 2, HistoryEvent(event="Suspended", wall=101.5))
FAILED = Frame(1, 3, HistoryEvent(event="JobFailed", wall=102.0, reason="UserCodeFailed", message="m"))


@pytest.fixture
def store(tmp_path):
    store = PosixStore(tmp_path)
    store.make_directory("s")
    return store


def left(store):
    return store.read(f"s/{paths.REPORT}")


def head(store):
    return report.read(left(store)).update.head


def test_of_a_job_that_ends_well_the_report_says_so(store):
    history_files.write(store, "s", [OPENED, LATER], JOB, ending=Ending("Succeeded", 103.0))
    assert (head(store).phase, head(store).ended, head(store).params) == ("Succeeded", 3000, {"min": "3"})


def test_of_a_job_that_failed_it_says_why(store):
    history_files.write(store, "s", [OPENED, LATER, FAILED], JOB)
    assert (head(store).phase, head(store).reason, head(store).ended) == ("Failed", "UserCodeFailed", 2000)


def test_of_a_job_of_which_nobody_wrote_how_it_ended_it_says_when_it_was_heard_of_last(store):
    history_files.write(store, "s", [OPENED, LATER], JOB)
    assert (head(store).phase, head(store).ended) == ("Suspended", 1500)


def assert_only_told(store, why):
    text = left(store).decode()
    assert len(text.splitlines()) == 1
    assert why in text
    assert "<script" not in text
    assert [event["event"] for event in history.parse(store.read(f"s/{paths.EVENTS}"))] == ["EpochOpened", "Suspended"]


@pytest.mark.parametrize("step", ["add", "update"])
def test_a_defect_of_the_report_is_told_in_its_place(store, step, monkeypatch):
    def broken(*given, **more):
        raise ZeroDivisionError("<script>alert(1)</script>\nsecond line")

    monkeypatch.setattr(fold.Fold, step, broken)
    history_files.write(store, "s", [OPENED, LATER], JOB, ending=Ending("Succeeded", 103.0))
    assert_only_told(store, "ZeroDivisionError: &lt;script&gt;alert(1)&lt;/script&gt; second line")


def test_a_report_that_takes_too_long_is_given_up(store, monkeypatch):
    times = iter(range(0, 10_000, 11))
    made = reporting.Report(JOB, clock=lambda: float(next(times)))
    monkeypatch.setattr(history_files, "Report", lambda job: made)
    history_files.write(store, "s", [OPENED, LATER], JOB, ending=Ending("Succeeded", 103.0))
    assert_only_told(store, "it took longer than 10 s")


def test_a_job_that_is_not_known_has_no_report(store):
    history_files.write(store, "s", [OPENED], b"")
    assert [entry.name for entry in store.list("s/_history")] == ["events.ndjson"]


class Full(PosixStore):
    """A store without room for a report."""

    def append(self, path, data):
        if b"<!doctype" in data:
            super().append(path, data[:10])
            raise StoreError(f"{path}: no space") from OSError(errno.ENOSPC, "no space")
        super().append(path, data)


def test_where_there_is_no_room_for_it_the_rest_is_there(tmp_path):
    store = Full(tmp_path)
    store.make_directory("s")
    history_files.write(store, "s", [OPENED], JOB)
    assert sorted(path.name for path in (tmp_path / "s").rglob("*")) == ["_history", "events.ndjson", "job.json"]
