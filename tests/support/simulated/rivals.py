"""Others at the output's name: an older output, a directory made by hand, and jobs that were there before.

Neighbours: `world.py` (lays them out before a job begins), `faults/data.py` (while it runs), `verdict.py` (what must
be left of them).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mapreduce import paths
from mapreduce.ids import AttemptId, TaskId
from mapreduce_worker.gateway import data_files, reservation
from mapreduce_worker.gateway.storage import Output, PartToStage
from tests.support.crash_store import CrashStore, Disk
from tests.support.simulated import toy

if TYPE_CHECKING:
    from mapreduce.spec import JobSpec
    from tests.support.simulated.world import World

OLD = "the-older-job"
BEFORE = "rival-before"


def output(world: World, uid: str) -> Output:
    """Return the output of another job of the same operator, at the same place."""
    return _output(world.disk, world.spec, uid)


def _output(disk: Disk, spec: JobSpec, uid: str) -> Output:
    store = CrashStore(disk)
    formats = toy.ToyFormats(store, has_reduce=True)
    return Output(store, formats, uid=uid, path=spec.output, partitions=1, options=data_files.of_job(spec))


def publish_older(world: World) -> dict[str, bytes]:
    """Let an older job have published to the same place; return its files."""
    old = output(world, OLD)
    old.open((), judge=toy.JUDGE)
    part = toy.reduce([[("word0", 1)]])
    source = AttemptId(TaskId(0, "reduce", 0), 1, 0)
    stage = AttemptId(TaskId(0, "stage", 0), 1, 0)
    wanted = PartToStage(attempt=stage, partition=0, source=source, facts=toy.facts(part))
    temporary = old.incoming(wanted)
    old.receive(temporary, part)
    old.stage(wanted, temporary, 0.0)
    old.publish(AttemptId(TaskId(0, "publish", 0), 1, 0), b"{}", 0.0)
    return world.disk.below(world.spec.output)


def reserve_before(world: World) -> None:
    """Let another job have taken the output's name just before."""
    output(world, BEFORE).open((), judge=toy.JUDGE)


def left_by_one_before(world: World) -> tuple[str, ...]:
    """Return where the files are of another job that holds the output's name: they are none of this job's business."""
    spec = world.spec
    if reservation.holder(CrashStore(world.disk), spec.output) != BEFORE:
        return ()
    return paths.lock(spec.output), paths.staging(spec.output, BEFORE)


def make_by_hand(world: World) -> None:
    """Make a directory with a file under the output's name."""
    store = CrashStore(world.disk)
    store.make_directory(world.spec.output)
    store.append(f"{world.spec.output}/mine.txt", b"mine")
    store.sync(f"{world.spec.output}/mine.txt")
    store.sync(world.spec.output)
    store.sync("results")
