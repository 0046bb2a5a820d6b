"""Faults of the user's code, and what the user does to the job: scales, suspends, deletes it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from mapreduce.ids import AttemptId
from mapreduce.protocol import ErrorInfo
from mapreduce_worker.core import events
from tests.support.simulated.faults.fault import IN_SLOTS, PHASES, WITH_TASKS, Fault

if TYPE_CHECKING:
    from tests.support.simulated.worker_host import WorkerHost
    from tests.support.simulated.world import World

Running = events.MapInSlot | events.ReduceInSlot


def _of_an_attempt(name: str, strike: Callable[[WorkerHost, Running], None], *, charged: bool = True) -> Fault:
    """Return a fault of the first attempt that runs in a slot in this phase, and that may be charged if it is."""

    def find(world: World) -> bool:
        for worker in world.platform.workers():
            for command in worker.in_slots():
                phases = ("map", "early") if isinstance(command, events.MapInSlot) else ("reduce",)
                if world.phase in phases and (not charged or world.charge([command.attempt])):
                    world.note(f"{command.attempt} on {worker.name}")
                    strike(worker, command)
                    return True
        return False

    return Fault(name, "slots", IN_SLOTS, find)


def _in_slot(name: str, end: Callable[[AttemptId], events.Event], *, charged: bool = True) -> Fault:
    """Return a fault by which an attempt that runs in a slot ends so."""
    return _of_an_attempt(name, lambda worker, it: worker.end_in_slot(it, end(it.attempt)), charged=charged)


def _raise(attempt: AttemptId) -> events.Event:
    message = f"ValueError: {attempt} had enough"
    return events.Broke(attempt, ErrorInfo(kind="user", reason="UserCodeFailed", message=message))


def _exit(attempt: AttemptId) -> events.Event:
    message = f"the program called os._exit in {attempt}"
    return events.Broke(attempt, ErrorInfo(kind="user", reason="SlotExited", message=message))


def _slow(world: World) -> bool:
    workers = world.platform.workers()
    if workers:
        worker = world.clock.chance.choice(workers)
        world.note(f"{worker.name}")
        worker.pace = 10.0
    return bool(workers)


def _scale(world: World) -> bool:
    world.want(workers=world.clock.chance.randint(1, 4))
    return True


def _suspend(world: World) -> bool:
    world.want(suspend=True)
    world.clock.after(world.clock.chance.uniform(0.5, 20.0), lambda: world.want(suspend=False))
    return True


def _delete(world: World) -> bool:
    world.delete()
    return True


def _nothing(world: World) -> bool:
    """A spoiled record is in the input from the beginning."""
    return False


FAULTS: Final = (
    Fault("poison record", "slots", ("map", "reduce"), _nothing, shows=True),
    _in_slot("user code fails", _raise),
    _of_an_attempt("user code hangs", lambda worker, it: worker.hang(it.attempt)),
    _in_slot("user code leaks: slot over memory", lambda it: events.SlotDied(attempt=it, code=-9, over_memory=1 << 30)),
    _in_slot("user code segfaults", lambda it: events.SlotDied(attempt=it, code=-11)),
    _in_slot("user code calls os._exit", _exit),
    _in_slot("slot killed from outside", lambda it: events.SlotDied(attempt=it, code=-9), charged=False),
    Fault("slow worker", "workers", WITH_TASKS, _slow),
    Fault("job scaled", "user", PHASES, _scale),
    Fault("job suspended and resumed", "user", PHASES, _suspend),
    Fault("job deleted", "user", PHASES, _delete, ends=True),
)
