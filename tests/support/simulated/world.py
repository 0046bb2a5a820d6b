"""A whole cluster in one process: the real cores on a virtual clock, network, disk and platform.

`World(seed)` draws a job and a list of faults from the seed; `run` plays it to its end and returns
what is wrong, in words. The same seed gives the same story, which `story` tells.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from mapreduce import history
from mapreduce.ids import AttemptId
from mapreduce_operator.core.events import SpecChanged
from tests.support import history_checker
from tests.support.crash_store import Disk
from tests.support.simulated.clock import Clock
from tests.support.simulated.master_host import MASTER, MasterHost
from tests.support.simulated.network import Network, Weather
from tests.support.simulated.platform import Platform
from tests.support.simulated.toy import Toy

CALM = Weather()
TROUBLE_ENDS = 90.0
"""Seconds after which no fault is begun, every cut is healed, and the job must come to its end."""
LIMIT = 2000.0


class Faults(msgspec.Struct, frozen=True, kw_only=True):
    """Which kinds of faults a schedule may hold."""

    workers: bool = True
    gateways: bool = True
    master: bool = True
    network: bool = True
    slots: bool = True
    user: bool = True
    """The user scales the job, and suspends and resumes it."""
    fickle_map: bool = False
    """A map of the user's gives something else in each attempt: always, and not in a few schedules only."""


EVERYTHING = Faults()
ONLY_THE_MASTER = Faults(workers=False, gateways=False, network=False, slots=False, user=False)
A_FICKLE_MAP = Faults(fickle_map=True)
KINDS = (EVERYTHING, ONLY_THE_MASTER, A_FICKLE_MAP)
"""What is played with each seed."""


