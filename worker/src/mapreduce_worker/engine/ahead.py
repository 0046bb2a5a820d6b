"""Items that are made in a thread, ahead of whoever takes them.

Where making and taking an item is work in C that leaves Python to others, as that of Polars is, two cores have work
where one had. Items come in their order, and an error in its place among them.
Caller: `merge`, which reads and merges parts while others become text.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from typing import Final, Generic, TypeVar

Item = TypeVar("Item")

MOST: Final = 16 << 20
"""Bytes of items that may wait to be taken; no item is made while there are more."""


def ahead(items: Iterable[Item], size_of: Callable[[Item], int], most: int = MOST) -> Generator[Item]:
    """Yield the items, which a thread makes while this one is busy with those before them.

    What is made and not yet done with, the item that was yielded last too, is at most one more than has `most` bytes.
    The thread is gone at the end, also where that is an error, or nobody takes the rest.
    """
    shared: _Shared[Item] = _Shared(most)
    with shared.made_by(lambda: _make(iter(items), size_of, shared)):
        while (found := shared.take()) is not None:
            item, size = found
            # Who waits for the next item holds none.
            del found
            yield item
            del item
            shared.free(size)


def _make(items: Iterator[Item], size_of: Callable[[Item], int], shared: _Shared[Item]) -> None:
    try:
        while shared.wait_for_room():
            try:
                item = next(items)
            except StopIteration:
                break
            shared.put(item, size_of(item))
            del item
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is raised where items are taken
        shared.fail(error)
    shared.end()


class _Shared(Generic[Item]):
    """What both threads look at."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._changed = threading.Condition()
        self._waiting: deque[tuple[Item, int]] = deque()
        self._held = 0
        self._ended = self._unwanted = False
        self._error: BaseException | None = None

    @contextmanager
    def made_by(self, work: Callable[[], None]) -> Iterator[None]:
        """Have a thread for a while; afterwards it is told that nothing is wanted any more, and waited for."""
        thread = threading.Thread(target=work, name="ahead", daemon=True)
        thread.start()
        try:
            yield
        finally:
            with self._changed:
                self._unwanted = True
                self._changed.notify_all()
            thread.join()

    def wait_for_room(self) -> bool:
        """Wait until an item may be made; tell whether one is wanted."""
        with self._changed:
            self._changed.wait_for(lambda: self._unwanted or self._held <= self._most)
            return not self._unwanted

    def put(self, item: Item, size: int) -> None:
        with self._changed:
            self._waiting.append((item, size))
            self._held += size
            self._changed.notify_all()

    def fail(self, error: BaseException) -> None:
        with self._changed:
            self._error = error

    def end(self) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def take(self) -> tuple[Item, int] | None:
        """Wait for the next item; return it with its bytes, or None where none comes. Raises what making one did."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._ended)
            if self._waiting:
                return self._waiting.popleft()
            if self._error is not None:
                raise self._error
            return None

    def free(self, size: int) -> None:
        """Take note that nobody needs an item of so many bytes any more."""
        with self._changed:
            self._held -= size
            self._changed.notify_all()
