"""Events of one job: a burst, then one in five seconds; nothing is left out without a word."""

from mapreduce_operator.core.events import Announce
from mapreduce_operator.kube.event_pace import BURST, SECONDS, EventPace, Told
from mapreduce_operator.kube.events import MESSAGE_LIMIT


def told(number):
    return Told(Announce(kind="Warning", reason="UserCodeFailed", message=str(number)), 1_790_000_000.0 + number)


def sent(pace):
    messages = [one.announcement.message for one in pace.due]
    pace.due.clear()
    return messages


def full(now=0.0):
    """Return one that has sent its burst."""
    pace = EventPace(now)
    for number in range(BURST):
        pace.add(told(number), now)
    assert sent(pace) == [str(number) for number in range(BURST)]
    return pace


def test_a_few_events_are_sent_as_they_come():
    pace = EventPace(0.0)
    pace.add(told(0), 0.0)
    assert (sent(pace), pace.pause()) == (["0"], None)


def test_after_a_burst_the_newest_is_sent_in_time_with_the_number_of_the_others():
    pace = full()
    for number in range(100, 104):
        pace.add(told(number), SECONDS / 2)
    assert (sent(pace), pace.pause()) == ([], SECONDS / 2)
    pace.refill(SECONDS * 0.75)
    assert sent(pace) == []
    pace.refill(SECONDS)
    assert (sent(pace), pace.pause()) == (["(3 Events before this one were left out) 103"], None)


def test_one_that_waited_alone_is_sent_as_it_is():
    pace = full()
    pace.add(told(100), 0.0)
    pace.refill(SECONDS)
    assert sent(pace) == ["100"]


def test_in_an_hour_no_more_are_sent_than_the_rate_allows():
    pace, count = full(), 0
    for second in range(3600):
        for number in range(100):
            pace.add(told(number), float(second))
        count += len(sent(pace))
    assert count == 3599 // SECONDS


def test_at_the_end_of_the_job_the_newest_does_not_wait():
    pace = full()
    pace.add(told(100), 0.0)
    pace.add(told(101), 0.0)
    pace.release()
    pace.release()
    assert sent(pace) == ["(1 Events before this one were left out) 101"]


def test_while_nobody_takes_them_no_more_than_a_burst_wait():
    pace = EventPace(0.0)
    for number in range(1000):
        pace.add(told(number), float(number * 10))
    assert [one.announcement.message for one in pace.due] == [str(number) for number in range(BURST)]
    assert len(sent(pace)) == BURST
    pace.refill(10_000.0)
    assert sent(pace) == [f"({999 - BURST} Events before this one were left out) 999"]


def test_the_number_of_the_others_is_told_before_a_long_message_too():
    pace = full()
    for _ in range(3):
        pace.add(Told(Announce(kind="Warning", reason="UserCodeFailed", message="x" * 2000), 1.0), 0.0)
    pace.refill(SECONDS)
    (message,) = sent(pace)
    assert message.startswith("(2 Events before this one were left out) xxx")
    assert len(message) == MESSAGE_LIMIT


def test_of_a_message_no_more_waits_than_is_sent():
    pace = EventPace(0.0)
    for _ in range(BURST + 1):
        pace.add(Told(Announce(kind="Warning", reason="UserCodeFailed", message="x" * 1_000_000), 1.0), 0.0)
    assert {len(one.announcement.message) for one in pace.due} == {MESSAGE_LIMIT}
    pace.due.clear()
    pace.release()
    assert [len(message) for message in sent(pace)] == [MESSAGE_LIMIT]
