"""Fake processes for the tests of the master: what all share, and a worker.

They keep the rules of `docs/protocol.md` in the simplest way, without files, slots or time.
Neighbours: `master_gateways.py`, and `master_builder.py`, which delivers their messages.
"""

from __future__ import annotations

import itertools

import msgspec

from mapreduce import words
from mapreduce.bad_records import BadRecord
from mapreduce.digests import consumed
from mapreduce.ids import AttemptId, TaskId
from mapreduce.partition_sizes import HeavyKey, pack
from mapreduce.program import Shape
from mapreduce.protocol import (
    Answer,
    Assignment,
    AttemptCancelled,
    AttemptFailed,
    ErrorInfo,
    Exchange,
    MapOutput,
    MapPartSucceeded,
    MapSucceeded,
    Outcome,
    ProgramLoaded,
    Progress,
    ReduceSucceeded,
    Registered,
    Report,
    Role,
    RunMap,
    RunReduce,
    SegmentsLost,
)

LEFT_OUT = -2
_boots = itertools.count(1)


class FakeProcess:
    """What worker and gateway share: the exchange. `request` is the one that is parked, 0 for none."""

    role: Role = "worker"

    def __init__(self, name: str, index: int, slots: int = 1) -> None:
        self.name = name
        self.index = index
        self.slots = slots
        self.uid = f"uid-{name}"
        self.boot = f"boot-{next(_boots)}"
        self.alive = True
        self.ending = False
        """The platform has told it to stop."""
        self.draining = False
        """It says that it was told to stop."""
        self.session = ""
        self.request = 0
        self.epoch = 0
        self.seen = 0
        self.refusals: list[int] = []
        self.answers: list[Answer] = []
        self.active: dict[AttemptId, Assignment] = {}
        self.ended: set[AttemptId] = set()
        self.known: set[AttemptId] = set()
        self.cannot_kill = False
        """Its slots cannot be killed: it goes on with attempts that hang or are cancelled."""
        self.reports: dict[int, Outcome] = {}
        self.number = 0
        self.waiting: set[AttemptId] = set()
        self.reached: dict[AttemptId, tuple[int, int, int]] = {}
        """How far attempts are: records, bytes, marks."""
        self.locations_seen = 0
        self.written = 0
        self.finished = False
        self.answers_to_lose = 0
        self.mute = False
        """It runs, and says nothing."""
        self.input_address = ""
        self.page = 1000
        """How many held outputs it names in one message."""
        self.announced: tuple[MapOutput, ...] = ()
        self.held_seen = 0

    def cut_off(self) -> None:
        """The master is gone, and with it every parked request and session."""
        self.session = ""
        self.request = 0

    def held(self) -> tuple[MapOutput, ...]:
        """What it announces when it registers, and after."""
        return ()

    def first_page(self) -> tuple[MapOutput, ...]:
        """Begin to announce what it holds."""
        self.announced = self.held()
        self.held_seen = len(self.announced[: self.page])
        return self.announced[: self.page]

    def running_ids(self) -> tuple[AttemptId, ...]:
        """Every attempt that runs or is not acknowledged."""
        return (*self.active, *sorted(self.ended))

    def welcomed(self, body: Registered) -> None:
        """A session begins."""
        self.session, self.seen = body.session, 0
        if body.epoch > self.epoch:
            self.new_epoch()
        self.epoch = body.epoch
        self.locations_seen = 0

    def new_epoch(self) -> None:
        """Another master than before."""

    def progress(self, attempt: AttemptId) -> Progress:
        """How far an attempt is."""
        records, size, marks = self.reached.get(attempt, (0, 0, 0))
        waiting = attempt in self.waiting
        return Progress(attempt=attempt, records=records, size=size, marks=marks, waiting=waiting)

    def exchange(self) -> Exchange:
        """What it says."""
        running = [self.progress(attempt) for attempt in self.active]
        running += [Progress(attempt=attempt) for attempt in self.ended]
        return Exchange(
            epoch=self.epoch,
            seen=self.seen,
            running=tuple(running),
            reports=tuple(Report(number=number, outcome=outcome) for number, outcome in self.reports.items()),
            free_slots=self.slots - len(self.active),
            locations_seen=self.locations_seen,
            journal_written=self.written,
            draining=self.draining,
            held_from=self.held_seen,
            held=self.announced[self.held_seen :][: self.page],
        )

    def receive(self, answer: Answer) -> None:
        """An answer arrives, or is lost on its way."""
        self.request = 0
        if self.answers_to_lose:
            self.answers_to_lose -= 1
        elif self.alive:
            self.answered(answer)

    def answered(self, answer: Answer) -> None:
        """Take in an answer."""
        assert answer.number > self.seen
        self.answers.append(answer)
        self.seen = answer.number
        self.input_address = answer.input_address
        self.held_seen = answer.held_seen
        if answer.finished:
            self.alive, self.finished = False, True
            return
        for number in [number for number in self.reports if number <= answer.acknowledged]:
            self.ended.discard(attempt_of(self.reports.pop(number)))
        for assignment in answer.assignments:
            if assignment.attempt not in self.known:
                self.known.add(assignment.attempt)
                self.active[assignment.attempt] = assignment
                self.take(assignment)
        for attempt in answer.cancellations:
            if attempt in self.active and not self.cannot_kill:
                self.report(AttemptCancelled(attempt=attempt))
        for attempt in answer.hanging:
            if attempt in self.active and not self.cannot_kill:
                where = f"Where it was {words.INNERMOST_FIRST}"
                error = ErrorInfo(kind="user", reason="NoProgress", message="hung", traceback=where, peak_memory=7)
                self.report(AttemptFailed(attempt=attempt, error=error))
        self.take_rest(answer)

    def take(self, assignment: Assignment) -> None:
        """Begin an attempt."""

    def take_rest(self, answer: Answer) -> None:
        """Take what only one role gets."""

    def refused(self, status: int) -> None:
        """Take in a refusal."""
        self.request = 0
        self.refusals.append(status)
        if status == 401:
            self.session = ""
        elif status in (410, 426):
            self.alive = False

    def report(self, outcome: Outcome, *, ends: bool = True) -> None:
        """Keep a report until it is acknowledged."""
        self.number += 1
        self.reports[self.number] = outcome
        if ends:
            attempt = attempt_of(outcome)
            self.active.pop(attempt, None)
            self.waiting.discard(attempt)
            self.ended.add(attempt)


