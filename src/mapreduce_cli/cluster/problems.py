"""What can go wrong between the command line and a cluster, in our words, with the exit status of each.

`api.py` and `connection.py` turn the client library's exceptions into these; `commands.py` prints them.
"""

from __future__ import annotations

from typing import Final

from mapreduce.errors import MapReduceError
from mapreduce_cli.failures import FAILED, REFUSED

UNREACHABLE: Final = 3
"""Beside the exit statuses that every command has."""


class Problem(MapReduceError):
    """A command cannot do what it was asked for.

    message: what is wrong, and where. hint: what to do about it, or empty. status: the exit status.
    """

    status = REFUSED

    def __init__(self, message: str, *, hint: str = "", reason: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.reason = reason or type(self).__name__


class Unreachable(Problem):
    """There is no cluster to talk to, or it does not answer, or it does not know the user."""

    status = UNREACHABLE


class NotFound(Problem):
    """What a command names is not in the cluster."""


class Refused(Problem):
    """The cluster, or the command itself, will not do it: a mistake in what was asked for."""


class Forbidden(Refused):
    """The user's rights, a quota or an admission rule forbid it."""


class Conflict(Refused):
    """The object exists already, or another write came first."""


class Invalid(Refused):
    """The API server finds the object wrong."""


class Broken(Problem):
    """Something that had begun did not come to its end: a transfer, a Pod."""

    status = FAILED
