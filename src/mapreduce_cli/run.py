"""`mapreduce run`: one job on this machine, with workers or in one process.

Turns the command line into a `JobSpec`, hands it to `local.py` or `sequential.py`, and turns what
comes back into text and an exit status (`failures.py`).
"""

from __future__ import annotations

import glob
import os
import re
import sys
import time
from pathlib import Path

import click

from mapreduce.errors import InputError, MapReduceError, OutputError, ProgramError, UsageError
from mapreduce.paths import OUTPUT_FILE
from mapreduce.program import MAX_SOURCE_BYTES, Program
from mapreduce.protocol import OutputSummary
from mapreduce.spec import MIB, EncodingErrors, JobSpec, Limits
from mapreduce_cli import failures, localjobs, sizes

ROOT = Path("/")
"""What inputs and outputs are relative to: on this machine the whole file system is the store."""

_EXAMPLES = """
\b
Examples:
  mapreduce run job.py texts --output counts
  mapreduce run job.py 'logs/2024-*.log' --output errors --reducers 4 --workers 8
  mapreduce run jobs.py:Indexer a.txt b.txt --output index --sequential

\b
INPUT is a file, a directory (everything below it) or a pattern with *, ?, [] and **.
PROGRAM.py:Class chooses one of several jobs in a file.
The output directory gets output.tsv, _manifest.json, _history/events.ndjson and _SUCCESS.
"""


class _Size(click.ParamType[int]):
    """A number of bytes such as 16MiB."""

    name = "size"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            size = sizes.parse(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)
        if size < 1:
            self.fail("a split holds at least one byte", param, ctx)
        return size


@click.command(epilog=_EXAMPLES)
@click.argument("program", metavar="PROGRAM.py[:Class]")
@click.argument("inputs", metavar="INPUT...", nargs=-1, required=True)
@click.option("--output", metavar="DIR", required=True, help="The directory to make; it must not exist yet.")
@click.option("--reducers", metavar="N", type=int, default=8, show_default=True, help="Partitions of the keys.")
@click.option(
    "--workers", metavar="N", type=click.IntRange(min=1), help="Worker processes.  [default: cores, at least 2]"
)
@click.option(
    "--slots", metavar="N", type=click.IntRange(min=1), default=1, show_default=True, help="Tasks at once in a worker."
)
@click.option(
    "--split-size", metavar="SIZE", type=_Size(), help="Input of one map task, like 16Mi.  [default: from the input]"
)
@click.option("--sequential", is_flag=True, help="Run everything in this process, one task after the other; pdb works.")
@click.option(
    "--encoding-errors",
    type=click.Choice(["strict", "replace"]),
    default="strict",
    show_default=True,
    help="What to do with bytes that are not UTF-8.",
)
def run(
    program: str,
    inputs: tuple[str, ...],
    output: str,
    sequential: bool,
    workers: int | None,
    **options: object,
) -> None:
    """Run a job on this machine.

    The master runs in this process; worker processes run the tasks, and any of them may die
    without harm. The output is the same byte for byte with any number of workers, and with
    --sequential.
    """
    began = time.monotonic()
    try:
        spec = _spec(program, inputs, output, workers or max(2, _cores()), options)
    except UsageError as error:
        click.echo(f"mapreduce: refused: {error}", err=True)
        sys.exit(failures.REFUSED)
    try:
        summary = _run(spec, sequential)
    except failures.JobFailed as failure:
        failures.show(failure, dict(zip((*spec.inputs, spec.output), (*inputs, output), strict=True)))
        sys.exit(failure.status)
    except MapReduceError as error:
        click.echo(f"mapreduce: the job failed: {error}", err=True)
        sys.exit(failures.FAILED)
    except KeyboardInterrupt:
        click.echo("mapreduce: interrupted: every process was ended, and nothing was published", err=True)
        sys.exit(failures.INTERRUPTED)
    _tell(output, summary, time.monotonic() - began)


