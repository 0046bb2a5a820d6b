"""What does not fit into one answer comes with the next."""

from mapreduce.plan import FileRange, ListedFile, PlanHeader, Split
from mapreduce.protocol import MAX_BODY, LoadProgram, encode
from mapreduce_operator.core.answers import fitting
from tests.support.master_builder import ENGINE, PROGRAM, JobUnderTest
from tests.support.worker_messages import map_attempt

LARGE = 4 << 20


def large_plan(maps):
    """A plan of splits whose files have very long names."""
    file = ListedFile("x" * LARGE, "a.txt", 100 * maps, "mtime:1")
    splits = tuple(Split(index, (FileRange(file, 100 * index, 100 * index + 100),)) for index in range(maps))
    return PlanHeader(1, 100 * maps, maps, 1, 100, 1 << 20, PROGRAM.digest, ENGINE), splits


def loads(count):
    return [LoadProgram(attempt=map_attempt(index)) for index in range(count)]


def test_messages_are_taken_while_they_fit():
    messages = loads(3)
    size = len(encode(messages[0]))
    assert list(fitting(messages, 3 * size)) == messages
    assert list(fitting(messages, 3 * size - 1)) == messages[:2]


def test_one_message_is_always_taken():
    messages = loads(2)
    assert list(fitting(messages, 0)) == messages[:1]
    assert list(fitting([], 0)) == []


def test_assignments_of_large_splits_come_in_several_answers_that_fit():
    job = JobUnderTest(maps=6, workers=1, slots=6, reducers=1)
    job.store.plan = large_plan(6)
    job.until_mapping()
    (worker,) = job.workers
    assert sorted(attempt.task.index for attempt in worker.active) == list(range(6))
    assert job.history("Lost") == []
    assert all(len(encode(answer)) < MAX_BODY for answer in worker.answers)
    assert sum(1 for answer in worker.answers if answer.assignments) >= 6
    assert job.run_to_the_end() == "Succeeded"
