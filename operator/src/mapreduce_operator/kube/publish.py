"""Sends what people see of one job: its status, at most one patch a second, and its Events, some a minute.

The status goes first, but for the last one: who waits for the end finds there what led to it.
Neighbours: `status.py` and `events.py` (what is sent), `event_pace.py` (which Events), `job_series.py` (what of it
a scraper is told), `reconcile.py` (owns one of these a job).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from mapreduce import logs, words
from mapreduce_operator.core.events import Announce, JobStatus
from mapreduce_operator.kube import events, pods, status
from mapreduce_operator.kube.client import Ref
from mapreduce_operator.kube.errors import ApiError, Conflict, Forbidden, LeaseLost, NotFound, Rejected, Unavailable
from mapreduce_operator.kube.event_pace import EventPace, Told
from mapreduce_operator.kube.job_series import JobSeries
from mapreduce_operator.kube.resource import Owner
from mapreduce_operator.kube.writer import Writer
from mapreduce_operator.runtime.counts import Counts

INTERVAL: Final = 1.0
"""Seconds between two patches of one job's status."""
RETRY: Final = 2.0
CONFLICT_TRIES: Final = 3
"""Tries of a status that meets a conflict, after which the object counts as another job of this name."""
REJECTED_TRIES: Final = 3
"""Tries of a status that the API server refuses, after which the least of it is sent."""
DEFECT_TRIES: Final = 3
"""Tries of what cannot be sent for a defect of ours, before it is dropped."""

_log = logging.getLogger(__name__)


class Publisher:
    """The outgoing side of one job."""

    def __init__(  # noqa: PLR0913 - two of them are clocks, which only tests pass
        self,
        writer: Writer,
        owner: Owner,
        generation: int,
        previous: Mapping[str, Any],
        *,
        counts: Counts | None = None,
        wall: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`previous` is the status that stands there; `wall` tells the time of Events, in Unix seconds."""
        self._counts = counts or Counts()
        self.series = JobSeries(owner.namespace, owner.name, str(previous.get("phase") or ""), self._counts.jobs_ended)
        self._writer = writer
        self._wall = wall
        self._clock = clock
        self._owner = owner
        self._generation = generation
        self._previous = previous
        self._status: JobStatus | None = None
        self.latest: JobStatus | None = None
        """What was last told to show, sent or not."""
        self._defects = self._conflicts = self._rejected = 0
        self._events = EventPace(clock())
        self._at_events = False
        """Whether an Event is what is being sent, or was the last."""
        self._work = asyncio.Event()
        self._final = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._sent_at = -INTERVAL
        self._task: asyncio.Task[None] | None = None

    def set_status(self, new: JobStatus) -> None:
        """Show this status soon; one that was not sent yet is skipped."""
        self._status = self.latest = status.slimmed(new)
        self.series.saw(self.latest, self._wall())
        if status.is_final(new):
            self._final.set()
        self._wake()

    def observed(self, generation: int) -> None:
        """What is shown from now on goes by this generation of the spec."""
        if generation == self._generation:
            return
        self._generation = generation
        if self.latest is not None:
            self.set_status(self.latest)

    def announce(self, announcement: Announce) -> None:
        """Send an Event soon."""
        if self._events.add(Told(announcement, self._wall()), self._clock()):
            self._counts.events_left_out.add()
        self._wake()

    def tell_if_stalled(self) -> None:
        """Announce, once each time, that the job does not move."""
        if self.latest is not None and self.series.stalls(self._wall()):
            self.announce(events.stalled(self._owner, self.latest))

    async def flush(self) -> None:
        """Wait until everything that is due was sent, or the job is gone."""
        await self._idle.wait()

    async def close(self) -> None:
        """Stop sending."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _wake(self) -> None:
        self._idle.clear()
        self._work.set()
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        with logs.within(job=self._owner.name, namespace=self._owner.namespace):
            await self._keep_sending()

    async def _keep_sending(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._events.pause()):
                    await self._work.wait()
            self._work.clear()
            try:
                if not self._final.is_set():
                    await self._send_status_first()
                await self._send_events()
                if self._final.is_set():
                    await self._send_status()
            except LeaseLost:
                return
            except ApiError as error:
                _log.warning("job %s/%s: not published: %s", self._owner.namespace, self._owner.name, error)
                await asyncio.sleep(RETRY)
                self._work.set()
                continue
            except Exception:  # noqa: BLE001 - the task boundary of one job's news: who waits in `flush` must not wait for ever
                _log.exception("job %s/%s: a defect while publishing", self._owner.namespace, self._owner.name)
                await asyncio.sleep(RETRY)
                self._give_up()
                self._work.set()
                continue
            self._defects = 0
            if not self._work.is_set():
                self._idle.set()

    def _give_up(self) -> None:
        """After some tries, drop what met the defect: the oldest Event, or the status."""
        self._defects += 1
        if self._defects < DEFECT_TRIES:
            return
        self._defects = 0
        if self._at_events:
            self._events.due.popleft()
        else:
            self._status = None

    async def _send_events(self) -> None:
        self._events.refill(self._clock())
        if self._final.is_set():
            # The job is over, and what is held back tells why.
            self._events.release()
        while self._events.due:
            self._at_events = True
            told = self._events.due[0]
            announcement = events.advised(told.announcement, self._owner, self.latest)
            body = events.manifest(self._owner, announcement, told.wall, secrets.token_hex(6))
            try:
                await self._writer.create(Ref("events", self._owner.namespace), body)
            except Unavailable:
                raise
            except ApiError as error:
                # The namespace is going away, say. The job does not wait for it.
                _log.warning("an Event was refused: %s", error)
            self._events.due.popleft()

    async def _send_status_first(self) -> None:
        """Send the status; if that fails, the Events before it is tried again: it may be the status alone."""
        try:
            await self._send_status()
        except ApiError:
            await self._send_events()
            raise

    async def _send_status(self) -> None:
        self._at_events = False
        pause = self._sent_at + INTERVAL - self._clock()
        if self._status is not None and pause > 0 and not self._final.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._final.wait()
            if self._final.is_set():
                # The Events of meanwhile go first.
                return
        current = self._status
        if current is None:
            return
        ref = Ref(words.PLURAL, self._owner.namespace, self._owner.name, "status")
        selector = pods.worker_selector(self._owner.uid)
        render = status.patch if self._rejected < REJECTED_TRIES else status.least
        body = render(current, self._generation, self._previous, selector=selector, wall=self._wall())
        body |= {"metadata": {"uid": self._owner.uid}}
        try:
            answer = await self._writer.merge_patch(ref, body)
        except NotFound:
            answer = {}
        except Conflict:
            # Another job of the same name by now; or many writes at once, and a final status must not be lost to that.
            self._conflicts += 1
            if self._conflicts < CONFLICT_TRIES:
                raise
            answer = {}
        except (Rejected, Forbidden) as error:
            # By the schema, an admission rule, or for want of the right: nobody may wait for ever for it.
            self._rejected += 1
            if self._rejected <= REJECTED_TRIES:
                raise
            _log.error("job %s/%s: the least status was refused: %s", self._owner.namespace, self._owner.name, error)
            answer = {}
        self._conflicts = self._rejected = 0
        self._previous = answer.get("status") or self._previous
        self._sent_at = self._clock()
        if self._status is current:
            self._status = None
