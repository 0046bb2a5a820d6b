"""The gateway's core: what runs beside what, what is journalled when, and which master it obeys."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from mapreduce.errors import InvalidTransition
from mapreduce.ids import AttemptId
from mapreduce.protocol import (
    AttemptCancelled,
    AttemptFailed,
    Cleaned,
    ErrorInfo,
    Opened,
    OpenOutput,
    PlanPageMade,
    Published,
    Staged,
)
from mapreduce_worker.core.events import Exit, Refused, SendExchange, SendRegister, Terminated
from mapreduce_worker.gateway.core.operations import (
    Abandon,
    AppendBroke,
    Appended,
    AppendFrames,
    Begin,
    Broke,
    Moved,
    Operation,
    Reported,
    Work,
)
from tests.support import budget
from tests.support.gateway_messages import (
    SUMMARY,
    Gateway,
    clean,
    frames,
    gateway_with_open_journal,
    make_plan,
    open_output,
    opened,
    publish,
    stage_part,
)

ERROR = ErrorInfo(kind="disruption", reason="StorageFailed", message="disk full")


def staged(partition: int) -> Reported:
    work = stage_part(partition)
    report = Staged(attempt=work.attempt, partition=partition, source=work.source, checksum="c", rows=1, size=10)
    return Reported(work.attempt, (report,))


def test_opening_reserves_reports_and_lets_the_journal_begin():
    gateway = Gateway()
    gateway.register()
    work = open_output()
    assert Begin(work) in gateway.answer(work)
    gateway.tell(opened(work, written=3))
    assert gateway.reports() == [Opened(attempt=work.attempt, pages=0)]
    assert gateway.core.journal_written == 3


def test_an_assignment_that_is_repeated_begins_once():
    gateway = Gateway()
    gateway.register()
    work = open_output()
    gateway.answer(work)
    assert gateway.did(Begin) == [Begin(work)]
    gateway.answer(work)
    assert gateway.did(Begin) == []


def test_parts_are_staged_side_by_side_but_not_all_at_once():
    gateway = gateway_with_open_journal()
    gateway.answer(*(stage_part(number) for number in range(6)))
    assert gateway.did(Begin) == [Begin(stage_part(number)) for number in range(4)]
    gateway.tell(staged(2))
    assert gateway.did(Begin) == [Begin(stage_part(4))]


def test_a_part_waits_until_the_output_is_open():
    gateway = Gateway()
    gateway.register()
    gateway.answer(stage_part(0), open_output())
    assert gateway.did(Begin) == [Begin(open_output())]
    gateway.tell(opened(open_output()))
    assert gateway.did(Begin) == [Begin(stage_part(0))]


def test_planning_runs_beside_everything():
    gateway = gateway_with_open_journal()
    gateway.answer(stage_part(0), clean(), make_plan())
    assert gateway.did(Begin) == [Begin(stage_part(0)), Begin(make_plan())]


def test_publishing_waits_for_the_journal_and_for_every_part():
    gateway = gateway_with_open_journal()
    gateway.answer(stage_part(0), publish(through=2), journal=frames(1, 2))
    assert gateway.did(Begin) == [Begin(stage_part(0))]
    gateway.tell(staged(0))
    assert gateway.did(Begin) == []
    gateway.tell(Appended(1, 2))
    assert gateway.did(Begin) == [Begin(publish(through=2))]
    gateway.tell(Reported(publish().attempt, (Published(attempt=publish().attempt, summary=SUMMARY),)))
    assert Published(attempt=publish().attempt, summary=SUMMARY) in gateway.reports()


def test_cleaning_waits_for_what_runs_and_nothing_begins_before_it():
    gateway = gateway_with_open_journal()
    gateway.answer(stage_part(0), clean(), stage_part(1))
    assert gateway.did(Begin) == [Begin(stage_part(0))]
    gateway.answer(cancellations=(stage_part(0).attempt,))
    assert gateway.did(Abandon) == [Abandon(stage_part(0).attempt)]
    gateway.tell(Broke(stage_part(0).attempt, ERROR))
    assert gateway.did(Begin) == [Begin(clean())]
    gateway.tell(Reported(clean().attempt, (Cleaned(attempt=clean().attempt),)))
    assert Cleaned(attempt=clean().attempt) in gateway.reports()


def test_what_was_abandoned_is_reported_as_cancelled_unless_it_had_its_result():
    gateway = gateway_with_open_journal()
    gateway.answer(stage_part(0), stage_part(1))
    gateway.answer(cancellations=(stage_part(0).attempt, stage_part(1).attempt))
    gateway.tell(Broke(stage_part(0).attempt, ERROR))
    assert AttemptCancelled(attempt=stage_part(0).attempt) in gateway.reports()
    gateway.tell(staged(1))
    assert staged(1).outcomes[0] in gateway.reports()


def test_what_has_not_begun_is_cancelled_at_once():
    gateway = gateway_with_open_journal()
    gateway.answer(stage_part(0), publish())
    gateway.answer(cancellations=(publish().attempt,))
    assert AttemptCancelled(attempt=publish().attempt) in gateway.reports()
    assert gateway.core.operations == {stage_part(0).attempt: "running"}


def test_a_failure_is_reported_with_its_reason():
    gateway = gateway_with_open_journal()
    gateway.answer(stage_part(0))
    gateway.tell(Broke(stage_part(0).attempt, ERROR))
    assert AttemptFailed(attempt=stage_part(0).attempt, error=ERROR) in gateway.reports()


def test_pages_come_before_the_result_and_progress_with_the_next_exchange():
    gateway = gateway_with_open_journal()
    gateway.answer(make_plan())
    page = PlanPageMade(attempt=make_plan().attempt, number=0, splits=())
    gateway.tell(Moved(make_plan().attempt, 5, 50))
    gateway.tell(Reported(make_plan().attempt, (page,)))
    assert page in gateway.reports()
    (exchange,) = gateway.did(SendExchange)
    assert (5, 50) in [(progress.records, progress.size) for progress in exchange.body.running]
    assert gateway.core.operations == {make_plan().attempt: "running"}


# --- the journal ---------------------------------------------------------------------------


def test_frames_are_appended_in_order_and_once():
    gateway = gateway_with_open_journal()
    gateway.answer(journal=frames(1, 3))
    assert gateway.did(AppendFrames) == [AppendFrames(1, frames(1, 3))]
    gateway.tick(after=2.0)
    gateway.answer(journal=frames(1, 5))
    assert gateway.did(AppendFrames) == []
    gateway.tell(Appended(1, 3))
    assert gateway.did(AppendFrames) == [AppendFrames(1, frames(4, 5))]


def test_frames_wait_until_the_journal_is_open():
    gateway = Gateway()
    gateway.register()
    gateway.answer(open_output(), journal=frames(1, 1))
    assert gateway.did(AppendFrames) == []
    gateway.tell(opened(open_output()))
    assert gateway.did(AppendFrames) == [AppendFrames(1, frames(1, 1))]


def test_frames_behind_a_gap_wait():
    gateway = gateway_with_open_journal()
    gateway.answer(journal=frames(2, 3))
    assert gateway.did(AppendFrames) == []
    gateway.answer(journal=frames(1, 1))
    assert gateway.did(AppendFrames) == [AppendFrames(1, frames(1, 3))]


def test_while_frames_wait_the_master_is_not_asked_again_and_again():
    gateway = gateway_with_open_journal()
    gateway.answer(journal=frames(1, 2))
    gateway.sent.clear()
    for _ in range(9):
        gateway.tick(after=0.1)
    assert gateway.sent == []
    gateway.tell(Appended(1, 2))
    (exchange,) = gateway.did(SendExchange)
    assert exchange.body.journal_written == 2


def test_an_append_that_failed_is_tried_again_after_a_while():
    gateway = gateway_with_open_journal()
    gateway.answer(journal=frames(1, 2))
    gateway.tell(AppendBroke(1, "disk full"))
    assert gateway.did(AppendFrames) == []
    gateway.tick(after=1.5)
    assert gateway.did(AppendFrames) == [AppendFrames(1, frames(1, 2))]
    assert gateway.core.journal_written == 0


def test_what_is_published_takes_no_more_frames():
    gateway = Gateway()
    gateway.register()
    gateway.answer(open_output())
    gateway.tell(opened(open_output(), published=True))
    gateway.answer(journal=frames(1, 1))
    assert gateway.did(AppendFrames) == []


# --- epochs --------------------------------------------------------------------------------


def test_an_assignment_of_another_epoch_is_refused():
    gateway = gateway_with_open_journal()
    old = stage_part(0, epoch=0)
    gateway.answer(old)
    assert gateway.did(Begin) == []
    (failed,) = [outcome for outcome in gateway.reports() if isinstance(outcome, AttemptFailed)]
    assert failed.attempt == old.attempt


def test_an_answer_of_an_older_epoch_changes_nothing():
    gateway = gateway_with_open_journal()
    gateway.answer(stage_part(0, epoch=0), journal=frames(1, 1, epoch=0), epoch=0)
    assert gateway.did(Begin) + gateway.did(AppendFrames) == []


def test_a_newer_master_ends_what_the_older_one_asked_for():
    gateway = gateway_with_open_journal()
    gateway.answer(stage_part(0), publish(), journal=frames(1, 2))
    gateway.tell(Refused(gateway.sent[-1].serial, 401, "SessionUnknown", ""))
    gateway.register(epoch=2)
    assert gateway.did(Abandon) == [Abandon(stage_part(0).attempt)]
    assert gateway.core.operations == {stage_part(0).attempt: "abandoned"}
    assert gateway.core.journal_written == 0
    gateway.tell(Appended(1, 2))
    assert gateway.core.journal_written == 0
    gateway.answer(open_output(epoch=2), epoch=2)
    assert gateway.did(Begin) == []
    gateway.tell(staged(0))
    assert gateway.did(Begin) == [Begin(open_output(epoch=2))]


def test_an_older_master_is_not_served():
    gateway = Gateway()
    gateway.register(epoch=2)
    gateway.tell(Refused(gateway.sent[-1].serial, 401, "SessionUnknown", ""))
    gateway.register(epoch=1)
    assert gateway.did(SendExchange) == []
    assert any(isinstance(command, SendRegister) for command in gateway.tick(after=10.0))


# --- the end -------------------------------------------------------------------------------


def test_on_sigterm_nothing_new_begins_and_the_end_comes_when_all_is_told():
    gateway = gateway_with_open_journal()
    gateway.answer(stage_part(0), publish(), acknowledged=1)
    gateway.tell(Terminated())
    (failed,) = [outcome for outcome in gateway.reports() if isinstance(outcome, AttemptFailed)]
    assert failed.attempt == publish().attempt
    gateway.answer(stage_part(1), acknowledged=2)
    assert gateway.did(Begin) == []
    gateway.tick()
    assert gateway.did(Exit) == []
    gateway.tell(staged(0))
    gateway.answer(acknowledged=3)
    assert gateway.tick() == (Exit(0, "the gateway was told to stop"),)


def test_without_a_master_it_ends_after_ten_minutes():
    gateway = gateway_with_open_journal()
    gateway.tick(after=599)
    assert gateway.did(Exit) == []
    gateway.tick(after=12)
    assert [command.status for command in gateway.did(Exit)] == [1]


@pytest.mark.parametrize(("status", "code"), [(410, 0), (426, 1), (400, 1), (403, 1)])
def test_a_refusal_ends_it(status, code):
    gateway = gateway_with_open_journal()
    gateway.tell(Refused(gateway.sent[-1].serial, status, "Reason", "message"))
    assert [command.status for command in gateway.did(Exit)] == [code]


def test_an_impossible_step_tells_its_history():
    operation = Operation(stage_part(0))
    operation.move("begin")
    operation.move("end")
    with pytest.raises(InvalidTransition, match="queued begin, running end, ended"):
        operation.move("abandon")


class Schedules(RuleBasedStateMachine):
    """Whatever is assigned, cancelled and finished in whatever order: what must run alone does."""

    def __init__(self) -> None:
        super().__init__()
        self.gateway = gateway_with_open_journal()
        self.numbers = iter(range(10_000))
        self.running: dict[AttemptId, Work] = {}
        self.appending: AppendFrames | None = None
        self.journalled = 0

    def note(self) -> None:
        for begin in self.gateway.did(Begin):
            self.running[begin.work.attempt] = begin.work
        for append in self.gateway.did(AppendFrames):
            assert self.appending is None
            self.appending = append
        if not self.gateway.sent:
            self.gateway.tick(after=5.0)
            self.note()

    @rule(kind=st.sampled_from([stage_part, stage_part, publish, clean, open_output, make_plan]))
    def assign(self, kind):
        work = kind(epoch=1) if kind is not stage_part else stage_part(next(self.numbers))
        number = next(self.numbers)
        task = work.attempt.__class__(work.attempt.task, 1, number + 1)
        changes = {name: getattr(work, name) for name in work.__struct_fields__} | {"attempt": task}
        self.gateway.answer(type(work)(**changes))
        self.note()

    @rule(count=st.integers(1, 3))
    def journal(self, count):
        self.journalled += count
        self.gateway.answer(journal=frames(1, self.journalled))
        self.note()

    @precondition(lambda self: self.appending is not None)
    @rule(well=st.booleans())
    def finish_append(self, well):
        append, self.appending = self.appending, None
        assert append is not None
        last = append.frames[-1].sequence
        self.gateway.tell(Appended(1, last) if well else AppendBroke(1))
        self.note()

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def cancel(self, data):
        attempt = data.draw(st.sampled_from(sorted(self.running)))
        self.gateway.answer(cancellations=(attempt,))
        self.note()

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def finish(self, data):
        attempt = data.draw(st.sampled_from(sorted(self.running)))
        work = self.running.pop(attempt)
        if isinstance(work, OpenOutput):
            self.gateway.tell(opened(work, self.gateway.core.journal_written))
        else:
            self.gateway.tell(Broke(attempt, ERROR))
        self.note()

    @invariant()
    def nothing_runs_beside_what_runs_alone(self):
        kinds = [attempt.task.kind for attempt in self.running if attempt.task.kind != "plan"]
        if {"open", "publish", "clean"} & set(kinds):
            assert len(kinds) == 1
            assert self.appending is None
        assert kinds.count("stage") <= 4

    @invariant()
    def something_runs_if_anything_waits(self):
        states = self.gateway.core.operations
        if states and not self.appending:
            assert any(state != "queued" for state in states.values())


Schedules.TestCase.settings = settings(budget.examples(15), stateful_step_count=25)
TestSchedules = Schedules.TestCase
