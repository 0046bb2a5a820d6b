"""What the kubelet asks: is the process alive, is it the one that serves.

Alive means fresh, not only running: each thing that must happen again and again has an age, and
one that is too old makes the kubelet start the process anew. An API server that is away for some
minutes is no reason to: workers go on, and a new process could do nothing better. Answered on the
master's loop, so that a loop that hangs is not alive either. Neighbours: the chart's probes,
`__main__` (says what has an age).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec
from aiohttp import web

LOOP_SECONDS: Final = 30.0
"""Age at which the loop of the watches hangs."""
API_SECONDS: Final = 300.0
"""Age of the last LIST, or renewal of the Lease, at which a new process is worth trying.

What is broken may be on this side: a connection, a certificate that was read at the start. It is
less than the ten minutes for which workers wait for a master.
"""


class Vital(msgspec.Struct, frozen=True):
    """Something that must happen again and again: its name, the seconds since the last time, and how many may be."""

    name: str
    age: Callable[[], float]
    limit: float


class Health:
    """failed: something ended that must not. vitals: what must be fresh. ready: the Lease is held, jobs were read.

    trouble: lines to tell, of what a new process would not mend.
    """

    def __init__(self) -> None:
        self.failed: Callable[[], bool] = lambda: False
        self.vitals: tuple[Vital, ...] = ()
        self.trouble: Callable[[], tuple[str, ...]] = tuple
        self.ready = False

    def report(self) -> tuple[bool, str]:
        """Return whether the process is alive, and a line a vital sign, those that are too old first."""
        # Asked once: what is judged is what is told.
        told = [(vital, vital.age()) for vital in self.vitals]
        stale = [_line("STALE", vital, age) for vital, age in told if age > vital.limit]
        fresh = [_line("fresh", vital, age) for vital, age in told if age <= vital.limit]
        failed = ["something ended that must not: the process is about to end"] if self.failed() else []
        lines = [*failed, *stale, *fresh, *self.trouble()]
        return not failed and not stale, "\n".join(lines or ["ok"]) + "\n"

    def app(self) -> web.Application:
        """Return the application that answers /healthz and /readyz."""
        app = web.Application()
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        return app

    async def _healthz(self, request: web.Request) -> web.Response:
        good, text = self.report()
        return web.Response(text=text, status=200 if good else 503)

    async def _readyz(self, request: web.Request) -> web.Response:
        return web.Response(text="ok\n" if self.ready else "no\n", status=200 if self.ready else 503)


def _line(state: str, vital: Vital, age: float) -> str:
    return f"{state}: {vital.name}, {age:.1f} s ago (at most {vital.limit:g} s)"
