"""Faults of the operator: killed, replaced, frozen beside its successor; and clocks that jump."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.support.simulated.faults.fault import PHASES, Fault
from tests.support.simulated.faults.pods import a_gateway, a_worker
from tests.support.simulated.master_process import MASTER

if TYPE_CHECKING:
    from tests.support.simulated.world import World

FROZEN: Final = "operator frozen, a successor starts"
JUMP: Final = 3000.0
"""Seconds by which a wall clock jumps at most; a ticket lasts for 3600."""


def _kill(world: World) -> bool:
    if not world.master.up:
        return False
    world.master.crash()
    world.clock.after(world.clock.chance.uniform(0.5, 20.0), world.master.boot)
    return True


def _replace(world: World) -> bool:
    """SIGTERM, and a successor that waits already: the Lease is released; writes under way land later."""
    if not world.master.up:
        return False
    world.master.crash()
    world.master.boot()
    return True


def _freeze(world: World) -> bool:
    frozen = world.master.newest
    if frozen is None or not frozen.alive or frozen.frozen:
        return False
    frozen.freeze()
    world.master.boot(successor=True)
    world.clock.after(world.clock.chance.uniform(18.0, 40.0), frozen.thaw)
    return True


def _jump(world: World) -> bool:
    where = world.clock.chance.choice([place for place in (MASTER, a_gateway(world), a_worker(world)) if place])
    world.shifts[where] = world.clock.chance.uniform(-JUMP, JUMP)
    world.note(f"by {world.shifts[where]:.0f} s at {where}")
    return True


FAULTS: Final = (
    Fault("operator killed", "master", PHASES, _kill),
    Fault("operator replaced", "master", PHASES, _replace),
    Fault(FROZEN, "master", PHASES, _freeze),
    Fault("wall clock jumps", "clocks", PHASES, _jump),
)
