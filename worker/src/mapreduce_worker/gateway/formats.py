"""What the gateway asks of the engine about parts: look through one, make data files of all.

The engine is imported where it is first needed, or by `warm_up`, when the gateway has answered already; it brings
polars, which takes half a second, only with many rows or an output as parquet. Neighbours: `storage.py` (says what is
needed: `Formats`), `merge_process.py` (the child).
"""

from __future__ import annotations

import contextlib
import os
import selectors
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec

from mapreduce.errors import CorruptionError, SystemFault
from mapreduce_worker.engine.data_file import Style
from mapreduce_worker.gateway.data_files import Planned
from mapreduce_worker.gateway.merge_process import Broken, Done, Line, Moved, Order, Target
from mapreduce_worker.gateway.publishing import Abandoned
from mapreduce_worker.gateway.storage import Merged, PartFacts, Watch
from mapreduce_worker.gateway.store import PosixStore, StoreError

_POLL: Final = 0.2
"""Seconds between two questions whether the merge is still wanted."""
CHILD_FROM: Final = 8 << 20
"""Bytes of parts from which a merge is worth a process of its own, and a beat would suffer without one."""
_UNWANTED: Final = "the merge is not wanted any more"
_BROKEN: Final = {"corrupt": CorruptionError, "store": StoreError, "defect": SystemFault}
_lines: Final = msgspec.json.Decoder(Line)


def warm_up() -> None:
    """Import what the first part will need."""
    from mapreduce_worker.engine import merge, part  # noqa: F401, PLC0415 - see the module's docstring


def has_columns(facts: PartFacts, parts: int, style: Style) -> bool:
    """Tell whether parts like this one are merged here as columns, which needs Polars: `warm_up_columns`."""
    from mapreduce_worker.engine import blocks  # noqa: PLC0415 - see the module's docstring

    return style.by_key and facts.rows > blocks.SMALL_ROWS and facts.size * parts < CHILD_FROM


def warm_up_columns() -> None:
    """Import what a merge of columns will need, while reduces still run and their parts come."""
    import polars  # noqa: F401, PLC0415 - see the module's docstring


class EngineFormats:
    """The engine's parts on a mounted volume. `child`: a large merge runs in a process of its own."""

    def __init__(self, store: PosixStore, *, child: bool) -> None:
        self._store = store
        self._child = child

    def inspect(self, path: str, style: Style) -> PartFacts:
        """Look through the bytes of a part; raises `CorruptionError` if they are not those that were written, or if
        there can be no output of this style with them.
        """
        from mapreduce_worker.engine import merge, part  # noqa: PLC0415 - see the module's docstring

        local = self._store.local_path(path)
        merge.require_fit(local, style)
        found = part.verify(local)
        return PartFacts(checksum=found.checksum, rows=found.rows, size=found.size)

    def write(self, files: Sequence[Planned], style: Style, watch: Watch) -> list[Merged]:
        """Write new files, each from its parts."""
        order = Order(tuple(self._target(file) for file in files), style)
        try:
            if self._child and sum(os.stat(part).st_size for file in order.files for part in file.parts) >= CHILD_FROM:
                return write_in_child(order, watch)
            return _write_here(order, watch)
        except OSError as error:
            raise StoreError(f"writing the data files: {error}") from error

    def _target(self, file: Planned) -> Target:
        parts = tuple(str(self._store.local_path(part)) for part in file.parts)
        return Target(str(self._store.local_path(file.name)), parts)


def _write_here(order: Order, watch: Watch) -> list[Merged]:
    from mapreduce_worker.engine.merge import merge_files  # noqa: PLC0415 - see the module's docstring

    done: list[Merged] = []

    def progress(records: int, size: int) -> None:
        if not watch(sum(file.records for file in done) + records, sum(file.size for file in done) + size):
            raise Abandoned(_UNWANTED)

    targets = [(list(map(Path, file.parts)), Path(file.out)) for file in order.files]
    for result in merge_files(targets, progress, order.style):
        # One by one: `progress` looks at them.
        done.append(Merged(result.records, result.size, result.checksum))  # noqa: PERF401 - see above
    return done


def write_in_child(order: Order, watch: Watch) -> list[Merged]:
    """Write files in a child process; kills it once `watch` says that the result is not wanted."""
    # Its errors go where this process's go; it stays in this process's group, to be killed with it.
    child = subprocess.Popen(
        [sys.executable, "-P", "-m", "mapreduce_worker.gateway.merge_process"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        return _follow(child, order, watch)
    finally:
        child.kill()
        for pipe in (child.stdin, child.stdout):
            # Closing writes what is still buffered; a child that is dead does not want it.
            with contextlib.suppress(BrokenPipeError):
                if pipe is not None:
                    pipe.close()
        child.wait()


def _follow(child: subprocess.Popen[bytes], order: Order, watch: Watch) -> list[Merged]:
    records = size = 0
    done: list[Merged] = []
    for line in _answers(child, order):
        match line:
            case Moved():
                records, size = line.records, line.size
            case Done():
                done.append(Merged(line.records, line.size, line.checksum))
                if len(done) == len(order.files):
                    return done
            case Broken():
                raise _BROKEN[line.kind](line.message)
            case None:
                pass
        if not watch(records, size):
            raise Abandoned(_UNWANTED)
    raise SystemFault(f"the merge process ended with status {child.wait()} before it was done")


def _answers(child: subprocess.Popen[bytes], order: Order) -> Iterator[Line | None]:
    """Yield the child's lines as they come, and None when it has been silent for a while."""
    if child.stdin is None or child.stdout is None:
        raise SystemFault("the merge process has no pipes")
    try:
        child.stdin.write(msgspec.json.encode(order) + b"\n")
        child.stdin.flush()
    except OSError as error:
        raise SystemFault(f"the merge process did not start: {error}") from error
    descriptor = child.stdout.fileno()
    rest = b""
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, selectors.EVENT_READ)
        while True:
            if not selector.select(_POLL):
                yield None
                continue
            data = os.read(descriptor, 1 << 16)
            if not data:
                return
            *whole, rest = (rest + data).split(b"\n")
            yield from map(_lines.decode, whole)
