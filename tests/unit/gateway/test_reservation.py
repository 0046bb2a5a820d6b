"""One job writes an output: others are refused, the dead are swept, users' own files stay."""

import contextlib
import itertools
from functools import partial

import pytest

from mapreduce import paths
from mapreduce.errors import OutputError
from mapreduce_worker.gateway import durable, reservation
from mapreduce_worker.gateway.reservation import Others, OutputContested, OutputReserved
from mapreduce_worker.gateway.standing import OutputExists
from mapreduce_worker.gateway.storage import Output
from mapreduce_worker.gateway.store import PosixStore
from tests.support.crash_store import Crashed, CrashStore, Disk
from tests.support.outputs import PATH, attempt, make_output, stage

LOCK = paths.lock(PATH)


def test_of_two_jobs_the_second_is_refused_until_the_first_gives_the_name_back():
    disk = Disk()
    first, second = (make_output(CrashStore(disk), uid=uid) for uid in ("first", "second"))
    first.open({"first", "second"})
    with pytest.raises(OutputReserved, match="uid first"):
        second.open({"first", "second"})
    first.clean_failed()
    assert second.open({"first", "second"}).published is None


def test_a_job_that_began_after_anybody_looked_is_not_taken_for_dead():
    """Both know only of jobs that lived before either had made its lock."""
    disk = Disk()
    make_output(CrashStore(disk), uid="first").open({"first"})
    with pytest.raises(OutputContested) as caught:
        make_output(CrashStore(disk), uid="second").open({"second"})
    assert caught.value.uids == ("first",)
    assert reservation.holder(CrashStore(disk), PATH) == "first"
    with pytest.raises(OutputReserved):
        make_output(CrashStore(disk), uid="second").open({"first"})
    assert f"{paths.staging(PATH, 'first')}/{paths.JOURNAL}" in disk.tree()


def test_a_lock_that_appears_at_any_step_of_opening_is_not_taken_for_a_dead_ones():
    robbed = 0
    for step in itertools.count(1):
        disk = Disk()
        store = CrashStore(disk)
        store.between[step] = partial(reserve_if_free, CrashStore(disk), "fast")
        with contextlib.suppress(OutputContested, OutputReserved):
            make_output(store, uid="slow").open()
        holder = reservation.holder(CrashStore(disk), PATH)
        robbed += holder == "fast"
        assert (f".wc.slow/{paths.JOURNAL}" in "".join(disk.tree())) == (holder == "slow")
        if store.between:
            break
    assert robbed


def reserve_if_free(store: CrashStore, uid: str) -> None:
    with contextlib.suppress(OutputContested):
        reservation.reserve(store, PATH, uid)


def test_opening_twice_is_harmless():
    disk = Disk()
    for _ in range(2):
        make_output(CrashStore(disk)).open(())


def test_an_output_that_exists_is_refused_and_left_alone():
    disk = Disk()
    store = CrashStore(disk)
    durable.make_directories(store, PATH)
    store.append(f"{PATH}/precious", b"1")
    with pytest.raises(OutputExists, match=PATH):
        make_output(store).open(())
    assert disk.tree() == {f"{PATH}/precious": b"1"}


def test_a_file_under_the_outputs_name_is_refused_too(tmp_path):
    (tmp_path / "wc").write_bytes(b"1")
    with pytest.raises(OutputExists):
        make_output(PosixStore(tmp_path), path="wc").open(())


def test_the_lock_of_a_dead_job_is_swept_with_what_it_left():
    disk = Disk()
    dead = make_output(CrashStore(disk), uid="dead")
    dead.open({"dead"})
    stage(dead, 0, b"a\t1\n")
    make_output(CrashStore(disk), uid="next").open((), {"dead"})
    assert reservation.holder(CrashStore(disk), PATH) == "next"
    assert {path.split("/")[1] for path in disk.tree()} == {".wc.lock", ".wc.next"}


def test_the_history_of_a_failed_job_stays_while_the_job_lives():
    disk = Disk()
    failed = make_output(CrashStore(disk), uid="failed")
    failed.open({"failed"})
    failed.clean_failed()
    history = f"{paths.staging(PATH, 'failed')}/{paths.EVENTS}"
    second = make_output(CrashStore(disk), uid="second")
    second.open({"failed", "second"})
    assert history in disk.tree()
    second.clean_deleted()
    make_output(CrashStore(disk), uid="third").open((), {"failed", "second"})
    assert history not in disk.tree()


@pytest.mark.parametrize("name", [".wc.backup", ".wc.2024-01-01", ".wc.a.b", ".wc2.dead", ".other.dead"])
def test_a_users_own_hidden_folder_is_not_swept(name):
    disk = Disk()
    store = CrashStore(disk)
    durable.make_directories(store, f"results/{name}")
    store.append(f"results/{name}/output.tsv", b"1")
    make_output(store, uid="next").open({"next"})
    assert disk.tree()[f"results/{name}/output.tsv"] == b"1"


