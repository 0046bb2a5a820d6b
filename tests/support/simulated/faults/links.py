"""Faults of the network: cuts between two places, and messages that are lost, come twice, or late."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.support.simulated.faults.fault import PHASES, WITH_TASKS, Fault
from tests.support.simulated.faults.pods import a_gateway, a_worker
from tests.support.simulated.master_process import MASTER
from tests.support.simulated.network import MESSAGES, Weather

if TYPE_CHECKING:
    from tests.support.simulated.world import World

STORM: Final = Weather(drop=0.15, repeat=0.3, slow=0.1, delay=0.5)


def _cut(world: World, *pairs: tuple[str, str]) -> bool:
    if not all(one and other for one, other in pairs):
        return False
    seconds = world.clock.chance.uniform(2.0, 40.0)
    for one, other in pairs:
        world.note(f"between {one} and {other} for {seconds:.1f} s")
        world.network.cut(one, other, seconds)
    return True


def _from_master(world: World) -> bool:
    return _cut(world, (a_worker(world), MASTER))


def _gateway_from_master(world: World) -> bool:
    return _cut(world, (a_gateway(world), MASTER))


def _two(world: World) -> tuple[str, str]:
    running = world.platform.running("worker")
    if len(running) < 2:
        return "", ""
    one, other = world.clock.chance.sample(running, 2)
    return one, other


def _two_workers(world: World) -> bool:
    return _cut(world, _two(world))


def _from_all(world: World) -> bool:
    one, other = _two(world)
    return _cut(world, (one, other), (one, MASTER))


def _from_gateway(world: World) -> bool:
    return _cut(world, (a_worker(world), a_gateway(world)))


def _storm(world: World) -> bool:
    before, world.network.weather = world.network.weather, STORM

    def over() -> None:
        if world.network.weather is STORM:
            world.network.weather = before

    world.clock.after(world.clock.chance.uniform(5.0, 30.0), over)
    return before is not STORM


FAULTS: Final = (
    Fault("worker cut off from master", "network", PHASES, _from_master),
    Fault("gateway cut off from master", "network", PHASES, _gateway_from_master),
    Fault("worker cut off from worker", "network", WITH_TASKS, _two_workers),
    Fault("worker cut off from worker and master", "network", PHASES, _from_all),
    Fault("worker cut off from gateway", "network", WITH_TASKS, _from_gateway),
    Fault(MESSAGES, "network", PHASES, _storm, shows=True),
)
