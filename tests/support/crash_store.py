"""A volume in memory that loses power: the `Store` of the gateway's tests and of the simulation.

A `Disk` outlives its users. Each gets a `CrashStore` on it, which may be told to crash at a step:
the step is carried out half or not at all, `Crashed` is raised, and every later call raises it
again. Then `Disk.lose_power` leaves only what was synced, or `Disk.lose_process` all that was written.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

from mapreduce_worker.gateway.store import AlreadyThere, Entry, Kind, NotThere, PathRefused, StoreError


class Crashed(BaseException):
    """The process died here. Not an `Exception`: nothing may catch it and go on."""


class File:
    """Bytes, and those of them that are durable."""

    def __init__(self, data: bytes = b"") -> None:
        self.data = data
        self.durable = b""


class Directory:
    """Names, and those of them that are durable."""

    def __init__(self) -> None:
        self.entries: dict[str, Node] = {}
        self.durable: dict[str, Node] = {}


Node = File | Directory


class Disk:
    """One volume; `full` makes every write that needs room fail."""

    def __init__(self) -> None:
        self.root = Directory()
        self.full = False

    def lose_power(self, luck: random.Random | None = None) -> None:
        """Forget what was not synced; with `luck`, some of it may have reached the disk anyway."""
        self._forget(self.root, luck)

    def copy(self) -> Disk:
        """Return a disk that holds the same, durable or not, and goes its own way."""
        other = Disk()
        other.full = self.full
        copies: dict[int, Node] = {}
        other.root = _copy_directory(self.root, copies)
        return other

    def tree(self) -> dict[str, bytes]:
        """Return every file by its path."""
        return dict(_files("", self.root))

    def below(self, directory: str) -> dict[str, bytes]:
        """Return the files of one directory by their path in it."""
        prefix = directory + "/"
        return {path.removeprefix(prefix): data for path, data in self.tree().items() if path.startswith(prefix)}

    def _forget(self, node: Node, luck: random.Random | None) -> None:
        lucky = luck is not None and luck.random() < 0.5
        if isinstance(node, File):
            node.data = node.data if lucky else node.durable
            node.durable = node.data
            return
        node.entries = dict(node.entries if lucky else node.durable)
        node.durable = dict(node.entries)
        for below in node.entries.values():
            self._forget(below, luck)


class CrashStore:
    """One user's hand on a disk. `crash_at` counts the steps that write, from 1; 0: never.

    `between` are things that others do just before a step of this one.
    """

    def __init__(self, disk: Disk, crash_at: int = 0) -> None:
        self.disk = disk
        self.steps = 0
        self.dead = False
        self.between: dict[int, Callable[[], object]] = {}
        self._crash_at = crash_at

    def crash_in(self, steps: int) -> None:
        """Crash at a step of the next ones that write: 1 for the very next."""
        self._crash_at = self.steps + steps

    def create(self, path: str, data: bytes) -> None:
        self._pause()
        directory, name = self._place(path)
        if name in directory.entries:
            raise AlreadyThere(f"{path}: exists")
        self._step(data)
        file = directory.entries[name] = File()
        self._pause()
        self._step(data)
        file.data = data

    def append(self, path: str, data: bytes) -> None:
        self._pause()
        directory, name = self._place(path)
        file = directory.entries.get(name)
        if isinstance(file, Directory):
            raise StoreError(f"{path}: is a directory")
        crashing = self._next_crashes()
        if file is None:
            file = File()
            if not crashing or data:
                directory.entries[name] = file
        if crashing or (self.disk.full and data):
            file.data += data[: len(data) // 2]
        self._step(data)
        file.data += data

    def truncate(self, path: str, size: int) -> None:
        self._pause()
        file = self._file(path)
        self._step()
        file.data = file.data[:size]

    def sync(self, path: str) -> None:
        self._pause()
        node = self._node(path)
        if node is None:
            raise NotThere(f"{path}: nothing to sync")
        self._step()
        if isinstance(node, File):
            node.durable = node.data
        else:
            node.durable = dict(node.entries)

    def rename(self, old: str, new: str) -> None:
        self._pause()
        source, old_name = self._place(old)
        target, new_name = self._place(new)
        node = source.entries.get(old_name)
        if node is None:
            raise NotThere(f"{old}: nothing to rename")
        there = target.entries.get(new_name)
        if isinstance(there, Directory) and (isinstance(node, File) or there.entries):
            raise AlreadyThere(f"{new}: exists")
        if isinstance(there, File) and isinstance(node, Directory):
            raise StoreError(f"{new}: not a directory")
        self._step()
        del source.entries[old_name]
        target.entries[new_name] = node

    def make_directory(self, path: str) -> None:
        self._pause()
        directory, name = self._place(path)
        there = directory.entries.get(name)
        if isinstance(there, Directory):
            return
        if there is not None:
            raise AlreadyThere(f"{path}: exists")
        self._step(b"d")
        directory.entries[name] = Directory()

    def remove(self, path: str) -> None:
        self._pause()
        directory, name = self._place(path)
        node = directory.entries.get(name)
        if node is None:
            raise NotThere(f"{path}: nothing to remove")
        if isinstance(node, Directory) and node.entries:
            raise AlreadyThere(f"{path}: not empty")
        self._step()
        del directory.entries[name]

    def read(self, path: str, offset: int = 0, length: int = -1) -> bytes:
        data = self._file(path).data
        return data[offset:] if length < 0 else data[offset : offset + length]

    def kind(self, path: str) -> Kind | None:
        node = self._node(path)
        if node is None:
            return None
        return "file" if isinstance(node, File) else "directory"

    def list(self, path: str) -> tuple[Entry, ...]:
        node = self._node(path)
        if not isinstance(node, Directory):
            raise NotThere(f"{path}: no such directory")
        return tuple(
            Entry(name, "file" if isinstance(below, File) else "directory")
            for name, below in sorted(node.entries.items())
        )

    def node(self, path: str) -> Node | None:
        """Return what stands under a path: for a test that spoils it."""
        return self._node(path)

    def _next_crashes(self) -> bool:
        return self.steps + 1 == self._crash_at

    def _pause(self) -> None:
        """Let others act before the next step, which looks at the disk only then."""
        if act := self.between.pop(self.steps + 1, None):
            act()

    def _step(self, data: bytes = b"") -> None:
        self.steps += 1
        if self.steps == self._crash_at:
            self.dead = True
            raise Crashed(f"at step {self.steps}")
        if data and self.disk.full:
            raise StoreError("no space left on device")

    def _file(self, path: str) -> File:
        node = self._node(path)
        if not isinstance(node, File):
            raise NotThere(f"{path}: no such file")
        return node

    def _place(self, path: str) -> tuple[Directory, str]:
        parent, _, name = path.rpartition("/")
        node = self._node(parent)
        if name in ("", ".", ".."):
            raise PathRefused(path)
        if not isinstance(node, Directory):
            raise NotThere(f"{parent}: no such directory")
        return node, name

    def _node(self, path: str) -> Node | None:
        if self.dead:
            raise Crashed("this process is dead")
        node: Node | None = self.disk.root
        for name in path.split("/") if path else ():
            if name in ("", ".", ".."):
                raise PathRefused(path)
            node = node.entries.get(name) if isinstance(node, Directory) else None
        return node


def _copy(node: Node, copies: dict[int, Node]) -> Node:
    """Copy what is below; what has two names, now and after a loss of power, stays one thing."""
    if id(node) not in copies:
        if isinstance(node, Directory):
            return _copy_directory(node, copies)
        copies[id(node)] = copied = File(node.data)
        copied.durable = node.durable
    return copies[id(node)]


def _copy_directory(directory: Directory, copies: dict[int, Node]) -> Directory:
    copies[id(directory)] = copied = Directory()
    copied.entries = {name: _copy(below, copies) for name, below in directory.entries.items()}
    copied.durable = {name: _copy(below, copies) for name, below in directory.durable.items()}
    return copied


def _files(prefix: str, directory: Directory) -> Iterator[tuple[str, bytes]]:
    for name, node in directory.entries.items():
        if isinstance(node, File):
            yield prefix + name, node.data
        else:
            yield from _files(f"{prefix}{name}/", node)
