"""The API server as the operator meets it: a Lease, writes that fail or whose answer is lost, a watch with gaps.

Each kind of trouble has a time at which it is over. Neighbours: `master_process.py` (holds the Lease, lists),
`driver.py` (creates and deletes Pods), `platform.py` (the Pods of which the watch tells), `faults/api.py` (begins
the trouble).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from mapreduce_operator.core.events import WorkerSeen

if TYPE_CHECKING:
    from tests.support.simulated.world import World

Result = Literal["done", "no answer", "taken", "quota"]

NO_ANSWER = 1.0
"""Seconds until a client knows that there is none."""
REFUSED = 0.7
"""The chance that a busy API server answers 429 or 500."""
UNHEARD = 0.4
"""The chance that it did what it was asked for, and the answer is lost."""


class ApiServer:
    """One API server; `lease` is the epoch that the Lease tells."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.lease = 0
        self.away_until = 0.0
        self.busy_until = 0.0
        self.unheard_until = 0.0
        self.taken = 0
        """How many of the next creations find the name taken, by a Pod that somebody else made."""
        self.quota_until = 0.0
        self.watch_lost_until = 0.0
        self.watch_wild_until = 0.0

    @property
    def away(self) -> bool:
        """Whether nobody answers now."""
        return self._world.clock.now < self.away_until

    def write(self, do: Callable[[], None], told: Callable[[Result], None], *, creates: bool = False) -> None:
        """Carry out a write a little later, whoever asked for it is still there or not; tell what came of it."""
        clock = self._world.clock
        result = self._result(creates)
        if result == "done":

            def land() -> None:
                do()
                told("done")

            clock.after(clock.chance.uniform(0.005, 0.1), land)
        elif result == "unheard":
            clock.after(clock.chance.uniform(0.005, 0.5), do)
            clock.after(NO_ANSWER, lambda: told("no answer"))
        else:
            clock.after(NO_ANSWER if result == "no answer" else 0.05, lambda: told(result))

    def _result(self, creates: bool) -> Literal["done", "no answer", "taken", "quota", "unheard"]:
        world, now = self._world, self._world.clock.now
        if self.away:
            world.hit("API server away for two minutes")
            return "no answer"
        if now < self.busy_until and world.clock.chance.random() < REFUSED:
            world.hit("API server answers 429 and 500")
            return "no answer"
        if now < self.unheard_until and world.clock.chance.random() < UNHEARD:
            world.hit("API server answers 409")
            return "unheard"
        if creates and self.taken:
            self.taken -= 1
            world.hit("API server answers 409")
            return "taken"
        if creates and now < self.quota_until:
            world.hit("quota exceeded")
            return "quota"
        return "done"

    # --- the watch ------------------------------------------------------------------------

    def tell(self, seen: WorkerSeen) -> None:
        """Tell every watch that something became of a Pod: perhaps late, perhaps twice, perhaps never."""
        world, chance, now = self._world, self._world.clock.chance, self._world.clock.now
        if self.away:
            return
        if now < self.watch_lost_until:
            world.hit("watch lost (410)")
            return
        wild = now < self.watch_wild_until
        lost = chance.random() < (0.4 if wild else world.hints_lost)
        repeated = wild and chance.random() < 0.4
        late = wild and chance.random() < 0.5
        if wild and (lost or repeated or late):
            world.hit("watch events lost, repeated or late")
        for _ in range(0 if lost else 2 if repeated else 1):
            world.clock.after(chance.uniform(0.01, 10.0 if late else 0.5), lambda: world.master.pod_seen(seen))

    def watch_again(self) -> None:
        """A watch that was lost begins anew: what is there is told, and nothing of what vanished."""
        if not self.away:
            for seen in self._world.platform.seen():
                self._world.master.pod_seen(seen)
