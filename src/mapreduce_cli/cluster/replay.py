"""`mapreduce replay`: a map of a job that is over, once more, in this process and under pdb.

Neighbours: `replayed.py` (does it), `past_attempts.py` (finds the history).
"""

from __future__ import annotations

import bdb
import contextlib
import os
import pdb  # noqa: T100 - it is what this command is for
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import click
import msgspec

import mapreduce
from mapreduce.errors import InputError
from mapreduce_cli import failures, hash_seed, past_attempts, replayed, terminal
from mapreduce_cli.cluster import jobs, local_output
from mapreduce_cli.cluster.commands import Asked, command
from mapreduce_cli.cluster.lookup import find_job
from mapreduce_cli.cluster.problems import Refused
from mapreduce_cli.replayed import Outcome, Replay

_MAP: Final = re.compile(r"map-([0-9]{1,9})")
_NAMED: Final = 5
"""Ranges that are named."""
_SUPPORTED: Final = "what can be replayed today is a map, such as map-17, of a run whose output folder is here"


@command("replay")
@click.argument("name", metavar="./DIR")
@click.option("--task", metavar="TASK", required=True, help="The map to run again, such as map-17.")
@click.option("--pdb/--no-pdb", "debug", default=None, help="Debug what fails.  [default: on a terminal]")
@click.option("--force", is_flag=True, help="Read input that has changed as it is now.")
@click.option(
    "--root", metavar="DIR", default="/", help="Where the input's paths begin.  [default: /, as in a run on a machine]"
)
@click.option("--yes", is_flag=True, help="Run a program from a history that belongs to another user.")
def replay(  # noqa: PLR0913 - the options, one by one
    asked: Asked, name: str, *, task: str, debug: bool | None, force: bool, root: str, yes: bool
) -> None:
    """Run a map of a job that is over once more, in this process.

    DIR is the output folder of a run on this machine, also of one that failed. The job's program, with its parameters,
    reads the same ranges of the same files, and breakpoint() works; where it fails, pdb opens at the place. What comes
    out is compared with what the job's history tells, and goes nowhere.

    It runs the job's program with your rights: replay no job whose author you would not let run code here.
    """
    index = _index(task)
    if not local_output.is_folder(name):
        raise _on_the_cluster(asked, name, task)
    hash_seed.fix()
    events = past_attempts.of_folder(name)
    _check_owner(events, yes=yes)
    found = _with_its_input(replayed.read(events, index), Path(os.path.abspath(root)), force=force)
    debugs = not asked.json and (sys.stdin.isatty() and sys.stdout.isatty() if debug is None else debug)
    # Only this user can look into it.
    scratch = Path(tempfile.mkdtemp(prefix="mapreduce-replay-"))
    try:
        _announce(found, scratch)
        outcome = _run(found, Path(os.path.abspath(root)), scratch, debugs=debugs, as_json=asked.json)
        _tell(found, outcome, as_json=asked.json)
        if debugs and outcome.error is not None:
            _examine(outcome)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    if outcome.error is not None:
        raise click.exceptions.Exit(failures.FAILED)


def _index(task: str) -> int:
    match = _MAP.fullmatch(task)
    if match is None:
        raise Refused(f"{task!r} cannot be replayed", hint=_SUPPORTED)
    return int(match[1])


def _on_the_cluster(asked: Asked, name: str, task: str) -> Refused:
    """Return the refusal of a job's name, with the way that there is."""
    if os.path.isdir(name):
        way = f"mapreduce replay ./{name} --task {task} takes the folder"
        return Refused(f"{name!r} is the name of a job", hint=way)
    found = find_job(asked.api, asked.namespace, name)
    return Refused(
        f"{jobs.name(found)} is a job on the cluster, which cannot be replayed from there yet",
        hint=f"{_SUPPORTED}; mapreduce logs {name} --task {task} shows what it said",
    )


def _check_owner(events: Path, *, yes: bool) -> None:
    """Refuse a history of another user, whose program would run with this user's rights."""
    owners = {os.stat(path).st_uid for path in (events.parent, *events.parent.iterdir())}
    if owners - {os.geteuid()} and not yes:
        raise Refused(
            f"the history {events} belongs to another user, whose program would run with your rights",
            hint="if you trust its author: --yes",
        )


