"""What Prometheus asks: /metrics of the operator.

Answered on the master's loop, a few jobs at a time, and made at most once a second: who scrapes holds up no worker.
Neighbours: `job_series.py` (one job), `runtime.counts` (what is counted), `mapreduce.metrics` (the table), `__main__`
(says what has an age).
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter as Tally
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Final

from aiohttp import web

import mapreduce
from mapreduce import words
from mapreduce.metric_page import CONTENT_TYPE, Page
from mapreduce_operator.kube.job_series import JobSeries, Values
from mapreduce_operator.kube.jobs import Jobs
from mapreduce_operator.kube.lease import Lease
from mapreduce_operator.runtime.counts import Counts

MOST_JOBS: Final = 1000
"""Jobs that have metrics of their own; those of the others are summed under empty names."""
JOBS_AT_ONCE: Final = 20
"""Jobs after which the loop may do something else."""
FRESH: Final = 1.0
"""Seconds for which a page is told again."""
REST: Final = ("", "")


class Endpoint:
    """ages: gauges by name, read at each scrape. jobs: every job that exists, in an order that stays."""

    def __init__(
        self,
        counts: Counts,
        *,
        most_jobs: int = MOST_JOBS,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.ages: dict[str, Callable[[], float]] = {}
        self.jobs: Callable[[], Iterable[JobSeries]] = tuple
        self._counts = counts
        self._most_jobs = most_jobs
        self._clock = clock
        self._wall = wall
        self._rest = Rest()
        self._made = ""
        self._made_at = -FRESH
        self._lock = asyncio.Lock()

    def lead(self, lease: Lease, jobs: Jobs) -> None:
        """From now on this process holds the Lease, and runs the jobs."""
        self.ages = {
            "mapreduce_epoch": lambda: lease.epoch,
            "mapreduce_lease_age_seconds": lease.age,
            "mapreduce_list_age_seconds": jobs.age,
        }
        self.jobs = jobs.series

    def app(self) -> web.Application:
        """Return the application that answers /metrics."""
        app = web.Application()
        app.router.add_get("/metrics", self._answer)
        return app

    async def text(self) -> str:
        """Return the page; who asks while it is made gets the same."""
        async with self._lock:
            if self._clock() - self._made_at >= FRESH:
                self._made = await self._make()
                self._made_at = self._clock()
            return self._made

    async def _answer(self, request: web.Request) -> web.Response:
        text = await self.text()
        return web.Response(body=text.encode(), headers={"Content-Type": CONTENT_TYPE})

    async def _make(self) -> str:
        page = Page()
        page.put_process(mapreduce.__version__)
        for name, age in self.ages.items():
            page.put(name, age())
        counts = self._counts
        page.put_counter("mapreduce_jobs_ended_total", counts.jobs_ended)
        page.put_counter("mapreduce_job_defects_total", counts.job_defects)
        page.put_counter("mapreduce_events_left_out_total", counts.events_left_out)
        page.put_counter("mapreduce_api_requests_total", counts.api_requests)
        page.put_counter("mapreduce_rpc_requests_total", counts.rpc_requests)
        for loop, histogram in counts.lag.items():
            page.put_histogram("mapreduce_loop_lag_seconds", histogram, loop)
        await self._put_jobs(page)
        return page.text()

    async def _put_jobs(self, page: Page) -> None:
        phases: Tally[str] = Tally()
        told = 0
        rest: list[JobSeries] = []
        for number, series in enumerate(self.jobs()):
            if number % JOBS_AT_ONCE == JOBS_AT_ONCE - 1:
                await asyncio.sleep(0)
            phases[series.phase] += 1
            if not series.is_told(self._wall()):
                continue
            if told >= self._most_jobs:
                rest.append(series)
                continue
            told += 1
            for name, labels, value in series.own():
                page.put(name, value, *series.job, *labels)
            put_values(page, series.job, series.sizes())
            put_values(page, series.job, series.counted())
        for phase in words.PHASES:
            page.put("mapreduce_jobs", phases[phase], phase)
        if rest or self._rest.counted:
            put_values(page, REST, self._rest.sizes(rest))
            put_values(page, REST, self._rest.count(rest))


class Rest:
    """The sums of the jobs that have no metrics of their own."""

    def __init__(self) -> None:
        self.counted: Values = defaultdict(float)
        self._before: dict[JobSeries, Values] = {}

    def sizes(self, jobs: Iterable[JobSeries]) -> Values:
        """Return the sums of what goes up and down."""
        sums: Values = defaultdict(float)
        for job in jobs:
            for key, value in job.sizes().items():
                sums[key] += value
        return sums

    def count(self, jobs: Iterable[JobSeries]) -> Values:
        """Add what the jobs have counted since the last time; the sums stay when a job goes."""
        now = {job: job.counted() for job in jobs}
        for job, values in now.items():
            before = self._before.get(job, {})
            for key, value in values.items():
                self.counted[key] += value - before.get(key, 0)
        self._before = now
        return self.counted


def put_values(page: Page, job: tuple[str, str], values: Values) -> None:
    """Add what a job, or the sum of some, has."""
    for (name, labels), value in values.items():
        page.put(name, value, *job, *labels)
