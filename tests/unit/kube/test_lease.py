"""One Lease decides which start of an operator may write."""

import asyncio

import pytest

from mapreduce_operator.kube import lease as leases
from mapreduce_operator.kube.client import Ref
from mapreduce_operator.kube.errors import LeaseLost, Unauthorized, Unavailable
from mapreduce_operator.kube.lease import Lease
from mapreduce_operator.kube.writer import Writer
from tests.support.fake_api import FakeApi

WHERE = Ref("leases", "system", "mapreduce-operator")


class Clock:
    """Time that passes when asked for, or told to."""

    def __init__(self, step=0.0):
        self.now = 100.0
        self.step = step

    def __call__(self):
        self.now += self.step
        return self.now


def held_by(identity, epoch, renewed="2026-01-01T00:00:00Z"):
    spec = {
        "holderIdentity": identity,
        "leaseTransitions": epoch,
        "leaseDurationSeconds": 15,
        "renewTime": renewed,
    }
    return {"metadata": {"name": WHERE.name, "namespace": WHERE.namespace}, "spec": spec}


def make(api, pod="pod-1", nonce="a", clock=None):
    return Lease(api, WHERE, pod_uid=pod, nonce=nonce, clock=clock or Clock(), pause=0)


def acquired(api, **options):
    lease = make(api, **options)
    asyncio.run(lease.acquire())
    return lease


def test_the_first_operator_of_a_cluster_has_epoch_one():
    api = FakeApi()
    assert acquired(api).epoch == 1
    assert api.objects[WHERE]["spec"]["holderIdentity"] == "pod-1_a"


def test_an_operator_judges_under_a_name_that_tells_its_lease_and_what_it_can_list():
    judges = []
    for uid, namespaces in (("a", ()), ("b", ()), ("a", ("x", "y")), ("a", ("y", "x"))):
        api = FakeApi()
        held = held_by("", 1)
        held["metadata"]["uid"] = uid
        api.put(WHERE, held)
        judges.append(acquired(api).judge(namespaces))
    assert len(set(judges)) == 3
    assert judges[2] == judges[3]


def test_the_latest_epoch_is_read_anew_whose_ever_it_is():
    api = FakeApi()
    lease = acquired(api)
    assert asyncio.run(lease.latest()) == 1
    api.objects[WHERE]["spec"] |= {"holderIdentity": "pod-2_b", "leaseTransitions": 2}
    assert asyncio.run(lease.latest()) == 2


def test_a_released_lease_is_taken_at_once_with_the_next_epoch():
    assert acquired(FakeApi((WHERE, held_by("", 6)))).epoch == 7


def test_a_restart_in_the_same_pod_waits_for_nothing():
    assert acquired(FakeApi((WHERE, held_by("pod-1_before", 6)))).epoch == 7


def test_a_lease_that_nobody_renews_is_taken_after_its_duration():
    clock = Clock(step=1.0)
    api = FakeApi((WHERE, held_by("pod-0_x", 6)))
    began = clock.now
    assert acquired(api, clock=clock).epoch == 7
    assert clock.now - began > 15


def test_a_lease_that_is_renewed_is_not_taken():
    clock = Clock(step=5.0)
    api = FakeApi((WHERE, held_by("pod-0_x", 6)))
    lease = make(api, clock=clock)

    async def go():
        waiting = asyncio.create_task(lease.acquire())
        for minute in range(20):
            api.put(WHERE, held_by("pod-0_x", 6, renewed=f"2026-01-01T00:{minute:02}:00Z"))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        assert not waiting.done()
        waiting.cancel()

    asyncio.run(go())
    assert api.objects[WHERE]["spec"]["holderIdentity"] == "pod-0_x"


def test_of_two_that_see_a_free_lease_one_gets_it():
    api = FakeApi((WHERE, held_by("", 6)))
    first, second = make(api, pod="pod-1"), make(api, pod="pod-2")

    async def go():
        taken = asyncio.create_task(first.acquire()), asyncio.create_task(second.acquire())
        for _ in range(20):
            await asyncio.sleep(0)
        assert [task.done() for task in taken].count(True) == 1
        for task in taken:
            task.cancel()

    asyncio.run(go())
    assert api.objects[WHERE]["spec"]["leaseTransitions"] == 7


def test_a_write_soon_after_a_renewal_needs_no_other():
    clock, api = Clock(), FakeApi()
    lease = acquired(api, clock=clock)
    version = api.version
    clock.now += leases.TRUST - 1
    asyncio.run(Writer(api, lease).delete(Ref("pods", "team", "a"), "uid"))
    assert api.version == version
    assert api.deleted == [(Ref("pods", "team", "a"), "uid")]


def test_one_that_was_frozen_renews_before_it_writes():
    clock, api = Clock(), FakeApi()
    lease = acquired(api, clock=clock)
    clock.now += 1000
    asyncio.run(Writer(api, lease).delete(Ref("pods", "team", "a")))
    assert api.objects[WHERE]["spec"]["leaseTransitions"] == 1
    assert len(api.deleted) == 1


