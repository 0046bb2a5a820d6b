"""Faults of disks and of what is on them: full, flipped bits, inputs that change, others at the output."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mapreduce import paths
from mapreduce.errors import OutputError
from mapreduce_worker.core import events
from mapreduce_worker.gateway import reservation
from tests.support.crash_store import CrashStore, File
from tests.support.simulated import rivals, toy
from tests.support.simulated.faults.fault import PHASES, WITH_TASKS, Fault
from tests.support.simulated.network import PART

if TYPE_CHECKING:
    from tests.support.simulated.world import World


def _output_full(world: World) -> bool:
    if world.disk.full:
        return False
    world.disk.full = True

    def room() -> None:
        world.disk.full = False

    world.clock.after(world.clock.chance.uniform(2.0, 20.0), room)
    return True


def _scratch_full(world: World) -> bool:
    workers = world.platform.workers()
    for worker in workers:
        worker.full_until = world.clock.now + world.clock.chance.uniform(2.0, 8.0)
    return bool(workers)


def _segment(world: World) -> bool:
    """On the holder's disk, or, once it was fetched, on the reducer's."""
    if world.phase in ("early", "shuffle"):
        holders = [worker for worker in world.platform.workers() if worker.outputs]
        if holders:
            holder = world.clock.chance.choice(holders)
            holder.damaged |= set(holder.outputs)
        return bool(holders)
    for worker in world.platform.workers():
        for command in worker.in_slots():
            if isinstance(command, events.ReduceInSlot) and command.segments:
                source = world.clock.chance.choice(command.segments).source
                worker.end_in_slot(command, events.SegmentSpoiled(command.attempt, source, "a bit has flipped"))
                world.hit("corrupted segment")
                return True
    return False


def _part(world: World) -> bool:
    world.parts_to_spoil = 1
    return True


def _staged_part(world: World) -> bool:
    staging = paths.staging(world.spec.output, world.spec.uid)
    parts = [path for path in world.disk.below(staging) if path.startswith(f"{paths.PARTS}/") and "/." not in path]
    if not parts:
        return False
    path = world.clock.chance.choice(sorted(parts))
    file = CrashStore(world.disk).node(f"{staging}/{path}")
    assert isinstance(file, File)
    file.data = file.durable = toy.flip(file.data, world.clock.chance)
    world.may_fail.add("StorageFailed")
    return True


def _input_changes(world: World) -> bool:
    world.input_change_due = True
    world.may_fail.add("InputChanged")
    return True


def _output_appears(world: World) -> bool:
    """Somebody makes a directory under the output's name by hand."""
    store = CrashStore(world.disk)
    if world.spec.overwrite == "replace" or store.kind(world.spec.output) is not None:
        return False
    if store.kind("results") is None or world.disk.full:
        return False
    rivals.make_by_hand(world)
    world.may_fail.add("OutputExists")
    return True


def _second_job(world: World) -> bool:
    """Another job begins with the same output; it must not get it."""
    store = CrashStore(world.disk)
    if world.disk.full or reservation.holder(store, world.spec.output) != world.spec.uid:
        return False
    rival = rivals.output(world, "rival-late")
    for living in ((), (world.spec.uid,)):
        try:
            rival.open(living, judge=toy.JUDGE)
        except OutputError:
            continue
        world.wrong.append("another job could open the output that this one holds")
    return True


FAULTS: Final = (
    Fault("output's disk full", "disks", PHASES, _output_full, shows=True),
    Fault("worker's disk full", "disks", WITH_TASKS, _scratch_full, shows=True),
    Fault("corrupted segment", "disks", ("early", "shuffle", "reduce"), _segment, shows=True),
    Fault(PART, "disks", ("reduce",), _part, shows=True),
    Fault("corrupted part on the output's volume", "disks", ("reduce", "publish"), _staged_part, ends=True),
    Fault("input changes while running", "disks", ("map",), _input_changes, shows=True, ends=True),
    Fault("output exists", "disks", PHASES, _output_appears, ends=True),
    Fault("second job at the same output", "disks", PHASES, _second_job),
)
