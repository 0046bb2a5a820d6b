"""What a job does to its output's store: reserve, journal, stage, publish, clean.

Synchronous; used by the gateway (in threads) and by `--sequential`. Every operation may be broken off
at any step and begun again, by this process or by the next gateway: it looks at what stands and does the
rest. Neighbours: `reservation.py` (the name), `journal.py`, `publishing.py` (from parts to the final
name), `store.py` (the only door to the disk), `core/gateway.py` (decides which operation runs when).
"""

from __future__ import annotations

import contextlib
import errno
import posixpath
import threading
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Final, Protocol

import msgspec

from mapreduce import paths
from mapreduce.bad_records import BadRecord
from mapreduce.errors import CorruptionError, OutputError, SystemFault
from mapreduce.history import Frame, HistoryEvent
from mapreduce.ids import AttemptId
from mapreduce.protocol import OutputSummary
from mapreduce_worker.engine.data_file import Style
from mapreduce_worker.gateway import data_files, durable, history_files, publishing, reservation, standing, swapping
from mapreduce_worker.gateway.data_files import OutputOptions, Planned
from mapreduce_worker.gateway.journal import Journal
from mapreduce_worker.gateway.reservation import OutputContested, OutputReserved
from mapreduce_worker.gateway.standing import OutputExists
from mapreduce_worker.gateway.store import PathRefused, Store, StoreError

_NEVER: Final = frozenset({errno.ENAMETOOLONG, errno.EINVAL, errno.ENOTDIR, errno.ELOOP, errno.EROFS})
"""Errors that lie in the output's path, or in what it stands on, and not in the moment."""


class OutputImpossible(OutputError):
    """The volume can have no output of that name."""


class PartFacts(msgspec.Struct, frozen=True):
    """What a part is, by its worker's word or by looking: the checksum is the engine's."""

    checksum: str
    rows: int
    size: int


class Merged(msgspec.Struct, frozen=True):
    """What went into one data file; the checksum is `sha256:<hex>` of the file's bytes."""

    records: int
    size: int
    checksum: str


Watch = Callable[[int, int], bool]
"""Is told now and then how many records and bytes are done; answers whether the result is still wanted."""


class Formats(Protocol):
    """What the engine knows of parts: `formats.EngineFormats`, or a fake one in a simulation."""

    def inspect(self, path: str, style: Style) -> PartFacts:
        """Read a part to its end; raises `CorruptionError` if it is not what was written, or does not fit the style."""

    def write(self, files: Sequence[Planned], style: Style, watch: Watch) -> Sequence[Merged]:
        """Write new files, each from its parts; raises `Abandoned` once `watch` says no."""


class Opening(msgspec.Struct, frozen=True):
    """What opening found: the journal's frames, or the output itself, published before."""

    pages: tuple[tuple[Frame, ...], ...] = ()
    published: OutputSummary | None = None


class PartToStage(msgspec.Struct, frozen=True, kw_only=True):
    """One part: which attempt `stage` runs for it, which one made it, what it must be.

    Of a job without reduce `partition` is the index of the map, and `records` what it read.
    """

    attempt: AttemptId
    partition: int
    source: AttemptId
    facts: PartFacts
    records: int = 0
    counters: dict[str, int] = {}
    bad: tuple[BadRecord, ...] = ()


