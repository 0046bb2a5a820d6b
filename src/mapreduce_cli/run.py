"""`mapreduce run`: one job on this machine, with workers or in one process.

Turns the command line into a `JobSpec`, hands it to `local.py` or `sequential.py`, and turns what
comes back into text and an exit status (`failures.py`).
"""

from __future__ import annotations

import atexit
import gc
import glob
import os
import re
import shlex
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from mapreduce import paths, starting
from mapreduce.errors import InputError, MapReduceError, OutputError, UsageError
from mapreduce.protocol import OutputSummary
from mapreduce.spec import MIB, JobSpec, Limits
from mapreduce_cli import failures, hash_seed, localjobs, options, programs, progress, results

if TYPE_CHECKING:
    from mapreduce_operator.drivers.beginning import Begun

ROOT = Path("/")
"""What inputs and outputs are relative to: on this machine the whole file system is the store."""
MAX_SLOTS_HERE: Final = 512
"""Slots of all workers together: each is a process of this machine."""

_EXAMPLES = """
\b
Examples:
  mapreduce run job.py texts --output counts
  mapreduce run job.py 'logs/2024-*.log' --output errors --reducers 4 --workers 8
  mapreduce run jobs.py:Indexer a.txt b.txt --output index --sequential

\b
INPUT is a file, a directory (everything below it) or a pattern with *, ?, [] and **.
PROGRAM is a file job.py, or job.py:Class for one of several jobs in it, or an installed module
pkg.mod or pkg.mod:Class. A file that ends in .gz or .zst is decompressed.
The output directory gets output.tsv (or as --output-format, --merge and --compress say),
_manifest.json, _history/events.ndjson and _SUCCESS.
"""


@click.command(epilog=_EXAMPLES)
@click.argument("program", metavar="PROGRAM")
@click.argument("inputs", metavar="INPUT...", nargs=-1, required=True)
@click.option(
    "--output", metavar="DIR", required=True, help="The directory to make; it must not exist, unless with --overwrite."
)
@click.option(
    "--workers", metavar="N", type=click.IntRange(min=1), help="Worker processes.  [default: cores, at least 2]"
)
@click.option(
    "--slots", metavar="N", type=click.IntRange(min=1), default=1, show_default=True, help="Tasks at once in a worker."
)
@click.option(
    "--sequential",
    is_flag=True,
    help="Run everything in this process, one task after the other; pdb works, nothing that hangs is ended.",
)
@progress.option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document at the end.")
@options.of_job
def run(
    program: str,
    inputs: tuple[str, ...],
    output: str,
    sequential: bool,
    as_json: bool,
    shown: progress.Choice,
    **given: Any,
) -> None:
    """Run a job on this machine.

    The master runs in this process; worker processes run the tasks, and any of them may die
    without harm. The output is the same byte for byte with any number of workers, and with
    --sequential.
    """
    began = time.monotonic()
    show = results.Json(output) if as_json else results.Text(output)
    try:
        spec = _spec(program, inputs, output, given)
    except UsageError as error:
        sys.exit(show.refused(error))
    try:
        summary = _run(spec, sequential, partial(progress.display, shown, as_json=as_json))
    except failures.JobFailed as failure:
        failure.notes += _where_more_is(spec, output)
        sys.exit(show.failed(failure, dict(zip((*spec.inputs, spec.output), (*inputs, output), strict=True))))
    except MapReduceError as error:
        sys.exit(show.failed(failures.JobFailed("InternalError", str(error)), {}))
    except KeyboardInterrupt:
        sys.exit(show.interrupted())
    show.succeeded(summary, time.monotonic() - began)


def _run(spec: JobSpec, sequential: bool, display: Callable[[], progress.Display]) -> OutputSummary:
    if sequential:
        hash_seed.fix()
    # Imported late: each mode brings much that the other one, and --help, do not need.
    if sequential:
        from mapreduce_cli import sequential as mode  # noqa: PLC0415 - see above

        return mode.run(spec, ROOT, display())
    from mapreduce_operator.drivers import beginning  # noqa: PLC0415 - see above

    # It imports for the workers while this process imports for the master.
    begun = beginning.begin()
    try:
        return _run_with_workers(spec, display, begun)
    finally:
        if begun is not None:
            begun.end()


