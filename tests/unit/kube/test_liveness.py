"""Alive means fresh: what must happen again and again has an age, and one that is too old ends the process."""

import asyncio
import itertools
import threading
from functools import partial

import kopf
import pytest
from aiohttp.test_utils import TestClient, TestServer

from mapreduce_operator.kube import handlers, health
from mapreduce_operator.kube.client import Ref
from mapreduce_operator.kube.errors import Unavailable
from mapreduce_operator.kube.handlers import Watches
from mapreduce_operator.kube.health import Health, Vital
from mapreduce_operator.kube.jobs import Jobs
from mapreduce_operator.kube.lease import Lease
from tests.support.fake_api import FakeApi
from tests.support.followed_job import World
from tests.support.kube_objects import body


def asked(made, path="/healthz"):
    """Return status and text of what the kubelet is told."""

    async def go():
        async with TestClient(TestServer(made.app())) as client:
            answer = await client.get(path)
            return answer.status, await answer.text()

    return asyncio.run(go())


def with_ages(**ages):
    made = Health()
    made.vitals = tuple(Vital(name, partial(float, age), 30.0) for name, age in ages.items())
    return made


def test_a_process_that_waits_for_the_lease_is_alive_and_not_ready():
    assert asked(Health()) == (200, "ok\n")
    assert asked(Health(), "/readyz") == (503, "no\n")


def test_each_age_is_told_and_one_that_is_too_old_is_enough():
    assert asked(with_ages(watches=2.0, list=29.9))[0] == 200
    status, text = asked(with_ages(watches=2.0, list=30.1))
    assert status == 503
    assert text.splitlines() == ["STALE: list, 30.1 s ago (at most 30 s)", "fresh: watches, 2.0 s ago (at most 30 s)"]


def test_a_process_that_is_about_to_end_is_not_alive():
    made = with_ages(watches=0.0)
    made.failed = lambda: True
    assert asked(made)[0] == 503


def test_what_is_judged_is_what_is_told():
    grows = itertools.count(30, 5)
    made = Health()
    made.vitals = (Vital("list", lambda: float(next(grows)), 30.0),)
    assert asked(made) == (200, "fresh: list, 30.0 s ago (at most 30 s)\n")
    assert asked(made) == (503, "STALE: list, 35.0 s ago (at most 30 s)\n")


def test_trouble_that_a_new_process_would_not_mend_is_told_and_ends_none():
    made = with_ages(list=1.0)
    made.trouble = lambda: ("namespace b could not be listed: no right",)
    assert asked(made) == (
        200,
        "fresh: list, 1.0 s ago (at most 30 s)\nnamespace b could not be listed: no right\n",
    )


def test_two_minutes_without_an_api_server_end_no_operator_and_ten_do():
    def after(seconds):
        made = Health()
        made.vitals = (health.Vital("list", lambda: seconds, health.API_SECONDS),)
        return asked(made)[0]

    assert [after(0), after(120 + 15), after(600)] == [200, 200, 503]


def test_a_list_that_fails_makes_the_last_one_that_succeeded_older():
    async def go():
        world = World(body())
        jobs = Jobs(world.shared(), ("team",))
        world.now += 40
        assert jobs.age() == 40
        await jobs.list_all()
        assert jobs.age() == 0
        world.now += 50
        world.api.faults = [Unavailable("away")]
        with pytest.raises(Unavailable):
            await jobs.list_all()
        assert jobs.age() == 50
        await jobs.close()

    asyncio.run(go())


def test_who_waits_for_the_lease_is_alive_as_long_as_the_api_server_answers():
    async def go():
        now = [100.0]
        held = {"spec": {"holderIdentity": "other_x", "leaseTransitions": 3}}
        api = FakeApi((Ref("leases", "system", "x"), held))
        lease = Lease(api, Ref("leases", "system", "x"), pod_uid="p", nonce="n", clock=lambda: now[0], pause=0)
        now[0] += 5
        assert lease.silence() == 5
        waiting = asyncio.create_task(lease.acquire())
        await asyncio.sleep(0)
        assert lease.silence() == 0
        api.faults = [Unavailable("away")] * 1000
        now[0] += 9
        await asyncio.sleep(0)
        assert lease.silence() == 9
        waiting.cancel()

    asyncio.run(go())


def test_a_lease_is_as_old_as_its_last_renewal():
    async def go():
        now = [100.0]
        api = FakeApi()
        lease = Lease(api, Ref("leases", "system", "x"), pod_uid="p", nonce="n", clock=lambda: now[0])
        await lease.acquire()
        now[0] += 7
        assert lease.age() == 7
        api.faults = [Unavailable("away")]
        with pytest.raises(Unavailable):
            await lease.renew()
        assert lease.age() == 7
        await lease.renew()
        assert lease.age() == 0

    asyncio.run(go())


async def watching(monkeypatch, operator):
    """Run the watches with another operator than kopf's until `ended` is called; return its thread's name."""
    monkeypatch.setattr(kopf, "operator", operator)
    ended = asyncio.Event()
    watches = Watches(None, (), ended.set)  # type: ignore[arg-type]  # nothing is told
    watches.start()
    async with asyncio.timeout(60):
        await ended.wait()
    await watches.stop()


def test_watches_that_end_are_told_whether_or_not_with_an_error(monkeypatch):
    async def ends(**options):
        return None

    async def breaks(**options):
        raise RuntimeError("the watch-stream")

    for operator in (ends, breaks):
        asyncio.run(watching(monkeypatch, operator))


def test_a_loop_of_the_watches_that_hangs_grows_old(monkeypatch):
    monkeypatch.setattr(handlers, "BEAT", 0.0)
    hang, hangs = threading.Event(), threading.Event()

    async def operator(*, stop_flag, **options):
        await asyncio.sleep(0)
        hangs.set()
        hang.wait(60)

    async def go():
        monkeypatch.setattr(kopf, "operator", operator)
        now = [100.0]
        watches = Watches(None, (), lambda: None, lambda: now[0])  # type: ignore[arg-type]  # nothing is told
        watches.start()
        assert await asyncio.to_thread(hangs.wait, 60)
        now[0] += 31
        assert watches.age() == 31
        hang.set()
        await watches.stop()

    asyncio.run(go())


def test_the_watches_wait_for_an_api_server_however_long_it_is_away():
    backoffs = handlers.settings().networking.error_backoffs
    assert not isinstance(backoffs, (int, float))
    assert list(itertools.islice(backoffs, 8)) == [1, 1, 2, 3, 5, 5, 5, 5]
    assert next(iter(backoffs)) == 1, "each request begins anew"
