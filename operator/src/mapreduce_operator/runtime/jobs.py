"""One running job: its core, fed with events and obeyed.

`JobRuntime` is the only caller of `Master.handle`. All jobs of a process live on one asyncio
loop, so nothing here is locked. Neighbours: `mapreduce_operator.core` (decides), a `Driver`
(starts and stops workers), `mapreduce_operator.rpc` (brings requests), an `Observer` (shows
people what happens).
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import Literal, Protocol

from mapreduce import logs
from mapreduce.errors import SystemFault
from mapreduce.spec import JobSpec
from mapreduce_operator.core.events import (
    Announce,
    Command,
    Disconnected,
    Ended,
    EpochRead,
    Event,
    FindJobs,
    Instant,
    JobStatus,
    Outcome,
    PublishStatus,
    ReadEpoch,
    Refuse,
    Reply,
    StartWorker,
    StepDown,
    StopWorker,
    Ticked,
    Welcome,
    WorkerNotStarted,
)
from mapreduce_operator.runtime.driver import Driver, NotStartedError

TICK = 0.25
"""Seconds between two `Ticked` events."""

Phase = Literal["Succeeded", "Failed", "Deleted"]
Response = Welcome | Reply | Refuse

_log = logging.getLogger(__name__)


class JobUnavailable(SystemFault):
    """The job cannot answer: its runtime was closed, or its core met a defect."""


class Core(Protocol):
    """The pure core of one job, as the runtime sees it."""

    @property
    def next_incarnation(self) -> int:
        """Where another core of this job in this epoch has to begin to count its workers' names."""

    def handle(self, event: Event, at: Instant) -> Outcome:
        """Take in one event; return what to do, in order."""


class Observer(Protocol):
    """Who is told what people should see. Called on the loop; must not block."""

    def status_changed(self, uid: str, status: JobStatus) -> None:
        """The status of a job changed; may come often."""

    def announced(self, uid: str, announcement: Announce) -> None:
        """Something happened that is worth a line."""

    def jobs_sought(self, uid: str, sought: FindJobs) -> None:
        """Find out which of these jobs live, and post `JobsFound`."""

    def ended(self, uid: str, phase: Phase) -> None:
        """Nothing is left to do for the job."""

    def deposed(self, uid: str, message: str) -> None:
        """Another process has this one's place: this one must end."""

    def broken(self, uid: str, error: Exception) -> None:
        """The core of this job, and of this job alone, met a defect; it gets no more events."""


def system_clock() -> Instant:
    """Return the instant that is now, by the clocks of this machine."""
    return Instant(mono=time.monotonic(), wall=time.time())


