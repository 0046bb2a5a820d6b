"""The gateway's core while its journal cannot be written, or is gone."""

from mapreduce_worker.core.events import SendExchange
from mapreduce_worker.gateway.core.operations import AppendBroke, Appended, AppendFrames
from tests.support.gateway_messages import frames, gateway_with_open_journal, open_output, opened


def test_the_master_is_told_once_why_the_journal_cannot_be_written_and_when_it_can_again():
    gateway = gateway_with_open_journal()
    gateway.answer(journal=frames(1, 2))
    gateway.sent.clear()
    gateway.tell(AppendBroke(1, "disk full"))
    (exchange,) = gateway.did(SendExchange)
    assert (exchange.body.journal_trouble, exchange.body.journal_lost) == ("disk full", False)
    gateway.answer()
    gateway.tick(after=1.5)
    gateway.sent.clear()
    gateway.tell(AppendBroke(1, "disk full"))
    assert gateway.sent == []
    gateway.tick(after=1.5)
    gateway.tell(Appended(1, 2))
    assert gateway.did(SendExchange)[-1].body.journal_trouble == ""


def test_a_journal_that_is_lost_takes_nothing_before_the_output_is_opened_again():
    gateway = gateway_with_open_journal()
    gateway.answer(journal=frames(1, 2))
    gateway.tell(Appended(1, 2))
    gateway.answer(journal=frames(3, 3))
    gateway.sent.clear()
    gateway.tell(AppendBroke(1, "gone", lost=True))
    (exchange,) = gateway.did(SendExchange)
    assert (exchange.body.journal_lost, exchange.body.journal_written) == (True, 0)
    gateway.answer(open_output(number=1), journal=frames(3, 3))
    assert gateway.did(AppendFrames) == []
    gateway.tell(opened(open_output(number=1), written=2))
    assert gateway.did(AppendFrames) == [AppendFrames(1, frames(3, 3))]
    gateway.tell(Appended(1, 3))
    assert not gateway.sent[-1].body.journal_lost
