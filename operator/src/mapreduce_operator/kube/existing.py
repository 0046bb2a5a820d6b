"""Which jobs exist now, asked of the API server for a core that found others at its output.

Neighbours: `reconcile.py` (one of these a job), `jobs.py` (lists).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection
from typing import Final

from mapreduce_operator.core.events import JobsFound
from mapreduce_operator.kube.errors import ApiError

RETRY: Final = 2.0

_log = logging.getLogger(__name__)


class Looks:
    """Looks that are under way; `find` returns the uids of all jobs that exist, and may raise `ApiError`."""

    def __init__(self, find: Callable[[], Awaitable[Collection[str]]], tell: Callable[[JobsFound], None]) -> None:
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
        """Tell which of these jobs exist by a LIST that begins now: an older one may lack a job that was made since."""
        present: Collection[str] | None = None
        while present is None:
            try:
                present = await self._find()
            except ApiError as error:
                _log.warning("the jobs could not be listed: %s", error)
                await asyncio.sleep(RETRY)
        living = tuple(uid for uid in uids if uid in present)
        self._tell(JobsFound(living, tuple(uid for uid in uids if uid not in present)))
