"""A whole cluster in one process: the real cores on a virtual clock, network, disk, platform and API server.

`World(seed)` draws a job and a list of faults from the seed; `run` plays it to its end and returns
what is wrong, in words. The same seed gives the same story, which `story` tells. Neighbours: `faults/catalogue.py`
(what may happen), `schedule.py` (what does, and when), `verdict.py` (judges the end).
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from mapreduce.ids import AttemptId
from mapreduce_operator.core.events import Announce, JobDeleted, SpecChanged
from mapreduce_operator.core.states import JobState
from tests.support.crash_store import Disk
from tests.support.simulated import rivals, schedule, toy, verdict
from tests.support.simulated.api_server import ApiServer
from tests.support.simulated.clock import Clock
from tests.support.simulated.faults.fault import Phase
from tests.support.simulated.gateway_host import GatewayHost
from tests.support.simulated.master_host import MasterHost
from tests.support.simulated.network import Network
from tests.support.simulated.platform import Platform
from tests.support.simulated.schedule import EVERYTHING, Faults

LIMIT = 2000.0
START = 1_000_000
"""The Unix time at which a schedule begins, in seconds."""


class Said(msgspec.Struct, frozen=True):
    """What people were told, and when."""

    at: float
    kind: str
    reason: str
    message: str


class World:
    """One schedule; `checked`: the master's invariants are checked after every event."""

    def __init__(self, seed: int, faults: Faults = EVERYTHING, *, checked: bool = True) -> None:
        self.clock = Clock(seed)
        self.faults = faults
        self.checked = checked
        self.story: list[tuple[float, int, object]] = []
        """What happened: when, to the master of which epoch (0: to nobody), and a line or an event of its core."""
        self.hits: dict[tuple[str, Phase], float] = {}
        """Which faults hit in which phases, and when first."""
        self.wrong: list[str] = []
        """What was seen to be wrong before the end."""
        self.may_fail: set[str] = set()
        """The reasons for which the job may fail."""
        self.said: list[Said] = []
        self.plans = 0
        """How many were made."""
        self.made: set[AttemptId] = set()
        """The attempts that gave a map output."""
        self._lay_out(seed)
        self.network = Network(self.clock, schedule.weather(self), self.hit)
        self.platform = Platform(self)
        self.api = ApiServer(self)
        self.master = MasterHost(self)
        schedule.plan(self)

    def _lay_out(self, seed: int) -> None:
        """Draw the job, and how fast everything is."""
        self.primary = schedule.primary(seed, self.faults)
        self.toy = schedule.draw_toy(self)
        self.spec = schedule.draw_spec(self)
        self.wanted = SpecChanged(workers=self.spec.workers, suspend=False, active_deadline=0.0)
        self.map_time, self.reduce_time, self.segment_time, self.publish_time = schedule.paces(self)
        self.hints_lost = 0.0 if self.faults.alone else 0.2
        """The chance that a watch event never comes, in good times; the next LIST tells then."""
        self.slots_die = self.faults.slots and not self.faults.alone and self.clock.chance.random() < 0.5
        self.first_pace = self.clock.chance.choice([3.0, 10.0]) if self.faults.slow_worker else 1.0
        """How many times as long as elsewhere an attempt takes on the first worker."""
        self.shifts: dict[str, float] = {}
        """By how much the wall clocks of places are wrong."""
        self._wrong_clocks: dict[float, float] = {}
        """When those clocks told what."""
        self.living: set[str] = set()
        """The uids of other jobs that live."""
        self.deleted = False
        self.parts_to_spoil = 0
        self.input_change_due = False
        self.charged: set[object] = set()
        """The tasks to which a fault was charged: a second one could spend a budget."""
        self.disk = Disk()
        self.old = rivals.publish_older(self) if self.spec.overwrite == "replace" else {}
        schedule.lay_rivals(self)
        self.disk.lose_power()

    def note(self, what: object, epoch: int = 0) -> None:
        """Add a line to the story, or, with the `epoch` of its master, an event: it costs no text until it is told."""
        self.story.append((self.clock.now, epoch, what))

    def told(self, *, whole: bool) -> str:
        """Return the story as text, a line each; without `whole` not each event of the masters."""
        lines = [
            f"{at:9.3f} {f'[{epoch}] event ' if epoch else ''}{what}"[:600]
            for at, epoch, what in self.story
            if whole or not epoch
        ]
        return "".join(f"{line}\n" for line in lines)

    def announced(self, words: Announce) -> None:
        """A master told people something."""
        self.note(f"SAID {words.kind} {words.reason}: {words.message}")
        self.said.append(Said(self.clock.now, words.kind, words.reason, words.message))

    def hit(self, fault: str) -> None:
        """Note that a fault hits the job now."""
        self.hits.setdefault((fault, self.phase), self.clock.now)

    def run(self) -> list[str]:
        """Play the schedule; return what is wrong with its end."""
        self.master.boot()
        if not self.clock.run(lambda: bool(self.master.ended), LIMIT):
            return [f"not ended after {LIMIT} s of virtual time; status: {self.master.status}"]
        return self.wrong + verdict.judge(self)

    # --- where the job is -----------------------------------------------------------------

    @property
    def phase(self) -> Phase:
        """What the job does now, as its newest master knows."""
        match self.master.state:
            case JobState.MAPPING:
                return "early" if self._gathers_early() else "map"
            case JobState.REDUCING:
                return "shuffle" if any(worker.fetching for worker in self.platform.workers()) else "reduce"
            case JobState.PUBLISHING:
                return "publish"
            case JobState.SUCCEEDED | JobState.FAILED:
                return "over"
            case _:
                return "start"

    def _gathers_early(self) -> bool:
        newest = self.master.newest
        return newest is not None and bool(newest.core.book.tasks["reduce"].live)

    def output_gateway(self) -> GatewayHost | None:
        """Return the gateway that writes the output, if it runs."""
        for name in self.platform.running("gateway"):
            host = self.platform.host(name)
            if "-g-0-" in name and isinstance(host, GatewayHost):
                return host
        return None

    def attempts_of(self, name: str) -> list[AttemptId]:
        """Return the attempts that the newest master takes a worker to have."""
        newest = self.master.newest
        worker = newest.core.book.registry.by_name(name) if newest is not None else None
        return list(worker.attempts) if worker is not None else []

    # --- what hosts ask -------------------------------------------------------------------

    def wall(self, place: str) -> float:
        """Return the Unix time by the clock of a place."""
        shift = self.shifts.get(place, 0.0)
        told = START + self.clock.now + shift
        if shift:
            self._wrong_clocks[told] = self.clock.now
        return told

    def when(self, wall: float) -> float:
        """Return at which virtual time some place's clock told this Unix time."""
        return self._wrong_clocks.get(wall, wall - START)

    def next_crash(self) -> int:
        """Return the step of its writing at which a gateway that starts now crashes; 0 for never."""
        calm = not self.faults.gateways or self.faults.alone or self.clock.now > schedule.TROUBLE_ENDS
        if calm or self.clock.chance.random() < 0.5:
            return 0
        return self.clock.chance.randint(1, 120)

    def disk_fails(self) -> None:
        """A machine stopped: what was not made durable may be lost."""
        if self.clock.chance.random() < 0.5:
            self.disk.lose_power(self.clock.chance)

    def at_rest(self, part: bytes) -> bytes:
        """Return what a worker's disk keeps of a part."""
        if not self.parts_to_spoil:
            return part
        self.parts_to_spoil -= 1
        return toy.flip(part, self.clock.chance)

    def input_changes(self) -> bool:
        """Tell whether who reads the input now finds that it has changed."""
        if self.input_change_due:
            self.hit("input changes while running")
        return self.input_change_due

    # --- what faults do -------------------------------------------------------------------

    def charge(self, attempts: Iterable[AttemptId]) -> bool:
        """Tell whether these attempts may be charged to their tasks: each task once, so that no budget is spent."""
        tasks = {attempt.task for attempt in attempts if attempt.task.kind in ("map", "reduce", "load")}
        if tasks & self.charged:
            return False
        self.charged |= tasks
        return True

    def want(self, **changes: object) -> None:
        """The user edits the job."""
        self.wanted = msgspec.structs.replace(self.wanted, **changes)
        self.note(f"the user wants {self.wanted}")
        self.master.post(self.wanted)

    def delete(self) -> None:
        """The user deletes the job."""
        self.deleted = True
        self.master.post(JobDeleted())

    def calm_down(self) -> None:
        """No trouble lasts for longer."""
        self.note("from here on nothing fails")
        self.want(suspend=False)
        self.network.heal()
        self.network.weather = schedule.CALM
        self.slots_die = False
        self.first_pace = 1.0
        self.disk.full = False
        self.platform.starving = None
        self.shifts.clear()
        for worker in self.platform.workers():
            worker.pace = 1.0
