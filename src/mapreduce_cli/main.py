"""The command `mapreduce`: a group of subcommands, each in a module of its own."""

from __future__ import annotations

import click

import mapreduce
from mapreduce_cli.run import run


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(mapreduce.__version__, "--version", prog_name="mapreduce", message="%(prog)s %(version)s")
def cli() -> None:
    """MapReduce in Python, on this machine and on Kubernetes.

    \b
    A job is a Python file:
        import mapreduce as mr
        class WordCount(mr.Job):
            def map(self, line):
                for word in line.split():
                    yield word, 1
            reduce = mr.Sum()

    \b
    Count the words of some files here:
        mapreduce run job.py texts/*.txt --output counts

    Exit status: 0 done, 1 the job failed, 2 bad usage, or refused before anything started,
    130 interrupted.
    """


cli.add_command(run)


def main() -> None:
    """Run the command line of this process."""
    cli(prog_name="mapreduce")
