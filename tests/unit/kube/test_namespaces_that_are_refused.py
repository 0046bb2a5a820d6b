"""Of several namespaces, one that may not be listed stops nothing in the others."""

import asyncio

import pytest

from mapreduce import words
from mapreduce_operator.core.events import JobsFound
from mapreduce_operator.kube.client import Ref
from mapreduce_operator.kube.errors import Forbidden, NotFound, Unavailable
from mapreduce_operator.kube.existing import Looks
from mapreduce_operator.kube.jobs import Jobs
from tests.support.fake_api import FakeApi
from tests.support.followed_job import World, settled
from tests.support.kube_objects import body


class Refusing(FakeApi):
    """Answers no LIST of some namespaces."""

    def __init__(self):
        super().__init__()
        self.refused = {}

    def look(self, ref):
        if ref.namespace in self.refused:
            raise self.refused[ref.namespace]

    async def list_all(self, ref, selector=""):
        self.look(ref)
        return await super().list_all(ref, selector)

    async def each(self, ref, selector="", page=0):
        self.look(ref)
        async for found in super().each(ref, selector, page):
            yield found


class Two:
    """Jobs of the namespaces a and b."""

    def __init__(self):
        self.world = World(body())
        self.api = self.world.api = Refusing()
        self.jobs = Jobs(self.world.shared(), ("b", "a"))

    def submit(self, namespace, name):
        made = body(name, metadata={"namespace": namespace, "uid": f"{namespace}-{name}"})
        self.api.put(Ref(words.PLURAL, namespace, name), made)

    def remove(self, namespace, name):
        del self.api.objects[Ref(words.PLURAL, namespace, name)]

    async def list(self):
        self.world.now += 30
        await self.jobs.list_all()
        await settled()

    def known(self):
        return sorted(uid for uid in ("a-old", "a-new", "b-old", "b-new") if self.jobs.namespace_of(uid))


@pytest.mark.parametrize("kind", [Forbidden, NotFound])
def test_jobs_of_the_others_come_and_go_and_its_own_are_left_as_they_are_known(kind):
    async def go():
        two = Two()
        two.submit("a", "old")
        two.submit("b", "old")
        await two.list()
        two.api.refused["b"] = kind("the LIST is refused")
        two.submit("a", "new")
        two.submit("b", "new")
        two.remove("a", "old")
        two.remove("b", "old")
        await two.list()
        assert two.known() == ["a-new", "b-old"]
        assert two.jobs.age() == 0, "the others are fresh"
        assert two.jobs.trouble() == ("namespace b could not be listed: the LIST is refused",)
        two.api.refused.clear()
        await two.list()
        assert (two.known(), two.jobs.trouble()) == (["a-new", "b-new"], ())
        await two.jobs.close()

    asyncio.run(go())


def test_an_operator_that_starts_meanwhile_serves_the_others():
    async def go():
        two = Two()
        two.submit("a", "old")
        two.api.refused["b"] = Forbidden("no right")
        async with asyncio.timeout(10):
            await two.jobs.list_at_start()
        assert two.known() == ["a-old"]
        await two.jobs.close()

    asyncio.run(go())


def test_where_every_namespace_is_refused_or_nobody_answers_nothing_was_listed():
    async def go():
        two = Two()
        for refused in (dict.fromkeys("ab", Forbidden("no right")), {"b": Unavailable("away")}):
            two.api.refused = refused
            two.world.now += 30
            age = two.jobs.age()
            with pytest.raises((Forbidden, Unavailable)):
                await two.jobs.list_all()
            assert two.jobs.age() == age
        await two.jobs.close()

    asyncio.run(go())


async def answers(two, *uids):
    """Return what a core that asks for these is told without waiting."""
    told: list[JobsFound] = []
    looks = Looks(two.jobs.find, told.append)
    looks.begin(uids)
    await settled()
    await looks.close()
    return told


def test_while_a_namespace_cannot_be_looked_into_nobody_is_found_dead_and_who_is_seen_elsewhere_lives():
    async def go():
        two = Two()
        two.submit("a", "old")
        two.api.refused["b"] = Forbidden("no right")
        found = await two.jobs.find()
        assert (set(found.uids), found.unread) == ({"a-old"}, "namespace b could not be listed: no right")
        assert await answers(two, "a-old") == [JobsFound(("a-old",), ())]
        assert await answers(two, "a-old", "gone") == [JobsFound(("a-old",), ())]
        assert await answers(two, "gone") == []
        two.api.refused.clear()
        assert await answers(two, "a-old", "gone") == [JobsFound(("a-old",), ("gone",))]
        two.api.refused["a"] = Unavailable("away")
        with pytest.raises(Unavailable):
            await two.jobs.find()

    asyncio.run(go())