def _run_with_workers(spec: JobSpec, display: Callable[[], progress.Display], begun: Begun | None) -> OutputSummary:
    with starting.imports():
        from mapreduce_cli import local  # noqa: PLC0415 - see above

    # At its end the interpreter would look through all that was imported, for 50 ms: no user code ran in
    # this process, so nothing waits for that.
    atexit.register(gc.freeze)
    return local.run(spec, ROOT, display(), begun)


def _spec(program: str, inputs: tuple[str, ...], output: str, given: dict[str, Any]) -> JobSpec:
    """Return the job; raises `UsageError` for what can be seen to be wrong without running anything."""
    for text in (program, *inputs, output, *given["params"], *given["files"]):
        _utf8(text)
    workers, slots = given.pop("workers") or max(2, _cores()), given.pop("slots")
    if workers * slots > MAX_SLOTS_HERE:
        raise UsageError(
            f"--workers {workers} with --slots {slots} is {workers * slots} processes that run tasks; "
            f"at most {MAX_SLOTS_HERE} are started on one machine"
        )
    chosen = options.read(given)
    source = programs.read(program, chosen.files)
    uid = localjobs.new_uid()
    return JobSpec(
        uid=uid,
        name=re.sub(r"[^a-z0-9]+", "-", Path(source.file or source.module).stem.lower()).strip("-") or "job",
        program=source,
        params=chosen.params,
        inputs=tuple(_pattern(text) for text in inputs),
        format=chosen.format,
        encoding_errors=chosen.encoding_errors,
        max_record_bytes=chosen.max_record,
        skip_bad_records=chosen.skip_bad_records,
        split_size=chosen.split_size,
        output=_output(output, uid, replace=chosen.overwrite),
        output_format=chosen.output_format,
        merge=chosen.merge,
        output_compression=chosen.compress,
        order=chosen.order,
        shuffle_compression=chosen.shuffle_compression,
        overwrite="replace" if chosen.overwrite else "refuse",
        reducers=chosen.reducers,
        workers=workers,
        slots=slots,
        speculation=chosen.speculation,
        limits=Limits(
            slot_memory=_slot_memory(workers * slots),
            max_failed_tasks=chosen.max_failed_tasks,
            task_timeout=chosen.task_timeout,
        ),
    )


def _utf8(text: str) -> str:
    """Return the text; raises `UsageError` for one that no message can carry, as a file's name may be."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UsageError(
            f"{os.fsencode(text)!r} is not valid UTF-8: rename it, or link to it by another name"
        ) from None
    return text


def _pattern(text: str) -> str:
    """Return an input as a pattern relative to `ROOT`; a file's own name is never a wildcard."""
    if not text:
        raise InputError("an INPUT is empty")
    path = _utf8(os.path.abspath(text))
    if os.path.exists(path) and glob.has_magic(path):
        path = glob.escape(path)
    return path.lstrip("/")


def _output(text: str, uid: str, *, replace: bool) -> str:
    """Return the output relative to `ROOT`; raises `OutputError` if something stands there that must stay."""
    path = _utf8(os.path.abspath(text))
    if os.path.lexists(path) and not replace:
        raise OutputError(
            f"the output {text} exists already; choose another --output, remove it, or replace it with --overwrite"
        )
    if not paths.fit(path, uid):
        raise OutputError(f"the output {text} cannot be made: its name is too long, or one above it")
    parent = os.path.dirname(path)
    while not os.path.exists(parent):
        parent = os.path.dirname(parent)
    if not os.path.isdir(parent) or not os.access(parent, os.W_OK | os.X_OK):
        raise OutputError(f"the output {text} cannot be made: {parent} is not a directory that you may write to")
    return path.lstrip("/")


def _where_more_is(spec: JobSpec, output: str) -> tuple[str, ...]:
    """Tell how to see what every attempt said, where a failed run left a history."""
    if not (ROOT / paths.staging(spec.output, spec.uid) / paths.EVENTS).exists():
        return ()
    folder = output if "/" in output else f"./{output}"
    return (
        f"more: mapreduce logs {shlex.quote(folder)} shows each failed attempt with its traceback",
        f"page: mapreduce report {shlex.quote(folder)} shows the whole run in the browser",
        f"again: mapreduce replay {shlex.quote(folder)} --task map-0, or another map, runs it here under pdb",
    )


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _slot_memory(slots: int) -> int:
    """Return the bytes a slot may use: its share of most of the machine, within bounds."""
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min(4096 * MIB, max(512 * MIB, whole * 6 // 10 // slots))
