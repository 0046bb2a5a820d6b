"""docs/command-line.md names every option of every command, and no other."""

import re
from pathlib import Path

import click
import pytest

from mapreduce_cli.main import cli

PAGE = (Path(__file__).parents[3] / "docs" / "command-line.md").read_text()
OF_ALL = {"--help", "--namespace", "--context", "--kubeconfig", "--json"}


def commands() -> dict[str, click.Command]:
    """Return every command, by its name."""
    context = click.Context(cli)
    return {name: found for name in cli.list_commands(context) if (found := cli.get_command(context, name))}


def options(command: click.Command) -> set[str]:
    """Return its long options."""
    every = (name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts))
    return {name for name in every if name.startswith("--")}


@pytest.mark.parametrize("name", sorted(commands()))
def test_every_option_is_in_the_page(name: str) -> None:
    assert f"mapreduce {name}" in PAGE
    assert options(commands()[name]) - OF_ALL <= set(re.findall(r"--[a-z][a-z-]*", PAGE))


def test_every_option_in_the_page_exists() -> None:
    known = {option for command in commands().values() for option in options(command)} | OF_ALL
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", PAGE)) <= known


def test_the_table_of_run_is_complete() -> None:
    section = PAGE[PAGE.index("## On this machine") : PAGE.index("## Jobs")]
    rows = "\n".join(line for line in section.split("\n") if line.startswith("|"))
    assert set(re.findall(r"--[a-z][a-z-]*", rows)) == options(commands()["run"])
