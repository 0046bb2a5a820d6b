"""Slots that nothing can kill cost their workers, and not the job."""

import pytest

from mapreduce_worker.core import events
from tests.support.simulated import schedule
from tests.support.simulated.world import World


def stick(world, kind, done):
    """Let the first attempt of a kind that each of the first three workers runs never leave its slot."""
    for worker in world.platform.workers():
        for command in worker.in_slots():
            if isinstance(command, kind) and worker.name not in done and len(done) < 3:
                done.append(worker.name)
                worker.stick(command.attempt)
    if len(done) < 3:
        world.clock.after(0.1, lambda: stick(world, kind, done))


@pytest.mark.parametrize("kind", [events.MapInSlot, events.ReduceInSlot])
def test_workers_whose_slots_cannot_be_killed_are_replaced_and_the_output_is_right(kind):
    world = World(0, schedule.alone("", ""))
    stuck: list[str] = []
    stick(world, kind, stuck)
    assert world.run() == []
    told = sorted(said.message.split(":")[0] for said in world.said if said.reason == "SlotStuck")
    assert (len(told), told) == (3, sorted(stuck)), [said.reason for said in world.said]
