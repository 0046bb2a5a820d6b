"""Tickets: who may read which bytes from a worker or a gateway of the same job.

A ticket is `<scope>.<expiry>.<mac>`: HMAC-SHA256 over job, scope and expiry with a key that the
master has for each (job, epoch) and hands to every worker and gateway of the job when it
registers. Scopes: `input` (ranges of the input), `partition-<step>-<p>` (the segments of
one partition), `part-<attempt>` (the part of one reduce attempt).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable

LIFETIME = 3600.0
"""Seconds that a ticket is good for."""

INPUT = "input"
_EXPIRY_DIGITS = 12
"""More than any time that is told; what is longer is no expiry, and too long a text is no number at all."""


def partition_scope(step: int, partition: int) -> str:
    """Return the scope that opens the segments of one partition."""
    return f"partition-{step}-{partition}"


def part_scope(attempt: str) -> str:
    """Return the scope that opens the part of one reduce attempt."""
    return f"part-{attempt}"


def mint(key: bytes, job: str, scope: str, expiry: float) -> str:
    """Return a ticket for `scope`, good until the Unix time `expiry`."""
    until = int(expiry)
    return f"{scope}.{until}.{_mac(key, job, scope, until)}"


def check(ticket: str, keys: Iterable[bytes], job: str, scope: str, now: float) -> bool:
    """Tell whether the ticket opens `scope`; `keys` are the current one and the previous."""
    claimed, _, rest = ticket.rpartition(".")
    claimed_scope, _, until = claimed.rpartition(".")
    if claimed_scope != scope or not rest.isascii() or not until.isascii() or not until.isdigit():
        return False
    if len(until) > _EXPIRY_DIGITS or int(until) < now:
        return False
    return any(hmac.compare_digest(_mac(key, job, scope, int(until)), rest) for key in keys)


def _mac(key: bytes, job: str, scope: str, until: int) -> str:
    return hmac.new(key, f"{job}\n{scope}\n{until}".encode(), hashlib.sha256).hexdigest()
