"""The ticket keys of a running process: they check what readers show, and renew what ran out.

Neighbours: `mapreduce.tickets` (the format), `data_server.py` (checks), `fetch.py` (mints anew a
ticket that a holder did not accept: after a restart of the master, or after its hour).
"""

from __future__ import annotations

import time

from mapreduce import tickets


class TicketBook:
    """The job's name and its keys, the newest first; empty before the first registration."""

    def __init__(self) -> None:
        self._job = ""
        self._keys: tuple[bytes, ...] = ()

    def learn(self, job: str, keys: tuple[bytes, ...]) -> None:
        """Take the job's uid and the keys that a registration was answered with."""
        self._job, self._keys = job, keys

    def opens(self, ticket: str, scope: str) -> bool:
        """Tell whether the ticket opens `scope` now."""
        return tickets.check(ticket, self._keys, self._job, scope, time.time())

    def mint(self, scope: str) -> str:
        """Return a new ticket; the empty one before the first registration."""
        if not self._keys:
            return ""
        return tickets.mint(self._keys[0], self._job, scope, time.time() + tickets.LIFETIME)
