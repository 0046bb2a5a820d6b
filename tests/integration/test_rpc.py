import asyncio
import io
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp
import msgspec
import pytest

from mapreduce import protocol
from mapreduce.program import Program
from mapreduce.protocol import Answer, Exchange, Refusal, Register, Registered
from mapreduce_operator.core.events import (
    Command,
    Disconnected,
    Event,
    Exchanged,
    Refuse,
    Reply,
    Welcome,
    WorkerRegistered,
)
from mapreduce_operator.drivers.local import LocalAuthenticator
from mapreduce_operator.rpc.authentication import AuthenticationUnavailable, Identity
from mapreduce_operator.rpc.intake import Intake
from mapreduce_operator.rpc.server import make_app, serve
from mapreduce_operator.runtime.counts import Counts
from mapreduce_operator.runtime.jobs import JobRuntime
from mapreduce_operator.runtime.registry import Registry
from tests.support.runtimes import NotedDriver, NotedObserver, ScriptedCore, answer, registered, spec

REGISTER = Register(version=protocol.VERSION, engine="0.1.0", role="worker", boot="b", slots=1, data_port=77)
EXCHANGE = Exchange(epoch=1, seen=0)
BINARY = {"Content-Type": "application/msgpack"}


class Server:
    """A server of one job with a scripted core, and a client."""

    def __init__(
        self,
        url: str,
        core: ScriptedCore,
        client: aiohttp.ClientSession,
        authenticator: LocalAuthenticator,
        registry: Registry | None = None,
        intake: Intake | None = None,
    ) -> None:
        self.url = url
        self.core = core
        self.client = client
        self.authenticator = authenticator
        self.registry = registry or Registry()
        self.intake = intake or Intake()
        self.counts = Counts()
        self.token = authenticator.issue(Identity("uid-1", "w-0", "pod", "127.0.0.1"))

    async def post(self, path: str, body: bytes, **headers: str) -> tuple[int, bytes]:
        async with self.client.post(self.url + path, data=io.BytesIO(body), headers=BINARY | headers) as response:
            return response.status, await response.read()

    async def register(self, body: object = REGISTER, token: str | None = None) -> tuple[int, bytes]:
        return await self.post(protocol.REGISTER, protocol.encode(body), Authorization=f"Bearer {token or self.token}")

    async def exchange(self, session: str) -> tuple[int, bytes]:
        return await self.post(protocol.EXCHANGE, protocol.encode(EXCHANGE), **{protocol.SESSION_HEADER: session})


def welcoming(event: Event) -> tuple[Command, ...]:
    """Welcome every registration and answer every exchange at once."""
    match event:
        case WorkerRegistered():
            return (Welcome(event.request, registered(event.session, event.worker)),)
        case Exchanged():
            return (Reply(event.request, answer()),)
    return ()


@asynccontextmanager
async def serving(script: Callable[[Event], tuple[Command, ...]] = welcoming) -> AsyncIterator[Server]:
    core, registry, authenticator = ScriptedCore(script), Registry(), LocalAuthenticator()
    registry.add(JobRuntime(spec(), core, NotedDriver(), NotedObserver()))
    intake, counts = Intake(), Counts()
    server = await serve(make_app(registry, authenticator, intake, counts), "127.0.0.1")
    async with aiohttp.ClientSession() as client:
        made = Server(f"http://127.0.0.1:{server.port}", core, client, authenticator, registry, intake)
        made.counts = counts
        yield made
    await server.close()


def run(scene: Callable[[Server], Awaitable[None]], script: Callable[[Event], tuple[Command, ...]] = welcoming) -> None:
    async def serve_it() -> None:
        async with serving(script) as server:
            await scene(server)

    asyncio.run(serve_it())


def refusal(body: bytes) -> str:
    return protocol.decode(body, Refusal).reason


def test_a_worker_registers_gets_the_program_and_exchanges() -> None:
    async def scene(server: Server) -> None:
        status, body = await server.register()
        assert status == 200
        session = protocol.decode(body, Registered).session
        assert server.core.events[0] == WorkerRegistered(
            request=1, worker="w-0", uid="pod", session=session, address="127.0.0.1:77", body=REGISTER
        )
        digest = protocol.encode(spec().program.digest)
        status, body = await server.post(protocol.PROGRAM, digest, **{protocol.SESSION_HEADER: session})
        assert (status, protocol.decode(body, Program)) == (200, spec().program)
        status, body = await server.exchange(session)
        assert (status, protocol.decode(body, Answer)) == (200, answer())

    run(scene)