class World:
    """One schedule; `checked`: the master's invariants are checked after every event."""

    def __init__(self, seed: int, faults: Faults = EVERYTHING, *, checked: bool = True) -> None:
        self.clock = Clock(seed)
        chance = self.clock.chance
        self._faults = faults
        self.checked = checked
        self.toy = Toy.draw(chance)
        if faults.fickle_map:
            self.toy = self.toy.with_a_fickle_map(chance)
        self.spec = self.toy.spec(chance.randint(1, 4), chance.randint(1, 2), chance.random() < 0.5)
        self.wanted = SpecChanged(workers=self.spec.workers, suspend=False, active_deadline=0.0)
        # Maps that run again while reduces run are what a fickle map is about.
        paces = [(0.5, 25.0)] if self.toy.fickle_map >= 0 else [(0.5, 0.5), (3.0, 3.0), (25.0, 25.0), (0.5, 25.0)]
        self.longest_map, self.longest_reduce = chance.choice(paces)
        self.slots_die = faults.slots and chance.random() < 0.5
        self.network = Network(self.clock, self._weather())
        self.disk = Disk()
        self.disk.lose_power()
        self.platform = Platform(self)
        self.master = MasterHost(self)
        self.story: list[str] = []
        self.plans = 0
        """How many were made."""
        self.made: set[AttemptId] = set()
        """The attempts that gave a map output."""
        self._plan_faults()
        if faults.user and chance.random() < 0.05:
            self.wanted = msgspec.structs.replace(self.wanted, suspend=True)
            self.clock.after(chance.uniform(0.5, 20.0), lambda: self._want(suspend=False))

    def note(self, line: str) -> None:
        """Add a line to the story."""
        self.story.append(f"{self.clock.now:9.3f} {line}")

    def run(self) -> list[str]:
        """Play the schedule; return what is wrong with its end."""
        self.master.boot()
        if not self.clock.run(lambda: bool(self.master.ended), LIMIT):
            return [f"not ended after {LIMIT} s of virtual time; status: {self.master.status}"]
        if self.master.ended == "Failed" and self._may_fail():
            return []
        if self.master.ended != "Succeeded":
            return [f"the job is {self.master.ended}; status: {self.master.status}"]
        return self._check_output()

    def next_crash(self) -> int:
        """Return the step of its writing at which a gateway that starts now crashes; 0 for never."""
        if not self._faults.gateways or self.clock.now > TROUBLE_ENDS or self.clock.chance.random() < 0.5:
            return 0
        return self.clock.chance.randint(1, 120)

    def disk_fails(self) -> None:
        """A machine stopped: what was not made durable may be lost."""
        if self.clock.chance.random() < 0.5:
            self.disk.lose_power(self.clock.chance)

    # --- faults ---------------------------------------------------------------------------

    def _weather(self) -> Weather:
        chance = self.clock.chance
        if not self._faults.network or chance.random() < 0.3:
            return CALM
        return Weather(
            drop=chance.choice([0.0, 0.02, 0.1]),
            repeat=chance.choice([0.0, 0.05, 0.3]),
            slow=chance.choice([0.0, 0.02, 0.1]),
            delay=chance.choice([0.02, 0.5]),
            spoil=chance.choice([0.0, 0.1]),
        )

    def _plan_faults(self) -> None:
        chance = self.clock.chance
        kinds: list[Callable[[], None]] = []
        if self._faults.workers:
            kinds += [lambda: self._hurt("worker", kill=True), lambda: self._hurt("worker", kill=False)]
        if self._faults.gateways:
            kinds += [lambda: self._hurt("gateway", kill=True), lambda: self._hurt("gateway", kill=False)]
        if self._faults.master:
            kinds += [self._restart_master]
        if self._faults.network:
            kinds += [self._cut_from_master, self._cut_two_workers]
        if self._faults.user:
            kinds += [self._scale, self._suspend]
        if kinds:
            # Most jobs are short: a narrow window makes most faults hit them.
            window = chance.choice([12.0, 30.0, TROUBLE_ENDS])
            for _ in range(chance.randint(1, 8)):
                self.clock.after(chance.uniform(0.5, window), chance.choice(kinds))
        self.clock.after(TROUBLE_ENDS + 30, self._peace)

    def _hurt(self, role: str, *, kill: bool) -> None:
        running = self.platform.running("worker" if role == "worker" else "gateway")
        if not running:
            return
        victim = self.clock.chance.choice(running)
        self.note(f"FAULT {'kill' if kill else 'delete'} {victim}")
        if kill:
            self.platform.kill(victim)
        else:
            self.platform.stop(victim)

    def _restart_master(self) -> None:
        self.note("FAULT the master crashes")
        self.master.crash()
        self.clock.after(self.clock.chance.uniform(0.5, 20.0), self._boot_master)

    def _boot_master(self) -> None:
        if not self.master.up:
            self.note("the master starts again")
            self.master.boot()

    def _cut_from_master(self) -> None:
        running = [*self.platform.running("worker"), *self.platform.running("gateway")]
        if running:
            self._cut(self.clock.chance.choice(running), MASTER)

    def _cut_two_workers(self) -> None:
        running = self.platform.running("worker")
        if len(running) > 1:
            self._cut(*self.clock.chance.sample(running, 2))

    def _cut(self, one: str, other: str) -> None:
        self.note(f"FAULT cut {one} from {other}")
        self.network.cut(one, other)
        self.clock.after(self.clock.chance.uniform(2.0, 40.0), self.network.heal)

    def _scale(self) -> None:
        self._want(workers=self.clock.chance.randint(1, 4))

    def _suspend(self) -> None:
        self._want(suspend=True)
        self.clock.after(self.clock.chance.uniform(0.5, 20.0), lambda: self._want(suspend=False))

    def _want(self, **changes: object) -> None:
        self.wanted = msgspec.structs.replace(self.wanted, **changes)
        self.note(f"FAULT the user wants {self.wanted}")
        self.master.post(self.wanted)

    def _peace(self) -> None:
        self._want(suspend=False)
        self.network.heal()
        self.network.weather = CALM
        self.slots_die = False

    # --- the end --------------------------------------------------------------------------

    def _check_output(self) -> list[str]:
        seen = self.disk.tree()
        self.disk.lose_power()
        if self.disk.tree() != seen:
            return ["the job has succeeded, but what it left on the disk is not durable"]
        wrong = []
        published = self.disk.below(self.spec.output)
        if published.get("output.tsv") not in (expected := self._expected()):
            wrong.append(f"output.tsv is {published.get('output.tsv')!r}, not {' or '.join(map(repr, expected))}")
        expected_files = {"output.tsv", "_manifest.json", "_SUCCESS", "_history/events.ndjson"}
        if set(published) != expected_files:
            wrong.append(f"the output directory holds {sorted(published)}")
        left = sorted(set(self.disk.tree()) - {f"{self.spec.output}/{name}" for name in published})
        if left:
            wrong.append(f"left behind: {left}")
        counters = msgspec.json.decode(published["_manifest.json"])["counters"]
        if {name: value for name, value in counters.items() if name != "tries"} != self.toy.expected_counters():
            wrong.append(f"the counters are {counters}, not {self.toy.expected_counters()}")
        assert self.master.status is not None
        if self.master.status.counters != counters:
            wrong.append(f"the status says {self.master.status.counters}, the manifest {counters}")
        maps, parts = len(self.toy.texts), self.toy.parts
        wrong += history_checker.check(self.history(), maps=maps, reduces=parts, counters=counters)
        forgotten = history_checker.forgotten_by_their_workers(self.history())
        wrong += [f"{attempt} ran, and its worker was taken to have forgotten it" for attempt in forgotten]
        return wrong + (self._check_what_a_restart_costs() if self._faults == ONLY_THE_MASTER else [])

    def _expected(self) -> list[bytes]:
        """Return what the output may be: of a map that is not deterministic one attempt must count for all."""
        if self.toy.fickle_map < 0:
            return [self.toy.expected()]
        return sorted({self.toy.expected(made) for made in self.made if made.task.index == self.toy.fickle_map})

    def _may_fail(self) -> bool:
        """Tell whether the job had to fail, because a map was noticed that is not deterministic."""
        conditions = self.master.status.conditions if self.master.status is not None else ()
        reasons = {condition.reason for condition in conditions if condition.type == "Failed"}
        return self.toy.fickle_map >= 0 and reasons == {"NonDeterministicMap"}

    def _check_what_a_restart_costs(self) -> list[str]:
        again = history_checker.assigned_again_after_finishing(self.history())
        early = history_checker.assigned_before_all_had_told(self.history())
        return [
            *[f"only the master died, and {task} ran again after it had finished" for task in again],
            *[f"only the master died, and {task} was given out while it ran, or was done" for task in early],
        ]

    def history(self) -> history_checker.Events:
        """Return the events of the published job."""
        return history.parse(self.disk.below(self.spec.output).get("_history/events.ndjson", b""))
