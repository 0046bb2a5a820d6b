"""Names of workers and gateways: `<job>-<uid>-w-<index>-<epoch>-<n>`, made here and read here.

A name is never used twice: no two processes have an epoch, and n counts the incarnations of an index
within it, on from those of an earlier core of the same process (`MasterContext.first_incarnation`).
Neighbours: `fleet.py` makes names, `registration.py` reads those of older epochs.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from mapreduce.protocol import Role
from mapreduce.spec import JobSpec
from mapreduce.words import JOB_NAME_LIMIT

UID_CHARACTERS: Final = 8

_LETTERS: Final[dict[Role, str]] = {"worker": "w", "gateway": "g"}
_ROLES: Final[dict[str, Role]] = {"w": "worker", "g": "gateway"}
_TAIL: Final = re.compile(r"-([wg])-(\d+)-(\d+)-(\d+)\Z")


class Place(msgspec.Struct, frozen=True):
    """What a name says: the seat (role, index), and which start of it this is."""

    role: Role
    index: int
    epoch: int
    number: int

    @property
    def incarnation(self) -> str:
        """Return `<epoch>-<n>`."""
        return f"{self.epoch}-{self.number}"


def prefix(name: str, uid: str) -> str:
    """Return what the name of everything that is made for a job begins with."""
    return f"{name[:JOB_NAME_LIMIT]}-{uid[:UID_CHARACTERS]}"


def worker(spec: JobSpec, place: Place) -> str:
    """Return the name of one start of a worker or gateway."""
    return f"{prefix(spec.name, spec.uid)}-{_LETTERS[place.role]}-{place.index}-{place.epoch}-{place.number}"


def read(name: str) -> Place | None:
    """Return what a name says, or None for one that was not made here."""
    found = _TAIL.search(name)
    if found is None:
        return None
    letter, index, epoch, number = found.groups()
    return Place(_ROLES[letter], int(index), int(epoch), int(number))
