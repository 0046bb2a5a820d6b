"""The three requests of `docs/protocol.md` as an aiohttp application.

Every body is msgpack, as large as its sender's role allows; every status of 400 or more has a
`Refusal` as its body. Nothing here decides about tasks: a request becomes an event of its job,
and the core's answer becomes the response. Neighbours: `mapreduce_operator.runtime` (jobs and
sessions), `authentication.py` (who is calling).
"""

from __future__ import annotations

import logging
import secrets
import ssl
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
from aiohttp import web

from mapreduce import protocol
from mapreduce.errors import ProtocolError
from mapreduce.protocol import Exchange, Refusal, Register
from mapreduce_operator.core.events import Exchanged, Refuse, Welcome, WorkerRegistered
from mapreduce_operator.rpc.authentication import AuthenticationUnavailable, Authenticator, Identity, TokenRejected
from mapreduce_operator.rpc.intake import Busy, Intake, Overtaken
from mapreduce_operator.runtime.counts import Counts
from mapreduce_operator.runtime.jobs import JobRuntime, JobUnavailable, Response
from mapreduce_operator.runtime.registry import Registry

SHUTDOWN_SECONDS = 1.0

_REGISTRY = web.AppKey("registry", Registry)
_AUTHENTICATOR: web.AppKey[Authenticator] = web.AppKey("authenticator")
_INTAKE = web.AppKey("intake", Intake)
_COUNTS = web.AppKey("counts", Counts)
_REQUESTS: Final = {protocol.REGISTER: "register", protocol.PROGRAM: "program", protocol.EXCHANGE: "exchange"}
DIGEST_BODY = 1 << 10
_log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class _Refused(Exception):
    """Ends a handler with a `Refusal`; never leaves this module."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.refusal = Refusal(reason=reason, message=message)


class _Versioned(msgspec.Struct):
    """The one field of a registration that every version of the protocol has."""

    version: int


def make_app(
    registry: Registry, authenticator: Authenticator, intake: Intake | None = None, counts: Counts | None = None
) -> web.Application:
    """Return the application that serves the jobs of `registry`; `intake` says how much it reads."""
    app = web.Application(middlewares=[_counted, _refusals], client_max_size=protocol.MAX_BODY)
    app[_COUNTS] = counts or Counts()
    app[_REGISTRY] = registry
    app[_AUTHENTICATOR] = authenticator
    app[_INTAKE] = intake or Intake()
    app.router.add_post(protocol.REGISTER, _register)
    app.router.add_post(protocol.PROGRAM, _program)
    app.router.add_post(protocol.EXCHANGE, _exchange)
    return app


class Server:
    """A listening application; see `serve`."""

    def __init__(self, runner: web.AppRunner, port: int) -> None:
        self._runner = runner
        self.port = port

    async def close(self) -> None:
        """Stop listening and end every request."""
        await self._runner.cleanup()


async def serve(app: web.Application, host: str, port: int = 0, tls: ssl.SSLContext | None = None) -> Server:
    """Listen on (host, port); 0 takes any free port. Raises `OSError` if it cannot."""
    # A parked request must notice at once that its worker is gone: handler_cancellation.
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=SHUTDOWN_SECONDS)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port, ssl_context=tls, backlog=1024).start()
    except OSError:
        await runner.cleanup()
        raise
    return Server(runner, runner.addresses[0][1])


@web.middleware
async def _counted(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Count what is answered; who went away before is not."""
    response = await handler(request)
    request.app[_COUNTS].rpc_requests.add(_REQUESTS.get(request.path, "other"), str(response.status))
    return response