def test_one_that_was_frozen_while_a_successor_started_writes_nothing_ever_again():
    clock, api = Clock(), FakeApi()
    lease = acquired(api, clock=clock)
    api.put(WHERE, held_by("pod-2_b", 2))
    clock.now += 1000
    writer = Writer(api, lease)
    for _ in range(2):
        with pytest.raises(LeaseLost):
            asyncio.run(writer.delete(Ref("pods", "team", "a")))
        api.put(WHERE, held_by("pod-1_a", 1))
    assert api.deleted == []


def test_a_stale_lease_that_cannot_be_renewed_lets_no_write_through():
    clock, api = Clock(), FakeApi()
    lease = acquired(api, clock=clock)
    clock.now += 1000
    api.faults = [Unavailable("away")]
    with pytest.raises(Unavailable):
        asyncio.run(Writer(api, lease).delete(Ref("pods", "team", "a")))
    assert api.deleted == []
    asyncio.run(Writer(api, lease).delete(Ref("pods", "team", "a")))
    assert len(api.deleted) == 1


class Slow(FakeApi):
    """Takes its time to refuse the credentials of the first write."""

    def __init__(self, clock, meanwhile=None):
        super().__init__()
        self.clock = clock
        self.meanwhile = meanwhile
        self.tries = 0

    async def delete(self, ref, uid="", version=""):
        self.tries += 1
        if self.tries == 1:
            self.clock.now += 12
            if self.meanwhile:
                self.put(WHERE, self.meanwhile)
            raise Unauthorized("expired", status=401)
        await super().delete(ref, uid, version)


def test_a_write_is_repeated_after_new_credentials_were_read():
    clock = Clock()
    api = Slow(clock)
    asyncio.run(Writer(api, acquired(api, clock=clock)).delete(Ref("pods", "team", "a")))
    assert (api.tries, len(api.deleted)) == (2, 1)


def test_a_write_is_not_repeated_where_the_lease_was_taken_while_the_first_try_was_refused():
    clock = Clock()
    api = Slow(clock, meanwhile=held_by("pod-2_b", 2))
    with pytest.raises(LeaseLost):
        asyncio.run(Writer(api, acquired(api, clock=clock)).delete(Ref("pods", "team", "a")))
    assert (api.tries, api.deleted) == (1, [])


class Silent(FakeApi):
    """Answers no write until it is told to, and counts them."""

    def __init__(self):
        super().__init__()
        self.tried = 0
        self.answers = asyncio.Event()

    async def replace(self, ref, body):
        self.tried += 1
        await self.answers.wait()
        return await super().replace(ref, body)


async def with_waiting(count):
    """Return an API server that keeps silent, and how many wait for the one renewal that it has not answered."""
    clock, api = Clock(), Silent()
    lease = make(api, clock=clock)
    await lease.acquire()
    clock.now += 1000
    waiting = [asyncio.create_task(lease.ensure()) for _ in range(count)]
    await asyncio.sleep(0)
    return api, waiting


@pytest.mark.parametrize("away", [True, False])
def test_all_who_wait_for_a_renewal_share_its_fate(away):
    async def go():
        api, waiting = await with_waiting(50)
        api.faults = [Unavailable("away")] if away else []
        api.answers.set()
        results = await asyncio.gather(*waiting, return_exceptions=True)
        assert {type(result) for result in results} == {Unavailable if away else type(None)}
        assert api.tried == 1

    asyncio.run(go())


def test_who_waits_for_a_renewal_learns_that_the_lease_is_lost():
    async def go():
        api, waiting = await with_waiting(5)
        api.put(WHERE, held_by("pod-2_b", 2))
        api.answers.set()
        results = await asyncio.gather(*waiting, return_exceptions=True)
        assert {type(result) for result in results} == {LeaseLost}

    asyncio.run(go())


def test_a_renewal_whose_answer_was_lost_is_no_loss():
    api = FakeApi()
    lease = acquired(api)
    api.put(WHERE, api.objects[WHERE])
    asyncio.run(lease.renew())
    assert api.objects[WHERE]["spec"]["holderIdentity"] == "pod-1_a"


def test_release_leaves_the_epoch_and_ends_this_process_s_writes():
    api = FakeApi()
    lease = acquired(api)
    asyncio.run(lease.release())
    assert api.objects[WHERE]["spec"]["holderIdentity"] == ""
    assert api.objects[WHERE]["spec"]["leaseTransitions"] == 1
    with pytest.raises(LeaseLost):
        asyncio.run(lease.ensure())


def test_an_api_that_is_away_is_waited_for():
    api = FakeApi()
    api.faults = [Unavailable("away"), None, Unavailable("away")]
    assert acquired(api).epoch == 1
