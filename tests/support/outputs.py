"""Builders of jobs that write an output: parts, journal frames, and formats without an engine."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

from mapreduce.errors import CorruptionError
from mapreduce.history import Frame, HistoryEvent
from mapreduce.ids import AttemptId, Kind, TaskId
from mapreduce_worker.engine.data_file import Style
from mapreduce_worker.gateway import data_files
from mapreduce_worker.gateway.data_files import OutputOptions, Planned
from mapreduce_worker.gateway.publishing import Abandoned
from mapreduce_worker.gateway.storage import Merged, Output, PartFacts, PartToStage, Watch
from mapreduce_worker.gateway.store import Store

UID = "uid-1"
PATH = "results/wc"


class LineFormats:
    """Parts are lines; merging by key sorts all of them. The checksum is a CRC-32."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def inspect(self, path: str, style: Style) -> PartFacts:
        data = self._store.read(path)
        if data and not data.endswith(b"\n"):
            raise CorruptionError(f"{path} is cut off")
        return facts(data)

    def write(self, files: Sequence[Planned], style: Style, watch: Watch) -> list[Merged]:
        return [self._write(file, style, watch) for file in files]

    def _write(self, file: Planned, style: Style, watch: Watch) -> Merged:
        lines = [line for part in file.parts for line in self._store.read(part).splitlines(keepends=True)]
        data = b"".join(sorted(lines) if style.by_key else lines)
        if not watch(len(lines), len(data)):
            raise Abandoned("cancelled")
        self._store.append(file.name, data[: len(data) // 2])
        self._store.append(file.name, data[len(data) // 2 :])
        return Merged(len(lines), len(data), f"crc:{zlib.crc32(data)}")


def facts(data: bytes) -> PartFacts:
    return PartFacts(checksum=f"crc:{zlib.crc32(data)}", rows=data.count(b"\n"), size=len(data))


def attempt(kind: Kind, index: int = 0, epoch: int = 1, number: int = 0) -> AttemptId:
    return AttemptId(TaskId(0, kind, index), epoch, number)


def make_output(
    store: Store,
    *,
    uid: str = UID,
    path: str = PATH,
    partitions: int = 2,
    options: OutputOptions = data_files.DEFAULTS,
) -> Output:
    return Output(store, LineFormats(store), uid=uid, path=path, partitions=partitions, options=options)


def part(partition: int, data: bytes, epoch: int = 1) -> PartToStage:
    return PartToStage(
        attempt=attempt("stage", partition, epoch),
        partition=partition,
        source=attempt("reduce", partition, epoch),
        facts=facts(data),
    )


def stage(output: Output, partition: int, data: bytes, epoch: int = 1, wall: float = 5.0) -> HistoryEvent:
    wanted = part(partition, data, epoch)
    temporary = output.incoming(wanted)
    output.receive(temporary, data[:3])
    output.receive(temporary, data[3:])
    return output.stage(wanted, temporary, wall)


def opened_epoch(epoch: int = 1, sequence: int = 1) -> Frame:
    return Frame(epoch, sequence, HistoryEvent(event="EpochOpened", wall=1.0))
