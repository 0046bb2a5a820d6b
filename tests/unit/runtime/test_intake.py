"""How much a session may send: a burst, and then a pace; and what bodies in flight cost others."""

import asyncio
from typing import Any

import pytest

from mapreduce import protocol
from mapreduce_operator.rpc import intake
from mapreduce_operator.rpc.intake import Busy, Intake


class SentRequest:
    """A request whose body is promised, and comes as far as it was sent."""

    def __init__(self, sent, promised=None):
        self.content_length = sent if promised is None else promised
        self.content = self
        self._sent = sent

    async def iter_any(self):
        for start in range(0, self._sent, 1 << 16):
            yield bytes(min(1 << 16, self._sent - start))
        if self._sent < self.content_length:
            await asyncio.Event().wait()


def request(sent: int, promised: int | None = None) -> Any:
    """Return a request of which `sent` bytes come; `promised`: as many as it says."""
    return SentRequest(sent, promised)


async def beside(it, requests, scene, limit=protocol.WORKER_BODY):
    """Run a scene while the workers of one job send; return how each of them ended, if it did."""
    senders = [
        asyncio.create_task(it.read(request, f"liar-{number}", limit, "liars"))
        for number, request in enumerate(requests)
    ]
    for _ in range(300):
        await asyncio.sleep(0)
    await scene()
    ended = [sender.exception() if sender.done() else None for sender in senders]
    for sender in senders:
        sender.cancel()
    await asyncio.gather(*senders, return_exceptions=True)
    return ended


def test_a_session_may_send_a_burst_and_then_as_fast_as_the_pace():
    now = [100.0]
    it = Intake(clock=lambda: now[0])
    assert it.wait("a") == 0.0
    it.pay("a", int(intake.BURST) * intake.RATE - intake.REQUEST)
    assert it.wait("a") == 0.0
    it.pay("a", 2 * intake.RATE - intake.REQUEST)
    assert it.wait("a") == 2.0
    assert it.wait("b") == 0.0
    now[0] += 2.0
    assert it.wait("a") == 0.0


def test_small_requests_have_a_pace_too():
    it = Intake(clock=lambda: 100.0)
    for _ in range(3000):
        it.pay("a", 0)
    assert it.wait("a") > 1.0


def test_callers_that_have_been_silent_are_forgotten():
    now = [100.0]
    it = Intake(clock=lambda: now[0])
    for number in range(10_001):
        it.pay(f"session-{number}", 10)
    now[0] += 60.0
    it.pay("last", 10)
    assert list(it._paid_until) == ["last"]


def test_what_was_only_promised_takes_no_room():
    it = Intake(in_flight=64 << 20)

    async def scene():
        assert it._room == 64 << 20
        assert len(await it.read(request(200), "honest", protocol.WORKER_BODY, "honest")) == 200
        assert len(await it.read(request(4 << 20), "mate", protocol.WORKER_BODY, "liars")) == 4 << 20

    tricklers = [request(1, promised=4 << 20) for _ in range(16)]
    assert asyncio.run(beside(it, tricklers, scene)) == [None] * 16


def test_the_workers_of_one_job_cannot_take_the_room_of_another():
    it = Intake(in_flight=64 << 20)

    async def scene():
        assert it._room >= 48 << 20
        assert len(await it.read(request(4 << 20), "honest", protocol.WORKER_BODY, "honest")) == 4 << 20
        assert len(await it.read(request(60_000), "mate", protocol.WORKER_BODY, "liars")) == 60_000
        gateway = await it.read(request(protocol.MAX_BODY), "its gateway", protocol.MAX_BODY, "liars")
        assert len(gateway) == protocol.MAX_BODY

    ended = asyncio.run(beside(it, [request(3 << 20, promised=4 << 20) for _ in range(16)], scene))
    assert sum(isinstance(error, Busy) for error in ended) == 11
    assert (it._room, it._held) == (64 << 20, {})


def test_a_body_that_comes_too_slowly_is_given_up_and_paid_for(monkeypatch):
    monkeypatch.setattr(intake, "PATIENCE", 0.0)
    it = Intake(clock=lambda: 100.0)
    with pytest.raises(Busy, match="too slowly"):
        asyncio.run(it.read(request(1000, promised=2000), "a", protocol.WORKER_BODY, "job"))
    assert it._paid_until["a"] == 100.0 + (1000 + intake.REQUEST) / intake.RATE
    assert it._room == intake.IN_FLIGHT
