"""What the kubelet asks: is the process alive, is it the one that serves.

Answered on the master's loop, so that a loop that hangs is not alive. Neighbours: the chart's
probes, `__main__` (sets what is so).
"""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web


class Health:
    """alive: whether the other loop runs too. ready: the Lease is held and all jobs were read."""

    def __init__(self) -> None:
        self.alive: Callable[[], bool] = lambda: True
        self.ready = False

    def app(self) -> web.Application:
        """Return the application that answers /healthz and /readyz."""
        app = web.Application()
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        return app

    async def _healthz(self, request: web.Request) -> web.Response:
        return _answer(self.alive())

    async def _readyz(self, request: web.Request) -> web.Response:
        return _answer(self.ready)


def _answer(good: bool) -> web.Response:
    return web.Response(text="ok\n" if good else "no\n", status=200 if good else 503)
