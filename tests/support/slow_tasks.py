"""A job under test of which one task hangs behind: every attempt takes ten seconds but those on one worker."""

from __future__ import annotations

from typing import Any

from mapreduce.ids import AttemptId
from tests.support.master_builder import JobUnderTest
from tests.support.master_fakes import FakeWorker

USUAL = 10.0
"""Seconds that an attempt takes."""


def job(**changes: Any) -> JobUnderTest:
    """A job of eight maps and four reduces on four workers of one slot, its maps about to run."""
    fields: dict[str, Any] = {"maps": 8, "reducers": 4, "workers": 4}
    return JobUnderTest(**(fields | changes)).until_mapping()


def until_one_is_left(under_test: JobUnderTest, kind: str = "map") -> tuple[FakeWorker, AttemptId]:
    """Let everything end after ten seconds each but one task: the first map, or the reduce of the first worker that has
    one; return who runs that one."""
    running = under_test.running(kind)
    slow: tuple[FakeWorker, AttemptId] = (
        min(running, key=lambda found: found[1].task.index) if kind == "map" else running[0]
    )
    for _ in range(20):
        others = [found for found in under_test.running(kind) if found[1].task != slow[1].task]
        if not others:
            return slow
        under_test.pass_time(USUAL)
        for worker, attempt in others:
            under_test.finish(worker, attempt)
    raise AssertionError("there is no end of them")


def backups(under_test: JobUnderTest) -> list[str]:
    """The attempts that were given because another was slow."""
    return [str(event.attempt) for event in under_test.history("Assigned") if event.reason == "Speculative"]
