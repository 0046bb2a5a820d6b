"""`mapreduce watch`: the progress of a job that runs already, until it is over. Neighbour: `following.py`."""

from __future__ import annotations

import click

from mapreduce_cli import progress
from mapreduce_cli.cluster import following, local_output
from mapreduce_cli.cluster.commands import Asked, command
from mapreduce_cli.cluster.lookup import find_job
from mapreduce_cli.cluster.problems import Refused


@command("watch")
@click.argument("name", metavar="NAME")
@progress.option
def watch(asked: Asked, name: str, shown: progress.Choice) -> None:
    """Show how far a job is until it is over, and return with its exit status.

    It is what `submit --wait` shows, from wherever you are, as often as you like. Ctrl-C ends the watching, not the
    job. Of a job that is over, the result is told at once.
    """
    if local_output.is_folder(name):
        raise Refused(
            f"{name} is a folder, and a job of the cluster is watched by its name",
            hint="a run on this machine shows its progress where it was started",
        )
    following.to_its_end(asked, find_job(asked.api, asked.namespace, name), shown)
