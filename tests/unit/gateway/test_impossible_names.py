"""Names that no output can have: too long, below a file, or inside the output of another job."""

import contextlib
import itertools
from functools import partial

import pytest

from mapreduce import paths
from mapreduce.errors import OutputError
from mapreduce_worker.gateway import failures, reservation
from mapreduce_worker.gateway.reservation import OutputContested, OutputInside, OutputReserved
from mapreduce_worker.gateway.storage import OutputImpossible
from mapreduce_worker.gateway.store import PosixStore
from tests.support.crash_store import CrashStore, Disk
from tests.support.outputs import PATH, attempt, make_output, stage

LOCK = paths.lock(PATH)


@pytest.mark.parametrize("path", ["n" * 250, "\u00e4" * 125, "deep/" + "n" * 240, "n" * 256 + "/out"])
def test_a_name_that_no_volume_can_have_is_refused_before_anything_is_made(tmp_path, path):
    with pytest.raises(OutputImpossible, match="too long") as caught:
        make_output(PosixStore(tmp_path), path=path).open()
    assert (failures.describe(caught.value).kind, failures.describe(caught.value).reason) == ("refused", "InvalidSpec")
    assert list(tmp_path.iterdir()) == []


def test_the_longest_name_that_is_accepted_can_be_written_replaced_and_removed(tmp_path):
    name = "n" * (paths.MAX_NAME - len(paths.replaced("", "uid-1")))
    assert paths.fit(name, "uid-1")
    assert not paths.fit(name + "n", "uid-1")
    output = make_output(PosixStore(tmp_path), path=name)
    output.open()
    for partition in range(2):
        stage(output, partition, b"a\t1\n")
    output.publish(attempt("publish"), b"", 1.0)
    assert (tmp_path / name / "_SUCCESS").exists()


def test_an_output_below_a_file_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputImpossible, match="Not a directory"):
        make_output(PosixStore(tmp_path), path="file/out").open()


# --- outputs inside others ----------------------------------------------------------------------


def test_an_output_inside_one_that_is_being_made_is_refused_before_anything_is_made():
    disk = Disk()
    make_output(CrashStore(disk), uid="first").open()
    before = disk.tree()
    inner = make_output(CrashStore(disk), uid="second", path=f"{PATH}/deep/inner")
    with pytest.raises(OutputContested) as caught:
        inner.open()
    assert caught.value.uids == ("first",)
    with pytest.raises(OutputReserved, match=PATH):
        inner.open({"first"})
    assert disk.tree() == before
    assert CrashStore(disk).kind(PATH) is None


def test_the_lock_of_a_dead_job_above_the_output_is_no_hindrance():
    disk = Disk()
    make_output(CrashStore(disk), uid="dead").open()
    assert make_output(CrashStore(disk), uid="next", path=f"{PATH}/inner").open((), {"dead"}).published is None


def test_an_output_inside_a_published_one_or_a_staging_directory_is_refused():
    disk = Disk()
    store = CrashStore(disk)
    running = make_output(store, uid="running", path="results/other")
    running.open()
    output = make_output(store)
    output.open()
    for partition in range(2):
        stage(output, partition, b"a\t1\n")
    output.publish(attempt("publish"), b"{}", 1.0)
    before = disk.tree()
    for path in (f"{PATH}/inner", f"{PATH}/_history/inner", "results/.other.running/inner"):
        with pytest.raises(OutputInside, match="belongs to another job"):
            make_output(CrashStore(disk), uid="next", path=path).open({"running"})
    assert disk.tree() == before


def test_a_gateway_that_opens_again_does_not_mind_who_tried_to_take_a_name_above():
    disk = Disk()
    make_output(CrashStore(disk), uid="inner", path=f"{PATH}/inner").open()
    reservation.reserve(CrashStore(disk), PATH, "outer")
    assert make_output(CrashStore(disk), uid="inner", path=f"{PATH}/inner").open({"outer"}).published is None


def test_at_no_step_of_each_other_two_outputs_are_opened_of_which_one_is_inside_the_other():
    for outer_first, step in itertools.product((True, False), range(1, 30)):
        disk = Disk()
        store = CrashStore(disk)
        opened_ones: list[str] = []
        outer = partial(open_or_not, "outer", PATH, opened_ones)
        inner = partial(open_or_not, "inner", f"{PATH}/inner", opened_ones)
        slow, fast = (outer, inner) if outer_first else (inner, outer)
        store.between[step] = partial(fast, CrashStore(disk))
        slow(store)
        assert len(opened_ones) <= 1, (outer_first, step)


def open_or_not(uid: str, path: str, opened_ones: list[str], store: CrashStore) -> None:
    with contextlib.suppress(OutputError):
        make_output(store, uid=uid, path=path).open({"inner", "outer"})
        opened_ones.append(uid)
