"""Whoever reads what changed, however often and in pieces of whatever size, knows what who reads all at once knows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mapreduce import history
from mapreduce_page import columns, model
from mapreduce_page.fold import Fold
from mapreduce_worker.gateway import history_files
from tests.support import budget, history_checker
from tests.support.page_events import Story, spec
from tests.support.page_reader import Reader
from tests.support.simulated.world import World

WORDS = st.sampled_from(
    [
        "Assigned",
        "Started",
        "Finished",
        "Held",
        "Failed",
        "Lost",
        "Cancelled",
        "Staged",
        "WorkerReady",
        "Ended",
        "WorkerLost",
        "Sizes",
        "LeftOut",
    ]
)
ATTEMPTS = st.builds(
    "{}-{}.e{}.{}".format,
    st.sampled_from(["map", "reduce", "stage"]),
    st.integers(0, 5),
    st.integers(1, 2),
    st.integers(0, 2),
)
TRACES = st.sampled_from(["", 'Traceback\n  File "job.py", line 3, in map\nKeyError: 1\n'])


@budget.examples(300)
@given(st.lists(st.tuples(WORDS, ATTEMPTS, TRACES, st.booleans())), st.integers(1, 4))
def test_changes_add_up_to_the_whole(events, most):
    """Any order of events, also one that no master would tell."""
    story = Story(Fold(spec(), most_rows=12, dropped=4))
    reader = Reader()
    for word, of, trace, looks in events:
        story.event(word, of, reason="R", traceback=trace)
        if looks:
            reader.read(story.fold.update(reader.rev, now=story.wall, most=most))
    while reader.read(story.fold.update(reader.rev, now=story.wall, most=most)):
        pass
    assert reader.known() == story.page().known()


def test_who_comes_again_reads_only_what_changed():
    story = Story(maps=30)
    for index in range(20):
        story.ran(f"map-{index}")
    reader = story.page()
    story.ran("map-20").event("Assigned", "map-21")
    update = story.fold.update(reader.rev, now=story.wall)
    assert (update.full, [row - 20 for row in update.attempts.row]) == (False, [0, 1 - 20])
    assert (update.workers, update.groups, update.partitions) == ([], None, None)
    reader.read(update)
    assert reader.known() == story.page().known()


def test_who_knows_too_little_reads_all_again():
    story = Story(maps=1).event("Assigned", "map-0")
    reader = story.page()
    for _ in range(2 * columns.REMEMBERED):
        story.event("Started", "map-0", after=0.0)
    assert story.fold.update(reader.rev, now=story.wall).full
    assert story.fold.update(1 << 50, now=story.wall).full, "of another server"


def test_all_is_read_in_pieces():
    story = Story(maps=30)
    for index in range(25):
        story.ran(f"map-{index}")
    reader = Reader()
    while reader.read(story.fold.update(reader.rev, now=story.wall, most=10)):
        pass
    assert (reader.reads, reader.full_reads, len(reader.rows)) == (3, 1, 25)


@pytest.mark.parametrize("seed", range(6))
def test_histories_of_jobs_that_met_faults(seed, monkeypatch):
    """Of simulated runs: masters restart, workers are lost, jobs fail."""
    journals = []

    def kept(store, staging, frames, *rest, **more):
        journals.append(list(frames))
        write(store, staging, journals[-1], *rest, **more)

    write = history_files.write
    monkeypatch.setattr(history_files, "write", kept)
    world = World(seed)
    assert world.run() == []
    fold = Fold(world.spec)
    for frame in journals[-1]:
        fold.add(frame.epoch, frame.sequence, frame.entry)
    fold.tell(ended=world.wall(""))
    events = history.parse(b"".join(history.render(journals[-1])))
    reader = Reader()
    reader.read(fold.update(now=world.wall(""), most=1 << 20))
    head = reader.head
    assert {event["attempt"] for event in history_checker.named(events, "Assigned")} <= _names(reader)
    assert head.counters == history_checker.counters_that_count(events)
    assert head.bad_records == sum(history_checker.bad_records_that_count(events).values())
    assert len(head.epochs) == len(history_checker.named(events, "EpochOpened"))
    if head.phase == "Publishing":
        assert all(phase.done + phase.failed == phase.total for phase in head.phases)
    assert all(row["outcome"] != model.RUNS for row in reader.rows.values())
    failed = [row for row in reader.rows.values() if row["outcome"] == model.FAILED]
    assert len(failed) == len(history_checker.named(events, "Failed"))


def _names(reader):
    return {
        f"{model.KINDS[row['kind']]}-{row['index']}.e{row['epoch']}.{row['number']}" for row in reader.rows.values()
    }
