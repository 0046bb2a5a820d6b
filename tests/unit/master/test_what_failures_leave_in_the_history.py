"""What a failure said is in the history: where, the traceback, what was printed; but not without end."""

import pytest

from mapreduce import failure_texts, history
from mapreduce.failure_texts import LEFT_OUT, FailureTexts
from mapreduce.history import Frame, HistoryEvent
from mapreduce.protocol import ErrorInfo
from mapreduce.spec import Limits
from tests.support.master_builder import JobUnderTest

TOLD = {"where": "a.txt:17", "traceback": "File job.py, line 3\n", "log_tail": "one\ntwo\n", "peak_memory": 900}


def failing(**fields):
    job = JobUnderTest(maps=1, workers=1, limits=Limits(attempts_per_task=9)).until_mapping()
    fail_again(job, **fields)
    return job


def fail_again(job, **fields):
    worker, attempt = job.running("map")[0]
    worker.fail(attempt, message="ValueError: no", **(TOLD | fields))
    worker.request = 0
    job.settle()


def lines(job):
    return history.parse(b"".join(history.render(job.all_frames())))


def error(traceback, log=""):
    return ErrorInfo(kind="user", reason="UserCodeFailed", message="m", traceback=traceback, log_tail=log)


def test_the_history_has_the_place_the_traceback_and_what_was_printed():
    (failed,) = failing().history("Failed")
    told = (failed.where, failed.traceback, failed.log, failed.peak_memory)
    assert told == ("a.txt:17", "File job.py, line 3\n", "one\ntwo\n", 900)


def test_a_traceback_that_was_told_stands_there_once():
    job = failing()
    fail_again(job, where="a.txt:40", log_tail="three\n")
    fail_again(job, traceback="File job.py, line 5\n")
    first, second, third = [line for line in lines(job) if line["event"] == "Failed"]
    assert "traceback" not in second
    assert second["same_as"] == first["sequence"]
    assert (second["where"], second["log"]) == ("a.txt:40", "three\n")
    assert ("same_as" in third, third["traceback"]) == (False, "File job.py, line 5\n")


def test_another_epoch_tells_it_again():
    job = failing()
    job.restart_master()
    job.settle()
    job.pass_time(20)
    fail_again(job)
    assert [event.traceback for event in job.history("Failed")] == ["File job.py, line 3\n"] * 2


def test_people_see_what_an_older_epoch_failed_with():
    job = failing()
    fail_again(job, where="a.txt:40", log_tail="three\n")
    before = job.status.last_failures
    job.restart_master()
    job.settle()
    assert [failure.traceback for failure in before] == ["File job.py, line 3\n"] * 2
    assert job.status.last_failures == before


def test_the_end_of_a_long_text_is_kept():
    job = failing(traceback="x" * 20_000 + "ValueError", log_tail="é" * 9000, where="w" * 9000)
    (failed,) = job.history("Failed")
    assert failed.traceback.endswith("ValueError")
    assert [len(text.encode()) for text in (failed.where, failed.traceback, failed.log)] == [2000, 8192, 4096]


def test_texts_of_a_job_have_an_end_and_the_event_says_so():
    texts = FailureTexts(used=failure_texts.JOB_BYTES - 1)
    assert texts.keep(error("first"), 1)["traceback"] == "first"
    late = texts.keep(error("second", log="x" * 3000 + "end"), 2)
    assert (late["traceback"], len(late["log"]), late["log"][-3:]) == (LEFT_OUT, 1024, "end")
    again = texts.keep(error("first"), 3)
    assert (again["traceback"], again["same_as"]) == ("", 1)


def test_twenty_thousand_failures_with_texts_of_their_own_stay_within_bounds():
    texts = FailureTexts()
    for number in range(20_000):
        texts.keep(error(f"{number} " + "x" * 9000, log="y" * 5000), number + 1)
    assert texts.used < failure_texts.JOB_BYTES + 20_000 * 1200


def test_a_later_master_goes_on_counting():
    job = failing(traceback="x" * 5000)
    used = job.master.book.texts.used
    job.restart_master()
    job.settle()
    assert job.master.book.texts.used == used > 5000


def test_events_of_older_versions_are_read():
    event = HistoryEvent(event="Failed", wall=1.0, reason="UserCodeFailed", message="m")
    (line,) = history.parse(b"".join(history.render([Frame(1, 1, event)])))
    assert sorted(line) == ["epoch", "event", "message", "reason", "sequence", "type", "wall"]


@pytest.mark.parametrize("reducers", [1, 3])
def test_a_complaint_about_segments_says_why(reducers):
    job = JobUnderTest(maps=3, reducers=reducers, workers=3).until_reducing()
    worker, attempt = job.running("reduce")[0]
    holder = next(one for one in job.workers if one is not worker and one.outputs)
    worker.complain(attempt, holder.name, [next(iter(holder.outputs)).task.index], reason="crc\nis wrong")
    worker.request = 0
    job.settle()
    (charged,) = job.history("Charged")
    assert charged.message.endswith("crc is wrong")


def test_what_successes_print_has_an_end_of_its_own():
    texts = FailureTexts(printed=failure_texts.PRINTED_BYTES - 1)
    assert texts.keep_printed("x" * 2000 + "end") == "x" * 1021 + "end"
    assert texts.keep_printed("late") == ""
    assert texts.keep(error("first"), 1)["traceback"] == "first"
