"""What happens in a schedule, drawn from its seed: the job, how fast things are, which faults, and when.

Each seed of `EVERYTHING` has one fault that waits for one phase, cell by cell of the catalogue, and some more at
random. The function `alone` gives one fault in one phase, in a world that is calm besides. Neighbours: `world.py`
(plays it), `faults/catalogue.py`.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec

from mapreduce.spec import JobSpec
from tests.support.simulated import rivals
from tests.support.simulated.faults import catalogue
from tests.support.simulated.faults.fault import Fault, Phase
from tests.support.simulated.network import Weather
from tests.support.simulated.toy import WORDS, Toy

if TYPE_CHECKING:
    from tests.support.simulated.world import World

CALM = Weather()
TROUBLE_ENDS = 90.0
"""Seconds after which no fault is begun; a little later every cut is healed, and the job must come to its end."""
POLL: Final = 0.05
STRIKES: Final = 6
"""How often a fault begins that shows only where something meets it."""
Pace = tuple[float, float]


class Faults(msgspec.Struct, frozen=True, kw_only=True):
    """Which kinds of faults a schedule may hold."""

    workers: bool = True
    gateways: bool = True
    master: bool = True
    network: bool = True
    slots: bool = True
    user: bool = True
    """The user scales the job, suspends and resumes it, or deletes it."""
    api: bool = True
    disks: bool = True
    clocks: bool = True
    fickle_map: bool = False
    """A map of the user's gives something else in each attempt: always, and not in a few schedules only."""
    slow_worker: bool = False
    """The first worker is three or ten times slower than the others, always, and there are enough tasks to show it."""
    speculation: bool = True
    """Tasks that are slow get a backup."""
    alone: tuple[str, str] | None = None
    """One fault in one phase and nothing else; an empty name for none."""


EVERYTHING = Faults()
NOTHING = Faults(
    workers=False, gateways=False, master=False, network=False, slots=False, user=False, api=False, disks=False,
    clocks=False,
)  # fmt: skip
ONLY_THE_MASTER = msgspec.structs.replace(NOTHING, master=True)
A_FICKLE_MAP = Faults(fickle_map=True)
A_SLOW_WORKER = msgspec.structs.replace(NOTHING, network=True, slow_worker=True)
A_LARGE_MAP = Faults(alone=("user code leaks: slot over memory", "early"))
"""While reduces gather in every other slot, a map needs a worker of its own."""
KINDS = (EVERYTHING, ONLY_THE_MASTER, A_FICKLE_MAP, A_SLOW_WORKER, A_LARGE_MAP)
"""What is played with each seed."""


def alone(fault: str, phase: str) -> Faults:
    """Return a schedule's faults: only this one."""
    return Faults(alone=(fault, phase))


def primary(seed: int, faults: Faults) -> tuple[Fault, Phase] | None:
    """Return the fault that waits for a phase."""
    if faults.alone is not None:
        name, phase = faults.alone
        return next((cell for cell in catalogue.CELLS if (cell[0].name, cell[1]) == (name, phase)), None)
    return catalogue.CELLS[seed % len(catalogue.CELLS)] if faults == EVERYTHING else None


# --- the job ------------------------------------------------------------------------------------


def draw_toy(world: World) -> Toy:
    """Draw the input, so that the fault that waits finds what it needs."""
    chance = world.clock.chance
    if world.faults.slow_worker:
        return Toy.of_many_tasks(chance)
    drawn = Toy.draw(chance)
    if world.faults.fickle_map:
        return drawn.with_a_fickle_map(chance)
    fault = world.primary
    if world.faults.alone is not None:
        texts = tuple(tuple(chance.choices(WORDS, k=6)) for _ in range(6))
        drawn = Toy(texts, 3)
    elif fault is not None and fault[1] == "early":
        # Maps of which the first have rows, so that there is something to gather.
        texts = tuple(tuple(chance.choices(WORDS, k=6)) for _ in range(chance.randint(3, 7)))
        drawn = Toy(texts, chance.randint(2, 4))
    elif fault is not None and fault[1] in ("shuffle", "reduce"):
        drawn = msgspec.structs.replace(drawn, has_reduce=True, spoiled_map=-1, spoiled_partition=-1)
    if fault is not None and fault[0].name == "poison record":
        spoiled = {"spoiled_map": 0} if fault[1] == "map" else {"spoiled_partition": 0}
        return msgspec.structs.replace(drawn, **spoiled).by_hash()
    return drawn


def draw_spec(world: World) -> JobSpec:
    """Draw the rest of the job."""
    chance = world.clock.chance
    if world.faults.alone is not None:
        workers, slots = (2, 2) if world.faults.alone[1] == "early" else (3, 1)
        return world.toy.spec(workers, slots, separate_input=False)
    if world.faults.slow_worker:
        drawn = world.toy.spec(4, chance.randint(1, 2), separate_input=False)
        return msgspec.structs.replace(drawn, speculation=world.faults.speculation)
    if world.primary is not None and world.primary[1] == "early":
        # So few slots that reduces can have all of them but one.
        return world.toy.spec(2, 2, chance.random() < 0.5)
    fewest = 1 if world.primary is None else 2
    replaces = chance.random() < 0.2 and not (world.primary is not None and world.primary[0].name == "output exists")
    return world.toy.spec(
        chance.randint(fewest, 4),
        chance.randint(1, 2),
        chance.random() < 0.5,
        overwrite="replace" if replaces else "refuse",
    )


