"""How many Events of one job are sent: a burst, then one now and then; of the others the newest, with their number.

An Event is an object in the cluster's store for an hour, and code that fails at random makes thousands.
Pure. Neighbours: `publish.py` (sends what is due), `events.py` (the object).
"""

from __future__ import annotations

from collections import deque
from typing import Final

import msgspec

from mapreduce_operator.core.events import Announce
from mapreduce_operator.kube import events

BURST: Final = 25
"""Events that may be sent at once; as many as the recorder of Kubernetes' own parts lets through."""
SECONDS: Final = 5.0
"""Seconds after which one more may be sent. That recorder waits five minutes; a job is watched while it runs."""


class Told(msgspec.Struct, frozen=True):
    """What happened, and when, in Unix seconds."""

    announcement: Announce
    wall: float


class EventPace:
    """The Events of one job on their way; `now` on any clock that never goes back, in seconds."""

    def __init__(self, now: float) -> None:
        self.due: deque[Told] = deque()
        """To be sent, the oldest first; at most `BURST` and one."""
        self._tokens = float(BURST)
        self._counted = now
        self._held: Told | None = None
        """The newest of those for which there was no room, and the number of the others."""
        self._left_out = 0

    def add(self, told: Told, now: float) -> bool:
        """Take in what happened: it is due, or the newest that is held back; tell whether one is left out for it."""
        self.refill(now)
        # What waits may wait for long, and a worker has a say in its length.
        told = _with_message(told, events.cut(told.announcement.message))
        if self._held is not None:
            self._left_out += 1
            self._held = told
            return True
        if self._tokens < 1 or len(self.due) >= BURST:
            self._held = told
        else:
            self._tokens -= 1
            self.due.append(told)
        return False

    def refill(self, now: float) -> None:
        """What was held back is due if enough time has passed."""
        self._tokens = min(float(BURST), self._tokens + (now - self._counted) / SECONDS)
        self._counted = now
        if self._held is not None and self._tokens >= 1 and len(self.due) < BURST:
            self._tokens -= 1
            self.release()

    def release(self) -> None:
        """What is held back is due now, with the number of those that were left out before it."""
        if self._held is None:
            return
        told, self._held = self._held, None
        if self._left_out:
            # In front: the end of a long message is cut off.
            more = f"({self._left_out} Events before this one were left out) {told.announcement.message}"
            told = _with_message(told, events.cut(more))
            self._left_out = 0
        self.due.append(told)

    def pause(self) -> float | None:
        """Return the seconds until what is held back is due, or None where nothing is."""
        return max(0.0, (1 - self._tokens) * SECONDS) if self._held is not None else None


def _with_message(told: Told, message: str) -> Told:
    if message == told.announcement.message:
        return told
    return msgspec.structs.replace(told, announcement=msgspec.structs.replace(told.announcement, message=message))