def test_a_token_that_was_not_issued_is_refused_with_403() -> None:
    async def scene(server: Server) -> None:
        status, body = await server.register(token="forged")
        assert (status, refusal(body)) == (403, "TokenRejected")
        status, body = await server.post(protocol.REGISTER, protocol.encode(REGISTER))
        assert (status, refusal(body)) == (403, "TokenRejected")
        assert server.core.events == []

    run(scene)


def test_an_unknown_session_is_refused_with_401() -> None:
    async def scene(server: Server) -> None:
        status, body = await server.exchange("unknown")
        assert (status, refusal(body)) == (401, "SessionUnknown")

    run(scene)


def test_a_second_registration_ends_the_first_session() -> None:
    async def scene(server: Server) -> None:
        first = protocol.decode((await server.register())[1], Registered).session
        second = protocol.decode((await server.register())[1], Registered).session
        assert (await server.exchange(first))[0] == 401
        assert (await server.exchange(second))[0] == 200

    run(scene)


def test_another_version_of_the_protocol_is_refused_with_426_whatever_else_it_holds() -> None:
    async def scene(server: Server) -> None:
        status, body = await server.register({"version": 3, "role": ["something", "new"]})
        assert (status, refusal(body)) == (426, "ProtocolVersion")

    run(scene)


@pytest.mark.parametrize("body", [b"", b"\xc1", msgspec.msgpack.encode({"version": protocol.VERSION})])
def test_a_body_that_makes_no_sense_is_refused_with_400(body: bytes) -> None:
    async def scene(server: Server) -> None:
        status, answer_body = await server.post(protocol.REGISTER, body, Authorization=f"Bearer {server.token}")
        assert (status, refusal(answer_body)) == (400, "ProtocolError")

    run(scene)


def test_a_body_over_the_limit_is_refused() -> None:
    async def scene(server: Server) -> None:
        session = protocol.decode((await server.register())[1], Registered).session
        body = b"\0" * (protocol.MAX_BODY + 1)
        status, answer_body = await server.post(protocol.EXCHANGE, body, **{protocol.SESSION_HEADER: session})
        assert (status, refusal(answer_body)) == (413, "ProtocolError")

    run(scene)


def test_a_worker_may_send_less_than_a_gateway() -> None:
    async def scene(server: Server) -> None:
        body = b"\0" * (protocol.WORKER_BODY + 1)
        found = []
        for role in ("worker", "gateway"):
            session = protocol.decode(
                (await server.register(msgspec.structs.replace(REGISTER, role=role)))[1], Registered
            )
            headers = {protocol.SESSION_HEADER: session.session}
            found.append((await server.post(protocol.EXCHANGE, body, **headers))[0])
        assert found == [413, 400]

    run(scene)


async def never_ending(started: asyncio.Event) -> AsyncIterator[bytes]:
    """A body whose end does not come."""
    yield b"\x81"
    started.set()
    await asyncio.Event().wait()


def test_a_session_has_one_body_at_a_time_the_newest() -> None:
    async def scene(server: Server) -> None:
        session = protocol.decode((await server.register())[1], Registered).session
        headers = BINARY | {protocol.SESSION_HEADER: session}
        started = asyncio.Event()

        async def begin() -> tuple[int, str]:
            url = server.url + protocol.EXCHANGE
            async with server.client.post(url, data=never_ending(started), headers=headers) as response:
                return response.status, refusal(await response.read())

        older = asyncio.create_task(begin())
        await asyncio.wait_for(started.wait(), 30)
        while session not in server.intake._reading:
            await asyncio.sleep(0)
        assert (await server.exchange(session))[0] == 200
        assert await asyncio.wait_for(older, 30) == (409, "Superseded")

    run(scene)


def test_bodies_beyond_what_may_be_in_flight_are_refused_until_there_is_room() -> None:
    async def scene(server: Server) -> None:
        session = protocol.decode((await server.register())[1], Registered).session
        headers = {protocol.SESSION_HEADER: session}
        room, server.intake._room = server.intake._room, 1
        status, body = await server.post(protocol.EXCHANGE, bytes(1 << 20), **headers)
        assert (status, refusal(body)) == (503, "Unavailable")
        assert (await server.exchange(session))[0] == 200, "an ordinary beat needs no room"
        server.intake._room = room
        status, body = await server.post(protocol.EXCHANGE, bytes(1 << 20), **headers)
        assert (status, refusal(body)) == (400, "ProtocolError"), "it was read"
        assert server.intake._room == room

    run(scene)


