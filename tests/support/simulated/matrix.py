"""What each fault alone does to a small job: what people are told, what is charged, how long it lasts.

    python -m tests.support.simulated.matrix HITS RECORD

Plays every cell of the catalogue in a world that is calm besides, a few seeds each, and beside each the same seed
without the fault; reads from HITS how often the schedules of `tests/simulation` hit each cell; writes RECORD, from
which `hack/fault_matrix.py` makes docs/fault-matrix.md. Neighbours: `coverage.py` (the hits), `schedule.py` (`alone`).
"""

from __future__ import annotations

import functools
import pathlib
import statistics
import sys
from collections.abc import Iterable, Sequence

import msgspec

from tests.support.simulated import schedule, verdict
from tests.support.simulated.coverage import Hits
from tests.support.simulated.faults import catalogue
from tests.support.simulated.faults.fault import PHASES_OF_JOBS, Fault
from tests.support.simulated.world import World

SEEDS = range(2)
NEWS = frozenset(
    {"Planned", "Mapping", "Reducing", "Publishing", "Succeeded", "Scaled", "Suspended", "Resumed", "BadRecordsSkipped"}
)
"""What is told of every job of the simulation, and of what the user asks for."""


class Run(msgspec.Struct, frozen=True):
    """What one fault did to one job: seconds from the hit until what it took ran again, and by how much the job's end
    came later."""

    told: tuple[str, ...]
    charged: tuple[str, ...]
    end: str
    back: float
    later: float


class Row(msgspec.Struct, frozen=True):
    """One fault. `back` and `later` are medians over phases and seeds; `hits` counts schedules, by phase."""

    fault: str
    told: tuple[str, ...]
    charged: tuple[str, ...]
    ends: tuple[str, ...]
    back: float
    later: float
    runs: int
    hits: dict[str, int]


class Record(msgspec.Struct, frozen=True):
    """All of them. `seeds`: how many schedules of all faults were played for the hits, `schedules` with the others;
    `alone`: how many seeds each fault alone was played with in each phase."""

    seeds: int
    schedules: int
    alone: int
    phases: tuple[str, ...]
    rows: tuple[Row, ...]


def run(fault: Fault, phase: str, seed: int) -> Run | None:
    """Play one fault alone; None if it did not hit. Raises `AssertionError` if the job's end is wrong."""
    world = World(seed, schedule.alone(fault.name, phase), checked=False)
    wrong = world.run()
    assert wrong == [], f"{fault.name} in {phase}, seed {seed}: {wrong}"
    times = [at for (name, where), at in world.hits.items() if (name, where) == (fault.name, phase)]
    if not times:
        return None
    told = {said.reason for said in world.said if said.at >= times[0] and said.reason not in NEWS}
    back, charged = (0.0, set()) if world.master.ended == "Deleted" else _traces(world, times[0])
    later = max(0.0, world.clock.now - _calm(seed)) if world.master.ended == "Succeeded" else 0.0
    return Run(tuple(sorted(told)), tuple(sorted(charged)), _end(world), back, later)


@functools.cache
def _calm(seed: int) -> float:
    """Return how long the same job takes if nothing fails."""
    calm = World(seed, schedule.alone("", ""))
    assert calm.run() == []
    return calm.clock.now


def _end(world: World) -> str:
    return world.master.ended if world.master.ended != "Failed" else f"Failed: {', '.join(sorted(world.may_fail))}"


def _traces(world: World, hit: float) -> tuple[float, set[str]]:
    """Return how long it took until every task that was lost after the hit ran again, and the budgets charged."""
    waiting: set[str] = set()
    back = hit
    charged = set()
    for event in verdict.events(world):
        at = world.when(event["wall"])
        if at < hit:
            continue
        task = event.get("task", "")
        if event.get("budget"):
            charged.add(event["budget"])
        if event["event"] in ("Lost", "Failed", "Cancelled") and not task.startswith(("open", "clean")):
            waiting.add(task)
        elif event["event"] == "Assigned" and task in waiting:
            waiting.discard(task)
            back = max(back, at)
    return back - hit, charged


def row(fault: Fault, hits: dict[tuple[str, str], int], seeds: Sequence[int] = SEEDS) -> Row:
    """Return what is said of one fault."""
    phases = [phase for phase in PHASES_OF_JOBS if phase in fault.phases]
    runs = [found for phase in phases for seed in seeds if (found := run(fault, phase, seed)) is not None]
    return Row(
        fault=fault.name,
        told=_often(found.told for found in runs),
        charged=_often(found.charged for found in runs),
        ends=tuple(sorted({found.end for found in runs})),
        back=round(statistics.median([found.back for found in runs if found.back > 0] or [0.0]), 1),
        later=round(statistics.median([found.later for found in runs] or [0.0]), 1),
        runs=len(runs),
        hits={phase: _hits(fault, phase, hits) for phase in phases},
    )


def _hits(fault: Fault, phase: str, hits: dict[tuple[str, str], int]) -> int:
    return hits.get((fault.name, phase), 0) + (hits.get((fault.name, "early"), 0) if phase == "map" else 0)


def _often(words: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(sorted({word for several in words for word in several}))


def main() -> None:
    """Write the record."""
    counted, record = map(pathlib.Path, sys.argv[1:])
    found = msgspec.json.decode(counted.read_bytes(), type=Hits)
    hits = {(fault, phase): count for fault, phase, count in found.hits}
    rows = tuple(row(fault, hits) for fault in catalogue.ALL)
    whole = Record(seeds=found.seeds, schedules=found.schedules, alone=len(SEEDS), phases=PHASES_OF_JOBS, rows=rows)
    record.write_bytes(msgspec.json.format(msgspec.json.encode(whole)) + b"\n")


if __name__ == "__main__":
    main()
