"""The book-keeping of the exchange, against a master, over a line that loses and repeats messages."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle as HypothesisBundle
from hypothesis.stateful import RuleBasedStateMachine, consumes, invariant, multiple, precondition, rule

from mapreduce.errors import ProtocolError
from mapreduce.ids import AttemptId
from mapreduce.protocol import Answer, AttemptCancelled, Exchange, LoadProgram, SegmentsLost
from mapreduce_worker.core.exchange import ExchangeBook
from tests.support import budget
from tests.support.worker_messages import map_attempt


class Master:
    """What the protocol asks of a master, as simply as it can be told."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch
        self.number = 0
        self.applied: list[int] = []
        self.acknowledged = 0
        self.assigned: dict[AttemptId, int] = {}
        self.taken: set[AttemptId] = set()
        self.ended: set[AttemptId] = set()
        self.given_back: set[AttemptId] = set()

    def exchange(self, body: Exchange) -> Answer:
        running = {progress.attempt for progress in body.running}
        self.taken |= running
        for report in body.reports:
            if report.number > self.acknowledged:
                self.acknowledged = report.number
                self.applied.append(report.number)
                if isinstance(report.outcome, AttemptCancelled):
                    self.ended.add(report.outcome.attempt)
        for attempt, number in list(self.assigned.items()):
            if attempt in self.ended:
                del self.assigned[attempt]
            elif number <= body.seen and attempt not in running and attempt not in self.taken:
                del self.assigned[attempt]
                self.given_back.add(attempt)
        self.number += 1
        again = [attempt for attempt, number in self.assigned.items() if number == 0 or number > body.seen]
        for attempt in again:
            self.assigned[attempt] = self.assigned[attempt] or self.number
        return Answer(
            epoch=self.epoch,
            number=self.number,
            acknowledged=self.acknowledged,
            assignments=tuple(LoadProgram(attempt=attempt) for attempt in again),
        )


class Conversation(RuleBasedStateMachine):
    """One worker, one master at a time, and messages on the way that come late, twice or never."""

    requests = HypothesisBundle("requests")
    answers = HypothesisBundle("answers")

    def __init__(self) -> None:
        super().__init__()
        self.master = Master(1)
        self.book = ExchangeBook(room=300)
        self.book.registered(1)
        self.session = 1
        self.indices = iter(range(1_000_000))
        self.started: list[AttemptId] = []
        self.reported: list[AttemptId] = []

    @rule()
    def assign(self):
        self.master.assigned[map_attempt(next(self.indices), epoch=self.master.epoch)] = 0

    @rule(target=requests)
    def send(self):
        return self.session, self.book.exchange()

    @rule(target=answers, request=requests)
    def arrives(self, request):
        session, body = request
        if session != self.session:
            return multiple()
        return session, self.master.exchange(body)

    @rule(answer=answers)
    def is_answered(self, answer):
        self._hear(*answer)

    @rule(answer=consumes(answers))
    def loses(self, answer):
        pass

    @rule(data=st.data())
    @precondition(lambda self: self.book.active)
    def ends(self, data):
        attempt = data.draw(st.sampled_from(sorted(self.book.active)))
        assert self.book.report(AttemptCancelled(attempt=attempt))
        assert not self.book.report(AttemptCancelled(attempt=attempt))
        self.reported.append(attempt)

    @rule(data=st.data())
    @precondition(lambda self: self.book.active)
    def complains(self, data):
        attempt = data.draw(st.sampled_from(sorted(self.book.active)))
        assert self.book.report(SegmentsLost(attempt=attempt, holder="w", maps=()))

    @rule()
    def restarts_master(self):
        known, reports = set(self.book.running()), self.book.unacknowledged()
        self.master = Master(self.master.epoch + 1)
        self.master.taken |= known
        self.session += 1
        self.book.registered(self.master.epoch)
        assert self.book.unacknowledged() == reports

    @invariant()
    def no_attempt_is_started_twice(self):
        assert len(self.started) == len(set(self.started))

    @invariant()
    def reports_are_applied_once_and_in_order(self):
        assert self.master.applied == sorted(set(self.master.applied))

    @invariant()
    def nothing_that_was_started_is_given_back(self):
        assert not self.master.given_back & set(self.started)

    @invariant()
    def a_report_is_kept_until_it_is_applied(self):
        kept = {report.number for report in self.book.unacknowledged()}
        assert all(number <= self.master.acknowledged or number in kept for number in self.master.applied)

    def teardown(self):
        """Once messages come through, everything assigned is started and every report applied."""
        for _ in range(len(self.book.unacknowledged()) + 3):
            self._hear(self.session, self.master.exchange(self.book.exchange()))
        assert self.book.unacknowledged() == ()
        assert set(self.book.running()) == set(self.book.active)
        assert set(self.master.assigned) <= set(self.book.active)

    def _hear(self, session: int, answer: Answer) -> None:
        # The link drops what is of an older session; see core/link.py.
        if session != self.session:
            return
        fresh = self.book.answered(answer)
        if fresh is not None:
            self.started += [assignment.attempt for assignment in fresh.assignments]


TestConversation = Conversation.TestCase
TestConversation.settings = settings(budget.examples(30), stateful_step_count=40)


def test_reports_that_do_not_fit_wait_for_the_next_exchange():
    book = ExchangeBook(room=1)
    book.registered(1)
    for index in range(3):
        book.adopt(map_attempt(index))
        book.report(AttemptCancelled(attempt=map_attempt(index)))
    assert [report.number for report in book.exchange().reports] == [1]
    book.answered(Answer(epoch=1, number=1, acknowledged=1))
    assert [report.number for report in book.exchange().reports] == [2]


def test_an_epoch_lower_than_one_seen_is_refused():
    book = ExchangeBook()
    book.registered(3)
    with pytest.raises(ProtocolError, match="epoch 2 is older than 3"):
        book.registered(2)


def test_an_answer_with_another_epoch_is_not_heard():
    book = ExchangeBook()
    book.registered(3)
    assert book.answered(Answer(epoch=2, number=1, acknowledged=0)) is None
    assert book.answered(Answer(epoch=4, number=1, acknowledged=0)) is None


def test_a_process_that_accepts_nothing_has_seen_the_answer_but_not_its_assignments():
    book = ExchangeBook()
    book.registered(1)
    answer = Answer(epoch=1, number=1, acknowledged=0, assignments=(LoadProgram(attempt=map_attempt(0)),))
    fresh = book.answered(answer, accepting=False)
    assert fresh is not None
    assert fresh.assignments == ()
    assert (book.seen, book.running()) == (1, ())
