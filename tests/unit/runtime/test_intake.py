"""How much a session may send: a burst, and then a pace."""

from mapreduce_operator.rpc import intake
from mapreduce_operator.rpc.intake import Intake


def test_a_session_may_send_a_burst_and_then_as_fast_as_the_pace():
    now = [100.0]
    it = Intake(clock=lambda: now[0])
    assert it.wait("a") == 0.0
    it.pay("a", int(intake.BURST) * intake.RATE - intake.REQUEST)
    assert it.wait("a") == 0.0
    it.pay("a", 2 * intake.RATE - intake.REQUEST)
    assert it.wait("a") == 2.0
    assert it.wait("b") == 0.0
    now[0] += 2.0
    assert it.wait("a") == 0.0


def test_small_requests_have_a_pace_too():
    it = Intake(clock=lambda: 100.0)
    for _ in range(3000):
        it.pay("a", 0)
    assert it.wait("a") > 1.0


def test_callers_that_have_been_silent_are_forgotten():
    now = [100.0]
    it = Intake(clock=lambda: now[0])
    for number in range(10_001):
        it.pay(f"session-{number}", 10)
    now[0] += 60.0
    it.pay("last", 10)
    assert list(it._paid_until) == ["last"]
