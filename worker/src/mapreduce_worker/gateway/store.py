"""The one door to a claim: every write that the gateway makes goes through a `Store`.

A store has only the steps that a disk has (create, append, sync, rename, remove …), so that a test
can lose power between any two of them. What is made of these steps is in `durable.py`; what they mean
for a job is in `storage.py`. `PosixStore` is a mounted volume; the in-memory one of the tests forgets
whatever was not synced.

Paths are relative to the root, with `/` between names.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal, Protocol

import msgspec

from mapreduce.errors import SystemFault, UsageError

Kind = Literal["file", "directory", "other"]


class StoreError(SystemFault):
    """The volume could not be read or written; the message has the path and the system's reason."""


class NotThere(StoreError):
    """Nothing stands under that name."""


class AlreadyThere(StoreError):
    """Something stands under that name, and may not be replaced."""


class PathRefused(UsageError):
    """A path leaves the root of its store."""


class Entry(msgspec.Struct, frozen=True):
    """One name in a directory; a symbolic link is `other`."""

    name: str
    kind: Kind


class Store(Protocol):
    """The steps of a disk. Each may raise `StoreError`, and `PathRefused` for a path that leaves the root.

    Nothing is durable before `sync`: of a file for its bytes, of a directory for the names in it.
    """

    def create(self, path: str, data: bytes) -> None:
        """Make a file that did not exist; raises `AlreadyThere`. After a crash it may be there without its bytes."""

    def append(self, path: str, data: bytes) -> None:
        """Write at the end of a file, making it if needed; a crash or error may leave only a beginning of `data`."""

    def truncate(self, path: str, size: int) -> None:
        """Cut a file to `size` bytes."""

    def sync(self, path: str) -> None:
        """Make a file's bytes, or the names in a directory, durable. The empty path is the root."""

    def rename(self, old: str, new: str) -> None:
        """Move a file (replacing a file) or a directory (raises `AlreadyThere` for a target that holds anything)."""

    def make_directory(self, path: str) -> None:
        """Make one directory; no error if it is there. The one above it must exist."""

    def remove(self, path: str) -> None:
        """Remove a file or an empty directory; raises `NotThere`."""

    def read(self, path: str, offset: int = 0, length: int = -1) -> bytes:
        """Return a file from `offset` on, at most `length` bytes (-1: to its end); raises `NotThere`."""

    def kind(self, path: str) -> Kind | None:
        """Tell what stands under a name, without following a link; None: nothing."""

    def list(self, path: str) -> tuple[Entry, ...]:
        """Return the names in a directory, sorted; raises `NotThere`. The empty path is the root."""


_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE: Final = os.O_NOFOLLOW | os.O_CLOEXEC
_NO_TMPFILE: Final = frozenset({errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOENT, errno.EPERM, errno.EXDEV})