def test_a_users_hidden_folder_with_a_file_called_journal_is_not_swept():
    for content in (b"", b"mon", b"monday: rain\n", b"\0\0\0\4\0\0\0\0text"):
        disk = Disk()
        store = CrashStore(disk)
        durable.make_directories(store, "results/.wc.notes")
        store.append("results/.wc.notes/journal", content)
        store.append("results/.wc.notes/thesis.tex", b"1")
        make_output(store, uid="next").open((), {"notes"})
        assert disk.tree()["results/.wc.notes/thesis.tex"] == b"1"


@pytest.mark.parametrize("theirs", ["", "another"])
def test_who_is_not_listed_here_is_dead_only_if_its_lock_names_the_same_judge(theirs):
    """A claim may be the volume of two clusters: neither operator can list the other's jobs."""
    disk = Disk()
    other = make_output(CrashStore(disk), uid="other")
    other.open(judge=theirs)
    stage(other, 0, b"a\t1\n")
    before = disk.tree()
    for path in (PATH, f"{PATH}/inner"):
        with pytest.raises(OutputReserved, match=r"remove 'results/.wc.lock'"):
            make_output(CrashStore(disk), uid="next", path=path).open((), {"other"}, judge="ours")
    assert disk.tree() == before


def test_a_staging_directory_without_a_lock_is_swept_by_no_operator():
    disk = Disk()
    other = make_output(CrashStore(disk), uid="other")
    other.open(judge="another")
    stage(other, 0, b"a\t1\n")
    CrashStore(disk).remove(LOCK)
    make_output(CrashStore(disk), uid="next").open((), {"other"}, judge="ours")
    assert disk.below("results/.wc.other")


def test_a_dead_job_of_the_same_judge_is_swept():
    disk = Disk()
    dead = make_output(CrashStore(disk), uid="dead")
    dead.open(judge="ours")
    stage(dead, 0, b"a\t1\n")
    make_output(CrashStore(disk), uid="next").open((), {"dead"}, judge="ours")
    assert disk.tree()[LOCK] == b"next\t1\tours\n"
    assert {path.split("/")[1] for path in disk.tree()} == {".wc.lock", ".wc.next"}


def test_a_copy_of_a_published_output_is_not_swept():
    disk = Disk()
    store = CrashStore(disk)
    output = make_output(store)
    output.open(())
    for partition in range(2):
        stage(output, partition, b"a\t1\n")
    output.publish(attempt("publish"), b"", 1.0)
    durable.make_directories(store, "results/.wc.copy")
    for name, data in disk.below(PATH).items():
        durable.make_directories(store, f"results/.wc.copy/{name}".rpartition("/")[0])
        store.append(f"results/.wc.copy/{name}", data)
    with pytest.raises(OutputExists):
        make_output(store, uid="next").open({"next"})
    durable.remove_tree(store, PATH)
    make_output(store, uid="next").open((), {"copy"})
    assert disk.below("results/.wc.copy")


@pytest.mark.parametrize("content", [b"", b"de", b"\xff\n", b"../../etc\n"])
def test_a_lock_that_names_no_job_is_swept(content):
    store = CrashStore(Disk())
    durable.make_directories(store, "results")
    store.append(LOCK, content)
    make_output(store, uid="next").open({"next"})
    assert reservation.holder(store, PATH) == "next"


def test_a_deleted_job_leaves_no_lock_that_its_gateway_crashed_in_the_middle_of():
    store = CrashStore(Disk())
    durable.make_directories(store, "results")
    store.append(LOCK, b"mi")
    make_output(store, uid="mine").clean_deleted()
    assert store.kind(LOCK) is None


def test_who_takes_the_name_while_an_unfinished_lock_goes_keeps_it():
    kept = 0
    for step in itertools.count(1):
        disk = Disk()
        store = CrashStore(disk)
        durable.make_directories(store, "results")
        store.append(LOCK, b"")
        store.between[store.steps + step] = partial(reservation.reserve, CrashStore(disk), PATH, "other")
        reservation.release(store, PATH, "mine")
        if store.between:
            break
        assert reservation.holder(CrashStore(disk), PATH) == "other"
        kept += 1
    assert kept


@pytest.mark.parametrize("uid", ["", "a/b", "..", "a.b", "a\n"])
def test_a_uid_that_is_no_file_name_is_refused(uid):
    with pytest.raises(OutputError):
        reservation.reserve(CrashStore(Disk()), PATH, uid)


def test_a_lock_that_was_made_anew_while_it_was_swept_goes_back():
    """Two sweepers saw the dead lock; the slower one takes the faster one's new lock away."""
    disk = Disk()
    reservation.reserve(CrashStore(disk), PATH, "dead")
    slow = CrashStore(disk)
    slow.between[1] = lambda: reservation.reserve(CrashStore(disk), PATH, "fast", Others({"slow"}, {"dead"}))
    with pytest.raises(OutputReserved):
        reservation.reserve(slow, PATH, "slow", Others({"fast"}, {"dead"}))
    assert reservation.holder(CrashStore(disk), PATH) == "fast"
    assert set(disk.tree()) == {LOCK}