def test_what_the_core_refuses_arrives_with_its_status() -> None:
    def refusing(event: Event) -> tuple[Command, ...]:
        if isinstance(event, WorkerRegistered):
            return (Refuse(request=event.request, status=410, reason="Cancelled", message="not wanted"),)
        return ()

    async def scene(server: Server) -> None:
        status, body = await server.register()
        assert (status, protocol.decode(body, Refusal)) == (410, Refusal(reason="Cancelled", message="not wanted"))

    run(scene, refusing)


def test_a_client_that_disconnects_while_parked_is_told_to_the_core() -> None:
    parked, disconnected = asyncio.Event(), asyncio.Event()

    def parking(event: Event) -> tuple[Command, ...]:
        match event:
            case Exchanged():
                parked.set()
                return ()
            case Disconnected():
                disconnected.set()
        return welcoming(event)

    async def scene(server: Server) -> None:
        session = protocol.decode((await server.register())[1], Registered).session
        request = asyncio.create_task(server.exchange(session))
        await asyncio.wait_for(parked.wait(), 30)
        request.cancel()
        await asyncio.wait_for(disconnected.wait(), 30)
        assert server.core.events[2:] == [Disconnected(2)]

    run(scene, parking)


def test_a_job_with_a_defect_answers_503() -> None:
    def broken(event: Event) -> tuple[Command, ...]:
        raise ZeroDivisionError("defect")

    async def scene(server: Server) -> None:
        status, body = await server.register()
        assert (status, refusal(body)) == (503, "Unavailable")

    run(scene, broken)


def test_an_answer_that_cannot_be_sent_is_a_defect_of_its_job_and_of_no_other() -> None:
    def too_much(event: Event) -> tuple[Command, ...]:
        match event:
            case Exchanged():
                return (Reply(event.request, answer(1 << 70)),)
        return welcoming(event)

    async def scene(server: Server) -> None:
        observer = NotedObserver()
        registry, token = server.registry, server.authenticator.issue(Identity("uid-2", "w-0", "pod", "127.0.0.1"))
        registry.add(JobRuntime(spec("uid-2"), ScriptedCore(too_much), NotedDriver(), observer))
        session = protocol.decode((await server.register(token=token))[1], Registered).session
        status, body = await server.exchange(session)
        assert (status, refusal(body)) == (503, "Unavailable")
        told = [told for told in observer.told if isinstance(told, tuple)]
        assert [(uid, type(error)) for uid, error in told] == [("uid-2", OverflowError)]
        other = protocol.decode((await server.register())[1], Registered).session
        assert (await server.exchange(other))[0] == 200

    run(scene)


def test_a_job_that_is_not_run_here_yet_answers_503() -> None:
    async def scene() -> None:
        authenticator = LocalAuthenticator()
        server = await serve(make_app(Registry(), authenticator), "127.0.0.1")
        async with aiohttp.ClientSession() as client:
            it = Server(f"http://127.0.0.1:{server.port}", ScriptedCore(), client, authenticator)
            status, body = await it.register()
            assert (status, refusal(body)) == (503, "JobUnknown")
        await server.close()

    asyncio.run(scene())


def test_authentication_that_cannot_be_asked_answers_503() -> None:
    class Away(LocalAuthenticator):
        async def authenticate(self, token: str, remote: str) -> Identity:
            raise AuthenticationUnavailable("the API server is away")

    async def scene() -> None:
        authenticator = Away()
        server = await serve(make_app(Registry(), authenticator), "127.0.0.1")
        async with aiohttp.ClientSession() as client:
            it = Server(f"http://127.0.0.1:{server.port}", ScriptedCore(), client, authenticator)
            status, body = await it.register()
            assert (status, refusal(body)) == (503, "AuthenticationUnavailable")
        await server.close()

    asyncio.run(scene())


def test_what_is_answered_is_counted_by_request_and_status() -> None:
    async def scene(server: Server) -> None:
        session = protocol.decode((await server.register())[1], Registered).session
        await server.exchange(session)
        await server.exchange("another")
        await server.post("/v1/other", b"")
        assert dict(server.counts.rpc_requests) == {
            ("register", "200"): 1,
            ("exchange", "200"): 1,
            ("exchange", "401"): 1,
            ("other", "404"): 1,
        }

    run(scene)


def test_anything_else_than_the_three_paths_is_refused_in_the_same_form() -> None:
    async def scene(server: Server) -> None:
        status, body = await server.post("/v1/other", b"")
        assert (status, refusal(body)) == (404, "ProtocolError")

    run(scene)
