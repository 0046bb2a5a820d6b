"""An output takes the place of an older one: whatever step a gateway dies at, there is always one of the two."""

import contextlib
import functools
import json
import random
from collections.abc import Callable
from functools import partial

import pytest

from mapreduce import paths
from mapreduce.errors import MapReduceError
from mapreduce_worker.gateway.data_files import OutputOptions
from mapreduce_worker.gateway.reservation import OutputReserved
from mapreduce_worker.gateway.standing import OutputExists
from mapreduce_worker.gateway.storage import Output
from mapreduce_worker.gateway.store import Store
from tests.support.crash_store import Crashed, CrashStore, Disk
from tests.support.outputs import PATH, attempt, make_output, opened_epoch, part, stage

OLD, NEW, NEXT = "old", "new", "next"
REPLACE = OutputOptions(overwrite="replace")
ASIDE = paths.replaced(PATH, NEW)

Loss = Callable[[Disk], None]
LOSSES: dict[str, Loss] = {
    "of the process": lambda disk: None,
    "of power": lambda disk: disk.lose_power(),
    "of power, with luck": lambda disk: disk.lose_power(random.Random(7)),
    "of power, with other luck": lambda disk: disk.lose_power(random.Random(11)),
}


def output_of(store: Store, uid: str, options: OutputOptions = REPLACE) -> Output:
    return make_output(store, uid=uid, partitions=1, options=options)


def text(uid: str) -> bytes:
    return f"{uid}\t1\n".encode()


def run_job(
    store: Store, uid: str, epoch: int = 1, live: tuple[str, ...] = (), options: OutputOptions = REPLACE
) -> None:
    """Do what a gateway does in one life: open, then whatever is missing."""
    output = output_of(store, uid, options)
    opening = output.open((), {OLD, NEW, NEXT} - {uid})
    if opening.published is not None:
        return
    known = {frame.sequence for page in opening.pages for frame in page if frame.epoch == epoch}
    output.append([opened_epoch(epoch, max(known, default=0) + 1)])
    if output.staged(part(0, text(uid))) is None:
        stage(output, 0, text(uid), epoch)
    output.publish(attempt("publish", epoch=epoch), b"{}", 9.0)


@functools.cache
def made_with_old() -> Disk:
    disk = Disk()
    run_job(CrashStore(disk), OLD)
    disk.lose_power()
    return disk


def disk_with_old() -> Disk:
    return made_with_old().copy()


def steps_of_replacing() -> int:
    store = CrashStore(disk_with_old())
    run_job(store, NEW)
    return store.steps


STEPS = steps_of_replacing()


def standing(disk: Disk) -> str | None:
    """Return whose whole output has the name; None if nothing has."""
    files = disk.below(PATH)
    if not files:
        return None
    uid = str(json.loads(files[paths.MANIFEST])["uid"])
    assert set(files) == {"output.tsv", paths.MANIFEST, paths.SUCCESS, paths.EVENTS}
    assert files["output.tsv"] == text(uid)
    return uid


def check_only(disk: Disk, uid: str) -> None:
    assert standing(disk) == uid
    assert {path.rpartition(f"{PATH}/")[0] for path in disk.tree()} == {""}, disk.tree().keys()


def crashed(step: int, loss: str) -> Disk:
    """Return the disk of a job that was replacing the old output and died at this step."""
    return made_by_a_crash(step, loss).copy()


@functools.cache
def made_by_a_crash(step: int, loss: str) -> Disk:
    disk = disk_with_old()
    with pytest.raises(Crashed):
        run_job(CrashStore(disk, crash_at=step), NEW)
    LOSSES[loss](disk)
    return disk


def test_the_new_output_takes_the_place_of_the_old_one():
    disk = disk_with_old()
    run_job(CrashStore(disk), NEW)
    check_only(disk, NEW)


def test_nothing_to_replace_is_no_fault():
    disk = Disk()
    run_job(CrashStore(disk), NEW)
    check_only(disk, NEW)


def test_until_the_end_the_old_output_stands():
    disk = disk_with_old()
    output = output_of(CrashStore(disk), NEW)
    output.open({NEW})
    stage(output, 0, text(NEW))
    assert standing(disk) == OLD


@pytest.mark.parametrize("loss", LOSSES)
def test_a_crash_at_any_step_is_repaired_by_the_next_gateway_of_the_job(loss):
    neither = 0
    for step in range(1, STEPS + 1):
        disk = crashed(step, loss)
        if standing(disk) is None:
            neither += 1
            assert disk.below(ASIDE)["output.tsv"] == text(OLD)
        run_job(CrashStore(disk), NEW, epoch=2)
        check_only(disk, NEW)
    assert neither > 0


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("overwrite", ["refuse", "replace"])
def test_a_crash_at_any_step_is_repaired_by_the_next_job(loss, overwrite):
    for step in range(1, STEPS + 1):
        disk = crashed(step, loss)
        try:
            run_job(CrashStore(disk), NEXT, options=OutputOptions(overwrite=overwrite))
        except OutputExists:
            assert overwrite == "refuse"
            assert standing(disk) in (OLD, NEW)
        else:
            assert overwrite == "replace"
            check_only(disk, NEXT)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("mode", ["failed", "deleted"])
