"""Two writers of one name, at every step of each other: two jobs, or two gateways of one job."""

import contextlib
from functools import partial

import pytest

from mapreduce.errors import MapReduceError
from mapreduce_worker.gateway import standing
from mapreduce_worker.gateway.storage import Output
from tests.support.crash_store import CrashStore, Disk
from tests.support.outputs import PATH, attempt, make_output, opened_epoch, stage

LIVE = {"one", "two"}


def run_job(store: CrashStore, uid: str, epoch: int = 1) -> bool:
    """Run a whole job; returns False where it was refused or failed."""
    output = make_output(store, uid=uid)
    try:
        opening = output.open(LIVE, {"dead"})
        if opening.published is None:
            output.append([opened_epoch(epoch)])
            for partition in range(2):
                stage(output, partition, f"{uid}-{partition}\t1\n".encode(), epoch)
            output.publish(attempt("publish", epoch=epoch), b"", 9.0)
    except MapReduceError:
        with contextlib.suppress(MapReduceError):
            output.clean_deleted()
        return False
    return True


def run_and_tell(store: CrashStore, uid: str, well: dict[str, bool]) -> None:
    well[uid] = run_job(store, uid)


def open_and_tell(output: Output, opened: list[bool]) -> None:
    with contextlib.suppress(MapReduceError):
        output.open(LIVE, {"dead"})
        opened.append(True)


def disk_with_a_dead_lock(dead: bool) -> Disk:
    disk = Disk()
    if dead:
        make_output(CrashStore(disk), uid="dead").open()
    return disk


def steps_of_a_job(dead: bool) -> int:
    store = CrashStore(disk_with_a_dead_lock(dead))
    assert run_job(store, "one")
    return store.steps


def published_by(disk: Disk) -> str | None:
    uid = standing.published_by(CrashStore(disk), PATH)
    if uid is not None:
        assert disk.below(PATH)["output.tsv"] == f"{uid}-0\t1\n{uid}-1\t1\n".encode()
    return uid


@pytest.mark.parametrize("dead", [False, True])
def test_of_two_jobs_at_any_step_of_each_other_just_one_publishes(dead):
    for step in range(1, steps_of_a_job(dead) + 1):
        disk = disk_with_a_dead_lock(dead)
        store = CrashStore(disk)
        well: dict[str, bool] = {}
        store.between[step] = partial(run_and_tell, CrashStore(disk), "two", well)
        well["one"] = run_job(store, "one")
        assert sorted(well.values()) == [False, True], step
        assert published_by(disk) == next(uid for uid, published in well.items() if published)
        assert set(disk.tree()) == {f"{PATH}/{name}" for name in disk.below(PATH)}, step


@pytest.mark.parametrize("dead", [False, True])
def test_a_job_that_only_took_the_name_keeps_it_or_never_had_it(dead):
    for step in range(1, steps_of_a_job(dead) + 1):
        disk = disk_with_a_dead_lock(dead)
        store = CrashStore(disk)
        second = make_output(CrashStore(disk), uid="two")
        opened: list[bool] = []
        store.between[step] = partial(open_and_tell, second, opened)
        first = run_job(store, "one")
        if opened and first:
            with pytest.raises(MapReduceError):
                second.publish(attempt("publish"), b"", 1.0)
        assert first or opened, step
        assert published_by(disk) == ("one" if first else None)


def test_a_gateway_that_was_replaced_at_any_step_does_not_damage_what_its_successor_published():
    for step in range(1, steps_of_a_job(dead=False) + 1):
        disk = Disk()
        old = CrashStore(disk)
        old.between[step] = partial(run_job, CrashStore(disk), "one", epoch=2)
        with contextlib.suppress(MapReduceError):
            output = make_output(old, uid="one")
            output.open(LIVE, {"dead"})
            output.append([opened_epoch()])
            for partition in range(2):
                stage(output, partition, f"one-{partition}\t1\n".encode())
            output.publish(attempt("publish"), b"", 9.0)
        assert published_by(disk) == "one", step