def _run(spec: JobSpec, sequential: bool) -> OutputSummary:
    if sequential:
        _fix_hash_seed()
    # Imported late: each mode brings much that the other one, and --help, do not need.
    if sequential:
        from mapreduce_cli import sequential as mode  # noqa: PLC0415 - see above

        return mode.run(spec, ROOT)
    from mapreduce_cli import local  # noqa: PLC0415 - see above

    return local.run(spec, ROOT)


def _fix_hash_seed() -> None:
    """Start this command again with the fixed hash seed, unless it has it: user code iterates over sets."""
    if os.environ.get("PYTHONHASHSEED") == "0":
        return
    os.environ["PYTHONHASHSEED"] = "0"
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - there is no shell to want


def _spec(program: str, inputs: tuple[str, ...], output: str, workers: int, options: dict[str, object]) -> JobSpec:
    """Return the job; raises `UsageError` for what can be seen to be wrong without running anything."""
    reducers, slots = int(str(options["reducers"])), int(str(options["slots"]))
    if reducers < 1:
        raise UsageError(
            f"--reducers {reducers}: a job needs at least one reducer, since map-only jobs are not supported yet; "
            "leave the option out for 8"
        )
    source = _program(program)
    encoding_errors: EncodingErrors = "replace" if options["encoding_errors"] == "replace" else "strict"
    return JobSpec(
        uid=localjobs.new_uid(),
        name=re.sub(r"[^a-z0-9]+", "-", Path(source.file).stem.lower()).strip("-") or "job",
        program=source,
        inputs=tuple(_pattern(text) for text in inputs),
        output=_output(output),
        reducers=reducers,
        workers=workers,
        slots=slots,
        split_size=int(str(options["split_size"] or 0)),
        encoding_errors=encoding_errors,
        limits=Limits(slot_memory=_slot_memory(workers * slots)),
    )


def _program(text: str) -> Program:
    """Read `FILE.py` or `FILE.py:Class`."""
    path, class_name = text, ""
    head, separator, tail = text.rpartition(":")
    if separator and tail.isidentifier() and not os.path.exists(text):
        path, class_name = head, tail
    try:
        source = Path(path).read_bytes()
    except FileNotFoundError as error:
        raise ProgramError(f"the program {path} does not exist") from error
    except OSError as error:
        raise ProgramError(f"the program {path} cannot be read: {error.strerror}") from error
    if len(source) > MAX_SOURCE_BYTES:
        raise ProgramError(f"the program {path} has {len(source)} bytes; at most {MAX_SOURCE_BYTES} are accepted")
    return Program(file=Path(path).name, source=source, class_name=class_name)


def _pattern(text: str) -> str:
    """Return an input as a pattern relative to `ROOT`; a file's own name is never a wildcard."""
    if not text:
        raise InputError("an INPUT is empty")
    path = os.path.abspath(text)
    if os.path.exists(path) and glob.has_magic(path):
        path = glob.escape(path)
    return path.lstrip("/")


def _output(text: str) -> str:
    """Return the output relative to `ROOT`; raises `OutputError` if something stands there."""
    path = os.path.abspath(text)
    if os.path.lexists(path):
        raise OutputError(f"the output {text} exists already; choose another --output, or remove it")
    parent = os.path.dirname(path)
    while not os.path.exists(parent):
        parent = os.path.dirname(parent)
    if not os.path.isdir(parent) or not os.access(parent, os.W_OK | os.X_OK):
        raise OutputError(f"the output {text} cannot be made: {parent} is not a directory that you may write to")
    return path.lstrip("/")


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _slot_memory(slots: int) -> int:
    """Return the bytes a slot may use: its share of most of the machine, within bounds."""
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min(4096 * MIB, max(512 * MIB, whole * 6 // 10 // slots))


def _tell(output: str, summary: OutputSummary, seconds: float) -> None:
    records, size = sizes.count(summary.records), sizes.render(summary.size)
    click.echo(f"{os.path.join(output, OUTPUT_FILE)}: {records} records, {size}, in {seconds:.1f} s")
