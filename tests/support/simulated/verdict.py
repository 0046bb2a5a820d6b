"""What must be so at the end of a schedule: of its output, its history, its counters, and what is left behind.

Neighbours: `world.py` (plays the schedule), `tests/support/history_checker.py` (the history's rules).
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from mapreduce import history, partition_sizes, paths
from mapreduce.bad_records import BadRecord
from tests.support import history_checker
from tests.support.simulated import rivals
from tests.support.simulated.faults.masters import FROZEN
from tests.support.simulated.schedule import ONLY_THE_MASTER
from tests.support.simulated.toy import sizes

if TYPE_CHECKING:
    from tests.support.simulated.world import World

FILES = {"output.tsv", "_manifest.json", "_SUCCESS", paths.EVENTS, paths.PLAN}
BY_HAND = {"mine.txt": b"mine"}


def judge(world: World) -> list[str]:
    """Return what is wrong with the end of a job."""
    seen = world.disk.tree()
    world.disk.lose_power()
    if world.disk.tree() != seen:
        return [f"the job is {world.master.ended}, but what it left on the disk is not durable"]
    match world.master.ended:
        case "Succeeded":
            return _succeeded(world)
        case "Failed":
            return _failed(world)
        case "Deleted" if world.deleted:
            return _deleted(world)
        case _:
            return [f"the job is {world.master.ended}; status: {world.master.status}"]


def events(world: World) -> history_checker.Events:
    """Return the history: of the published job, or of one that failed."""
    failed = world.master.ended == "Failed"
    place = paths.staging(world.spec.output, world.spec.uid) if failed else world.spec.output
    return history.parse(world.disk.below(place).get(paths.EVENTS, b""))


# --- it succeeded -------------------------------------------------------------------------------


def _succeeded(world: World) -> list[str]:
    published = world.disk.below(world.spec.output)
    wrong = []
    if published.get("output.tsv") not in (expected := _expected(world)):
        wrong.append(f"output.tsv is {published.get('output.tsv')!r}, not {' or '.join(map(repr, expected))}")
    if set(published) - {paths.BAD_RECORDS} != FILES:
        return [*wrong, f"the output directory holds {sorted(published)}"]
    wrong += _left_behind(world, published)
    wrong += _check_bad_records(world, published)
    wrong += _check_counters(world, msgspec.json.decode(published["_manifest.json"])["counters"])
    found = events(world)
    wrong += _check_sizes(world, found)
    forgotten = history_checker.forgotten_by_their_workers(found)
    wrong += [f"{attempt} ran, and its worker was taken to have forgotten it" for attempt in forgotten]
    # Who waits for a frozen master may register with its successor only when the grace is over.
    quick = world.faults == ONLY_THE_MASTER and not any(fault == FROZEN for fault, _ in world.hits)
    return wrong + (_what_a_restart_costs(found) if quick else [])


def _check_counters(world: World, counters: dict[str, int]) -> list[str]:
    wrong = []
    if {name: value for name, value in counters.items() if name != "tries"} != world.toy.expected_counters():
        wrong.append(f"the counters are {counters}, not {world.toy.expected_counters()}")
    if world.master.status is None or world.master.status.counters != counters:
        said = world.master.status.counters if world.master.status is not None else None
        wrong.append(f"the status says {said}, the manifest {counters}")
    maps, parts = len(world.toy.texts), world.toy.parts
    return wrong + history_checker.check(events(world), maps=maps, reduces=parts, counters=counters)


def _check_bad_records(world: World, published: dict[str, bytes]) -> list[str]:
    """Each once, in the order of the maps, as the attempts that count told of them.

    Which text a map reads depends on the plan.
    """
    lines = published.get(paths.BAD_RECORDS, b"").split(b"\n")
    kept = [msgspec.json.decode(line, type=BadRecord) for line in lines if line]
    places = [(record.file, record.offset) for record in kept]
    expected = world.toy.expected_bad()
    if sorted(places) != sorted(expected):
        return [f"{paths.BAD_RECORDS} has {places}, not {expected}"]
    if not world.toy.has_reduce and places != expected:
        return [f"{paths.BAD_RECORDS} is not in the order of the input: {places}"]
    said_by = Counter(record.message.removeprefix("ValueError: in ") for record in kept)
    if said_by != (counted := history_checker.bad_records_that_count(events(world))):
        return [f"{paths.BAD_RECORDS} is of {dict(said_by)}, but the attempts that count are {counted}"]
    said = world.master.status.bad_records if world.master.status is not None else None
    return [] if said == len(expected) else [f"the status says {said} bad records, but there are {len(expected)}"]


def _check_sizes(world: World, found: history_checker.Events) -> list[str]:
    """Where one master heard the report of every map, each is in the sizes of the partitions once."""
    toy, told = world.toy, [event["sizes"] for event in history_checker.named(found, "Sizes")]
    if (
        not toy.has_reduce
        or toy.total
        or toy.fickle_map >= 0
        or len(history_checker.named(found, "EpochOpened", "Held")) > 1
    ):
        return []
    read = [index for index in range(len(toy.texts)) if index != toy.spoiled_map]
    each = [sizes(toy.map(index, None)) for index in read]
    packed = partition_sizes.pack(map(sum, zip(*each, strict=True)))
    expected = [partition_sizes.unpack(packed)] if read else []
    return [] if told == expected else [f"the history says that partitions have {told} bytes, not {expected}"]


def _left_behind(world: World, published: dict[str, bytes], *allowed: str) -> list[str]:
    mine = {f"{world.spec.output}/{name}" for name in published}
    left = sorted(path for path in set(world.disk.tree()) - mine if not path.startswith(allowed))
    return [f"left behind: {left}"] if left else []


def _expected(world: World) -> list[bytes]:
    """Return what the output may be: of a map that is not deterministic one attempt must count for all."""
    toy = world.toy
    if toy.fickle_map < 0:
        return [toy.expected()]
    return sorted({toy.expected(made) for made in world.made if made.task.index == toy.fickle_map})


def _what_a_restart_costs(found: history_checker.Events) -> list[str]:
    again = history_checker.assigned_again_after_finishing(found)
    early = history_checker.assigned_before_all_had_told(found)
    return [
        *[f"only the master died, and {task} ran again after it had finished" for task in again],
        *[f"only the master died, and {task} was given out while it ran, or was done" for task in early],
    ]


# --- it did not ---------------------------------------------------------------------------------


def _failed(world: World) -> list[str]:
    """A job that had to fail: nothing of it is under the output's name, and nothing of others is touched."""
    allowed = world.may_fail | ({"NonDeterministicMap"} if world.toy.fickle_map >= 0 else set())
    conditions = world.master.status.conditions if world.master.status is not None else ()
    reasons = {condition.reason for condition in conditions if condition.type == "Failed"}
    if not reasons or not reasons <= allowed:
        return [f"the job is Failed; status: {world.master.status}"]
    staging = paths.staging(world.spec.output, world.spec.uid)
    wrong = _others_are_whole(world, reasons)
    allowed_left = [f"{staging}/{paths.HISTORY}", f"{staging}/{paths.MADE}", *rivals.left_by_one_before(world)]
    wrong += _left_behind(world, world.disk.below(world.spec.output), *allowed_left)
    maps, parts = len(world.toy.texts), world.toy.parts
    return wrong + history_checker.check(events(world), maps=maps, reduces=parts, published=False)


def _deleted(world: World) -> list[str]:
    """A job that was deleted: it had published everything before, or nothing of it is left."""
    published = world.disk.below(world.spec.output)
    if set(published) - {paths.BAD_RECORDS} == FILES and published != world.old:
        expected = _expected(world)
        return [] if published["output.tsv"] in expected else [f"output.tsv is {published['output.tsv']!r}"]
    wrong = _others_are_whole(world, set())
    return wrong + _left_behind(world, published, *rivals.left_by_one_before(world))


def _others_are_whole(world: World, reasons: set[str]) -> list[str]:
    """What stood under the output's name still does, and is what it was."""
    stands = world.disk.below(world.spec.output)
    expected = BY_HAND if "OutputExists" in reasons or stands == BY_HAND else world.old
    return [] if stands == expected else [f"under the output's name stands {stands}, not {expected}"]