class PosixStore:
    """A directory of this machine, usually the mount point of a claim.

    A symbolic link above the last name is followed as long as its target is inside the root; the last
    name is never followed. Every step opens its directory name by name from the root, so that a link put
    in place between the check and the step is refused by the kernel.
    """

    def __init__(self, root: Path) -> None:
        """`root` must exist; it may itself be reached by links."""
        self.root: Final = Path(os.path.realpath(root, strict=True))

    def create(self, path: str, data: bytes) -> None:
        """Make a file that did not exist, with its bytes from the first moment where the volume can do that."""
        with self._parent(path) as (parent, name):
            if self._create_whole(parent, name, data):
                return
            self._write(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FILE, 0o666, dir_fd=parent), data)

    def append(self, path: str, data: bytes) -> None:
        """Write at the end of a file, making it if needed."""
        with self._parent(path) as (parent, name):
            self._write(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_APPEND | _FILE, 0o666, dir_fd=parent), data)

    def truncate(self, path: str, size: int) -> None:
        """Cut a file to `size` bytes."""
        with self._parent(path) as (parent, name), _closing(os.open(name, os.O_WRONLY | _FILE, dir_fd=parent)) as fd:
            os.ftruncate(fd, size)

    def sync(self, path: str) -> None:
        """Make a file's bytes, or the names in a directory, durable."""
        if not path:
            with self._errors(path), _closing(self._open(path)) as fd:
                os.fsync(fd)
            return
        with self._parent(path) as (parent, name), _closing(os.open(name, os.O_RDONLY | _FILE, dir_fd=parent)) as fd:
            os.fsync(fd)

    def rename(self, old: str, new: str) -> None:
        """Move a file or a directory."""
        with (
            self._parent(old) as (source, old_name),
            self._parent(new) as (target, new_name),
            self._errors(f"{old} to {new}"),
        ):
            os.rename(old_name, new_name, src_dir_fd=source, dst_dir_fd=target)

    def make_directory(self, path: str) -> None:
        """Make one directory; no error if it is there."""
        with self._parent(path) as (parent, name):
            try:
                os.mkdir(name, 0o777, dir_fd=parent)
            except FileExistsError:
                if not stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
                    raise

    def remove(self, path: str) -> None:
        """Remove a file or an empty directory."""
        with self._parent(path) as (parent, name):
            if stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
                os.rmdir(name, dir_fd=parent)
            else:
                os.unlink(name, dir_fd=parent)

    def read(self, path: str, offset: int = 0, length: int = -1) -> bytes:
        """Return a file from `offset` on, at most `length` bytes (-1: to its end)."""
        with self._parent(path) as (parent, name):
            # Without O_NONBLOCK, a pipe put in the place of a file would hold the gateway for ever.
            fd = os.open(name, os.O_RDONLY | os.O_NONBLOCK | _FILE, dir_fd=parent)
            with open(fd, "rb") as file:
                file.seek(offset)
                return file.read(length)

    def kind(self, path: str) -> Kind | None:
        """Tell what stands under a name."""
        if not path:
            return "directory"
        try:
            with self._parent(path) as (parent, name):
                return _kind(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode)
        except NotThere:
            return None

    def list(self, path: str) -> tuple[Entry, ...]:
        """Return the names in a directory, sorted."""
        with self._errors(path), _closing(self._open(path)) as fd:
            return tuple(Entry(name, self._entry_kind(fd, name)) for name in sorted(os.listdir(fd)))

    def adopt(self, source: Path, path: str) -> None:
        """Put a finished file of this machine under `path`: by a link where the disk is the same, else by a copy."""
        with self._parent(path) as (parent, name):
            try:
                os.link(source, name, dst_dir_fd=parent, follow_symlinks=False)
            except OSError as error:
                if error.errno not in (errno.EXDEV, errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS):
                    raise
                fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FILE, 0o666, dir_fd=parent)
                with open(fd, "wb") as target, source.open("rb") as content:
                    shutil.copyfileobj(content, target, 1 << 20)

    def local_path(self, path: str) -> Path:
        """Return the absolute path of a name, for the engine's readers and the merge's temporary file."""
        with self._errors(path):
            parents, name = self._resolve(path)
        return self.root.joinpath(*parents, name)

    def _create_whole(self, parent: int, name: str, data: bytes) -> bool:
        """Make the file nameless, then link it: no crash leaves a reservation without its owner."""
        try:
            fd = os.open(".", os.O_WRONLY | os.O_TMPFILE | os.O_CLOEXEC, 0o666, dir_fd=parent)
        except OSError as error:
            if error.errno in _NO_TMPFILE:
                return False
            raise
        with open(fd, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(fd)
            try:
                os.link(f"/proc/self/fd/{fd}", name, dst_dir_fd=parent, follow_symlinks=True)
            except FileExistsError:
                raise
            except OSError as error:
                if error.errno in _NO_TMPFILE:
                    return False
                raise
        return True

    @staticmethod
    def _write(fd: int, data: bytes) -> None:
        with open(fd, "wb", buffering=0) as file:
            view = memoryview(data)
            while view:
                view = view[file.write(view) or 0 :]

    @staticmethod
    def _entry_kind(directory: int, name: str) -> Kind:
        try:
            return _kind(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode)
        except FileNotFoundError:
            return "other"

    @contextmanager
    def _parent(self, path: str) -> Iterator[tuple[int, str]]:
        """Open the directory above `path`; errors of the body become ours, with the path in them."""
        with self._errors(path):
            parents, name = self._resolve(path)
            with _closing(self._open_directory(parents)) as fd:
                yield fd, name

    def _resolve(self, path: str) -> tuple[tuple[str, ...], str]:
        """Return the directories above the last name, free of links, and that name."""
        *above, name = _names(path)
        real = Path(os.path.realpath(self.root.joinpath(*above)))
        if not real.is_relative_to(self.root):
            raise PathRefused(f"the path {path!r} leaves the volume by a symbolic link")
        return real.relative_to(self.root).parts, name

    def _open(self, directory: str) -> int:
        """Open a directory by its path; the empty one is the root."""
        if not directory:
            return self._open_directory(())
        parents, name = self._resolve(directory)
        return self._open_directory((*parents, name))

    def _open_directory(self, names: tuple[str, ...]) -> int:
        fd = os.open(self.root, _DIRECTORY)
        for name in names:
            try:
                below = os.open(name, _DIRECTORY, dir_fd=fd)
            finally:
                os.close(fd)
            fd = below
        return fd

    @contextmanager
    def _errors(self, path: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            raise NotThere(f"{path}: {error.strerror}") from error
        except OSError as error:
            kind = AlreadyThere if error.errno in (errno.EEXIST, errno.ENOTEMPTY) else StoreError
            raise kind(f"{path}: {error.strerror}") from error


def _names(path: str) -> tuple[str, ...]:
    names = tuple(path.split("/"))
    if any(name in ("", ".", "..") or "\0" in name for name in names):
        raise PathRefused(f"{path!r} is not a path below the root of the volume")
    return names


def _kind(mode: int) -> Kind:
    if stat.S_ISREG(mode):
        return "file"
    return "directory" if stat.S_ISDIR(mode) else "other"


@contextmanager
def _closing(fd: int) -> Iterator[int]:
    try:
        yield fd
    finally:
        os.close(fd)
