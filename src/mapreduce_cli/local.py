"""A job on this machine with worker processes: master and RPC server live in this process.

The composition root of the local mode: core, runtime, RPC server, driver. Everything below this
process may be killed at any time; at the end, whatever the end, nothing of it is left. Neighbours:
`run.py` (calls it), `mapreduce_operator` (all the work), `progress.py` (what people see).
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import mapreduce
from mapreduce import kept_job, paths
from mapreduce.errors import MapReduceError
from mapreduce.protocol import OutputSummary
from mapreduce.spec import JobSpec
from mapreduce_cli import failures, localjobs
from mapreduce_cli.failures import FAILED, JobFailed
from mapreduce_cli.progress import Display, Snapshot, display
from mapreduce_operator.core.events import Announce, Event, FindJobs, JobsFound, JobStatus, WorkersListed
from mapreduce_operator.core.master import Master, MasterContext
from mapreduce_operator.drivers.beginning import Begun
from mapreduce_operator.drivers.local import HOST, LocalAuthenticator, LocalDriver, LocalSettings
from mapreduce_operator.drivers.nursery import Nursery
from mapreduce_operator.drivers.orphans import Orphans
from mapreduce_operator.rpc.server import make_app, serve
from mapreduce_operator.runtime.jobs import JobRuntime, Phase
from mapreduce_operator.runtime.registry import Registry
from mapreduce_worker.gateway.formats import EngineFormats
from mapreduce_worker.gateway.storage import Output
from mapreduce_worker.gateway.store import PosixStore

EPOCH = 1
"""A local job has one master in its life."""


LOGS_TELL_MORE = frozenset({"InternalError", "StorageFailed", "WorkerLost", "DisruptionLimit", "DeadlineExceeded"})
"""Reasons for which the logs of the worker processes are kept and named."""


def run(spec: JobSpec, root: Path, show: Display | None = None, begun: Begun | None = None) -> OutputSummary:
    """Run the job to its end; raises `JobFailed`, or `KeyboardInterrupt` for SIGINT and SIGTERM.

    `begun`: the nursery that its processes come from.
    """
    show = show or display()
    folder = localjobs.make_scratch(spec.uid)
    try:
        return asyncio.run(_until_interrupted(spec, root, folder, show, begun))
    except JobFailed as failure:
        _tidy(spec, root, keep_history=failure.status == FAILED)
        logs = localjobs.keep_logs(folder) if failure.reason in LOGS_TELL_MORE else None
        failure.notes += _notes(spec, root, logs)
        raise
    except BaseException:  # interrupted, or a defect: nothing of the job stays
        _tidy(spec, root, keep_history=False)
        raise
    finally:
        show.close()
        shutil.rmtree(folder, ignore_errors=True)


def _tidy(spec: JobSpec, root: Path, *, keep_history: bool) -> None:
    """Do what the gateway may not have come to: every process is gone now, so this one is the gateway.

    What cannot be tidied stays: how the job ended matters more.
    """
    store = PosixStore(root)
    output = Output(
        store,
        EngineFormats(store, child=False),
        uid=spec.uid,
        path=spec.output,
        partitions=spec.reducers,
        job=kept_job.render_job(spec, mapreduce.__version__),
    )
    with contextlib.suppress(MapReduceError):
        output.clean_failed() if keep_history else output.clean_deleted()


def _notes(spec: JobSpec, root: Path, logs: Path | None) -> tuple[str, ...]:
    """Tell where the history and the logs are."""
    history = root / paths.staging(spec.output, spec.uid) / paths.EVENTS
    found = {"history": history, "logs": logs}
    return tuple(f"{name}: {path}" for name, path in found.items() if path is not None and path.exists())


async def _until_interrupted(
    spec: JobSpec, root: Path, folder: Path, show: Display, begun: Begun | None
) -> OutputSummary:
    """Run the job; SIGTERM and SIGHUP end it as SIGINT does."""
    loop = asyncio.get_running_loop()
    job = loop.create_task(_job(spec, root, folder, show, begun))
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            # As nohup(1) wants it.
            continue
        loop.add_signal_handler(number, job.cancel)
    try:
        return await job
    except asyncio.CancelledError as error:
        job.cancel()
        await asyncio.wait([job])
        raise KeyboardInterrupt from error


async def _job(spec: JobSpec, root: Path, folder: Path, show: Display, begun: Begun | None) -> OutputSummary:
    registry, authenticator = Registry(), LocalAuthenticator()
    watcher = _Watcher(show, lambda event: runtime.post(event))  # noqa: PLW0108 - bound below
    server = await serve(make_app(registry, authenticator), HOST)
    settings = LocalSettings(
        job_uid=spec.uid,
        master=f"http://{HOST}:{server.port}",
        folder=folder,
        root=root,
        slots=spec.slots,
        workers=spec.workers,
        slot_memory=spec.limits.slot_memory,
    )
    driver = LocalDriver(
        settings,
        authenticator,
        lambda event: runtime.post(event),  # noqa: PLW0108 - bound below
        Orphans(),
        Nursery(begun) if begun is not None else None,
    )
    runtime = JobRuntime(spec, _core(spec), driver, watcher)
    registry.add(runtime)
    try:
        # Nothing was started before this process, so the truth about its workers is that there are none.
        runtime.post(WorkersListed(()))
        runtime.begin()
        phase = await watcher.end
    finally:
        await runtime.close()
        await driver.close()
        await server.close()
    return _result(phase, watcher.status)


def _core(spec: JobSpec) -> Master:
    context = MasterContext(
        ticket_key=secrets.token_bytes(32),
        previous_ticket_key=None,
        engine_version=mapreduce.__version__,
        read_input_directly=True,
        resumed=False,
    )
    return Master(spec, context, EPOCH)


def _result(phase: Phase, status: JobStatus | None) -> OutputSummary:
    if phase == "Succeeded" and status is not None and status.output is not None:
        return status.output
    failed = [condition for condition in (status.conditions if status else ()) if condition.type == "Failed"]
    reason, message = (failed[-1].reason, failed[-1].message) if failed else ("InternalError", "the job ended early")
    last = status.last_failures[-1] if status and status.last_failures else None
    if last is None or reason not in (last.reason, "DisruptionLimit"):
        raise JobFailed(reason, message)
    known = {"reason": last.reason, "peakMemory": last.peak_memory, "output": last.output}
    raise JobFailed(reason, message, where=last.where, traceback=last.traceback, notes=failures.last_words(known))


class _Watcher:
    """Observes the job: shows it to people, and knows how it ended."""

    def __init__(self, show: Display, post: Callable[[Event], None]) -> None:
        self._show = show
        self._post = post
        self._held = ""
        self._said = ""
        self.status: JobStatus | None = None
        self.end: asyncio.Future[Phase] = asyncio.get_running_loop().create_future()

    def status_changed(self, uid: str, status: JobStatus) -> None:
        """Draw the progress."""
        self.status = status
        if status.phase == "Failed":
            # The last announcement says why, and so will the command when it ends.
            self._held = ""
        self._say()
        maps, reduces = status.maps, status.reduces
        self._show.show(
            Snapshot(
                phase=status.phase,
                maps=(maps.succeeded, maps.total),
                reduces=(reduces.succeeded, reduces.total),
                records=status.records,
                size=status.size,
                total_size=status.total_size,
                retries=maps.retried + reduces.retried,
                message=status.message,
            )
        )

    def announced(self, uid: str, announcement: Announce) -> None:
        """Say what went wrong, once in a row; the rest is seen from the bars."""
        self._say()
        if announcement.kind == "Warning":
            self._held = f"{announcement.reason}: {announcement.message}"

    def jobs_sought(self, uid: str, sought: FindJobs) -> None:
        """Tell which of the other jobs at the output live, by their processes as they are now."""
        self._post(JobsFound(*localjobs.judge(sought.uids)))

    def ended(self, uid: str, phase: Phase) -> None:
        """Let the command end."""
        self._say()
        if not self.end.done():
            self.end.set_result(phase)

    def deposed(self, uid: str, message: str) -> None:
        """Never told: no other master can begin for a job of this machine."""

    def broken(self, uid: str, error: Exception) -> None:
        """A defect of the master ends the command."""
        self._say()
        if not self.end.done():
            message = f"a defect of the master: {type(error).__name__}: {error}"
            self.end.set_exception(JobFailed("InternalError", message))

    def _say(self) -> None:
        if self._held not in ("", self._said):
            self._show.say(self._held)
            self._said = self._held
        self._held = ""
