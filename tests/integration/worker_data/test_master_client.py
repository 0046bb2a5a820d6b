"""The client of the master against a server that answers as told."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from aiohttp import web

from mapreduce import protocol
from mapreduce.errors import ProtocolError
from mapreduce.program import Program
from mapreduce.protocol import Answer, Exchange, Refusal
from mapreduce_worker.client import MasterAway, MasterClient, MasterRefused
from mapreduce_worker.data_server import DataServer
from tests.support.slot_bench import run
from tests.support.worker_messages import identity, registered

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def _with(handler: Handler, use: Callable[[MasterClient], Awaitable[None]]) -> None:
    server = DataServer(dict.fromkeys((protocol.REGISTER, protocol.PROGRAM, protocol.EXCHANGE), handler))
    port = await server.start("127.0.0.1", 0)
    try:
        async with MasterClient(f"http://127.0.0.1:{port}", lambda: "secret") as client:
            await use(client)
    finally:
        await server.close()


def _saying(body: object, status: int = 200) -> Handler:
    async def handler(request: web.Request) -> web.StreamResponse:
        return web.Response(status=status, body=protocol.encode(body))

    return handler


def test_a_registration_shows_its_token_and_an_exchange_its_session():
    seen: list[tuple[str, str, str]] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        headers = request.headers
        token, session = headers.get("Authorization", ""), headers.get(protocol.SESSION_HEADER, "")
        seen.append((request.path, token, session))
        body = registered() if request.path == protocol.REGISTER else Answer(epoch=1, number=1, acknowledged=0)
        return web.Response(body=protocol.encode(body))

    async def use(client: MasterClient) -> None:
        assert await client.register(identity()) == registered()
        assert (await client.exchange("s1", Exchange(epoch=1, seen=0), 5)).number == 1

    run(_with(handler, use))
    assert seen == [(protocol.REGISTER, "Bearer secret", ""), (protocol.EXCHANGE, "", "s1")]


def test_a_refusal_carries_status_reason_and_message():
    async def use(client: MasterClient) -> None:
        with pytest.raises(MasterRefused) as refused:
            await client.exchange("s1", Exchange(epoch=1, seen=0), 5)
        error = refused.value
        assert (error.status, error.reason, error.message) == (410, "JobOver", "go")

    run(_with(_saying(Refusal(reason="JobOver", message="go"), 410), use))


@pytest.mark.parametrize(("body", "status"), [(Refusal(reason="Away", message=""), 503), ("not a refusal", 403)])
def test_a_master_that_is_not_there_is_away(body, status):
    async def use(client: MasterClient) -> None:
        with pytest.raises(MasterAway):
            await client.exchange("s1", Exchange(epoch=1, seen=0), 5)

    run(_with(_saying(body, status), use))


def test_a_master_that_refuses_connections_or_keeps_silent_is_away():
    async def silent(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(2)
        return web.Response()

    async def use(client: MasterClient) -> None:
        with pytest.raises(MasterAway):
            await client.exchange("s1", Exchange(epoch=1, seen=0), 0.1)

    async def refused() -> None:
        async with MasterClient("http://127.0.0.1:9", lambda: "secret") as client:
            with pytest.raises(MasterAway):
                await client.register(identity())

    run(_with(silent, use))
    run(refused())


def test_a_program_with_another_digest_is_not_taken():
    async def use(client: MasterClient) -> None:
        with pytest.raises(ProtocolError):
            await client.program("s1", Program("job.py", b"another").digest)

    run(_with(_saying(Program("job.py", b"this")), use))


def test_a_token_that_cannot_be_read_now_is_tried_again_later():
    def token() -> str:
        raise FileNotFoundError("no token yet")

    async def story() -> None:
        async with MasterClient("http://127.0.0.1:9", token) as client:
            with pytest.raises(MasterAway, match="no token yet"):
                await client.register(identity())

    run(story())
