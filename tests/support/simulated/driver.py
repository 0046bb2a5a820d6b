"""Starts and stops the Pods of a job for one master process, as `mapreduce_operator.drivers.kubernetes` does.

Calls about one Pod come one after the other; a call without an answer is tried again, and then given up.
Neighbours: `api_server.py` (answers), `master_process.py` (asks, and hears what could not be started).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from mapreduce_operator.core.events import StartWorker, StopWorker, WorkerNotStarted
from mapreduce_operator.drivers.kubernetes import PAUSE, TRIES
from tests.support.simulated.api_server import Result

if TYPE_CHECKING:
    from tests.support.simulated.master_process import MasterProcess
    from tests.support.simulated.world import World

Done = Callable[[], None]
REFUSALS: dict[Result, tuple[str, str]] = {
    "no answer": ("NotStarted", "the API server did not answer"),
    "taken": ("PodRefused", "there was a Pod of that name already, which this operator did not make"),
    "quota": ("QuotaExceeded", "exceeded quota: pods"),
}


class SimulatedDriver:
    """The driver of one master process; it writes nothing once the process may not."""

    def __init__(self, world: World, process: MasterProcess) -> None:
        self._world = world
        self._process = process
        self._calls: dict[str, deque[Callable[[Done], None]]] = {}

    def start(self, command: StartWorker) -> None:
        """Create a Pod; what could not be created is told to the process."""

        def told(result: Result) -> None:
            if result != "done":
                reason, message = REFUSALS[result]
                unanswered = result == "no answer"
                self._process.post(
                    WorkerNotStarted(name=command.name, reason=reason, message=message, unanswered=unanswered)
                )

        self._call(command.name, lambda: self._world.platform.start(command), told, creates=True)

    def stop(self, command: StopWorker) -> None:
        """Delete a Pod, and no other of its name."""
        self._call(command.name, lambda: self._world.platform.stop(command.name, command.uid), lambda _: None)

    def _call(self, name: str, do: Done, told: Callable[[Result], None], *, creates: bool = False) -> None:
        def work(done: Done) -> None:
            self._try(do, told, done, creates=creates, left=TRIES)

        queue = self._calls.setdefault(name, deque())
        queue.append(work)
        if len(queue) == 1:
            self._next(name)

    def _next(self, name: str) -> None:
        def done() -> None:
            queue = self._calls[name]
            queue.popleft()
            if queue:
                self._next(name)
            else:
                del self._calls[name]

        self._calls[name][0](done)

    def _try(self, do: Done, told: Callable[[Result], None], done: Done, *, creates: bool, left: int) -> None:
        def again() -> None:
            self._try(do, told, done, creates=creates, left=left - 1)

        def answered(result: Result) -> None:
            if result == "no answer" and left > 1:
                self._world.clock.after(PAUSE * 2 ** (TRIES - left), again)
                return
            told(result)
            done()

        if self._process.may_write():
            self._world.api.write(do, answered, creates=creates)
        elif self._process.alive:
            answered("no answer")
