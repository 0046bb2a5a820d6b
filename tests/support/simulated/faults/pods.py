"""Faults of Pods and nodes: deleted, killed, lost, drained, not started."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.support.simulated.faults.fault import PHASES, Fault
from tests.support.simulated.platform import Starving

if TYPE_CHECKING:
    from tests.support.simulated.world import World


def a_worker(world: World) -> str:
    """Return the name of a worker that runs, by chance; empty for none."""
    running = world.platform.running("worker")
    return world.clock.chance.choice(running) if running else ""


def a_gateway(world: World) -> str:
    """Return the name of a gateway that runs, by chance; empty for none."""
    running = world.platform.running("gateway")
    return world.clock.chance.choice(running) if running else ""


def take_away(world: World) -> bool:
    """Remove somebody who is then started again: a worker, or a gateway where no worker is started any more."""
    victim = a_gateway(world) if world.phase == "publish" else a_worker(world)
    if victim:
        world.note(f"{victim} vanishes")
        world.platform.remove(victim)
    return bool(victim)


def _delete(world: World) -> bool:
    victim = a_worker(world)
    if victim:
        world.note(f"of {victim}")
        world.platform.stop(victim)
    return bool(victim)


def _force(world: World) -> bool:
    victim = a_worker(world)
    if victim:
        world.note(f"of {victim}")
        world.platform.remove(victim)
    return bool(victim)


def _kill(world: World) -> bool:
    victim = a_worker(world)
    if victim:
        world.note(f"of {victim}")
        world.platform.kill(victim)
    return bool(victim)


def _out_of_memory(world: World) -> bool:
    victim = a_worker(world)
    host = world.platform.host(victim) if victim else None
    if host is None or not world.charge(world.attempts_of(victim)):
        return False
    world.note(f"of {victim}")
    world.platform.kill(victim, oom=True)
    return True


def _lose_node(world: World) -> bool:
    victim = a_worker(world)
    if not victim:
        return False
    for name in world.platform.on_node_of(victim):
        world.note(f"{name} is on that node")
        world.platform.lose_node(name)
    return True


def _drain_node(world: World) -> bool:
    victim = a_worker(world)
    if not victim:
        return False
    for name in world.platform.on_node_of(victim):
        world.note(f"{name} is on that node")
        world.platform.stop(name)
    return True


def _lose_gateway(world: World) -> bool:
    victim = a_gateway(world)
    if not victim:
        return False
    world.note(f"of {victim}")
    if world.clock.chance.random() < 0.5:
        world.platform.kill(victim)
    else:
        world.platform.stop(victim)
    return True


def _crash_writing(world: World) -> bool:
    host = world.output_gateway()
    if host is None:
        return False
    host.crash_in(world.clock.chance.randint(1, 12))
    return True


def _starve(fault: str, reason: str, message: str) -> Fault:
    def strike(world: World) -> bool:
        until = world.clock.now + world.clock.chance.uniform(5.0, 20.0)
        world.platform.starving = Starving(until, fault, reason, message)
        return take_away(world)

    return Fault(fault, "workers", PHASES, strike, shows=True)


FAULTS: Final = (
    Fault("Pod deleted", "workers", PHASES, _delete),
    Fault("Pod force-deleted", "workers", PHASES, _force),
    Fault("worker killed", "workers", PHASES, _kill),
    Fault("Pod OOM-killed", "workers", PHASES, _out_of_memory),
    Fault("node lost", "workers", PHASES, _lose_node),
    Fault("node drained", "workers", PHASES, _drain_node),
    _starve("image cannot be pulled", "ImageUnavailable", "image 'mapreduce-worker': ErrImagePull"),
    _starve("nothing schedulable", "Unschedulable", "0/3 nodes are available"),
    Fault("gateway lost", "gateways", PHASES, _lose_gateway),
    Fault("gateway crashes while it writes", "gateways", PHASES, _crash_writing, shows=True),
)