class JobRuntime:
    """Runs one job on the current asyncio loop."""

    def __init__(
        self,
        spec: JobSpec,
        core: Core,
        driver: Driver,
        observer: Observer,
        *,
        latest_epoch: Callable[[], Awaitable[int]] | None = None,
        clock: Callable[[], Instant] = system_clock,
    ) -> None:
        """`latest_epoch` reads the newest epoch, or raises `SystemFault`; without it nobody else can have the job."""
        self.spec = spec
        self._core = core
        self._driver = driver
        self._observer = observer
        self._latest_epoch = latest_epoch
        self._clock = clock
        self._events: deque[Event] = deque()
        self._handling = False
        self._down: Exception | None = None
        self._requests: dict[int, asyncio.Future[Response]] = {}
        self._numbers = itertools.count(1)
        self._calls: dict[str, asyncio.Task[None]] = {}
        self._ticker: asyncio.Task[None] | None = None

    @property
    def uid(self) -> str:
        """The uid of the job."""
        return self.spec.uid

    def begin(self) -> None:
        """Send the first `Ticked`, and one every `TICK` seconds from now on."""
        if self._ticker is None:
            self._ticker = asyncio.get_running_loop().create_task(self._keep_ticking())

    def post(self, event: Event) -> None:
        """Handle an event at once, or, when called while one is being handled, right after it.

        Never raises because of the job; after a defect or `close` the event is dropped.
        """
        self._events.append(event)
        if self._handling:
            return
        self._handling = True
        try:
            while self._events and self._down is None:
                self._handle(self._events.popleft())
            self._events.clear()
        finally:
            self._handling = False

    async def request(self, make: Callable[[int], Event]) -> Response:
        """Post the event that `make` builds from a request number, and wait for its answer.

        Cancelling the caller tells the core that the connection is gone. Raises
        `JobUnavailable` if the job cannot answer any more.
        """
        if self._down is not None:
            raise JobUnavailable(f"job {self.spec.name} cannot answer: {self._down}")
        number = next(self._numbers)
        answer: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        self._requests[number] = answer
        try:
            self.post(make(number))
            return await answer
        except asyncio.CancelledError:
            self.post(Disconnected(number))
            raise
        finally:
            self._requests.pop(number, None)

    def give_up(self, error: Exception, doing: str = "answering a worker") -> None:
        """Note a defect, while `error` is handled: the job gets no more events, and people are told."""
        if self._down is None:
            with self._logged():
                _log.exception("job %s (%s): a defect while %s", self.spec.name, self.uid, doing)
            self._shut(error)
            self._observer.broken(self.uid, error)

    async def close(self) -> None:
        """Stop: no further event is handled, parked requests fail, driver calls are cancelled."""
        self._shut(JobUnavailable("it is not run here any more"))
        calls = list(self._calls.values())
        if self._ticker is not None:
            calls.append(self._ticker)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)

    async def _keep_ticking(self) -> None:
        while self._down is None:
            self.post(Ticked())
            await asyncio.sleep(TICK)

    def _handle(self, event: Event) -> None:
        try:
            outcome = self._core.handle(event, self._clock())
            for command in outcome.commands:
                self._carry_out(command)
        except Exception as error:  # noqa: BLE001 - the task boundary of one job: its defect must not touch others
            self.give_up(error, f"handling {type(event).__name__}")

    def _carry_out(self, command: Command) -> None:
        match command:
            case Welcome() | Reply() | Refuse():
                answer = self._requests.get(command.request)
                if answer is not None and not answer.done():
                    answer.set_result(command)
            case StartWorker():
                self._call(command.name, partial(self._start, command))
            case StopWorker():
                self._call(command.name, partial(self._stop, command))
            case ReadEpoch():
                self._call("", self._read_epoch)
            case _:
                self._tell(command)

    def _tell(self, command: Command) -> None:
        match command:
            case PublishStatus():
                self._observer.status_changed(self.uid, command.status)
            case Announce():
                self._observer.announced(self.uid, command)
            case FindJobs():
                self._observer.jobs_sought(self.uid, command)
            case Ended():
                self._observer.ended(self.uid, command.phase)
            case StepDown():
                self._observer.deposed(self.uid, command.message)

    def _call(self, worker: str, work: Callable[[], Awaitable[None]]) -> None:
        """Run a driver call beside the loop, after the calls about the same worker before it."""
        before = self._calls.get(worker)

        async def in_order() -> None:
            try:
                if before is not None:
                    await asyncio.wait([before])
                await work()
            finally:
                if self._calls.get(worker) is asyncio.current_task():
                    del self._calls[worker]

        self._calls[worker] = asyncio.get_running_loop().create_task(in_order())

    async def _start(self, command: StartWorker) -> None:
        try:
            await self._driver.start(command)
        except NotStartedError as error:
            self.post(
                WorkerNotStarted(
                    name=command.name,
                    reason=error.reason,
                    message=error.message,
                    final=error.final,
                    unanswered=error.unanswered,
                )
            )
        except Exception as error:  # noqa: BLE001 - the task boundary of a driver call: the core decides what follows
            with self._logged(worker=command.name):
                _log.exception("worker %s could not be started", command.name)
            self.post(WorkerNotStarted(name=command.name, reason="InternalError", message=_text(error)))

    async def _stop(self, command: StopWorker) -> None:
        try:
            await self._driver.stop(command)
        except Exception:  # noqa: BLE001 - the task boundary of a driver call: the core asks again
            with self._logged(worker=command.name):
                _log.exception("worker %s could not be stopped", command.name)

    async def _read_epoch(self) -> None:
        epoch: int | None = 0
        if self._latest_epoch is not None:
            try:
                epoch = await self._latest_epoch()
            except SystemFault as error:
                with self._logged():
                    _log.warning(
                        "job %s: a worker names a newer epoch, which cannot be told: %s", self.spec.name, error
                    )
                epoch = None
        self.post(EpochRead(epoch))

    def _logged(self, **fields: str) -> AbstractContextManager[None]:
        """Records of the block say whose they are."""
        return logs.within(job=self.spec.name, namespace=self.spec.namespace, **fields)

    def _shut(self, error: Exception) -> None:
        if self._down is None:
            self._down = error
        for answer in self._requests.values():
            if not answer.done():
                answer.set_exception(JobUnavailable(f"job {self.spec.name} cannot answer: {_text(error)}"))


def _text(error: Exception) -> str:
    return str(error) or type(error).__name__
