"""Who may write an output: a lock file that holds the uid of the one job that does.

The lock is made exclusively, so of two jobs one wins before either has planned anything. A lock whose
job is known to be dead is swept, with what that job left in its staging directory. Dead is only who
was found dead after its lock was seen: a list of the living is old as soon as it is made, and lacks the
job that made its lock since. And dead is only whose lock says that it has the same judge as this job
(one operator with the namespaces that it lists, or this machine): of a job that another judge would have to
look for, nothing is known here, and it counts as living.
Two sweepers may meet, and a volume may make the lock and its content in two steps; so a lock is looked at
again after it was made, and once more before publishing.
Neighbours: `storage.py`, which reserves first and releases last.
"""

from __future__ import annotations

import contextlib
import posixpath
import re
import struct
from collections.abc import Collection
from typing import Final

import msgspec

from mapreduce import history, paths
from mapreduce.errors import CorruptionError, OutputError
from mapreduce_worker.gateway import durable, standing, swapping
from mapreduce_worker.gateway.store import AlreadyThere, NotThere, Store, StoreError

_TRIES: Final = 16
_UID: Final = re.compile(r"[A-Za-z0-9_-]{1,128}")
_FRAME: Final = struct.Struct(">II")
_OURS: Final = {paths.JOURNAL, paths.HISTORY, paths.MADE, paths.PARTS}


class OutputReserved(OutputError):
    """Another job that lives holds the output's name."""


class OutputInside(OutputError):
    """The output would stand inside what another job has made."""


class OutputContested(OutputError):
    """Others left something at the output's name; nothing was done. `uids`: it must be found out who of them lives."""

    def __init__(self, output: str, uids: Collection[str]) -> None:
        self.uids = tuple(sorted(uids))
        super().__init__(f"other jobs left something at {output!r}: {', '.join(self.uids)}")


class Others(msgspec.Struct, frozen=True):
    """What is known of other jobs: who lives, who is dead, and who says so.

    judge: who can tell the dead; empty for this machine, whose jobs carry its name in their uids.
    """

    live: Collection[str] = ()
    dead: Collection[str] = ()
    judge: str = ""


NOBODY: Final = Others()


def reserve(store: Store, output: str, uid: str, others: Others = NOBODY) -> None:
    """Take the output's name for the job `uid`, durably; again if it has it already.

    Raises `OutputReserved` where a living job has it, or one that has another judge, `OutputContested` where
    one has it of which nothing is known.
    """
    if not _UID.fullmatch(uid):
        raise OutputError(f"the job's uid {uid!r} cannot be part of a file name")
    lock = paths.lock(output)
    made = _finish_sweep(store, output, uid, others)
    for _ in range(_TRIES):
        owner = holder(store, output)
        if owner == uid:
            store.sync(lock)
            store.sync(posixpath.dirname(lock))
            return
        if owner is None:
            made = _try_create(store, output, (uid, others.judge), made)
        elif owner in others.live:
            raise OutputReserved(f"another job (uid {owner}) is writing to {output!r}")
        elif owner and owner not in others.dead:
            raise OutputContested(output, [owner])
        elif owner and is_foreign(store, output, others):
            raise OutputReserved(_foreign(output, owner))
        else:
            made = max(made, _sweep(store, output, uid, others))
    raise OutputReserved(f"no lock can be made for {output!r}: the folder takes no file, or others make theirs")


def is_foreign(store: Store, output: str, others: Others) -> bool:
    """Tell whether there is a lock whose job only another judge can tell to be dead."""
    data = durable.read_if_there(store, paths.lock(output))
    return data is not None and _judge(data) != others.judge


def _foreign(output: str, owner: str) -> str:
    return (
        f"another job (uid {owner}), of another cluster, operator or machine, holds {output!r}; whether it lives "
        f"cannot be told from here: if it does not, remove {paths.lock(output)!r}"
    )


