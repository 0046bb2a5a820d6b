"""The protocol of what starts and stops the workers of one job.

Neighbours: `jobs.py` calls it; `mapreduce_operator.drivers` has the implementations. A driver
tells what became of its workers by posting events (`WorkerChanged`, `WorkerClosed`,
`WorkersListed`) to the runtime of the job.
"""

from __future__ import annotations

from typing import Protocol

from mapreduce.errors import SystemFault
from mapreduce_operator.core.events import StartWorker, StopWorker


class NotStartedError(SystemFault):
    """The platform refused to start a worker; the runtime turns it into `WorkerNotStarted`.

    reason: a PascalCase word of `mapreduce.words`. final: trying again cannot help.
    unanswered: the platform said nothing, and may not be there.
    """

    def __init__(self, reason: str, message: str, *, final: bool = False, unanswered: bool = False) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.final = final
        self.unanswered = unanswered


class Driver(Protocol):
    """Starts and stops workers. Calls about one worker come one after the other, in order."""

    async def start(self, command: StartWorker) -> None:
        """Start a worker; doing it twice is harmless. Raises `NotStartedError`."""

    async def stop(self, command: StopWorker) -> None:
        """Stop and remove a worker; one that is gone already is no error."""
