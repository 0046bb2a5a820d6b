"""Faults of the API server: refusals, answers that are lost, a watch that misses things, two minutes of silence.

Most of them matter only when something is written or happens meanwhile, so somebody is taken away, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.support.simulated.faults.fault import PHASES, Fault
from tests.support.simulated.faults.pods import take_away

if TYPE_CHECKING:
    from tests.support.simulated.world import World

AWAY: Final = 120.0


def _until(world: World) -> float:
    return world.clock.now + world.clock.chance.uniform(5.0, 20.0)


def _conflicts(world: World) -> bool:
    world.api.unheard_until = _until(world)
    world.api.taken = 1
    return take_away(world)


def _busy(world: World) -> bool:
    world.api.busy_until = _until(world)
    return take_away(world)


def _quota(world: World) -> bool:
    world.api.quota_until = _until(world)
    return take_away(world)


def _away(world: World) -> bool:
    if world.api.away:
        return False
    world.api.away_until = world.clock.now + AWAY
    world.clock.after(AWAY + 0.1, world.api.watch_again)
    return True


def _watch_lost(world: World) -> bool:
    until = world.api.watch_lost_until = _until(world)
    world.clock.after(until - world.clock.now, world.api.watch_again)
    return take_away(world)


def _watch_wild(world: World) -> bool:
    world.api.watch_wild_until = world.clock.now + 30.0
    return take_away(world)


FAULTS: Final = (
    Fault("API server answers 409", "api", PHASES, _conflicts, shows=True),
    Fault("API server answers 429 and 500", "api", PHASES, _busy, shows=True),
    Fault("API server away for two minutes", "api", PHASES, _away),
    Fault("watch lost (410)", "api", PHASES, _watch_lost, shows=True),
    Fault("watch events lost, repeated or late", "api", PHASES, _watch_wild, shows=True),
    Fault("quota exceeded", "api", PHASES, _quota, shows=True),
)