class Output:
    """The output of one job on a store, from reservation to its final name.

    `open` comes first. Operations on different partitions may run at once (`stage`), the others
    alone; `append` may run beside `stage`.
    """

    def __init__(  # noqa: PLR0913 - what an output is, one by one
        self,
        store: Store,
        formats: Formats,
        *,
        uid: str,
        path: str,
        partitions: int,
        options: OutputOptions = data_files.DEFAULTS,
        job: bytes = b"",
    ) -> None:
        """`path` is the output's final name, relative to the store's root; `job` what `kept_job` says of the job."""
        self.uid = uid
        self.path = path.rstrip("/")
        self.staging = paths.staging(self.path, uid)
        self._journal_path = posixpath.join(self.staging, paths.JOURNAL)
        self._partitions = partitions
        self._options = options
        self._job = job
        self._store = store
        self._formats = formats
        self._journal: Journal | None = None
        self._lock = threading.Lock()
        self._folders: set[str] = set()
        """Folders of parts that are durable since the output was opened."""

    # --- open -----------------------------------------------------------------------------

    def open(self, live_jobs: Collection[str] = (), dead_jobs: Collection[str] = (), *, judge: str = "") -> Opening:
        """Reserve the name and open the journal, or find that all is published.

        Finishes a publication that was broken off after its last file was durable. What jobs of
        `dead_jobs` left is swept, if `judge` can tell. Raises `OutputExists`, `OutputReserved`, `OutputContested` where
        others of whom nothing is known left something, `OutputInside`, `OutputImpossible`,
        `CorruptionError` (the journal).
        """
        self._journal = None
        self._folders.clear()
        if not paths.fit(self.path, self.uid):
            raise OutputImpossible(f"the name of the output {self.path!r} is too long")
        try:
            return self._open(reservation.Others(live_jobs, dead_jobs, judge))
        except StoreError as error:
            if not (isinstance(error.__cause__, OSError) and error.__cause__.errno in _NEVER):
                raise
            with contextlib.suppress(StoreError):
                reservation.release(self._store, self.path, self.uid)
            raise OutputImpossible(f"the output {self.path!r} cannot be made: {error}") from error

    def _open(self, known: reservation.Others) -> Opening:
        summary = self.published()
        if summary is not None:
            return Opening(published=summary)
        is_new = reservation.holder(self._store, self.path) != self.uid
        if is_new:
            reservation.require_outside(self._store, self.path, self.uid, known)
        others = reservation.left_beside(self._store, self.path, self.uid)
        if unknown := set(others) - set(known.live) - set(known.dead):
            raise OutputContested(self.path, unknown)
        reservation.reserve(self._store, self.path, self.uid, known)
        if is_new:
            self._require_outside_still(known)
        swapping.settle(self._store, self.path, self.uid, forward=True)
        reservation.sweep_orphans(self._store, self.path, self.uid, known)
        if (summary := self.published()) is not None:
            return Opening(published=summary)
        try:
            standing.require_room(self._store, self.path, self._options.overwrite)
        except OutputExists:
            reservation.release(self._store, self.path, self.uid)
            raise
        if standing.is_complete(self._store, self.staging):
            return Opening(published=publishing.finish(self._store, self._target()))
        durable.make_directories(self._store, self.staging)
        self._store.sync(posixpath.dirname(self.staging))
        journal = Journal(self._store, self._journal_path)
        pages = journal.recover()
        self._journal = journal
        return Opening(pages=pages)

    def _require_outside_still(self, known: reservation.Others) -> None:
        """Look again, now that others see this job's lock: who took a name above it in between may not have."""
        try:
            reservation.require_outside(self._store, self.path, self.uid, known)
        except OutputError:
            reservation.release(self._store, self.path, self.uid)
            raise

    def published(self) -> OutputSummary | None:
        """Return what was published if the final directory carries this job's uid.

        A lock, and an older output, that outlived the rename are removed.
        """
        if standing.published_by(self._store, self.path) != self.uid:
            return None
        self._store.sync(posixpath.dirname(self.path))
        swapping.settle(self._store, self.path, self.uid, forward=True)
        reservation.release(self._store, self.path, self.uid)
        return publishing.summary(self._store, self.path, self.path)

    # --- journal --------------------------------------------------------------------------

    def append(self, frames: Iterable[Frame]) -> int:
        """Make the master's frames durable; return the highest sequence of their epoch that is."""
        with self._lock:
            return self._opened().append(frames)

    def written(self, epoch: int) -> int:
        """Return the highest sequence of that epoch in the journal."""
        with self._lock:
            return self._opened().written(epoch)

    # --- stage ----------------------------------------------------------------------------

    def staged(self, part: PartToStage) -> HistoryEvent | None:
        """Return the event of a part that is staged already, if it is equal: it need not be fetched."""
        with self._lock:
            before = self._opened().staged.get(part.partition)
        return before if before is not None and before.checksum == part.facts.checksum else None

    def incoming(self, part: PartToStage) -> str:
        """Make room for a part and return the temporary name under which to put its bytes."""
        name = paths.part(self.staging, part.source.task.step, part.partition)
        # `open` has made the staging directory durable. Hundreds of parts go into one folder.
        folder = posixpath.dirname(name)
        if folder not in self._folders:
            durable.make_directories(self._store, folder, within=self.staging)
            self._folders.add(folder)
        temporary = durable.temporary_name(name, str(part.attempt))
        durable.discard(self._store, temporary)
        return temporary

    def receive(self, temporary: str, data: bytes) -> None:
        """Write some bytes of a part that arrives."""
        self._store.append(temporary, data)

    def discard(self, temporary: str) -> None:
        """Forget a part whose fetch failed."""
        durable.discard(self._store, temporary)

    def stage(self, part: PartToStage, temporary: str, wall: float) -> HistoryEvent:
        """Check the part that was put under `temporary`, make it durable, and journal it.

        Returns the event of what is staged. A part that is staged already is not replaced by an
        equal one of another attempt. Raises `CorruptionError` if the bytes are not those that the
        worker promised.
        """
        try:
            self._check(part, temporary)
        except CorruptionError:
            durable.discard(self._store, temporary)
            raise
        self._store.sync(temporary)
        name = paths.part(self.staging, part.source.task.step, part.partition)
        with self._lock:
            before = self._opened().staged.get(part.partition)
            if before is not None and before.checksum == part.facts.checksum:
                durable.discard(self._store, temporary)
                return before
            self._store.rename(temporary, name)
            self._store.sync(posixpath.dirname(name))
            event = HistoryEvent(
                event="Staged",
                wall=wall,
                task=part.source.task,
                attempt=part.source,
                checksum=part.facts.checksum,
                rows=part.facts.rows,
                size=part.facts.size,
                records=part.records,
                counters=part.counters,
                bad=part.bad,
            )
            self._opened().append([Frame(max(part.attempt.epoch, self._opened().epoch), 0, event)])
        return event

    def _check(self, part: PartToStage, temporary: str) -> None:
        style = data_files.style_of(self._options, of_maps=part.source.task.kind == "map")
        found = self._formats.inspect(temporary, style)
        if found != part.facts:
            raise CorruptionError(f"part {part.partition} of {part.source} is {found}, but should be {part.facts}")

    # --- publish --------------------------------------------------------------------------

    def publish(  # noqa: PLR0913 - what is published, one by one
        self,
        attempt: AttemptId,
        manifest: bytes,
        wall: float,
        watch: Watch = lambda records, size: True,
        *,
        parts: int | None = None,
        left_out: Collection[int] = (),
        bad: tuple[BadRecord, ...] = (),
    ) -> OutputSummary:
        """Merge the parts and give the whole directory its final name, by one rename.

        `manifest` is JSON: what the master knows. `parts` is how many there are, unless one a
        partition; those `left_out` are missing. `bad`: records that are in none, in the order of the
        input. Raises `Abandoned` once `watch` says no, if that is before everything is durable;
        `OutputReserved` if the name was lost.
        """
        summary = self.published()
        if summary is not None:
            return summary
        if reservation.holder(self._store, self.path) != self.uid:
            raise OutputReserved(f"the reservation of {self.path!r} was taken by another job")
        if self._options.overwrite == "refuse" and self._store.kind(self.path) is not None:
            raise OutputExists(f"{self.path!r} was made by someone else while the job ran")
        target = self._target()
        if not standing.is_complete(self._store, self.staging):
            journal = self._opened()
            content = publishing.Content(
                frames=journal.read(),
                staged=self._all_staged(journal, self._partitions if parts is None else parts, left_out),
                manifest=manifest,
                attempt=attempt,
                wall=wall,
                bad=bad,
                job=self._job,
            )
            publishing.prepare(self._store, self._formats, target, content, watch)
        self._journal = None
        return publishing.finish(self._store, target)

    def _all_staged(self, journal: Journal, parts: int, left_out: Collection[int]) -> tuple[HistoryEvent, ...]:
        staged = journal.staged
        wanted = [part for part in range(parts) if part not in left_out]
        missing = [part for part in wanted if part not in staged]
        if missing:
            raise SystemFault(f"{len(missing)} of {parts} parts are not staged, the first is {missing[0]}")
        return tuple(staged[part] for part in wanted)

    # --- clean ----------------------------------------------------------------------------

    def clean_failed(self) -> None:
        """Keep only the history, in the staging directory, and give the name back."""
        if self._is_out_of_reach() or self.published() is not None:
            return
        swapping.settle(self._store, self.path, self.uid, forward=False)
        self._keep_history()
        reservation.release(self._store, self.path, self.uid)

    def clean_deleted(self) -> None:
        """Remove all that an unfinished job made. An output that was published stays, and one that it would replace."""
        self._journal = None
        if self._is_out_of_reach() or self.published() is not None:
            return
        swapping.settle(self._store, self.path, self.uid, forward=False)
        made = self._made_before()
        durable.remove_tree(self._store, self.staging, last=(paths.JOURNAL, paths.MADE, paths.MANIFEST))
        reservation.release(self._store, self.path, self.uid)
        reservation.remove_made(self._store, self.path, made)

    def _is_out_of_reach(self) -> bool:
        """Tell whether the output's path is refused: where nothing may be written there is nothing to clean."""
        try:
            self._store.kind(self.path)
        except PathRefused:
            return True
        return False

    def _made_before(self) -> int:
        """Return how many directories a failed job, which gave its lock back, had made."""
        data = durable.read_if_there(self._store, posixpath.join(self.staging, paths.MADE)) or b""
        return int(data) if data.isdigit() else 0

    def _keep_history(self) -> None:
        if self._store.kind(self.staging) != "directory":
            return
        if self._store.kind(self._journal_path) is not None:
            frames = Journal(self._store, self._journal_path).read()
            history_files.write(self._store, self.staging, frames, self._job)
        self._journal = None
        if made := reservation.made_by(self._store, self.path, self.uid):
            durable.write(self._store, posixpath.join(self.staging, paths.MADE), b"%d" % made, self.uid)
        for entry in self._store.list(self.staging):
            if entry.name not in (paths.HISTORY, paths.JOURNAL, paths.MADE):
                durable.remove_tree(self._store, posixpath.join(self.staging, entry.name))
        durable.discard(self._store, self._journal_path)
        self._store.sync(self.staging)

    def _target(self) -> publishing.Target:
        return publishing.Target(uid=self.uid, path=self.path, staging=self.staging, options=self._options)

    def _opened(self) -> Journal:
        if self._journal is None:
            raise SystemFault("the output was not opened")
        return self._journal
