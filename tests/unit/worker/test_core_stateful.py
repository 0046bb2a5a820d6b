"""The worker's core against a world in which anything may happen next."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from mapreduce.ids import AttemptId
from mapreduce.protocol import Answer, Assignment, AttemptCancelled, ErrorInfo, MapSucceeded, ReduceSucceeded
from mapreduce_worker.core import events
from mapreduce_worker.core.exchange import attempt_of, ends
from mapreduce_worker.core.worker import WorkerCore
from tests.support import budget
from tests.support.worker_messages import (
    at,
    identity,
    locations,
    map_output,
    registered,
    run_map,
    run_reduce,
    segment,
)

SLOTS = 2
MAPS = 4
ERROR = ErrorInfo(kind="user", reason="UserCodeFailed", message="no")


class World(RuleBasedStateMachine):
    """Slots, fetches, a disk and a master that the core's commands are carried out on."""

    def __init__(self) -> None:
        super().__init__()
        self.core = WorkerCore(identity(SLOTS), lambda: 0.5)
        self.now = 0.0
        self.epoch = 1
        self.number = 0
        self.version = 0
        self.acknowledged = 0
        self.indices = iter(range(1_000_000))
        self.registering: list[int] = []
        self.exchanges: list[events.SendExchange] = []
        self.last: events.SendExchange | None = None
        self.in_slot: dict[int, AttemptId] = {}
        self.killed: set[AttemptId] = set()
        self.inputs: set[AttemptId] = set()
        self.fetches: dict[int, events.FetchSegments] = {}
        self.had: set[AttemptId] = set()
        self.results: set[AttemptId] = set()
        self.outcomes: dict[AttemptId, object] = {}
        self.exited = False

    def _tell(self, event: events.Event, after: float = 0.0) -> None:
        self.now += after
        for command in self.core.handle(event, self.now):
            assert not self.exited, "a core that has ended says nothing"
            self._carry_out(command)

    def _carry_out(self, command: events.Command) -> None:
        match command:
            case events.SendRegister():
                assert not self.registering
                self.registering.append(command.serial)
            case events.SendExchange():
                self._exchange(command)
            case events.FetchInput():
                assert command.attempt not in self.inputs, "one fetch at a time"
                self.inputs.add(command.attempt)
            case events.FetchSegments():
                same = [one for one in self.fetches.values() if one.attempt == command.attempt]
                assert len(same) < 4 + 4  # those of an older session may still be under way
                self.fetches[command.fetch] = command
            case events.StopFetching():
                self.inputs.discard(command.attempt)
                self.fetches = {k: one for k, one in self.fetches.items() if one.attempt != command.attempt}
            case events.Exit():
                self.exited = True
            case _:
                self._carry_out_work(command)

    def _carry_out_work(self, command: events.Command) -> None:
        match command:
            case events.MapInSlot() | events.ReduceInSlot() | events.LoadInSlot():
                assert command.slot not in self.in_slot, "one attempt a slot"
                assert command.attempt not in self.outcomes
                self.in_slot[command.slot] = command.attempt
                if isinstance(command, events.ReduceInSlot):
                    assert [place.source.task.index for place in command.segments] == list(range(MAPS))
            case events.KillSlot():
                assert self.in_slot[command.slot] == command.attempt
                self.killed.add(command.attempt)
            case events.ClearScratch():
                assert command.attempt in self.results
            case events.DeleteFiles():
                assert command.attempt not in self.in_slot.values(), "its process may still write"
                self.results.discard(command.attempt)

    def _exchange(self, command: events.SendExchange) -> None:
        self.exchanges.append(command)
        assert len(self.exchanges) <= 2
        self.last = command
        body = command.body
        assert body.free_slots + len(self.in_slot) <= SLOTS
        for report in body.reports:
            if ends(report.outcome):
                self.outcomes[attempt_of(report.outcome)] = report.outcome

    # --- the master ---------------------------------------------------------------------

    @initialize()
    def begins(self):
        self._tell(events.Ticked())

    @rule()
    @precondition(lambda self: self.registering)
    def welcomes(self):
        self.number = 0
        self.version = 0
        self._tell(events.SessionOpened(self.registering.pop(), registered(f"s{self.epoch}", self.epoch)))

    @rule(maps=st.integers(0, 2), reduce=st.booleans(), data=st.data())
    @precondition(lambda self: self.exchanges)
    def answers(self, maps, reduce, data):
        exchange = self.exchanges.pop()
        self.exchanges.clear()  # the newer one released the older
        running = [progress.attempt for progress in exchange.body.running]
        work: list[Assignment] = [run_map(next(self.indices), epoch=self.epoch) for _ in range(maps)]
        if reduce:
            work.append(run_reduce(next(self.indices), MAPS))
        cancelled = data.draw(st.lists(st.sampled_from(running), unique=True)) if running else []
        held = [output.attempt for output in self.core.held.outputs]
        discard = data.draw(st.lists(st.sampled_from(held), unique=True)) if held else []
        self.number += 1
        self.version += 1
        reports = exchange.body.reports
        self.acknowledged = max([self.acknowledged, *(report.number for report in reports)])
        first, split = 0, data.draw(st.integers(0, MAPS))
        places = [at(first, split - 1, 0)] if split else []
        places += [at(split, MAPS - 1, data.draw(st.integers(-1, 1)))] if split < MAPS else []
        answer = Answer(
            epoch=self.epoch,
            number=self.number,
            acknowledged=self.acknowledged,
            assignments=tuple(work),
            cancellations=tuple(cancelled),
            discard=tuple(discard),
            locations=locations(self.version, *places),
            input_address=data.draw(st.sampled_from(["", "10.0.0.1:1"])),
        )
        self.had |= {assignment.attempt for assignment in work}
        self._tell(events.Answered(exchange.serial, answer))

    @rule(status=st.sampled_from([401, 409, 503]))
    @precondition(lambda self: self.exchanges)
    def refuses(self, status):
        exchange = self.exchanges.pop(0)
        if status == 401:
            self.exchanges.clear()
            self.epoch += 1
        self._tell(events.Refused(exchange.serial, status, "No", ""))

    @rule()
    @precondition(lambda self: self.exchanges)
    def is_away(self):
        self._tell(events.Unanswered(self.exchanges.pop(0).serial))

    # --- slots and fetches --------------------------------------------------------------

    @rule(data=st.data(), way=st.sampled_from(["done", "broke", "died"]))
    @precondition(lambda self: self.in_slot)
    def slot_ends(self, data, way):
        slot = data.draw(st.sampled_from(sorted(self.in_slot)))
        attempt = self.in_slot.pop(slot)
        if way == "died" or attempt in self.killed:
            self._tell(events.SlotDied(attempt=attempt, code=-9))
        elif way == "broke":
            self._tell(events.Broke(attempt, ERROR))
        elif attempt.task.kind == "map":
            self.results.add(attempt)
            self._tell(events.MapDone(attempt, map_output(attempt), 1))
        else:
            self.results.add(attempt)
            self._tell(events.ReduceDone(attempt=attempt, checksum="x", rows=1, size=1))

    @rule(data=st.data(), way=st.sampled_from(["arrived", "unreachable", "failed"]))
    @precondition(lambda self: self.inputs)
    def input_ends(self, data, way):
        attempt = data.draw(st.sampled_from(sorted(self.inputs)))
        self.inputs.discard(attempt)
        if way == "arrived":
            self._tell(events.InputArrived(attempt, events.FetchedInput("/in", ())))
        elif way == "unreachable":
            self._tell(events.InputUnreachable(attempt))
        else:
            self._tell(events.FetchFailed(attempt, ERROR))

    @rule(data=st.data())
    @precondition(lambda self: self.fetches)
    def segments_end(self, data):
        fetch = self.fetches.pop(data.draw(st.sampled_from(sorted(self.fetches))))
        wanted = fetch.request.maps
        ways = data.draw(st.lists(st.sampled_from("yyyln"), min_size=len(wanted), max_size=len(wanted)))
        arrived = tuple(segment(source) for source, way in zip(wanted, ways, strict=True) if way == "y")
        lost = tuple((source, "lost") for source, way in zip(wanted, ways, strict=True) if way == "l")
        self._tell(events.SegmentsArrived(attempt=fetch.attempt, fetch=fetch.fetch, arrived=arrived, lost=lost))

    @rule(data=st.data())
    @precondition(lambda self: any(attempt.task.kind == "reduce" for attempt in self.in_slot.values()))
    def segment_is_spoiled(self, data):
        slots = [slot for slot, attempt in self.in_slot.items() if attempt.task.kind == "reduce"]
        attempt = self.in_slot.pop(data.draw(st.sampled_from(sorted(slots))))
        source = data.draw(st.integers(0, MAPS - 1))
        self._tell(events.SegmentSpoiled(attempt, segment(run_map(source).attempt).source, "damaged"))

    # --- time ---------------------------------------------------------------------------

    @rule(seconds=st.floats(0, 3))
    def time_passes(self, seconds):
        self._tell(events.Ticked(), after=seconds)

    @rule()
    @precondition(lambda self: len(self.had) > 12)
    def is_told_to_stop(self):
        self._tell(events.Terminated())

    # --- what always holds --------------------------------------------------------------

    @invariant()
    def what_is_held_is_on_the_disk(self):
        assert {output.attempt for output in self.core.held.outputs} <= self.results

    @invariant()
    def a_result_that_was_reported_is_kept_until_it_is_discarded(self):
        for attempt, outcome in self.outcomes.items():
            if isinstance(outcome, (MapSucceeded, ReduceSucceeded)):
                assert attempt not in self.killed
            elif attempt in self.results:
                assert not isinstance(outcome, AttemptCancelled)

    @invariant()
    def there_is_always_a_word_to_the_master_or_a_pause(self):
        if self.last is not None and not self.exited and not self.exchanges and not self.registering:
            before = self.now
            self._tell(events.Ticked(), after=6.0)
            assert self.exchanges or self.registering or self.exited
            self.now = max(self.now, before)


TestWorld = World.TestCase
TestWorld.settings = settings(budget.examples(25), stateful_step_count=40)
