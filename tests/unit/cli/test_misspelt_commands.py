"""A command that does not exist is refused, with the names of those that are like it."""

import pytest
from click.testing import CliRunner

from mapreduce_cli.main import cli


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("rnu", "No such command 'rnu'. Did you mean run?"),
        ("descrbe", "No such command 'descrbe'. Did you mean describe?"),
        ("frobnicate", "No such command 'frobnicate'."),
    ],
)
def test_a_command_that_is_none_is_refused_with_those_that_are_like_it(typed: str, said: str) -> None:
    done = CliRunner().invoke(cli, [typed, "x"])
    assert done.exit_code == 2
    assert done.stderr.rstrip().endswith(f"Error: {said}")
