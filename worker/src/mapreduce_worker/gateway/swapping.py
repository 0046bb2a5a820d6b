"""Putting a new output in the place of an older one, and finishing that where it was broken off.

    1. the old output goes aside, to a hidden name that carries the new job's uid
    2. the new one takes the name
    3. the old one is removed

Each step is durable before the next. A volume has no way to exchange two directories at once, so that for a
moment between 1 and 2 nothing has the name. Whoever opens the output next comes by here (`settle`) and
finishes, or undoes: in the end there is always one of the two. Neighbours: `publishing.py` (makes the steps),
`storage.py` and `reservation.py` (settle).
"""

from __future__ import annotations

import contextlib
import posixpath
from typing import Final

from mapreduce import paths
from mapreduce_worker.gateway import durable, standing
from mapreduce_worker.gateway.store import AlreadyThere, NotThere, Store

SUFFIX: Final = ".replaced"
"""How the name ends of what was put aside: the rest is the staging directory's."""


def put_aside(store: Store, output: str, uid: str) -> None:
    """Free the output's name for the job `uid`, which holds it and whose output is complete.

    Nothing is done if nothing stands there, or this job's own output. Raises `OutputExists` for what is no output.
    """
    if standing.published_by(store, output) == uid:
        return
    standing.require_room(store, output, "replace")
    aside = paths.replaced(output, uid)
    try:
        store.rename(output, aside)
    except NotThere:
        # It was put aside before this job was broken off, or its owner has removed it.
        pass
    except AlreadyThere as error:
        raise standing.OutputExists(f"{aside!r}, with an output that was put aside, is in the way") from error
    store.sync(posixpath.dirname(output))


def settle(store: Store, output: str, uid: str, *, forward: bool) -> None:
    """Bring a swap of the job `uid` to its end; nothing is done where there is none.

    If nothing has the name, the new output gets it if it is complete and `forward` is set, else the old one. Of what
    was put aside nothing stays once the new output has the name. Doing this twice, or by two, is harmless.
    """
    aside = paths.replaced(output, uid)
    if store.kind(aside) != "directory":
        return
    old = standing.published_by(store, aside)
    if store.kind(output) is None and old is not None:
        staging = paths.staging(output, uid)
        # What another gateway of this job put aside may be the new output itself, which then goes back.
        finish = forward and old != uid and standing.is_complete(store, staging)
        with contextlib.suppress(AlreadyThere, NotThere):
            store.rename(staging if finish else aside, output)
        store.sync(posixpath.dirname(output))
    if standing.published_by(store, output) == uid and store.kind(aside) == "directory":
        _remove(store, aside)
        store.sync(posixpath.dirname(output))


def _remove(store: Store, aside: str) -> None:
    """Remove an old output; its manifest first, so that what is left of it is taken for an output by nobody."""
    durable.discard(store, posixpath.join(aside, paths.MANIFEST))
    store.sync(aside)
    durable.remove_tree(store, aside)
