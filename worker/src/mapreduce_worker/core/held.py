"""The finished map outputs on a worker's disk, and how they are announced: in pages.

A worker may hold tens of thousands, more than fit into one body. `Register` names how many there
are and as many as fit; each exchange carries the next page until the master has them all. A master
that cannot take them in yet says so, and is told again from where it is.
Neighbours: `worker.py`, which owns one `HeldOutputs`.
"""

from __future__ import annotations

from typing import Final

import msgspec

from mapreduce.ids import AttemptId
from mapreduce.protocol import WORKER_BODY, MapOutput, encode

HELD_ROOM: Final = WORKER_BODY // 4
"""Bytes of held outputs in one message; beside them are reports and the attempts that run."""


class HeldOutputs:
    """What is held now; and, of this session, what was announced and how much of it has arrived."""

    def __init__(self, room: int = HELD_ROOM) -> None:
        self._room = room
        self._held: dict[AttemptId, MapOutput] = {}
        self._announced: tuple[MapOutput, ...] = ()
        self._seen = 0

    @property
    def outputs(self) -> tuple[MapOutput, ...]:
        """Everything that is held."""
        return tuple(self._held.values())

    def keep(self, output: MapOutput) -> None:
        """Note a finished output. Its sizes are told once, with its report: here there may be very many of them.

        Heavy keys are few, and most outputs have none.
        """
        self._held[output.attempt] = msgspec.structs.replace(output, sizes=b"")

    def drop(self, attempt: AttemptId) -> None:
        """Note that an output is deleted, if it was there."""
        self._held.pop(attempt, None)

    def announce(self) -> tuple[tuple[MapOutput, ...], int]:
        """Begin anew for a registration; return its page, and how many outputs there are."""
        self._announced, self._seen = self.outputs, 0
        page = self.page()
        self._seen = len(page)
        return page, len(self._announced)

    @property
    def seen(self) -> int:
        """How many of the announced outputs the master has; the next page begins there."""
        return self._seen

    def heard(self, count: int) -> None:
        """The master has so many; fewer than were named where it cannot take them in yet."""
        self._seen = count

    def page(self) -> tuple[MapOutput, ...]:
        """Return the next outputs, as many as fit; nothing once the master has them all."""
        room, end = self._room, self._seen
        for output in self._announced[self._seen :]:
            room -= len(encode(output))
            if end > self._seen and room < 0:
                break
            end += 1
        return self._announced[self._seen : end]
