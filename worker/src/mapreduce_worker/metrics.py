"""What Prometheus asks of a worker: /metrics, on the agent's loop, made at most once a second.

What happens is counted where it passes: in front of the core. A port that cannot be had costs the metrics and
nothing else. Neighbours: `mapreduce.metrics` (the table), `agent.py`, `gateway/metrics.py`, `resources.py`.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Protocol

from aiohttp import web

import mapreduce
from mapreduce.ids import AttemptId
from mapreduce.metric_page import CONTENT_TYPE, Counter, Page
from mapreduce_worker import resources
from mapreduce_worker.core import events
from mapreduce_worker.settings import Settings
from mapreduce_worker.slots import memory

FRESH: Final = 1.0
"""Seconds for which a page is told again."""
_log: Final = logging.getLogger(__name__)

Handle = Callable[[events.Event, float], Iterable[events.Command]]


class Meter(Protocol):
    """What one role counts."""

    def put(self, page: Page) -> None:
        """Add everything that is told now. Called in a thread: it may look at disks."""


class Endpoint:
    """A server of one meter's page."""

    def __init__(self, meter: Meter, clock: Callable[[], float] = time.monotonic) -> None:
        self._meter = meter
        self._clock = clock
        self._made = ""
        self._made_at = -FRESH
        self._lock = asyncio.Lock()
        # Of its own: a disk that hangs holds up this page, and nothing waits in front of it.
        self._thread = ThreadPoolExecutor(1, "metrics")
        app = web.Application()
        app.router.add_get("/metrics", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)

    async def start(self, host: str, port: int) -> None:
        """Listen, if there is a port and it can be had."""
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, host, port).start()
        except OSError as error:
            _log.warning("no metrics are served: %s", error)

    async def close(self) -> None:
        """Stop listening."""
        await self._runner.cleanup()
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def text(self) -> str:
        """Return the page; who asks while it is made gets the same."""
        async with self._lock:
            if self._clock() - self._made_at >= FRESH:
                self._made = await asyncio.get_running_loop().run_in_executor(self._thread, self._make)
                self._made_at = self._clock()
            return self._made

    def _make(self) -> str:
        page = Page()
        page.put_process(mapreduce.__version__)
        self._meter.put(page)
        return page.text()

    async def _answer(self, request: web.Request) -> web.Response:
        return web.Response(body=(await self.text()).encode(), headers={"Content-Type": CONTENT_TYPE})


class WorkerMeter:
    """Counts what passes in front of a worker's core. `served`: bytes that others have read here."""

    def __init__(
        self, settings: Settings, served: Callable[[], int], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._settings = settings
        self._served = served
        self._clock = clock
        self.endpoint = Endpoint(self, clock)
        self._heard_at = clock()
        self._running: set[AttemptId] = set()
        self._attempts = Counter(
            *((kind, outcome) for kind in ("map", "reduce") for outcome in ("succeeded", "failed", "killed"))
        )
        self._records, self._read, self._fetched, self._spills = Counter(()), Counter(()), Counter(()), Counter(())
        self._failures = Counter(("input",), ("segments",))
        self._cpu = 0.0

    def watching(self, handle: Handle) -> Handle:
        """Return a core's `handle` that counts what goes in and comes out."""

        def watched(event: events.Event, now: float) -> list[events.Command]:
            self._saw(event)
            commands = list(handle(event, now))
            for command in commands:
                if isinstance(command, (events.LoadInSlot, events.MapInSlot, events.ReduceInSlot)):
                    self._running.add(command.attempt)
            return commands

        return watched

    def put(self, page: Page) -> None:
        """Add everything that a worker tells."""
        prefix = "mapreduce_worker"
        busy = len(self._running)
        page.put(f"{prefix}_slots", busy, "busy")
        page.put(f"{prefix}_slots", max(0, self._settings.slots - busy), "free")
        page.put_counter(f"{prefix}_attempts_total", self._attempts)
        page.put_counter(f"{prefix}_records_total", self._records)
        page.put_counter(f"{prefix}_read_bytes_total", self._read)
        page.put_counter(f"{prefix}_fetched_bytes_total", self._fetched)
        page.put(f"{prefix}_served_bytes_total", self._served())
        page.put_counter(f"{prefix}_fetch_failures_total", self._failures)
        page.put_counter(f"{prefix}_spills_total", self._spills)
        # A process that ends is counted by its parent a moment later.
        self._cpu = max(self._cpu, resources.cpu_seconds())
        page.put(f"{prefix}_cpu_seconds_total", self._cpu)
        page.put(f"{prefix}_memory_bytes", memory.resident(os.getpid()))
        page.put(f"{prefix}_memory_limit_bytes", resources.memory_limit())
        page.put(f"{prefix}_scratch_bytes", resources.size_below(str(self._settings.scratch)))
        page.put(f"{prefix}_scratch_limit_bytes", self._scratch_limit())
        page.put(f"{prefix}_master_silence_seconds", self._clock() - self._heard_at)

    def _scratch_limit(self) -> int:
        size = resources.room(self._settings.scratch).size
        return min(self._settings.scratch_limit or size, size)

    def _saw(self, event: events.Event) -> None:
        match event:
            case events.SessionOpened() | events.Answered() | events.Refused():
                self._heard_at = self._clock()
            case events.InputArrived():
                self._read.add(by=sum(part.length for part in event.input.ranges))
            case events.InputUnreachable():
                self._failures.add("input")
            case events.SegmentsArrived():
                self._fetched.add(by=sum(segment.length for segment in event.arrived))
                self._failures.add("segments", by=len(event.lost))
            case events.MapDone() | events.MapPartDone():
                self._records.add(by=event.records)
                self._ended(event.attempt, "succeeded")
            case events.ReduceDone():
                self._spills.add(by=event.spills)
                self._ended(event.attempt, "succeeded")
            case events.Loaded():
                self._running.discard(event.attempt)
            case events.Broke() | events.SegmentSpoiled():
                self._ended(event.attempt, "failed")
            case events.SlotDied():
                self._ended(event.attempt, "killed")

    def _ended(self, attempt: AttemptId, outcome: str) -> None:
        self._running.discard(attempt)
        if attempt.task.kind in ("map", "reduce"):
            self._attempts.add(attempt.task.kind, outcome)