def require_outside(store: Store, output: str, uid: str, others: Others = NOBODY) -> None:
    """Raise an error if the output would stand inside another job's output, or in its staging directory.

    That is `OutputInside`, and of an output that is being made `OutputReserved`, or `OutputContested` while it
    is not known whether its job lives.
    """
    above = posixpath.dirname(output)
    while above:
        owner = holder(store, above)
        if owner in others.live and owner != uid:
            raise OutputReserved(f"{output!r} is inside {above!r}, which another job (uid {owner}) is writing")
        if owner and owner != uid and owner not in others.dead:
            raise OutputContested(output, [owner])
        if owner and owner != uid and is_foreign(store, above, others):
            raise OutputReserved(_foreign(above, owner))
        if standing.published_by(store, above) is not None or _is_anothers_staging(store, above):
            raise OutputInside(f"{output!r} is inside {above!r}, which belongs to another job; choose another place")
        above = posixpath.dirname(above)


def _is_anothers_staging(store: Store, directory: str) -> bool:
    parent, name = posixpath.split(directory)
    of, _, owner = name.removeprefix(".").rpartition(".")
    return bool(of) and name.startswith(".") and _left_staging(store, posixpath.join(parent, of), owner)


def holder(store: Store, output: str) -> str | None:
    """Return the uid in the lock; empty for a lock that was never finished, None for no lock."""
    data = durable.read_if_there(store, paths.lock(output))
    return None if data is None else _owner(data)


def release(store: Store, output: str, uid: str) -> None:
    """Give the name back if the job holds it; doing it twice is harmless.

    The directories that were made for the output go too, if nothing is left in them. A lock that was never
    finished may be this job's, whose gateway crashed while it made it: it is swept, as whoever comes next would.
    """
    lock = paths.lock(output)
    durable.discard(store, _aside(output, uid))
    made = made_by(store, output, uid)
    owner = holder(store, output)
    if owner == uid:
        durable.discard(store, lock)
    elif owner == "":
        _sweep(store, output, uid, NOBODY)
    if store.kind(posixpath.dirname(lock)) == "directory":
        store.sync(posixpath.dirname(lock))
    remove_made(store, output, made)


def made_by(store: Store, output: str, uid: str) -> int:
    """Return how many directories above the output the lock of this job says were made for it."""
    data = durable.read_if_there(store, paths.lock(output))
    return _made(data) if data is not None and _owner(data) == uid else 0


def remove_made(store: Store, output: str, made: int) -> None:
    """Remove so many directories above the output, from below, as far as they are empty."""
    directory = posixpath.dirname(output)
    for _ in range(made):
        if not directory or store.kind(directory) != "directory":
            return
        try:
            store.remove(directory)
        except StoreError:
            # Something stands in it, or another removes it: it need not go.
            return
        directory = posixpath.dirname(directory)
        store.sync(directory)


def left_beside(store: Store, output: str, uid: str) -> tuple[str, ...]:
    """Return the uids of the other jobs that left a lock or a staging directory at this output."""
    parent, name = posixpath.split(output)
    if store.kind(parent) != "directory":
        return ()
    prefix = f".{name}."
    entries = [entry for entry in store.list(parent) if entry.kind == "directory" and entry.name.startswith(prefix)]
    owners = {entry.name.removeprefix(prefix).removesuffix(swapping.SUFFIX) for entry in entries}
    left = {owner for owner in owners if _left_staging(store, output, owner) or _left_aside(store, output, owner)}
    return tuple(sorted((left | {holder(store, output) or ""}) - {uid, ""}))


def sweep_orphans(store: Store, output: str, uid: str, others: Others) -> None:
    """Finish what dead jobs were replacing, and remove the staging directories that they left beside this output.

    Their locks are gone, so that no judge is known but of a uid that tells it: others' stay.
    """
    for owner in left_beside(store, output, uid):
        if owner in others.dead and not others.judge:
            remove_staging(store, output, owner)


def remove_staging(store: Store, output: str, owner: str) -> None:
    """Remove a dead job's staging directory, if it is one: a user's own hidden folder stays.

    Before that, what the job was replacing is finished: the staging directory may be all there is of the output.
    """
    if not _UID.fullmatch(owner):
        return
    swapping.settle(store, output, owner, forward=True)
    staging = paths.staging(output, owner)
    if _left_staging(store, output, owner):
        durable.remove_tree(store, staging, last=(paths.JOURNAL, paths.MANIFEST))