def _with_its_input(found: Replay, root: Path, *, force: bool) -> Replay:
    """Return it with the input as it is; raises `InputError` where that is not what was planned."""
    differences = replayed.changed(root, found.split)
    for difference in differences[:_NAMED]:
        terminal.note(f"changed: {difference}")
    if not differences:
        return found
    if not force:
        count = f"{len(differences)} of its files" if len(differences) > 1 else "its input"
        raise InputError(f"{count} changed since the job ran: this is another task; --force reads it as it is now")
    return msgspec.structs.replace(found, split=replayed.as_it_is_now(root, found.split))


def _announce(found: Replay, scratch: Path) -> None:
    spec = found.job.spec
    terminal.note(f"{found.task} of {terminal.one_line(spec.name)} reads {_input(found)}")
    program = spec.program
    if program.module:
        what = f"the installed module {program.module}"
    else:
        what = f"{program.file}, which is written below {scratch}"
    terminal.note(terminal.one_line(f"its program, sha256 {program.digest}, is {what}"))
    if (version := found.job.engine_version) != mapreduce.__version__:
        terminal.note(terminal.one_line(f"the job ran with {version}, this is {mapreduce.__version__}"))
    terminal.note("it runs here, in this process, with your rights")


def _input(found: Replay) -> str:
    parts = found.split.ranges
    named = [f"{terminal.one_line(part.file.name)} from {part.start} to {part.end}" for part in parts[:_NAMED]]
    more = f" and {len(parts) - _NAMED} more" if len(parts) > _NAMED else ""
    return ", ".join(named) + more


def _run(found: Replay, root: Path, scratch: Path, *, debugs: bool, as_json: bool) -> Outcome:
    with _breakpoints(stop=debugs), contextlib.redirect_stdout(sys.stderr) if as_json else contextlib.nullcontext():
        outcome = replayed.run(found, root, scratch)
    # What the program printed comes before what is told of it.
    sys.stdout.flush()
    if isinstance(outcome.cause, bdb.BdbQuit):
        terminal.note("the debugger was left, and with it the attempt: there is nothing to compare")
        raise click.exceptions.Exit(failures.INTERRUPTED)
    return outcome


@contextlib.contextmanager
def _breakpoints(*, stop: bool) -> Iterator[None]:
    """Let `breakpoint()` in the program do as Python does, or nothing: nobody may be there to type."""
    before = sys.breakpointhook
    if not stop:
        sys.breakpointhook = _pass
    try:
        yield
    finally:
        sys.breakpointhook = before


def _pass(*_arguments: Any, **_more: Any) -> None:
    """Stop nowhere."""


def _tell(found: Replay, outcome: Outcome, *, as_json: bool) -> None:
    comparison = terminal.one_line(replayed.compared(outcome, found.recorded))
    error, made = outcome.error, outcome.made
    if as_json:
        terminal.document(_document(found, outcome, comparison))
        return
    if error is not None:
        terminal.say(terminal.one_line(f"{found.task} failed: {error.reason}: {error.message}"))
        if error.where:
            terminal.say(f"  at {terminal.one_line(error.where)}")
        for row in error.traceback.rstrip().split("\n") if error.traceback else ():
            terminal.say(f"  {row}")
    elif made is not None:
        terminal.say(f"{found.task} ended well: {made.records} records read, {made.rows} rows made")
        for name, count in sorted(made.counters.items()):
            terminal.say(f"  {terminal.one_line(name)}: {count}")
    terminal.say(comparison)


def _document(found: Replay, outcome: Outcome, comparison: str) -> dict[str, Any]:
    recorded = found.recorded
    document: dict[str, Any] = {
        "task": str(found.task),
        "program": {"file": found.job.spec.program.file or found.job.spec.program.module, "digest": found.job.digest},
        "same": recorded is not None and replayed.is_same(outcome, recorded),
        "comparison": comparison,
    }
    if outcome.error is not None:
        told = msgspec.structs.asdict(outcome.error)
        names = ("reason", "message", "where", "traceback")
        return document | {"error": {name: told[name] for name in names if told[name]}}
    made = outcome.made
    assert made is not None  # noqa: S101 - without an error something was made
    return document | {"made": {"records": made.records, "rows": made.rows, "counters": made.counters}}


def _examine(outcome: Outcome) -> None:
    """Open pdb where the program raised."""
    users = replayed.users_part(outcome.cause) if outcome.cause is not None else None
    if users is None:
        terminal.note("no line of the program raised this: there is no place for pdb to open at")
        return
    pdb.post_mortem(users)