class FakeWorker(FakeProcess):
    """A worker: it ends attempts when a test says so."""

    def __init__(self, name: str, index: int, slots: int = 1) -> None:
        super().__init__(name, index, slots)
        self.outputs: dict[AttemptId, MapOutput] = {}
        self.counting: dict[str, dict[str, int]] = {}
        self.spoiled: dict[str, tuple[BadRecord, ...]] = {}
        """What a map leaves out, by its task."""
        """What an attempt's user code counts, if not 1 of its kind."""
        self.key_count = 100
        """Of how many keys, all in all, a map tells some."""
        self.sizes: dict[int, tuple[int, ...]] = {}
        self.heavy: dict[int, tuple[HeavyKey, ...]] = {}
        """What maps tell of the sizes of partitions and of heavy keys, by their index."""
        self.has_reduce = True
        """What it finds when it loads the program."""
        self.places: dict[int, tuple[AttemptId, str]] = {}
        self.holders: dict[int, int] = {}
        """The number of the worker that has the output at each place."""
        self.names: dict[int, str] = {}
        """The names of workers, by their numbers."""
        self.discarded: list[AttemptId] = []
        self.unreadable: dict[AttemptId, set[AttemptId]] = {}
        """What a reduce attempt complained of and has not got from elsewhere."""
        self.complain_again: set[AttemptId] = set()
        """Whose complaints count no more since there is a new session, and are made again once places are told."""
        self.computing: dict[AttemptId, str] = {}
        """Reduce attempts that need no segment any more, and the digest of what they read."""

    def compute(self, attempt: AttemptId) -> None:
        """A reduce attempt has fetched everything."""
        self.computing[attempt] = self._digest()

    def _digest(self) -> str:
        return consumed((index, place[1]) for index, place in sorted(self.places.items()))

    def held(self) -> tuple[MapOutput, ...]:
        return tuple(self.outputs.values())

    def welcomed(self, body: Registered) -> None:
        super().welcomed(body)
        self.places.clear()
        # All is fetched anew in a new session (`locations.Gathering.look_again`), and can be read as little as before.
        self.complain_again = self.unreadable.keys() & self.active.keys()
        reduces = {attempt for attempt in self.active if attempt.task.kind == "reduce"}
        self.waiting.update(reduces - self.computing.keys())

    def take(self, assignment: Assignment) -> None:
        if isinstance(assignment, RunReduce) and not self._complete(assignment):
            self.waiting.add(assignment.attempt)

    def take_rest(self, answer: Answer) -> None:
        self.discarded += answer.discard
        for attempt in answer.discard:
            self.outputs.pop(attempt, None)
        if answer.locations is not None:
            self.locations_seen = answer.locations.version
            self.names.update((holder.number, holder.worker) for holder in answer.locations.holders)
            for place in answer.locations.outputs:
                for position, index in enumerate(range(place.first, place.last + 1)):
                    attempt = AttemptId(TaskId(0, "map", index), place.epoch, place.number)
                    self.holders[index] = place.holder
                    if place.holder == LEFT_OUT:
                        self.places[index] = (attempt, "")
                    elif place.holder < 0:
                        self.places.pop(index, None)
                    else:
                        self.places[index] = (attempt, place.checksums[position])
        for attempt, assignment in self.active.items():
            if isinstance(assignment, RunReduce):
                (self.waiting.discard if self._complete(assignment) else self.waiting.add)(attempt)
        self._complain_again()

    def _complain_again(self) -> None:
        for attempt in list(self.complain_again & self.active.keys()):
            told = [index for index, place in self.places.items() if place[0] in self.unreadable[attempt]]
            for index in told:
                self.complain_again.discard(attempt)
                self.complain(attempt, self.names[self.holders[index]], [index])

    def _complete(self, assignment: RunReduce) -> bool:
        if assignment.attempt in self.computing:
            return True
        read = {place[0] for place in self.places.values()}
        return len(read) == assignment.maps and not read & self.unreadable.get(assignment.attempt, set())

    def start_again(self) -> None:
        """The process ends and comes back in the same Pod; its disk is empty."""
        fresh = FakeWorker(self.name, self.index, self.slots)
        fresh.known, fresh.has_reduce, fresh.spoiled = self.known, self.has_reduce, self.spoiled
        self.__dict__.update(fresh.__dict__)

    def can_finish(self, attempt: AttemptId) -> bool:
        """Tell whether a reduce has all its segments; everything else can always finish."""
        return attempt in self.active and attempt not in self.waiting

    def succeed(self, attempt: AttemptId, checksum: str = "") -> None:
        """End an attempt well."""
        assignment = self.active[attempt]
        index = attempt.task.index
        if isinstance(assignment, RunMap) and assignment.makes_part:
            self.report(
                MapPartSucceeded(
                    attempt=attempt,
                    checksum=f"p{index}",
                    rows=5,
                    size=50,
                    records=10,
                    counters=self.counts(attempt),
                    bad=self.spoiled.get(str(attempt.task), ()),
                )
            )
        elif isinstance(assignment, RunMap):
            output = MapOutput(
                attempt=attempt,
                checksum=checksum or f"c{index}",
                rows=5,
                size=50,
                key_type="str",
                key_at=f"a.txt:{100 * index}",
                records=10,
                counters=self.counts(attempt),
                bad=self.spoiled.get(str(attempt.task), ()),
                sample=self.keys_of(index)[: assignment.samples],
                heavy=self.heavy.get(index, ()),
            )
            # What is held tells no sizes again.
            self.outputs[attempt] = output
            output = msgspec.structs.replace(output, sizes=pack(self.sizes.get(index, ())))
            self.report(MapSucceeded(output=output, records=10))
        elif isinstance(assignment, RunReduce):
            assert self._complete(assignment), "a reduce without all its segments cannot finish"
            digest = self.computing.pop(attempt, None) or self._digest()
            counted = self.counts(attempt)
            self.report(
                ReduceSucceeded(
                    attempt=attempt, checksum=f"p{index}", rows=3, size=30, consumed=digest, counters=counted
                )
            )
        else:
            self.report(
                ProgramLoaded(attempt=attempt, shape=Shape("Job", has_reduce=self.has_reduce, has_combine=False))
            )

    def keys_of(self, index: int) -> tuple[bytes, ...]:
        """What a map tells of its keys, if it is asked."""
        return tuple(b"%02d" % key for key in range(index, self.key_count, 3))

    def counts(self, attempt: AttemptId) -> dict[str, int]:
        """What the user's code counts in an attempt."""
        return self.counting.get(str(attempt), {f"{attempt.task.kind}s": 1})

    def fail(self, attempt: AttemptId, kind: str = "user", reason: str = "UserCodeFailed", **fields: str) -> None:
        """End an attempt with an error."""
        error = ErrorInfo(kind=kind, reason=reason, message=fields.pop("message", "ValueError: no"), **fields)  # type: ignore[arg-type]  # fields by name
        self.report(AttemptFailed(attempt=attempt, error=error))

    def complain(self, attempt: AttemptId, holder: str, maps: list[int], reason: str = "SegmentUnreadable") -> None:
        """A reduce attempt cannot read some maps from a holder."""
        lost = tuple((self.places[index][0], reason) for index in maps)
        self.waiting.add(attempt)
        self.unreadable.setdefault(attempt, set()).update(source for source, _ in lost)
        self.report(SegmentsLost(attempt=attempt, holder=holder, maps=lost), ends=False)


def attempt_of(outcome: Outcome) -> AttemptId:
    """The attempt that a report is about."""
    return outcome.output.attempt if isinstance(outcome, MapSucceeded) else outcome.attempt
