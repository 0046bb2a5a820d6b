"""The command `mapreduce`, and the same as `kubectl mapreduce`: a group of subcommands.

A subcommand's module is imported when it is called: the help of one, and a run on this machine,
wait for no Kubernetes client. Neighbours: each subcommand is in a module of its own.
"""

from __future__ import annotations

import difflib
import importlib
import sys
from typing import Final

import click

import mapreduce
from mapreduce_cli import failures, terminal

JSON: Final = "--json"

_SECTIONS: Final[dict[str, dict[str, tuple[str, str]]]] = {
    "On this machine": {
        "init": ("mapreduce_cli.newjob:init", "Make a folder with a new job: program, test, resource, README."),
        "run": ("mapreduce_cli.run:run", "Run a job on this machine."),
        "replay": ("mapreduce_cli.cluster.replay:replay", "Run a map of a job that is over once more, under pdb."),
        "validate": ("mapreduce_cli.cluster.validate:validate", "Check a program or a resource before it is run."),
    },
    "Jobs on a cluster": {
        "submit": ("mapreduce_cli.cluster.submit:submit", "Run a job on the cluster."),
        "get": ("mapreduce_cli.cluster.get:get", "List jobs, and how far they are."),
        "watch": ("mapreduce_cli.cluster.watch:watch", "Show how far a job is until it is over."),
        "describe": ("mapreduce_cli.cluster.describe:describe", "Show all that is known of a job."),
        "explain": ("mapreduce_cli.cluster.explain:explain", "Say in plain words what a job waits for."),
        "logs": ("mapreduce_cli.cluster.logs:logs", "Print what a job's Pods wrote."),
        "report": ("mapreduce_cli.cluster.report:report", "Show a job that is over as a page in the browser."),
        "suspend": ("mapreduce_cli.cluster.lifecycle:suspend", "Stop a job's Pods; what is staged is kept."),
        "resume": ("mapreduce_cli.cluster.lifecycle:resume", "Let a suspended job go on."),
        "rerun": ("mapreduce_cli.cluster.rerun:rerun", "Run a job once more, under a new name."),
        "delete": ("mapreduce_cli.cluster.lifecycle:delete", "Delete jobs; published outputs stay."),
    },
    "Data on a cluster": {
        "cp": ("mapreduce_cli.cluster.copy:cp", "Copy files to and from a volume, with checksums."),
        "cat": ("mapreduce_cli.cluster.cat:cat", "Print the output of a finished job."),
    },
}
"""Section → name → (module:attribute, what the list of commands says)."""

_COMMANDS: Final = {name: found for section in _SECTIONS.values() for name, found in section.items()}


class _Commands(click.Group):
    """Knows its commands by name, and imports the one that is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, _, attribute = _COMMANDS[cmd_name][0].partition(":")
        found = getattr(importlib.import_module(module), attribute)
        assert isinstance(found, click.Command)  # noqa: S101 - the table above says so
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in _COMMANDS and (near := difflib.get_close_matches(name, _COMMANDS)):
            ctx.fail(f"No such command {name!r}. Did you mean {' or '.join(near)}?")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, commands in _SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name, about) for name, (_, about) in commands.items()])


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
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
    Count the words of some files, here and on a cluster:
        mapreduce run job.py texts/*.txt --output counts
        mapreduce cp texts pvc:data/texts
        mapreduce submit job.py --input pvc:data/texts --output pvc:data/counts --name counts --wait
        mapreduce cat counts

    Exit status: 0 done, 1 the job failed, 2 bad usage, or refused before anything started, 3 the
    cluster cannot be reached, 130 interrupted.
    """


def main() -> None:
    """Run the command line of this process."""
    _run("mapreduce")


def main_kubectl() -> None:
    """Run it as kubectl's plug-in: a program named kubectl-mapreduce is `kubectl mapreduce`."""
    _run("kubectl mapreduce")


def _run(name: str) -> None:
    """Run the command; who asked for one JSON document gets one for wrong usage too.

    Asked of the words themselves: parsing ends at what is wrong, maybe before it came to `--json`.
    """
    options = sys.argv[: sys.argv.index("--")] if "--" in sys.argv else sys.argv
    if JSON not in options:
        cli(prog_name=name)
        return
    try:
        sys.exit(cli(prog_name=name, standalone_mode=False) or 0)
    except click.ClickException as error:
        terminal.document({"error": {"reason": failures.WRONG_USE, "message": error.format_message()}})
        sys.exit(error.exit_code)
    except click.Abort:
        sys.exit(failures.INTERRUPTED)
