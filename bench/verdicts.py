"""The arithmetic of the targets: from the figures of all rounds to one number that is held against must and aim.

Rounds are paired: each has a run of every contender, one after the other, so what slows the machine down slows both
sides of a quotient. A verdict is the median of the rounds' quotients.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from bench.measure import Measured

Figure = Literal["wall", "cpu"]
Rounds = Mapping[str, Sequence[Measured]]
Kind = Literal["ratio", "times", "share", "seconds", "memory"]
"""ratio: our time by the peer's. times: the peer's time by ours, at least so much. share: the part of our time that
the peer does without. seconds: our time. memory: MiB of our largest process."""
MIB = 1 << 20


class Verdict(NamedTuple):
    """A target of one row. peers: with several of them, the best one counts."""

    name: str
    kind: Kind
    ours: str
    peers: tuple[str, ...] = ()
    must: float | None = None
    aim: float | None = None

    def value(self, rounds: Rounds, figure: Figure = "wall") -> float:
        """Return the verdict over all rounds, by wall or by processor time."""
        found = [self._against(rounds, peer, figure) for peer in self.peers or (self.ours,)]
        return min(found) if self.kind == "times" else max(found)

    def meets(self, value: float, limit: float | None) -> bool | None:
        """Tell whether a value is within a limit; None where there is none."""
        if limit is None:
            return None
        return value >= limit if self.kind == "times" else value <= limit

    def _against(self, rounds: Rounds, peer: str, figure: Figure) -> float:
        pairs = zip(rounds[self.ours], rounds[peer], strict=True)
        if self.kind == "memory":
            return max(ours.peak for ours, _ in pairs) / MIB
        times = [(getattr(ours, figure), getattr(other, figure)) for ours, other in pairs]
        return statistics.median(self._of_times(ours, other) for ours, other in times)

    def _of_times(self, ours: float, other: float) -> float:
        match self.kind:
            case "ratio":
                return ours / other
            case "times":
                return other / ours
            case "share":
                return 1 - other / ours
            case _:
                return ours
