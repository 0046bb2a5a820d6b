"""Whatever step a gateway dies at, the next one publishes the same directory, and nothing is ever half there."""

import random
from collections.abc import Callable

import pytest

from mapreduce import bad_records, history, paths
from mapreduce.bad_records import BadRecord
from mapreduce_worker.gateway.storage import Output
from mapreduce_worker.gateway.store import Store
from tests.support.crash_store import Crashed, CrashStore, Disk
from tests.support.outputs import PATH, UID, attempt, make_output, opened_epoch, part, stage

PARTS = (b"a\t1\nc\t3\n", b"b\t2\nd\t4\n")
OUTPUT_FILE = paths.output_file("tsv", "none")
OUTPUT = b"a\t1\nb\t2\nc\t3\nd\t4\n"
BAD = (BadRecord(file="a", offset=7, reason="UserCodeFailed", message="ValueError: no", record="x"),)
STAGING = paths.staging(PATH, UID)

Loss = Callable[[Disk], None]
LOSSES: dict[str, Loss] = {
    "of the process": lambda disk: None,
    "of power": lambda disk: disk.lose_power(),
    "of power, with luck": lambda disk: disk.lose_power(random.Random(7)),
    "of power, with other luck": lambda disk: disk.lose_power(random.Random(8)),
}


def run_job(store: Store, epoch: int = 1) -> Output:
    """What the master makes of one gateway's life: open, then whatever is missing."""
    output = make_output(store)
    opening = output.open({UID})
    if opening.published is not None:
        return output
    known = {frame.sequence for page in opening.pages for frame in page if frame.epoch == epoch}
    output.append([opened_epoch(epoch, max(known, default=0) + 1)])
    for partition, data in enumerate(PARTS):
        if output.staged(part(partition, data)) is None:
            stage(output, partition, data, epoch)
    output.publish(attempt("publish", epoch=epoch), b'{"job": "wc"}', 9.0, bad=BAD)
    return output


def steps_of_a_job() -> int:
    store = CrashStore(Disk())
    run_job(store)
    return store.steps


STEPS = steps_of_a_job()


def check_published(disk: Disk) -> None:
    files = disk.below(PATH)
    assert set(files) == {OUTPUT_FILE, paths.BAD_RECORDS, paths.MANIFEST, paths.SUCCESS, paths.EVENTS}
    assert files[paths.BAD_RECORDS] == bad_records.render(BAD)
    assert files[OUTPUT_FILE] == OUTPUT
    events = history.parse(files[paths.EVENTS])
    assert [event["event"] for event in events if event["event"] == "Staged"] == ["Staged"] * 2
    assert events[-1]["event"] == "Publishing"


def check_all_or_nothing(disk: Disk) -> None:
    names = {path.split("/")[1] for path in disk.tree()}
    if "wc" in names:
        check_published(disk)
    elif OUTPUT_FILE in {path.rpartition("/")[2] for path in disk.tree()}:
        assert f".wc.{UID}" in names


@pytest.mark.parametrize("loss", LOSSES)
def test_a_crash_at_any_step_leaves_all_or_nothing_and_the_next_gateway_finishes(loss):
    for step in range(1, STEPS + 1):
        disk = Disk()
        with pytest.raises(Crashed):
            run_job(CrashStore(disk, crash_at=step))
        LOSSES[loss](disk)
        check_all_or_nothing(disk)
        run_job(CrashStore(disk), epoch=2)
        check_published(disk)
        assert set(disk.tree()) == {f"{PATH}/{name}" for name in disk.below(PATH)}, f"left-overs after step {step}"


@pytest.mark.parametrize("loss", ["of power", "of power, with luck"])
def test_a_second_crash_during_recovery_changes_nothing(loss):
    for step in range(1, STEPS + 1, 5):
        for again in range(1, STEPS + 1, 7):
            disk = Disk()
            with pytest.raises(Crashed):
                run_job(CrashStore(disk, crash_at=step))
            LOSSES[loss](disk)
            try:
                run_job(CrashStore(disk, crash_at=again), epoch=2)
            except Crashed:
                LOSSES[loss](disk)
                check_all_or_nothing(disk)
                run_job(CrashStore(disk), epoch=3)
            check_published(disk)


@pytest.mark.parametrize("loss", LOSSES)
def test_what_was_reported_as_published_stays_published(loss):
    disk = Disk()
    run_job(CrashStore(disk))
    LOSSES[loss](disk)
    check_published(disk)
    assert make_output(CrashStore(disk)).open({UID}).published is not None


@pytest.mark.parametrize("loss", LOSSES)
def test_what_was_reported_as_staged_stays_staged(loss):
    disk = Disk()
    output = make_output(CrashStore(disk))
    output.open({UID})
    stage(output, 1, PARTS[1])
    LOSSES[loss](disk)
    again = make_output(CrashStore(disk))
    again.open({UID})
    staged = again.staged(part(1, PARTS[1]))
    assert staged is not None
    assert staged.attempt == attempt("reduce", 1)
    assert disk.tree()[paths.part(STAGING, 0, 1)] == PARTS[1]


@pytest.mark.parametrize("mode", ["failed", "deleted"])
@pytest.mark.parametrize("loss", LOSSES)
def test_cleaning_may_crash_at_any_step_and_is_finished_later(mode, loss):
    step = 0
    while True:
        step += 1
        disk = Disk()
        run_to_staged(CrashStore(disk))
        try:
            clean(CrashStore(disk, crash_at=step), mode)
            break
        except Crashed:
            LOSSES[loss](disk)
        clean(CrashStore(disk), mode)
        check_cleaned(disk, mode)
    check_cleaned(disk, mode)
    assert step > 5


def run_to_staged(store: Store) -> None:
    output = make_output(store)
    output.open({UID})
    output.append([opened_epoch()])
    for partition, data in enumerate(PARTS):
        stage(output, partition, data)


def clean(store: Store, mode: str) -> None:
    output = make_output(store)
    output.clean_failed() if mode == "failed" else output.clean_deleted()


def check_cleaned(disk: Disk, mode: str) -> None:
    files = disk.tree()
    if mode == "deleted":
        assert files == {}
        return
    # Without it, a volume that lost power may have lost the lock that told, too: then a directory stays.
    assert files.pop(f"{STAGING}/{paths.MADE}", b"1") == b"1"
    assert set(files) == {f"{STAGING}/{paths.EVENTS}"}
    for data in files.values():
        assert [event["event"] for event in history.parse(data)] == ["EpochOpened", "Staged", "Staged"]