def test_a_job_that_is_given_up_at_any_step_leaves_one_of_the_two(loss, mode):
    for step in range(1, STEPS + 1):
        disk = crashed(step, loss)
        clean(disk, mode)
        assert standing(disk) in (OLD, NEW)
        # A lock that was never finished has no owner: the next job sweeps it.
        left = {path for path in disk.tree() if not path.startswith(f"{PATH}/") and path != paths.lock(PATH)}
        assert mode == "failed" or not left
        assert all(paths.HISTORY in path for path in left)


def clean(disk: Disk, mode: str) -> None:
    output = output_of(CrashStore(disk), NEW)
    output.clean_failed() if mode == "failed" else output.clean_deleted()


@pytest.mark.parametrize("loss", ["of power", "of power, with luck"])
def test_a_second_crash_while_the_first_is_repaired_loses_nothing(loss):
    for uid in (NEW, NEXT):
        for step in range(STEPS - 20, STEPS + 1):
            for again in range(1, STEPS + 1, 3):
                disk = crashed(step, loss)
                try:
                    run_job(CrashStore(disk, crash_at=again), uid, epoch=2)
                except Crashed:
                    LOSSES[loss](disk)
                    run_job(CrashStore(disk), uid, epoch=3)
                check_only(disk, uid)


def test_two_gateways_of_one_job_at_every_step_of_each_other_end_with_the_new_output():
    for step in range(1, STEPS + 1):
        disk = disk_with_old()
        first = CrashStore(disk)
        first.between[step] = partial(run_job, CrashStore(disk), NEW, epoch=2)
        with contextlib.suppress(MapReduceError):
            run_job(first, NEW)
        run_job(CrashStore(disk), NEW, epoch=3)
        check_only(disk, NEW)


def test_of_two_jobs_that_would_replace_one_output_the_second_is_told_at_once():
    disk = disk_with_old()
    first = output_of(CrashStore(disk), NEW)
    first.open({NEW, NEXT})
    with pytest.raises(OutputReserved, match=NEW):
        output_of(CrashStore(disk), NEXT).open({NEW, NEXT})
    assert standing(disk) == OLD


@pytest.mark.parametrize("foreign", [f"{PATH}/notes.txt", f"{PATH}/{paths.MANIFEST}", PATH])
def test_what_is_no_output_of_a_job_is_not_replaced(foreign):
    disk = Disk()
    store = CrashStore(disk)
    for folder in ("results", PATH)[: foreign.count("/")]:
        store.make_directory(folder)
    store.append(foreign, b"mine")
    with pytest.raises(OutputExists, match="no output of a job"):
        output_of(store, NEW).open({NEW})
    assert disk.tree() == {foreign: b"mine"}


def test_what_someone_puts_there_while_the_job_runs_is_not_replaced():
    disk = disk_with_old()
    store = CrashStore(disk)
    output = output_of(store, NEW)
    output.open({NEW})
    stage(output, 0, text(NEW))
    store.remove(f"{PATH}/{paths.MANIFEST}")
    with pytest.raises(OutputExists, match="no output of a job"):
        output.publish(attempt("publish"), b"{}", 9.0)
    assert disk.below(PATH)["output.tsv"] == text(OLD)


def test_an_old_output_that_goes_while_the_job_runs_is_no_fault():
    disk = disk_with_old()
    output = output_of(CrashStore(disk), NEW)
    output.open({NEW})
    stage(output, 0, text(NEW))
    for path in list(disk.below(PATH)):
        CrashStore(disk).remove(f"{PATH}/{path}")
    CrashStore(disk).remove(f"{PATH}/{paths.HISTORY}")
    CrashStore(disk).remove(PATH)
    output.publish(attempt("publish"), b"{}", 9.0)
    check_only(disk, NEW)


def test_a_folder_of_the_users_with_such_a_name_stays():
    disk = disk_with_old()
    store = CrashStore(disk)
    store.make_directory(paths.replaced(PATH, "mine"))
    store.append(f"{paths.replaced(PATH, 'mine')}/notes.txt", b"mine")
    run_job(store, NEW)
    assert standing(disk) == NEW
    assert disk.tree()[f"{paths.replaced(PATH, 'mine')}/notes.txt"] == b"mine"
