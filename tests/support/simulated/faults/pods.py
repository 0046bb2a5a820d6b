"""Faults of Pods and nodes: deleted, killed, evicted, lost, drained, not started."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from tests.support.simulated.faults.fault import PHASES, Fault
from tests.support.simulated.platform import Platform, Starving

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


def _of_a_worker(do: Callable[[Platform, str], None]) -> Callable[[World], bool]:
    """Return a strike that does this to a worker that runs."""

    def strike(world: World) -> bool:
        victim = a_worker(world)
        if victim:
            world.note(f"of {victim}")
            do(world.platform, victim)
        return bool(victim)

    return strike


def _out_of_memory(world: World) -> bool:
    victim = a_worker(world)
    host = world.platform.host(victim) if victim else None
    if host is None or not world.charge(world.attempts_of(victim)):
        return False
    world.note(f"of {victim}")
    world.platform.kill(victim, oom=True)
    return True


def _of_a_node(do: Callable[[Platform, str], None]) -> Callable[[World], bool]:
    """Return a strike that does this to each Pod that runs on a worker's node."""

    def strike(world: World) -> bool:
        victim = a_worker(world)
        for name in world.platform.on_node_of(victim) if victim else ():
            world.note(f"{name} is on that node")
            do(world.platform, name)
        return bool(victim)

    return strike


def _drain(platform: Platform, name: str) -> None:
    platform.stop(name, disruption="EvictionByEvictionAPI")


def _evict(platform: Platform, name: str) -> None:
    platform.kill(name, evicted=True)


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
    Fault("Pod deleted", "workers", PHASES, _of_a_worker(Platform.stop)),
    Fault("Pod force-deleted", "workers", PHASES, _of_a_worker(Platform.remove)),
    Fault("worker killed", "workers", PHASES, _of_a_worker(Platform.kill)),
    Fault("Pod OOM-killed", "workers", PHASES, _out_of_memory),
    Fault("Pod evicted: its node is short of memory", "workers", PHASES, _of_a_worker(_evict)),
    Fault("node lost", "workers", PHASES, _of_a_node(Platform.lose_node)),
    Fault("node drained", "workers", PHASES, _of_a_node(_drain)),
    _starve("image cannot be pulled", "ImageUnavailable", "image 'mapreduce-worker': ErrImagePull"),
    _starve("nothing schedulable", "Unschedulable", "0/3 nodes are available"),
    Fault("gateway lost", "gateways", PHASES, _lose_gateway),
    Fault("gateway crashes while it writes", "gateways", PHASES, _crash_writing, shows=True),
)