def test_a_job_that_lost_its_name_does_not_publish():
    disk = Disk()
    robbed = make_output(CrashStore(disk), uid="robbed")
    robbed.open({"robbed"})
    for partition in range(2):
        stage(robbed, partition, b"a\t1\n")
    thief = make_output(CrashStore(disk), uid="thief", path=PATH)
    store = CrashStore(disk)
    store.remove(LOCK)
    thief.open({"thief", "robbed"})
    with pytest.raises(OutputReserved):
        robbed.publish(attempt("publish"), b"", 1.0)


@pytest.mark.parametrize("power", [False, True])
def test_sweeping_may_crash_at_any_step(power):
    for step in itertools.count(1):
        disk = Disk()
        dead = make_output(CrashStore(disk), uid="dead")
        dead.open({"dead"})
        stage(dead, 0, b"a\t1\n")
        try:
            make_output(CrashStore(disk, crash_at=step), uid="next").open((), {"dead"})
            break
        except Crashed:
            if power:
                disk.lose_power()
        make_output(CrashStore(disk), uid="next").open((), {"dead"})
        assert reservation.holder(CrashStore(disk), PATH) == "next"
        assert {path.split("/")[1] for path in disk.tree()} == {".wc.lock", ".wc.next"}


# --- directories above the output ------------------------------------------------------------------

DEEP = "theirs/a/b/wc"


def opened(disk: Disk, uid: str = "uid-1", path: str = DEEP) -> Output:
    output = make_output(CrashStore(disk), uid=uid, path=path)
    output.open((), {"dead"})
    return output


def user_made(*directories: str) -> Disk:
    disk = Disk()
    for directory in directories:
        durable.make_directories(CrashStore(disk), directory)
    return disk


def kinds(disk: Disk, *directories: str) -> list[str | None]:
    return [CrashStore(disk).kind(directory) for directory in directories]


@pytest.mark.parametrize("failed_first", [False, True])
def test_a_deleted_job_takes_along_the_directories_that_were_made_for_it_and_no_others(failed_first):
    disk = user_made("theirs")
    job = opened(disk)
    if failed_first:
        job.clean_failed()
        assert kinds(disk, "theirs/a/b") == ["directory"]
        job = make_output(CrashStore(disk), uid="uid-1", path=DEEP)
    job.clean_deleted()
    assert kinds(disk, "theirs", "theirs/a", "theirs/a/b") == ["directory", None, None]
    job.clean_deleted()
    assert kinds(disk, "theirs") == ["directory"]


def test_an_empty_directory_of_the_user_stays():
    disk = user_made("theirs/a/b")
    opened(disk).clean_deleted()
    assert kinds(disk, "theirs/a/b") == ["directory"]


def test_a_directory_that_was_made_for_the_output_stays_with_what_others_put_there():
    disk = user_made("theirs")
    job = opened(disk)
    CrashStore(disk).append("theirs/a/precious", b"1")
    job.clean_deleted()
    assert kinds(disk, "theirs/a/precious", "theirs/a/b") == ["file", None]


def test_a_job_that_failed_before_it_wrote_anything_leaves_no_directory():
    disk = user_made("theirs")
    reservation.reserve(CrashStore(disk), DEEP, "uid-1", Others({"uid-1"}))
    make_output(CrashStore(disk), uid="uid-1", path=DEEP).clean_failed()
    assert kinds(disk, "theirs", "theirs/a") == ["directory", None]


def test_who_sweeps_a_dead_job_removes_its_directories_in_the_end():
    disk = user_made("theirs")
    opened(disk, "dead")
    job = opened(disk, "next")
    assert disk.tree()[paths.lock(DEEP)] == b"next\t2\n"
    job.clean_deleted()
    assert kinds(disk, "theirs", "theirs/a") == ["directory", None]


def test_a_published_output_keeps_its_directories():
    disk = user_made("theirs")
    job = opened(disk)
    for partition in range(2):
        stage(job, partition, b"a\t1\n")
    job.publish(attempt("publish"), b"", 1.0)
    make_output(CrashStore(disk), uid="uid-1", path=DEEP).clean_deleted()
    assert CrashStore(disk).kind(f"{DEEP}/output.tsv") == "file"
    assert set(disk.tree()) == {f"{DEEP}/{name}" for name in disk.below(DEEP)}


def test_a_job_may_begin_while_another_takes_the_directories_away():
    for step in itertools.count(1):
        disk = Disk()
        ending = opened(disk, "ending", "a/b/other")
        store = CrashStore(disk)
        store.between[step] = ending.clean_deleted
        beginning = make_output(store, uid="beginning", path=DEEP.replace("theirs/", ""))
        beginning.open({"ending", "beginning"})
        assert reservation.holder(CrashStore(disk), "a/b/wc") == "beginning"
        if store.between:
            break
    assert step > 5


@pytest.mark.parametrize("count", [b"x", b"-1", b"", "\u00b2".encode()])
def test_a_lock_with_a_count_that_is_none_still_names_its_job(count):
    disk = user_made("results")
    CrashStore(disk).append(LOCK, b"dead\t" + count + b"\n")
    assert reservation.holder(CrashStore(disk), PATH) == "dead"
    assert reservation.made_by(CrashStore(disk), PATH, "dead") == 0


# --- outputs that cannot be ---------------------------------------------------------------------