@web.middleware
async def _refusals(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give every error the form that the protocol promises."""
    try:
        return await handler(request)
    except _Refused as refused:
        return _body(refused.refusal, refused.status)
    except ProtocolError as error:
        return _body(Refusal(reason="ProtocolError", message=str(error)), 400)
    except JobUnavailable as error:
        return _body(Refusal(reason="Unavailable", message=str(error)), 503)
    except web.HTTPException as error:
        message = f"{request.method} {request.path}: {error.reason}"
        return _body(Refusal(reason="ProtocolError", message=message), error.status)
    except Exception:  # noqa: BLE001 - the task boundary of one request: the worker tries again
        _log.exception("a defect while answering %s", request.path)
        return _body(Refusal(reason="InternalError", message="the master met a defect"), 503)


async def _register(request: web.Request) -> web.Response:
    identity = await _authenticate(request)
    # Nobody but a worker has much to say when it registers.
    raw = await _read(request, f"{identity.job_uid} {identity.worker}", protocol.WORKER_BODY, identity.job_uid)
    version = protocol.decode(raw, _Versioned).version
    if version != protocol.VERSION:
        # Before the rest is looked at: another version may well have other fields.
        message = f"the worker speaks version {version} of the protocol, the master {protocol.VERSION}"
        raise _Refused(426, "ProtocolVersion", message)
    body = protocol.decode(raw, Register)
    del raw
    job = request.app[_REGISTRY].get(identity.job_uid)
    if job is None:
        # Not a refusal for good: a master that was just started may not have read this job yet.
        raise _Refused(503, "JobUnknown", f"no job with the uid {identity.job_uid} is run here now")

    def registered(number: int) -> WorkerRegistered:
        return WorkerRegistered(
            request=number,
            worker=identity.worker,
            uid=identity.uid,
            session=secrets.token_urlsafe(24),
            address=f"{_host(identity.host)}:{body.data_port}",
            body=body,
        )

    response = await job.request(registered)
    if isinstance(response, Welcome):
        limit = protocol.MAX_BODY if body.role == "gateway" else protocol.WORKER_BODY
        request.app[_REGISTRY].open_session(job, identity.worker, response.body.session, limit)
    return _response(job, response)


async def _program(request: web.Request) -> web.Response:
    job, session = _session_job(request)
    digest = protocol.decode(await _read(request, f"{session} program", DIGEST_BODY, job.uid), str)
    if digest != job.spec.program.digest:
        raise _Refused(400, "ProtocolError", f"the job has no program with the digest {digest[:80]}")
    return _of_job(job, job.spec.program)


async def _exchange(request: web.Request) -> web.Response:
    job, session = _session_job(request)
    limit = request.app[_REGISTRY].limit_of(session)
    bodies = [protocol.decode(await _read(request, session, limit, job.uid), Exchange)]

    def exchanged(number: int) -> Exchanged:
        # Taken out of the list, so that it does not stay in memory for as long as the request is parked.
        return Exchanged(request=number, session=session, body=bodies.pop())

    return _response(job, await job.request(exchanged))


async def _authenticate(request: web.Request) -> Identity:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise _Refused(403, "TokenRejected", "a registration needs a token: Authorization: Bearer TOKEN")
    try:
        return await request.app[_AUTHENTICATOR].authenticate(token.strip(), request.remote or "")
    except TokenRejected as error:
        raise _Refused(403, "TokenRejected", str(error)) from error
    except AuthenticationUnavailable as error:
        raise _Refused(503, "AuthenticationUnavailable", str(error)) from error


def _session_job(request: web.Request) -> tuple[JobRuntime, str]:
    """Return the job and the name of the request's session."""
    session = request.headers.get(protocol.SESSION_HEADER, "")
    job = request.app[_REGISTRY].of_session(session)
    if job is None:
        raise _Refused(401, "SessionUnknown", "the session is unknown here: register again")
    return job, session


def _host(host: str) -> str:
    return f"[{host}]" if ":" in host else host


async def _read(request: web.Request, caller: str, limit: int, job: str) -> bytes:
    if request.content_type != protocol.CONTENT_TYPE:
        raise _Refused(400, "ProtocolError", f"the body must be {protocol.CONTENT_TYPE}, not {request.content_type}")
    try:
        return await request.app[_INTAKE].read(request, caller, limit, job)
    except Busy as error:
        raise _Refused(503, "Unavailable", str(error)) from error
    except Overtaken as error:
        raise _Refused(409, "Superseded", "a newer request of this session took its place") from error


def _response(job: JobRuntime, response: Response) -> web.Response:
    if isinstance(response, Refuse):
        return _body(Refusal(reason=response.reason, message=response.message), response.status)
    return _of_job(job, response.body)


def _of_job(job: JobRuntime, message: object) -> web.Response:
    """Return a message of a job; one that cannot be sent would not be sent next time either."""
    try:
        return _body(message)
    except Exception as error:  # the task boundary of one job: its defect must not touch others
        job.give_up(error)
        raise JobUnavailable(f"job {job.spec.name} cannot answer: {error}") from error


def _body(message: object, status: int = 200) -> web.Response:
    return web.Response(status=status, body=protocol.encode(message), content_type=protocol.CONTENT_TYPE)
