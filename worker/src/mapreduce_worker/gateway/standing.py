"""What stands under an output's name, or in a staging directory: whose it is, and whether it is whole.

Neighbours: `reservation.py`, `swapping.py`, `publishing.py` and `storage.py`, which decide by it.
"""

from __future__ import annotations

import posixpath

import msgspec

from mapreduce import paths
from mapreduce.errors import CorruptionError, OutputError
from mapreduce.spec import Overwrite
from mapreduce_worker.gateway import durable, sealed
from mapreduce_worker.gateway.store import Store


class OutputExists(OutputError):
    """Something stands under the output's name, and must stay."""


def published_by(store: Store, directory: str) -> str | None:
    """Return the uid in the manifest of a directory; None where there is none, or it is damaged."""
    if store.kind(directory) != "directory":
        return None
    data = durable.read_if_there(store, posixpath.join(directory, paths.MANIFEST))
    if data is None:
        return None
    try:
        manifest = msgspec.json.decode(sealed.check(data), type=dict[str, object])
    except (CorruptionError, msgspec.DecodeError):
        return None
    uid = manifest.get("uid")
    return uid if isinstance(uid, str) else None


def is_complete(store: Store, staging: str) -> bool:
    """Tell whether the marker stands: everything else was durable before it."""
    return store.kind(posixpath.join(staging, paths.SUCCESS)) == "file"


def require_room(store: Store, output: str, overwrite: Overwrite) -> None:
    """Raise `OutputExists` if something stands under the output's name that this job may not replace."""
    if store.kind(output) is None:
        return
    if overwrite == "refuse":
        raise OutputExists(f"{output!r} exists already; remove it, choose another output, or let the job replace it")
    if published_by(store, output) is None:
        raise OutputExists(
            f"{output!r} exists and is no output of a job: it has no whole {paths.MANIFEST}, and so it is not replaced"
        )
