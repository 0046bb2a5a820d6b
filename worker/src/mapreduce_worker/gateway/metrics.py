"""What Prometheus asks of a gateway. Neighbours: `mapreduce_worker.metrics` (the endpoint), `shell.py`."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable
from typing import Final

from mapreduce.metric_page import Counter, Histogram, Page
from mapreduce.protocol import Staged
from mapreduce_worker import resources
from mapreduce_worker.gateway.core.operations import (
    AppendBroke,
    Appended,
    AppendFrames,
    Broke,
    Command,
    Event,
    Reported,
)
from mapreduce_worker.metrics import Endpoint
from mapreduce_worker.settings import Settings

SYNC_BOUNDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
OPERATIONS: Final = ("open", "plan", "stage", "publish", "clean", "journal")

Handle = Callable[[Event, float], Iterable[Command]]


class GatewayMeter:
    """Counts what passes in front of a gateway's core. `served`: bytes of the input that workers have read here."""

    def __init__(
        self, settings: Settings, served: Callable[[], int], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._settings = settings
        self._served = served
        self.endpoint = Endpoint(self, clock)
        self._clock = clock
        self._appending: tuple[float, int] | None = None
        """When the frames that are being written were asked for, and their number."""
        self._parts, self._staged, self._frames = Counter(()), Counter(()), Counter(())
        self._sync = Histogram(SYNC_BOUNDS)
        self._errors = Counter(*((operation,) for operation in OPERATIONS))

    def watching(self, handle: Handle) -> Handle:
        """Return a core's `handle` that counts what goes in and comes out."""

        def watched(event: Event, now: float) -> list[Command]:
            self._saw(event)
            commands = list(handle(event, now))
            for command in commands:
                if isinstance(command, AppendFrames):
                    self._appending = (self._clock(), len(command.frames))
            return commands

        return watched

    def put(self, page: Page) -> None:
        """Add everything that a gateway tells."""
        prefix = "mapreduce_gateway"
        page.put(f"{prefix}_served_bytes_total", self._served())
        page.put_counter(f"{prefix}_staged_parts_total", self._parts)
        page.put_counter(f"{prefix}_staged_bytes_total", self._staged)
        page.put_counter(f"{prefix}_journal_frames_total", self._frames)
        page.put_histogram(f"{prefix}_journal_sync_seconds", self._sync)
        page.put_counter(f"{prefix}_store_errors_total", self._errors)
        for volume, path in (("input", self._settings.root_input), ("output", self._settings.root_output)):
            # A gateway serves one of them, or both.
            if path.is_absolute() and len(path.parts) > 1:
                with contextlib.suppress(OSError):
                    room = resources.room(path)
                    page.put(f"{prefix}_volume_free_bytes", room.free, volume)
                    page.put(f"{prefix}_volume_size_bytes", room.size, volume)

    def _saw(self, event: Event) -> None:
        match event:
            case Appended():
                if self._appending is not None:
                    begun, frames = self._appending
                    self._sync.observe(self._clock() - begun)
                    self._frames.add(by=frames)
            case AppendBroke():
                self._errors.add("journal")
            case Broke():
                self._errors.add(event.attempt.task.kind)
            case Reported():
                for outcome in event.outcomes:
                    if isinstance(outcome, Staged):
                        self._parts.add()
                        self._staged.add(by=outcome.size)
