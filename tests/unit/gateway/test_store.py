"""A volume: nothing leaves its root, names are taken once, errors say what and where."""

import errno
import io
import os

import pytest

from mapreduce_worker.gateway import durable
from mapreduce_worker.gateway import store as store_module
from mapreduce_worker.gateway.store import AlreadyThere, Entry, NotThere, PathRefused, PosixStore, Store, StoreError
from tests.support.crash_store import CrashStore, Disk


@pytest.fixture(params=["posix", "posix without nameless files", "memory"])
def store(request, tmp_path, monkeypatch) -> Store:
    if request.param == "memory":
        return CrashStore(Disk())
    if request.param == "posix without nameless files":
        monkeypatch.setattr(PosixStore, "_create_whole", lambda *_: False)
    return PosixStore(tmp_path)


def test_a_file_is_created_once(store):
    store.create("lock", b"mine\n")
    with pytest.raises(AlreadyThere, match="lock"):
        store.create("lock", b"yours\n")
    assert store.read("lock") == b"mine\n"


def test_appending_makes_the_file_and_truncating_cuts_it(store):
    store.append("journal", b"abc")
    store.append("journal", b"def")
    store.truncate("journal", 4)
    store.sync("journal")
    assert store.read("journal") == b"abcd"
    assert store.read("journal", 1, 2) == b"bc"
    assert store.read("journal", 9) == b""


def test_a_directory_is_listed_in_the_order_of_names(store):
    durable.make_directories(store, "a/b/c")
    store.append("a/z", b"")
    assert store.list("a") == (Entry("b", "directory"), Entry("z", "file"))
    assert [store.kind(path) for path in ("a", "a/z", "a/none", "none/at/all")] == ["directory", "file", None, None]


def test_nothing_is_done_for_what_is_above_a_directory_that_is_durable(tmp_path):
    synced = []

    class Watched(PosixStore):
        def sync(self, path: str) -> None:
            synced.append(path)
            super().sync(path)

    store = Watched(tmp_path)
    assert durable.make_directories(store, "out/staging") == 2
    synced.clear()
    assert durable.make_directories(store, "out/staging/parts/step-0", within="out/staging") == 2
    assert synced == ["out/staging", "out/staging/parts"]
    synced.clear()
    assert durable.make_directories(store, "out/staging/parts/step-0", within="out/staging") == 0
    assert synced == ["out/staging/parts", "out/staging"]


def test_a_directory_is_renamed_but_not_over_one_that_holds_something(store):
    durable.make_directories(store, "new")
    store.append("new/file", b"1")
    durable.make_directories(store, "old")
    store.append("old/file", b"2")
    with pytest.raises(AlreadyThere):
        store.rename("new", "old")
    store.rename("new", "final")
    assert store.read("final/file") == b"1"
    assert store.read("old/file") == b"2"


def test_what_is_not_there_is_told_with_its_path(store):
    for step in (
        lambda: store.read("gone"),
        lambda: store.remove("gone"),
        lambda: store.list("gone"),
        lambda: store.sync("gone"),
        lambda: store.rename("gone", "new"),
        lambda: store.append("gone/file", b""),
    ):
        with pytest.raises(NotThere, match="gone"):
            step()


def test_a_tree_is_removed_and_removing_it_again_is_harmless(store):
    durable.make_directories(store, "tree/deep/down")
    store.append("tree/deep/file", b"1")
    for _ in range(2):
        durable.remove_tree(store, "tree")
        assert store.kind("tree") is None


@pytest.mark.parametrize("path", ["../outside", "a/../../outside", "/etc/passwd", "a//b", "./a", "a/\0b"])
def test_a_path_that_leaves_the_root_is_refused(tmp_path, path):
    store = PosixStore(tmp_path)
    for step in (
        lambda: store.append(path, b""),
        lambda: store.read(path),
        lambda: store.list(path),
        lambda: store.create(path, b""),
        lambda: store.remove(path),
        lambda: store.rename(path, "b"),
        lambda: store.make_directory(path),
        lambda: store.local_path(path),
    ):
        with pytest.raises(PathRefused):
            step()


def test_a_link_that_leaves_the_root_is_refused(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    root = tmp_path / "root"
    root.mkdir()
    (root / "out").symlink_to(outside)
    (root / "file").symlink_to(outside / "target")
    store = PosixStore(root)
    with pytest.raises(PathRefused):
        store.append("out/file", b"1")
    with pytest.raises(StoreError):
        store.append("file", b"1")
    with pytest.raises(StoreError):
        store.read("file")
    with pytest.raises(PathRefused):
        durable.make_directories(store, "out/a/b")
    assert store.kind("out") == "other"
    assert list(outside.iterdir()) == []


def test_a_link_inside_the_root_is_followed_above_the_last_name(tmp_path):
    (tmp_path / "disk" / "data").mkdir(parents=True)
    (tmp_path / "data").symlink_to("disk/data")
    store = PosixStore(tmp_path)
    store.append("data/file", b"1")
    assert (tmp_path / "disk" / "data" / "file").read_bytes() == b"1"


def test_removing_a_tree_removes_links_and_not_what_they_point_to(tmp_path):
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").write_bytes(b"1")
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "link").symlink_to(tmp_path / "precious")
    durable.remove_tree(PosixStore(tmp_path), "tree")
    assert (tmp_path / "precious" / "file").read_bytes() == b"1"
    assert not (tmp_path / "tree").exists()


def test_a_pipe_in_the_place_of_a_file_does_not_hold_the_gateway(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert PosixStore(tmp_path).kind("pipe") == "other"


def test_a_finished_file_is_adopted_by_a_link(tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    source = tmp_path / "part"
    source.write_bytes(b"rows")
    store = PosixStore(root)
    store.adopt(source, "part")
    source.unlink()
    assert store.read("part") == b"rows"


class FullDisk(io.FileIO):
    """A file on a disk that has room for four more bytes."""

    def write(self, data, /):
        room = 4 - self.tell()
        if not room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(bytes(data)[:room])


def test_a_full_disk_is_told_as_an_error_of_ours_with_the_path(tmp_path, monkeypatch):
    monkeypatch.setattr(store_module, "open", lambda fd, *_, **__: FullDisk(fd, "wb"), raising=False)
    with pytest.raises(StoreError, match="full: No space left on device"):
        PosixStore(tmp_path).append("full", b"too long")
    assert (tmp_path / "full").read_bytes() == b"too "
