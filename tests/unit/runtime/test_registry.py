"""Which job a session belongs to."""

from mapreduce_operator.runtime.jobs import JobRuntime
from mapreduce_operator.runtime.registry import Registry
from tests.support.runtimes import NotedDriver, NotedObserver, ScriptedCore, spec


def job(uid: str) -> JobRuntime:
    return JobRuntime(spec(uid), ScriptedCore(), NotedDriver(), NotedObserver())


def test_a_session_leads_to_its_job() -> None:
    registry, first, second = Registry(), job("a"), job("b")
    registry.add(first)
    registry.add(second)
    registry.open_session(second, "w-0", "s")
    assert registry.of_session("s") is second
    assert registry.of_session("other") is None


def test_a_new_session_of_a_worker_ends_the_one_before() -> None:
    registry, only = Registry(), job("a")
    registry.add(only)
    registry.open_session(only, "w-0", "old")
    registry.open_session(only, "w-0", "new")
    assert (registry.of_session("old"), registry.of_session("new")) == (None, only)


def test_removing_a_job_ends_its_sessions_and_no_other() -> None:
    registry, first, second = Registry(), job("a"), job("b")
    for number, added in enumerate((first, second)):
        registry.add(added)
        registry.open_session(added, "w-0", f"s{number}")
    assert registry.remove("a") is first
    assert (registry.of_session("s0"), registry.of_session("s1")) == (None, second)
    assert list(registry) == [second]


def test_a_session_of_a_job_that_was_removed_meanwhile_is_not_opened() -> None:
    registry, gone = Registry(), job("a")
    registry.add(gone)
    registry.remove("a")
    registry.open_session(gone, "w-0", "s")
    assert registry.of_session("s") is None
