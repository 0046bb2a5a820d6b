"""`--sequential`: the same engine in one process, one task after the other, no master.

The oracle that the other modes are compared with, and the mode for a debugger: the user's code
runs in this process, on this terminal. Neighbours: `sequential_tasks.py` (every task),
`mapreduce_worker.gateway.storage` (the output directory), `run.py` (calls it).
"""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import mapreduce
from mapreduce import kept_job, paths
from mapreduce.errors import MapReduceError, ProgramError, UsageError
from mapreduce.protocol import OutputSummary
from mapreduce.spec import JobSpec
from mapreduce_cli import localjobs
from mapreduce_cli.failures import JobFailed
from mapreduce_cli.progress import Display, display
from mapreduce_cli.sequential_tasks import SequentialRun
from mapreduce_worker.engine import failure as engine_failure
from mapreduce_worker.gateway import data_files
from mapreduce_worker.gateway import failures as gateway_failures
from mapreduce_worker.gateway.formats import EngineFormats
from mapreduce_worker.gateway.reservation import OutputContested
from mapreduce_worker.gateway.storage import Output
from mapreduce_worker.gateway.store import PosixStore

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""What a user may end a run with."""


def run(spec: JobSpec, root: Path, show: Display | None = None) -> OutputSummary:
    """Run the job to its end; raises `UsageError`, `JobFailed` or `KeyboardInterrupt`."""
    show = show or display()
    store = PosixStore(root)
    output = Output(
        store,
        EngineFormats(store, child=False),
        uid=spec.uid,
        path=spec.output,
        partitions=spec.reducers,
        options=data_files.of_job(spec),
        job=kept_job.render_job(spec, mapreduce.__version__),
    )
    scratch = localjobs.make_scratch(spec.uid)
    try:
        with _interruptible():
            _open(output)
            return SequentialRun(spec, root, store, output, scratch, show).run()
    except JobFailed as failed:
        _tidy(output.clean_failed)
        failed.notes = (*failed.notes, f"history: {root / paths.staging(spec.output, spec.uid) / paths.EVENTS}")
        raise
    except UsageError as error:
        _tidy(output.clean_deleted)
        raise _refused(error) from error
    except BaseException:  # interrupted, or a defect: nothing of the job stays
        _tidy(output.clean_deleted)
        raise
    finally:
        show.close()
        shutil.rmtree(scratch, ignore_errors=True)


def _tidy(clean: Callable[[], None]) -> None:
    """Remove what the job made. What cannot be removed stays: how the job ended matters more."""
    with suppress(MapReduceError):
        clean()


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let a signal raise what can be told from whatever user code raises; one that is ignored stays so."""

    def interrupt(number: int, frame: object) -> None:
        raise engine_failure.Interrupted

    before = {number: signal.getsignal(number) for number in SIGNALS}
    heard = [number for number in SIGNALS if before[number] is not signal.SIG_IGN]
    for number in heard:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number in heard:
            signal.signal(number, before[number])


def _open(output: Output) -> None:
    """Reserve the output, and sweep what dead jobs left at it."""
    living: set[str] = set()
    dead: set[str] = set()
    while True:
        try:
            output.open(living, dead)
            return
        except OutputContested as contested:
            found = localjobs.judge(contested.uids)
            living.update(found[0])
            dead.update(found[1])


def _refused(error: UsageError) -> JobFailed:
    """Give a refusal the reason that the master would give it."""
    if type(error) is UsageError:
        # The only one without a class of its own: `make_plan` finds the plan too large.
        return JobFailed("PlanTooLarge", str(error))
    info = (engine_failure if isinstance(error, ProgramError) else gateway_failures).describe(error)
    return JobFailed(info.reason, info.message, where=info.where, traceback=info.traceback)
