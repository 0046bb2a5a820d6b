"""What is made of a store's steps: files that are whole or absent, trees that are gone.

Neighbours: `store.py` has the steps; `storage.py`, `journal.py` and `publishing.py` use these.
"""

from __future__ import annotations

import contextlib
import posixpath
from collections.abc import Collection

from mapreduce_worker.gateway.store import Kind, NotThere, Store, StoreError


def write(store: Store, path: str, data: bytes, mark: str) -> None:
    """Put `data` under `path`, whole and durable or not at all.

    `mark` makes the temporary name one that no other writer uses: an attempt's name.
    """
    temporary = temporary_name(path, mark)
    discard(store, temporary)
    store.append(temporary, data)
    commit(store, temporary, path)


def commit(store: Store, temporary: str, path: str) -> None:
    """Give a finished temporary file its final name, durably."""
    store.sync(temporary)
    store.rename(temporary, path)
    store.sync(posixpath.dirname(path))


def temporary_name(path: str, mark: str) -> str:
    """Return the name beside `path` under which one writer prepares it."""
    parent, name = posixpath.split(path)
    return posixpath.join(parent, f".{name}.{mark}.tmp")


def make_directories(store: Store, path: str, within: str = "") -> int:
    """Make a directory and those above it, durably; return how many were not there.

    One that is there already may have been made by a process that died before it was durable, so
    the names above it are synced too, as far as they may be read: those that may not are the user's.
    `within`: a directory that is durable, as this process knows; nothing is done for what is above it.
    """
    if path in ("", within):
        return 0
    parent = posixpath.dirname(path)
    if store.kind(path) == "directory":
        while path not in ("", within):
            path = posixpath.dirname(path)
            with contextlib.suppress(StoreError):
                store.sync(path)
        return 0
    made = make_directories(store, parent, within) + 1
    store.make_directory(path)
    store.sync(parent)
    return made


def discard(store: Store, path: str) -> bool:
    """Remove a file if it is there, and tell whether it was."""
    try:
        store.remove(path)
    except NotThere:
        return False
    return True


def remove_tree(store: Store, path: str, last: Collection[str] = ()) -> None:
    """Remove whatever stands under `path`, links unfollowed; no error if nothing does.

    `last` names the entries of the top directory that go after all others: while a tree is partly
    gone it still shows what it was.
    """
    kind: Kind | None = store.kind(path)
    if kind == "directory":
        entries = _entries(store, path)
        for name in sorted(entries, key=lambda name: (name in last, name)):
            remove_tree(store, posixpath.join(path, name))
    if kind is not None:
        discard(store, path)


def read_if_there(store: Store, path: str) -> bytes | None:
    """Return a file's bytes, or None if nothing stands under that name."""
    try:
        return store.read(path)
    except NotThere:
        return None


def _entries(store: Store, path: str) -> list[str]:
    try:
        return [entry.name for entry in store.list(path)]
    except NotThere:
        return []
