"""The child process that merges parts, so that the gateway's beat goes on meanwhile.

The parent (`formats.py`) writes one `Order` to its standard input and keeps that open: its end is the
parent's end, and the child's. The child answers with lines of JSON: `Moved` now and then, then
`Done` for each file, or `Broken`.
"""

from __future__ import annotations

import os
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Final, Literal

import msgspec

from mapreduce.errors import MapReduceError
from mapreduce_worker.engine.data_file import Style

INTERVAL: Final = 0.25
"""Seconds between two lines of progress."""


class Target(msgspec.Struct, frozen=True):
    """A new file, and the parts that go into it; absolute paths."""

    out: str
    parts: tuple[str, ...]


class Order(msgspec.Struct, frozen=True):
    """The files to write, one after the other, and how."""

    files: tuple[Target, ...]
    style: Style


class Moved(msgspec.Struct, frozen=True, tag=True):
    """How far the merge is, over all files."""

    records: int
    size: int


class Done(msgspec.Struct, frozen=True, tag=True):
    """One more file is written, in the order of the files."""

    records: int
    size: int
    checksum: str


class Broken(msgspec.Struct, frozen=True, tag=True):
    """The merge failed. corrupt: a part is not what was written. store: the disk is at fault. defect: we are."""

    message: str
    kind: Literal["corrupt", "store", "defect"]


Line = Moved | Done | Broken


def main() -> int:
    """Carry out the order on standard input."""
    order = msgspec.json.decode(sys.stdin.buffer.readline(), type=Order)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        _write(order)
    except BaseException as error:  # noqa: BLE001 - the end of this process: whatever it is, the parent is told
        return _tell(error)
    return 0


def _tell(error: BaseException) -> int:
    """Tell why the merge failed; return the status."""
    kind: Literal["corrupt", "store", "defect"] = "defect"
    if isinstance(error, MapReduceError):
        kind = "corrupt"
    elif isinstance(error, OSError):
        kind = "store"
    else:
        # Into the gateway's log: the message alone tells nobody where it was.
        traceback.print_exception(error)
    _say(Broken(f"{type(error).__name__}: {error}", kind))
    return 1


def _write(order: Order) -> None:
    # Only the child needs these: the parent imports this module for its messages.
    from mapreduce_worker.engine.merge import merge_files  # noqa: PLC0415 - see above
    from mapreduce_worker.slots import allocators  # noqa: PLC0415 - see above

    # Each block that is read, sorted and written wants as much as the one before it.
    allocators.keep_freed(allocators.LEAST)
    last = 0.0
    before = Moved(0, 0)

    def progress(records: int, size: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= INTERVAL:
            last = now
            _say(Moved(before.records + records, before.size + size))

    targets = [(list(map(Path, file.parts)), Path(file.out)) for file in order.files]
    for result in merge_files(targets, progress, order.style):
        before = Moved(before.records + result.records, before.size + result.size)
        _say(Done(result.records, result.size, result.checksum))


def _say(line: Line) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(line) + b"\n")
    sys.stdout.buffer.flush()


def _end_with_parent() -> None:
    """Standard input ends when the parent ends, however it does."""
    while sys.stdin.buffer.read(1):
        pass
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main())