def paces(world: World) -> tuple[Pace, Pace, float, float]:
    """Draw how long maps and reduces take at least and at most, and how long segments and publishing at most."""
    chance = world.clock.chance
    if world.faults.alone is not None:
        maps = (1.0, 9.0) if world.faults.alone[1] == "early" else (3.0, 3.0)
        return maps, (3.0, 3.0), 2.0, 3.0
    # Maps that run again while reduces run are what a fickle map is about.
    fickle = world.toy.fickle_map >= 0
    slow_reduces = (0.5, 25.0)
    phase = world.primary[1] if world.primary is not None else ""
    fast = [(3.0, 3.0)] if phase in ("map", "reduce") else [(0.5, 0.5), (3.0, 3.0)]
    if phase == "early":
        # Some maps end long before others.
        return (0.1, chance.choice([8.0, 25.0])), (0.1, 3.0), chance.choice([0.0, 3.0]), 0.2
    longest = chance.choice([slow_reduces] if fickle else [*fast, (25.0, 25.0), slow_reduces])
    segments = 3.0 if phase == "shuffle" else chance.choice([0.0, 0.0, 2.0])
    return (0.1, longest[0]), (0.1, longest[1]), segments, 3.0 if phase == "publish" else 0.2


def weather(world: World) -> Weather:
    """Draw how bad the network is all the time."""
    chance = world.clock.chance
    if not world.faults.network or world.faults.alone is not None or chance.random() < 0.4:
        return CALM
    return Weather(
        drop=chance.choice([0.0, 0.02, 0.1]),
        repeat=chance.choice([0.0, 0.05, 0.3]),
        slow=chance.choice([0.0, 0.02, 0.1]),
        delay=chance.choice([0.02, 0.5]),
        spoil=chance.choice([0.0, 0.1]),
    )


def lay_rivals(world: World) -> None:
    """Now and then another job had the output's name before; mostly it is dead."""
    chance, faults = world.clock.chance, world.faults
    if not faults.disks or faults.alone is not None or world.spec.overwrite == "replace" or chance.random() > 0.1:
        return
    rivals.reserve_before(world)
    world.note("another job has left a lock on the output")
    if chance.random() < 0.2:
        world.note("and that job lives")
        world.living.add(rivals.BEFORE)
        world.may_fail.add("OutputReserved")


# --- what happens ---------------------------------------------------------------------------------


def plan(world: World) -> None:
    """Let things happen when their time comes."""
    chance, faults = world.clock.chance, world.faults
    if world.primary is not None:
        _wait_for_phase(world, *world.primary, strikes=STRIKES)
    if faults.alone is not None:
        return
    candidates = [fault for fault in catalogue.ALL if getattr(faults, fault.group)]
    if candidates:
        # Most jobs are short: a narrow window makes most faults hit them.
        window = chance.choice([12.0, 30.0, TROUBLE_ENDS])
        for _ in range(chance.randint(0 if world.primary else 1, 7)):
            fault = chance.choice(candidates)
            if not fault.ends or chance.random() < 0.1:
                world.clock.after(chance.uniform(0.5, window), partial(_strike, world, fault))
    if faults.user and chance.random() < 0.05:
        world.wanted = msgspec.structs.replace(world.wanted, suspend=True)
        world.clock.after(chance.uniform(0.5, 20.0), lambda: world.want(suspend=False))
    world.clock.after(TROUBLE_ENDS + 30, world.calm_down)


def _strike(world: World, fault: Fault) -> bool:
    """Begin a fault; it hits at once, or where something meets it."""
    phase = world.phase
    if phase == "over" or world.master.ended:
        return False
    world.note(f"FAULT {fault.name} ({phase})")
    begun = fault.strike(world)
    if begun and not fault.shows:
        world.hits.setdefault((fault.name, phase), world.clock.now)
    if not begun:
        world.note("but it finds nothing to hit")
    return begun


def _wait_for_phase(world: World, fault: Fault, phase: Phase, strikes: int) -> None:
    """Begin a fault a little after its phase began, and again if it showed nowhere."""
    chance = world.clock.chance
    # Publishing is short, and so may be the others.
    delay = chance.uniform(0.0, 0.3 if phase == "publish" else 1.0)

    def look() -> None:
        nonlocal delay, strikes
        if world.master.ended or not strikes or (fault.name, phase) in world.hits or world.clock.now > 400:
            return
        if world.phase == phase:
            if delay > 0:
                delay -= POLL
            elif _strike(world, fault):
                strikes -= 1
                delay = 1.0
        world.clock.after(POLL, look)

    world.clock.after(POLL, look)
