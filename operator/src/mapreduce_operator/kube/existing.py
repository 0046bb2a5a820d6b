"""Which jobs exist now, asked of the API server for a core that found others at its output.

Neighbours: `reconcile.py` (one of these a job), `jobs.py` (lists).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from mapreduce_operator.core.events import JobsFound
from mapreduce_operator.kube.errors import ApiError

RETRY: Final = 2.0
"""Seconds after a look that failed, and the least after one that could not look everywhere."""
LONGEST_PAUSE: Final = 60.0
"""The most seconds after a look that could not look everywhere: a right may be away for days."""

_log = logging.getLogger(__name__)


class Existing(msgspec.Struct, frozen=True):
    """Jobs that exist, by uid. `unread`: what could not be looked into, and why; anybody may live there."""

    uids: frozenset[str]
    unread: str = ""


class Looks:
    """Looks that are under way; `find` returns which jobs exist, and may raise `ApiError`."""

    def __init__(self, find: Callable[[], Awaitable[Existing]], tell: Callable[[JobsFound], None]) -> None:
        self._find = find
        self._tell = tell
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, uids: tuple[str, ...]) -> None:
        """Tell, when it is known, which of these jobs exist."""
        task = asyncio.get_running_loop().create_task(self._look_for(uids))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Look for nobody any more."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _look_for(self, uids: tuple[str, ...]) -> None:
        """Tell which of these jobs exist by a LIST that begins now: an older one may lack a job that was made since.

        Who is seen lives, whatever else cannot be looked into; who is seen nowhere is dead only if everything was.
        """
        pause = RETRY
        while True:
            try:
                found = await self._find()
            except ApiError as error:
                _log.warning("the jobs could not be listed: %s", error)
                await asyncio.sleep(RETRY)
                continue
            living = tuple(uid for uid in uids if uid in found.uids)
            if not found.unread:
                return self._tell(JobsFound(living, tuple(uid for uid in uids if uid not in found.uids)))
            if living:
                # Of the others nothing is known: the core asks for them again, should they matter.
                return self._tell(JobsFound(living, ()))
            _log.warning("whether jobs live cannot be told: %s", found.unread)
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
