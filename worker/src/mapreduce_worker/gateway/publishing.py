"""From staged parts to the output's final name.

`prepare` puts everything that will be published into the staging directory, durable, the marker
`_SUCCESS` last. `finish` takes away what is not to be published, puts an older output aside if that is to be
replaced (`swapping.py`), and renames the directory. Whoever
finds the marker may finish; whoever does not finds everything that it needs to prepare again.
Neighbours: `storage.py`, the only caller; `merge_process.py`, which merges.
"""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

import msgspec

from mapreduce import bad_records, paths
from mapreduce.bad_records import BadRecord
from mapreduce.errors import CorruptionError, SystemFault
from mapreduce.history import Frame, HistoryEvent
from mapreduce.ids import AttemptId
from mapreduce.protocol import OutputSummary
from mapreduce_worker.gateway import data_files, durable, history_files, reservation, sealed, standing, swapping
from mapreduce_worker.gateway.data_files import OutputOptions, Planned, Written
from mapreduce_worker.gateway.report import Ending
from mapreduce_worker.gateway.standing import OutputExists
from mapreduce_worker.gateway.store import AlreadyThere, NotThere, Store

if TYPE_CHECKING:
    from mapreduce_worker.gateway.storage import Formats, Watch

_PUBLISHED = frozenset({paths.MANIFEST, paths.SUCCESS, paths.HISTORY})


class Abandoned(SystemFault):
    """The master does not want the output any more."""


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """Whose output it is, its final name, where it is prepared, and what it shall be like."""

    uid: str
    path: str
    staging: str
    options: OutputOptions


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """What goes into the output beside the merged parts; `staged` in the order of partitions, `bad` in that of the
    input."""

    frames: Iterator[Frame]
    staged: tuple[HistoryEvent, ...]
    manifest: bytes
    attempt: AttemptId
    wall: float
    job: bytes = b""
    bad: tuple[BadRecord, ...] = ()


class _Named(msgspec.Struct):
    name: str


class _Manifest(msgspec.Struct):
    """What is read back from a manifest."""

    uid: str
    output: OutputSummary
    files: tuple[_Named, ...]
    counters: dict[str, int] = {}
    left_out: tuple[str, ...] = ()


_manifest_of: Final = msgspec.json.Decoder(_Manifest).decode


def prepare(store: Store, formats: Formats, target: Target, content: Content, watch: Watch) -> OutputSummary:
    """Write output, history, manifest and marker into the staging directory, each one durable."""
    mark = str(content.attempt)
    files = _write_data(store, formats, target, content, watch)
    ending = Ending("Succeeded", content.wall)
    history_files.write(store, target.staging, _with_last_event(content), content.job, mark, ending=ending)
    summary = msgspec.structs.replace(data_files.summary(target.path, files), bad_records=len(content.bad))
    manifest = _manifest(target, content, summary, files)
    if content.bad:
        bad = posixpath.join(target.staging, paths.BAD_RECORDS)
        durable.write(store, bad, bad_records.render(content.bad), mark)
    durable.write(store, posixpath.join(target.staging, paths.MANIFEST), manifest, mark)
    if not watch(summary.records, summary.size):
        raise Abandoned("the publication was cancelled")
    durable.write(store, posixpath.join(target.staging, paths.SUCCESS), b"", mark)
    return summary


def finish(store: Store, target: Target) -> OutputSummary:
    """Remove what is not published and rename; needs the marker, and may be done again."""
    store.sync(target.staging)
    result = summary(store, target.staging, target.path)
    published = _PUBLISHED | {file.name for file in _read_manifest(store, target.staging).files}
    if result.bad_records:
        published |= {paths.BAD_RECORDS}
    for entry in store.list(target.staging):
        if entry.name not in published:
            durable.remove_tree(store, posixpath.join(target.staging, entry.name))
    store.sync(target.staging)
    if target.options.overwrite == "replace":
        swapping.put_aside(store, target.path, target.uid)
    try:
        store.rename(target.staging, target.path)
    except (AlreadyThere, NotThere) as error:
        # Another gateway of this job may have been faster.
        swapping.settle(store, target.path, target.uid, forward=True)
        if standing.published_by(store, target.path) != target.uid:
            raise OutputExists(f"{target.path!r} was made by someone else while the job ran") from error
        durable.remove_tree(store, target.staging)
    store.sync(posixpath.dirname(target.path))
    swapping.settle(store, target.path, target.uid, forward=True)
    reservation.release(store, target.path, target.uid)
    return result


def summary(store: Store, directory: str, path: str) -> OutputSummary:
    """Return what the manifest in a directory says of the output."""
    found = _read_manifest(store, directory)
    return msgspec.structs.replace(found.output, path=path, counters=found.counters, left_out=found.left_out)


def _read_manifest(store: Store, directory: str) -> _Manifest:
    name = posixpath.join(directory, paths.MANIFEST)
    try:
        return _manifest_of(sealed.check(store.read(name)))
    except (CorruptionError, msgspec.DecodeError) as error:
        raise CorruptionError(f"{name} is damaged: {error}") from error


def _write_data(store: Store, formats: Formats, target: Target, content: Content, watch: Watch) -> list[Written]:
    """Write the data files, under their names and durable."""
    planned = data_files.plan(target.staging, content.staged, target.options)
    finals = [posixpath.join(target.staging, file.name) for file in planned]
    temporaries = [durable.temporary_name(final, str(content.attempt)) for final in finals]
    for temporary in temporaries:
        durable.discard(store, temporary)
    wanted = [Planned(name, file.parts) for name, file in zip(temporaries, planned, strict=True)]
    merged = formats.write(wanted, data_files.style(content.staged, target.options), watch)
    for temporary, final in zip(temporaries, finals, strict=True):
        store.sync(temporary)
        store.rename(temporary, final)
    store.sync(target.staging)
    return [Written(file.name, one.records, one.size, one.checksum) for file, one in zip(planned, merged, strict=True)]


def _with_last_event(content: Content) -> Iterator[Frame]:
    """Yield the journal's frames; the history of a published job ends with `Publishing`."""
    last: HistoryEvent | None = None
    epoch = content.attempt.epoch
    for frame in content.frames:
        if isinstance(frame.entry, HistoryEvent):
            last = frame.entry
        yield frame
    if last is None or last.event != "Publishing":
        event = HistoryEvent(event="Publishing", wall=content.wall, task=content.attempt.task, attempt=content.attempt)
        yield Frame(epoch, 0, event)


def _manifest(target: Target, content: Content, output: OutputSummary, files: Sequence[Written]) -> bytes:
    """Return the manifest: what the master knows, and what the gateway has seen with its own eyes."""
    known = msgspec.json.decode(content.manifest or b"{}", type=dict[str, object])
    parts = [_part_fields(event) for event in content.staged]
    own: dict[str, object] = {"version": 1, "uid": target.uid, "output": output, "files": files, "parts": parts}
    if content.bad:
        own["bad_records"] = _bad_file(content.bad)
    return sealed.seal(known | own)


def _bad_file(found: Sequence[BadRecord]) -> Written:
    data = bad_records.render(found)
    checksum = f"sha256:{hashlib.sha256(data).hexdigest()}"
    return Written(paths.BAD_RECORDS, len(found), len(data), checksum)


def _part_fields(event: HistoryEvent) -> dict[str, object]:
    return {
        "partition": event.task.index if event.task is not None else None,
        "attempt": str(event.attempt),
        "rows": event.rows,
        "size": event.size,
        "checksum": event.checksum,
    }
