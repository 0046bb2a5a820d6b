"""`mapreduce report`: a job that is over, as a page in the browser, also when its Pods are gone.

What was fetched is not opened as it is: whoever may write to the volume may have written it. Its data is taken out,
checked, and put into our own page. Neighbours: `past_logs.py` (fetches what is kept), `mapreduce_page.report`.
"""

from __future__ import annotations

import os
import tempfile
import webbrowser
from pathlib import Path
from typing import Final

import click

from mapreduce import paths
from mapreduce.errors import CorruptionError
from mapreduce_cli import past_attempts, terminal
from mapreduce_cli.cluster import jobs, local_output, past_logs
from mapreduce_cli.cluster.commands import Asked, command
from mapreduce_cli.cluster.helper_pod import of_a_pod
from mapreduce_cli.cluster.lookup import find_job
from mapreduce_cli.cluster.problems import Broken, Refused
from mapreduce_page import report as reports

LARGEST: Final = reports.LARGEST_FILE
"""Bytes of a report that are read."""


@command("report")
@click.argument("name", metavar="NAME|./DIR")
@click.option("--output", metavar="FILE", default="", help="Write the page to this file.  [default: a temporary one]")
@click.option("--no-open", is_flag=True, help="Do not open it in the browser.")
@click.option("--raw", is_flag=True, help="Write the file as it was found, and do not open it: trust it as its folder.")
@of_a_pod
def report(  # noqa: PLR0913 - the options, one by one
    asked: Asked, name: str, *, output: str, no_open: bool, raw: bool, image: str, timeout: float
) -> None:
    """Show a job that is over as a page: its progress, every attempt, what failed and why.

    Its data comes from the job's history: on the output's claim, by a small Pod, or in the output folder of a run on
    this machine, with a slash in its name.
    """
    if raw and not output:
        raise Refused("--raw opens nothing", hint="say with --output where to write the file")
    if output and os.path.lexists(output):
        raise Refused(f"{output} exists already", hint="choose another --output, or remove it")
    source, file = _of_folder(name) if local_output.is_folder(name) else _of_job(asked, name, image, timeout)
    page = file if raw else _own(source, file)
    path = _write(page, output)
    if asked.json:
        terminal.document({"report": str(path), "source": source})
    else:
        terminal.note(f"from {source}")
        terminal.say(str(path))
    if not (raw or no_open or asked.json) and not webbrowser.open(path.as_uri()):
        terminal.note("no browser could be opened: open the file yourself")


def _of_folder(name: str) -> tuple[str, bytes]:
    path = past_attempts.of_folder(name).parent / Path(paths.REPORT).name
    return str(path), _read(path)


def _of_job(asked: Asked, name: str, image: str, timeout: float) -> tuple[str, bytes]:
    found = find_job(asked.api, asked.namespace, name)
    if not jobs.is_over(found):
        hint = f"mapreduce watch {name} shows how far it is"
        raise Refused(f"{name} is {jobs.phase(found)}: its report is written when it is over", hint=hint)
    with past_logs.fetched(asked, found, paths.REPORT, image=image, timeout=timeout, most=LARGEST) as (source, path):
        return source, _read(path)


def _read(path: Path) -> bytes:
    if path.exists() and not path.is_file():
        # A pipe, say, in which nothing ever comes.
        raise Broken("the report is no file", hint="the events beside it may be")
    try:
        with path.open("rb") as file:
            return file.read(LARGEST + 1)
    except OSError as error:
        raise Broken(f"the report cannot be read: {error.strerror}", hint="the events beside it may be") from error


def _own(source: str, file: bytes) -> bytes:
    """Return our page with the data of a report."""
    try:
        return reports.page(reports.read(file))
    except CorruptionError as error:
        hint = "--raw --output FILE writes it as it is; only open that if you trust whoever may write to its volume"
        raise Broken(f"{source} is no report that can be shown: {error}", hint=hint) from error


def _write(page: bytes, output: str) -> Path:
    path = Path(output).absolute() if output else Path(tempfile.mkdtemp(prefix="mapreduce-report-")) / "report.html"
    try:
        with path.open("xb") as file:
            file.write(page)
    except OSError as error:
        raise Refused(f"{path} cannot be written: {error.strerror}") from error
    return path
