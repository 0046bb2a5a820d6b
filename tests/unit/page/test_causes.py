"""Failures with one cause are one group, and no text of a worker is longer than it may be."""

import msgspec
import pytest

from mapreduce import words
from mapreduce_page import bounds, grouping, model
from mapreduce_page.fold import Fold
from tests.support.page_events import Story, spec

TRACE = """Traceback (most recent call last):
  File "job.py", line 7, in map
    return parse(line)
  File "parsing.py", line 3, in parse
    return json.loads(line)
  File "/usr/lib/python3.11/json/decoder.py", line 355, in raw_decode
    raise JSONDecodeError("Expecting value", s, err.value) from None
json.decoder.JSONDecodeError: Expecting value: line 1
  File "fake.py", line 1, in fake
"""
DUMP = f"""Where it was {words.INNERMOST_FIRST}
  File "/usr/lib/python3.11/re.py", line 9 in match
  File "job.py", line 12 in map
  File "job.py", line 40 in run
"""


def failing(count, *, trace=TRACE, story=None, **fields):
    story = story or Story(maps=50)
    for _ in range(count):
        of = f"map-{len(story.entries) % 50}.e1.{len(story.entries)}"
        story.event("Assigned", of)
        story.event("Failed", of, reason="UserCodeFailed", message="m", traceback=trace, **fields)
    return story


@pytest.mark.parametrize(
    ("trace", "expected"),
    [
        (TRACE, "json.decoder.JSONDecodeError at parsing.py:3 in parse"),
        (DUMP, "job.py:12 in map"),
        (
            '  File "/usr/lib/python3.11/re.py", line 1, in f\nValueError\n',
            "ValueError at /usr/lib/python3.11/re.py:1 in f",
        ),
        (
            '  File "/opt/ours/job.py", line 1, in f\n  File "<frozen x>", line 2, in g\nE: 1',
            "E at /opt/ours/job.py:1 in f",
        ),
        ("Traceback\nnothing\n", ""),
        ("", ""),
    ],
)
def test_the_place_is_the_innermost_line_of_the_program(trace, expected):
    assert grouping.place(trace) == expected


def test_failures_of_one_place_are_one_group():
    story = failing(5)
    failing(2, trace=TRACE.replace("line 3", "line 4"), story=story)
    groups = story.page().whole["groups"]
    assert [(group.count, group.place.split()[-3]) for group in groups] == [(5, "parsing.py:3"), (2, "parsing.py:4")]
    assert len(groups[0].samples) == grouping.SAMPLES
    assert groups[0].last - groups[0].first == 8000
    assert {row["group"] for row in story.page().rows.values()} == {0, 1}


def test_a_failure_that_refers_to_an_earlier_traceback_is_of_its_group():
    story = failing(1)
    sequence = story.entries[-1][1]
    failing(1, trace="", story=story, same_as=sequence, log="what it printed")
    failing(1, trace="", story=story, same_as=sequence)
    (group,) = story.page().whole["groups"]
    texts = story.fold.texts(group.id)
    assert group.count == 3
    assert [(text.traceback, text.log) for text in texts] == [(TRACE, ""), (TRACE, "what it printed")]


def test_attempts_that_were_lost_are_grouped_by_reason_and_those_never_begun_are_not():
    story = Story(maps=3)
    for index, reason in enumerate(["PodDeleted", "NotStarted", "PodDeleted"]):
        story.event("Assigned", f"map-{index}").event("Lost", f"map-{index}", reason=reason)
    (group,) = story.page().whole["groups"]
    assert (group.reason, group.count, group.tasks) == ("PodDeleted", 2, ["map-0", "map-2"])


def test_there_are_at_most_so_many_groups_and_the_last_has_all_others():
    story = Story(maps=1)
    for number in range(grouping.MOST + 50):
        failing(1, trace=TRACE.replace("line 3", f"line {number}"), story=story)
    groups = story.page().whole["groups"]
    assert len(groups) == grouping.MOST
    assert (groups[-1].reason, groups[-1].count) == ("others", 51)
    assert len(groups[-1].tasks) <= grouping.TASKS


def test_no_text_is_longer_than_it_may_be_whatever_a_worker_says():
    long = "é" * 1_000_000
    fold = Fold(spec(name=long, params={str(number): long for number in range(3000)}, output=long))
    story = Story(fold, maps=1).event("Assigned", "map-0", worker=long, worker_uid=long)
    story.event("Failed", "map-0", reason=long, message=long, traceback=long, log=long, where=long, worker=long)
    story.event("WorkerLost", worker=long, worker_uid=long, reason=long).event("JobFailed", reason=long, message=long)
    update = fold.update(now=story.wall)
    assert len(msgspec.json.encode(model.Report(update=update, texts=fold.all_texts()))) < 2_300_000
    (text,) = fold.texts(0)
    assert [len(getattr(text, name)) for name in ("message", "traceback", "log", "where")] == [
        *(bounds.MESSAGE, bounds.TRACEBACK, bounds.LOG, bounds.WHERE)
    ]


def test_text_that_is_no_unicode_can_still_be_sent():
    story = Story(maps=1).event("Assigned", "map-0").event("Failed", "map-0", message="a\udce9\0b", log="\ud800")
    (text,) = story.fold.texts(0)
    assert (text.message, text.log) == ("a\\udce9\0b", "\\ud800")
    assert msgspec.json.encode(text)


@pytest.mark.timeout(5)
@pytest.mark.parametrize("text", [" " * 8192, ' File "' * 1200, 'File "a", line ' + "9" * 8000, "\n" * 8192])
def test_a_traceback_that_was_made_up_takes_no_time(text):
    assert grouping.place(text) == ""
