"""What this process counts for its metrics, and the watch over how late its loops are.

One object a process, handed to who counts. Neighbours: `mapreduce.metrics` (the table), `kube/metrics.py` (the page),
`rpc.server`, `kube.client`, `kube.publish`, `kube.handlers` (who count).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

from mapreduce.metric_page import Counter, Histogram

LAG_BOUNDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)
LAG_EVERY: Final = 0.5


class Counts:
    """Counters of one operator. All but the lag of the watches belong to the master's loop."""

    def __init__(self) -> None:
        self.jobs_ended = Counter(("Succeeded",), ("Failed",))
        self.job_defects = Counter(())
        self.events_left_out = Counter(())
        self.api_requests = Counter()
        """By method and status, or `error` where there was no answer."""
        self.rpc_requests = Counter()
        """By request and status."""
        self.lag = {"master": Histogram(LAG_BOUNDS), "watches": Histogram(LAG_BOUNDS)}


async def watch_lag(
    histogram: Histogram,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Observe, for ever, how much later than asked for this loop wakes."""
    while True:
        due = clock() + LAG_EVERY
        await sleep(LAG_EVERY)
        histogram.observe(max(0.0, clock() - due))
