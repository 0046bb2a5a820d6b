"""Records of our processes: text as it was, or an object a line that says whose it is."""

import asyncio
import io
import json
import logging

import pytest

from mapreduce import logs
from mapreduce.ids import AttemptId, TaskId

ATTEMPT = AttemptId(TaskId(0, "map", 17), 3, 1)
LOG = logging.getLogger("mapreduce_test.logs")


@pytest.fixture
def written(monkeypatch):
    """Return a function that begins to write in a format, and gives what is written from then on."""
    monkeypatch.setattr(logs, "_always", {})
    monkeypatch.setattr(LOG, "level", logging.INFO)
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    LOG.addHandler(handler)

    def begin(log_format):
        handler.setFormatter(logs.formatter(log_format))
        return stream

    yield begin
    LOG.removeHandler(handler)


def records(stream):
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_text_is_a_line_with_time_level_logger_and_message(written):
    stream = written("text")
    LOG.info("%s waits", ATTEMPT, extra=logs.about(ATTEMPT))
    assert stream.getvalue().endswith(" INFO mapreduce_test.logs: map-17.e3.1 waits\n")


def test_an_object_says_what_the_process_the_work_and_the_record_are_about(written):
    stream = written("json")
    logs.always(job="words", namespace="", worker="words-0")
    with logs.within(namespace="team"):
        LOG.warning("%s waits", ATTEMPT, extra=logs.about(ATTEMPT))
    LOG.info("alone")
    first, second = records(stream)
    assert len(first.pop("time")) == len("2026-11-23T21:00:00.000Z")
    assert first == {
        "level": "WARNING",
        "logger": "mapreduce_test.logs",
        "message": "map-17.e3.1 waits",
        "job": "words",
        "namespace": "team",
        "task": "map-17",
        "attempt": "map-17.e3.1",
        "epoch": 3,
        "worker": "words-0",
    }
    assert set(second) == {"time", "level", "logger", "message", "job", "worker"}


def test_tasks_that_work_for_different_jobs_do_not_mix(written):
    stream = written("json")

    async def work(name):
        with logs.within(job=name):
            await asyncio.sleep(0)
            LOG.info("one")
            await asyncio.sleep(0)

    async def go():
        await asyncio.gather(work("a"), work("b"))
        LOG.info("none")

    asyncio.run(go())
    assert [record.get("job") for record in records(stream)] == ["a", "b", None]


def test_hostile_text_stays_in_its_line():
    hostile = 'a"}\n{"time": "now", "message": "forged"}\x1b[2J\u202e\u2028\udcff'
    # Not through a logger: the tests' own report takes no lone surrogate.
    line = logs.formatter("json").format(logging.makeLogRecord({"msg": "%s", "args": (hostile,)}))
    assert line.isascii()
    assert line.isprintable()
    assert json.loads(line)["message"] == hostile


def test_an_exception_is_told_with_its_traceback(written):
    stream = written("json")
    try:
        raise ValueError("broken")
    except ValueError:
        LOG.exception("a defect")
    (record,) = records(stream)
    assert record["message"] == "a defect"
    assert record["exception"].splitlines()[-1] == "ValueError: broken"
