"""What all commands for a cluster share: their options, and how they end when they do not end well.

The one place where a `Problem` becomes text and an exit status. Neighbours: `problems.py`,
`connection.py`, and each command's module.
"""

from __future__ import annotations

import functools
import os
import signal
import sys
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

import click

from mapreduce.errors import MapReduceError, UsageError
from mapreduce_cli import terminal
from mapreduce_cli.cluster.connection import Connection, Target
from mapreduce_cli.cluster.problems import Problem, Refused
from mapreduce_cli.failures import FAILED, INTERRUPTED, REFUSED

Function = TypeVar("Function", bound=Callable[..., None])


class Asked(Connection):
    """What every command is called with: where the cluster is, and whether JSON is wanted."""

    def __init__(self, target: Target, as_json: bool) -> None:
        super().__init__(target)
        self.json = as_json


def command(name: str, **attributes: Any) -> Callable[[Callable[..., None]], click.Command]:
    """Make a command with the options of all; the function is called with an `Asked` and its own options."""

    def decorate(function: Callable[..., None]) -> click.Command:
        @functools.wraps(function)
        def run(namespace: str, context: str, kubeconfig: str, as_json: bool, **options: Any) -> None:
            asked = Asked(Target(kubeconfig=kubeconfig, context=context, namespace=namespace), as_json)
            _guarded(function, asked, options)

        made: click.Command = click.command(name, cls=click.Command, **attributes)(run)
        made.params += _options()
        return made

    return decorate


def _options() -> list[click.Parameter]:
    return [
        click.Option(
            ["-n", "--namespace"], metavar="NAME", default="", help="The namespace.  [default: the context's]"
        ),
        click.Option(["--context"], metavar="NAME", default="", help="The context of the kubeconfig file."),
        click.Option(["--kubeconfig"], metavar="FILE", default="", help="The kubeconfig file.  [default: as kubectl]"),
        click.Option(["--json", "as_json"], is_flag=True, help="Print one JSON document."),
    ]


def pairs(_context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    """Read values of the form NAME=VALUE: the callback of an option that may be repeated."""
    pairs = {}
    for text in values:
        name, separator, value = text.partition("=")
        if not separator or not name:
            raise click.BadParameter(f"{text!r} is not NAME=VALUE")
        pairs[name] = value
    return pairs


def _guarded(function: Callable[..., None], asked: Asked, options: dict[str, Any]) -> None:
    """Run a command; whatever it raises on purpose becomes text and an exit status."""
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        function(asked, **options)
    except BrokenPipeError:
        # Whoever read our output has seen enough. Nothing may be written to it at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except Problem as problem:
        end(problem, as_json=asked.json)
    except UsageError as error:
        end(Refused(str(error)), as_json=asked.json)
    except MapReduceError as error:
        failure = Problem(str(error), reason=type(error).__name__)
        failure.status = FAILED
        end(failure, as_json=asked.json)
    except KeyboardInterrupt:
        if asked.json:
            terminal.document({"error": {"reason": "Interrupted", "message": "interrupted"}})
        terminal.note("mapreduce: interrupted")
        sys.exit(INTERRUPTED)
    finally:
        signal.signal(signal.SIGTERM, before)


def end(problem: Problem, *, as_json: bool) -> NoReturn:
    """Print the problem, and leave with its exit status."""
    if as_json:
        told = {"reason": problem.reason, "message": problem.message} | ({"hint": problem.hint} if problem.hint else {})
        terminal.document({"error": told})
    else:
        verb = "refused: " if problem.status == REFUSED else ""
        terminal.note(f"mapreduce: {verb}{problem.message}")
        if problem.hint:
            terminal.note(f"  hint: {problem.hint}")
    sys.exit(problem.status)


def _interrupt(_number: int, _frame: object) -> NoReturn:
    """End on SIGTERM as on Ctrl-C: what a command made in the cluster is taken away."""
    raise KeyboardInterrupt
