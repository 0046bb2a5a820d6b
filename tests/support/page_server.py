"""A server of the page's files and of an API whose answers a test chooses; with the policy of the live page.

It is to the browser what the operator is, without a job. Neighbours: `page_samples` (answers), `browser` (who asks).
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import msgspec
from aiohttp import web

from tests.support.page_samples import STATIC, Json

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
TYPES = {".js": "text/javascript", ".css": "text/css"}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Answers:
    """What the API says. `job`: of `since`, one update; `token`: what is asked for first, if anything."""

    def __init__(self, job: Callable[[int], Json], jobs: Json | None = None, token: str = "") -> None:
        self.job = job
        self.jobs = jobs or {"v": 1, "boot": "b", "now": 0, "jobs": [], "more": False}
        self.token = token
        self.away = False

    async def list(self, request: web.Request) -> web.Response:
        return _json(self.jobs)

    async def update(self, request: web.Request) -> web.Response:
        return _json(self.job(int(request.query["since"])))

    async def session(self, request: web.Request) -> web.Response:
        if (await request.json())["token"] != self.token:
            return _refused(401, "Unauthorized", "this token is not accepted")
        response = web.Response(status=204)
        response.set_cookie("session", self.token, httponly=True, samesite="Strict")
        return response

    async def guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuse what is to be refused; put the policy on the rest."""
        if request.path.startswith("/api/") and self.away:
            return _refused(503, "Unavailable", "the server begins anew")
        if request.path.startswith("/api/") and self.token and request.cookies.get("session") != self.token:
            return _refused(401, "Unauthorized", "log in")
        response = await handler(request)
        response.headers["Content-Security-Policy"] = POLICY
        return response


@contextlib.asynccontextmanager
async def serving(answers: Answers) -> AsyncIterator[str]:
    """Serve; yields the address."""

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        return await answers.guard(request, handler)

    app = web.Application(middlewares=[guard])
    app.add_routes([
        web.get("/", _shell),
        web.get("/static/{name}", _static),
        web.get("/api/v1/jobs", answers.list),
        web.get("/api/v1/jobs/{ns}/{name}", answers.update),
        web.post("/session", answers.session),
    ])  # fmt: skip
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def _refused(status: int, reason: str, message: str) -> web.Response:
    body = msgspec.json.encode({"error": {"reason": reason, "message": message}})
    return web.Response(status=status, body=body, content_type="application/json")


def _json(value: Json) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), content_type="application/json")


async def _shell(request: web.Request) -> web.Response:
    page = (STATIC / "shell.html").read_text(encoding="utf-8")
    page = page.replace("<!--style-->", '<link rel="stylesheet" href="/static/page.css">')
    page = page.replace("<!--script-->", '<script src="/static/page.js"></script>')
    return web.Response(text=page, content_type="text/html")


async def _static(request: web.Request) -> web.Response:
    path = STATIC / request.match_info["name"]
    return web.Response(body=path.read_bytes(), content_type=TYPES[path.suffix])