def _left_staging(store: Store, output: str, owner: str) -> bool:
    """Tell whether the job `owner` has a staging directory for this output."""
    staging = paths.staging(output, owner)
    return bool(_UID.fullmatch(owner)) and store.kind(staging) == "directory" and _is_staging(store, staging, owner)


def _left_aside(store: Store, output: str, owner: str) -> bool:
    """Tell whether the job `owner` was replacing an older output and has not come to the end of it."""
    return bool(_UID.fullmatch(owner)) and standing.published_by(store, paths.replaced(output, owner)) is not None


def _is_staging(store: Store, staging: str, owner: str) -> bool:
    """Tell by its content: a journal that is one, our manifest, or no more than a history."""
    names = {entry.name for entry in store.list(staging)}
    if paths.MANIFEST in names:
        return standing.published_by(store, staging) == owner
    if paths.JOURNAL in names:
        return _is_journal(store, posixpath.join(staging, paths.JOURNAL), or_empty=names <= _OURS)
    return names <= {paths.HISTORY, paths.MADE}


def _is_journal(store: Store, path: str, *, or_empty: bool) -> bool:
    """Tell whether a file begins with a frame of a journal, whatever its name says."""
    if store.kind(path) != "file":
        return False
    head = store.read(path, 0, _FRAME.size)
    if len(head) < _FRAME.size:
        return not head and or_empty
    length = _FRAME.unpack(head)[0]
    if length > history.MAX_FRAME:
        return False
    try:
        return bool(history.unpack(store.read(path, 0, _FRAME.size + length))[0])
    except CorruptionError:
        return False


def _try_create(store: Store, output: str, who: tuple[str, str], made: int) -> int:
    """Make the lock, if nobody is faster; return how many directories above it were made by now.

    who: the job's uid and its judge.
    """
    lock = paths.lock(output)
    # Another job that ends may remove an empty directory beneath our hands: the caller tries again.
    with contextlib.suppress(AlreadyThere, NotThere):
        made = max(made, durable.make_directories(store, posixpath.dirname(lock)))
        store.create(lock, _content(*who, made))
    return made


def _sweep(store: Store, output: str, uid: str, others: Others) -> int:
    """Take a dead job's lock away by a rename, which only one of several sweepers wins; return what it had made."""
    try:
        store.rename(paths.lock(output), _aside(output, uid))
    except NotThere:
        return 0
    return _finish_sweep(store, output, uid, others)


def _finish_sweep(store: Store, output: str, uid: str, others: Others) -> int:
    """Look at the lock that was taken away: of a dead job it goes, of any other it goes back.

    Returns how many directories the dead one had made: they are ours now.
    """
    aside = _aside(output, uid)
    data = durable.read_if_there(store, aside)
    if data is None:
        return 0
    owner, made = _owner(data), _made(data)
    if owner and owner != uid and (owner not in others.dead or _judge(data) != others.judge):
        # A third job may be faster: the live one will see before it publishes that it has lost its name.
        with contextlib.suppress(AlreadyThere):
            store.create(paths.lock(output), data)
        store.sync(posixpath.dirname(aside))
        made = 0
    elif owner and owner != uid:
        remove_staging(store, output, owner)
    durable.discard(store, aside)
    return made


def _aside(output: str, uid: str) -> str:
    return f"{paths.lock(output)}.{uid}"


def _content(uid: str, judge: str, made: int) -> bytes:
    fields = [uid, str(made), judge] if judge else [uid, str(made)] if made else [uid]
    return ("\t".join(fields) + "\n").encode()


def _owner(data: bytes) -> str:
    """Return the uid in a lock's bytes, empty unless they are whole (the newline is the end) and name a job."""
    uid = _field(data, 0)
    return uid if _UID.fullmatch(uid) else ""


def _made(data: bytes) -> int:
    """Return how many directories a lock says were made for it; 0 unless it is whole."""
    made = _field(data, 1)
    return int(made) if made.isascii() and made.isdigit() else 0


def _judge(data: bytes) -> str:
    """Return who can tell whether the lock's job is dead; empty for the machine that its uid names."""
    return _field(data, 2)


def _field(data: bytes, index: int) -> str:
    text = data.decode("utf-8", "replace")
    fields = text[:-1].split("\t") if text.endswith("\n") else []
    return fields[index] if index < len(fields) else ""
