"""When a worker registers, exchanges, waits and gives up."""

import msgspec

from mapreduce.protocol import WORKER_BODY, Answer, MapOutput, MapSucceeded, encode
from mapreduce_worker.core.events import (
    Answered,
    Exit,
    MapDone,
    MapPartDone,
    Refused,
    SessionOpened,
    Terminated,
    Ticked,
    Unanswered,
)
from mapreduce_worker.core.held import HELD_ROOM
from tests.support.worker_messages import Driven, map_attempt, map_output, registered, run_map


def _opened(slots: int = 2, *, direct: bool = True) -> Driven:
    worker = Driven(slots)
    worker.tell(Ticked())
    worker.tell(SessionOpened(worker.registrations[-1].serial, registered(direct=direct)))
    return worker


def test_a_worker_registers_first_and_exchanges_as_soon_as_it_has_a_session():
    worker = _opened()
    assert len(worker.registrations) == 1
    assert [sent.session for sent in worker.sent] == ["s1"]
    assert worker.sent[0].body.free_slots == 2


def test_an_answer_is_followed_by_the_next_exchange_at_once():
    worker = _opened()
    worker.answer()
    assert [sent.body.seen for sent in worker.sent] == [0, 1]


def test_nothing_new_sends_no_second_exchange_while_one_is_parked():
    worker = _opened()
    worker.tell(Ticked(), after=1)
    assert len(worker.sent) == 1


def test_a_report_is_sent_at_once_beside_the_parked_exchange():
    worker = _opened()
    worker.answer(run_map(0))
    worker.tell(MapDone(map_attempt(0), map_output(map_attempt(0)), 5))
    assert [len(sent.body.reports) for sent in worker.sent] == [0, 0, 1]
    assert worker.sent[-1].body.free_slots == 2


def test_more_reports_wait_while_two_exchanges_are_under_way():
    worker = _opened()
    worker.answer(run_map(0), run_map(1))
    parked, news = worker.sent[-1], len(worker.sent)
    for index in range(2):
        worker.tell(MapDone(map_attempt(index), map_output(map_attempt(index)), 5))
    assert len(worker.sent) == news + 1
    worker.tell(Refused(parked.serial, 409, "Superseded", ""))
    assert [report.number for report in worker.sent[-1].body.reports] == [1, 2]


def test_a_report_is_repeated_until_it_is_acknowledged_and_its_attempt_named_as_running():
    worker = _opened()
    worker.answer(run_map(0))
    worker.tell(MapDone(map_attempt(0), map_output(map_attempt(0)), 5))
    worker.answer(acknowledged=0)
    assert [report.number for report in worker.sent[-1].body.reports] == [1]
    assert [progress.attempt for progress in worker.sent[-1].body.running] == [map_attempt(0)]
    worker.answer()
    assert worker.sent[-1].body.reports == ()
    assert worker.sent[-1].body.running == ()


def test_an_attempt_that_is_assigned_twice_runs_once():
    worker = _opened()
    first = worker.answer(run_map(0))
    assert len(first) == 1
    assert worker.answer(run_map(0)) == []


def test_an_answer_that_comes_twice_changes_nothing():
    worker = _opened()
    serial = worker.sent[-1].serial
    worker.answer(run_map(0))
    sent = len(worker.sent)
    assert worker.tell(Answered(serial, worker.an_answer(1, run_map(1)))) == []
    assert len(worker.sent) == sent


def test_an_unknown_session_makes_the_worker_register_with_all_that_it_holds_and_runs():
    worker = _opened()
    worker.answer(run_map(0), run_map(1))
    worker.tell(MapDone(map_attempt(0), map_output(map_attempt(0)), 5))
    worker.tell(Refused(worker.sent[-1].serial, 401, "SessionUnknown", ""))
    body = worker.registrations[-1].body
    assert [held.attempt for held in body.held] == [map_attempt(0)]
    assert set(body.running) == {map_attempt(0), map_attempt(1)}


def test_a_registration_with_ten_thousand_outputs_of_ten_thousand_partitions_fits_in_a_body():
    worker = _opened()
    for index in range(10_000):
        attempt = map_attempt(index)
        output = MapOutput(
            attempt=attempt,
            checksum="sha256:" + "0" * 64,
            rows=1 << 40,
            size=1 << 40,
            key_type="str",
            key_at="a/file/somewhere.txt:" + "9" * 12,
        )
        worker.answer(run_map(index))
        worker.tell(MapDone(attempt, output, 5))
        (report,) = worker.sent[-1].body.reports
        assert report.outcome == MapSucceeded(output=output, records=5)
    worker.tell(Refused(worker.sent[-1].serial, 401, "SessionUnknown", ""))
    body = worker.registrations[-1].body
    assert (len(body.held) > 1000, body.held_total) == (True, 10_000)
    assert len(encode(body)) < WORKER_BODY


def test_held_outputs_that_do_not_fit_into_the_registration_follow_page_by_page():
    worker = _opened()
    for index in range(5):
        attempt = map_attempt(index)
        output = msgspec.structs.replace(map_output(attempt), key_at="x" * (HELD_ROOM // 2 - 1000))
        worker.answer(run_map(index))
        worker.tell(MapDone(attempt, output, 5))
    worker.answer()
    worker.tell(Refused(worker.sent[-1].serial, 401, "SessionUnknown", ""))
    body = worker.registrations[-1].body
    assert (len(body.held), body.held_total) == (2, 5)
    worker.tell(SessionOpened(worker.registrations[-1].serial, registered("s2", direct=True)))
    worker.answer_number = 0
    pages = []
    for seen in (2, 4, 5):
        sent = worker.sent[-1].body
        pages.append((sent.held_from, [held.attempt.task.index for held in sent.held]))
        assert len(encode(sent)) < WORKER_BODY
        worker.answer(held_seen=seen)
    assert pages == [(2, [2, 3]), (2, [2, 3]), (4, [4])]
    assert worker.sent[-1].body.held == ()


def test_held_outputs_that_the_master_could_not_take_in_yet_are_named_again():
    worker = _opened()
    worker.answer(run_map(0))
    worker.tell(MapDone(map_attempt(0), map_output(map_attempt(0)), 5))
    worker.tell(Refused(worker.sent[-1].serial, 401, "SessionUnknown", ""))
    assert len(worker.registrations[-1].body.held) == 1
    worker.tell(SessionOpened(worker.registrations[-1].serial, registered("s2", epoch=2, direct=True)))
    named = []
    for number, seen in ((1, 0), (2, 0), (3, 1)):
        worker.tell(Answered(worker.sent[-1].serial, Answer(epoch=2, number=number, acknowledged=0, held_seen=seen)))
        sent = worker.sent[-1].body
        named.append((sent.held_from, [held.attempt for held in sent.held]))
    assert named == [(0, [map_attempt(0)]), (0, [map_attempt(0)]), (1, [])]


def test_a_master_that_was_started_again_hears_old_reports_and_its_answers_count_from_one():
    worker = _opened()
    worker.answer(run_map(0))
    worker.tell(MapDone(map_attempt(0), map_output(map_attempt(0)), 5))
    worker.tell(Refused(worker.sent[-1].serial, 401, "SessionUnknown", ""))
    worker.tell(SessionOpened(worker.registrations[-1].serial, registered("s2", epoch=2, direct=True)))
    body = worker.sent[-1].body
    assert (body.epoch, body.seen, [report.number for report in body.reports]) == (2, 0, [1])
    worker.tell(Answered(worker.sent[-1].serial, worker.an_answer(1, run_map(1, epoch=2), epoch=2)))
    assert [progress.attempt for progress in worker.sent[-1].body.running] == [map_attempt(1, epoch=2)]


def test_a_master_with_a_lower_epoch_gets_no_exchange():
    worker = _opened()
    worker.tell(Refused(worker.sent[-1].serial, 401, "SessionUnknown", ""))
    worker.tell(SessionOpened(worker.registrations[-1].serial, registered("s2", epoch=0)))
    assert worker.sent[-1].session == "s1"
    worker.tell(Ticked(), after=1)
    assert len(worker.registrations) == 3


def test_the_answer_of_an_older_session_is_not_heard():
    worker = _opened()
    old = worker.sent[-1].serial
    worker.tell(Refused(old, 401, "SessionUnknown", ""))
    worker.tell(SessionOpened(worker.registrations[-1].serial, registered("s2", direct=True)))
    assert worker.tell(Answered(old, worker.an_answer(1, run_map(0)))) == []


def test_pauses_grow_while_the_master_is_away():
    worker = _opened()
    pauses = []
    for _ in range(6):
        count, waited = len(worker.sent), 0.0
        worker.tell(Unanswered(worker.sent[-1].serial))
        while len(worker.sent) == count:
            worker.tell(Ticked(), after=0.1)
            waited += 0.1
        pauses.append(round(waited, 1))
    assert pauses == sorted(pauses)
    assert pauses[0] <= 0.2
    assert pauses[-1] >= 2.5


def test_a_worker_without_a_master_for_ten_minutes_exits():
    worker = _opened()
    worker.tell(Unanswered(worker.sent[-1].serial))
    assert worker.tell(Ticked(), after=599) == []
    (command,) = worker.tell(Ticked(), after=2)
    assert isinstance(command, Exit)
    assert command.status == 1


def test_a_worker_that_is_not_wanted_exits_and_says_nothing_more():
    worker = _opened()
    (command,) = worker.tell(Refused(worker.sent[-1].serial, 410, "JobOver", "gone"))
    assert isinstance(command, Exit)
    assert command.status == 0
    count = len(worker.sent)
    assert worker.tell(Ticked()) == []
    assert len(worker.sent) == count


def test_a_token_or_version_that_is_refused_ends_the_worker_with_an_error():
    for status in (400, 403, 426):
        worker = Driven()
        worker.tell(Ticked())
        (command,) = worker.tell(Refused(worker.registrations[-1].serial, status, "No", "why"))
        assert isinstance(command, Exit)
        assert command.status == 1
        assert "why" in command.message


def test_a_finished_job_ends_the_worker():
    worker = _opened()
    (command,) = worker.answer(finished=True)
    assert command == Exit(0, "the job is over")


def test_a_worker_that_is_told_to_stop_starts_nothing_and_keeps_exchanging():
    worker = _opened()
    worker.tell(Terminated())
    assert worker.answer(run_map(0)) == []
    assert worker.sent[-1].body.free_slots == 0
    assert worker.sent[-1].body.running == ()
    assert worker.sent[-1].body.seen == 1


def test_a_stopping_worker_finishes_what_a_slot_has():
    worker = _opened()
    worker.answer(run_map(0))
    worker.tell(Terminated())
    worker.answer()
    worker.tell(MapDone(map_attempt(0), map_output(map_attempt(0)), 5))
    assert len(worker.sent[-1].body.reports) == 1


def test_a_worker_that_is_told_to_stop_says_so_at_once():
    worker = _opened()
    worker.answer(run_map(0))
    assert not worker.sent[-1].body.draining
    before = len(worker.sent)
    worker.tell(Terminated())
    assert [sent.body.draining for sent in worker.sent[before:]] == [True]


def test_a_stopping_worker_serves_what_it_holds_until_a_second_before_it_is_killed():
    worker = _opened()
    worker.answer(run_map(0))
    worker.tell(MapDone(map_attempt(0), map_output(map_attempt(0)), 5))
    worker.answer()
    worker.tell(Terminated(grace=10.0))
    assert worker.tell(Ticked(), after=8.75) == []
    assert worker.tell(Ticked(), after=0.25) == [Exit(0, "the worker was told to stop")]


def test_a_stopping_worker_that_runs_and_holds_nothing_leaves_at_once():
    worker = _opened()
    worker.tell(Terminated())
    assert worker.tell(Ticked()) == [Exit(0, "the worker was told to stop")]


def test_a_part_is_served_until_the_master_does_not_need_it_any_more():
    worker = _opened()
    worker.answer(msgspec.structs.replace(run_map(0), makes_part=True))
    worker.tell(MapPartDone(attempt=map_attempt(0), checksum="x", rows=1, size=1, records=1))
    worker.answer()
    worker.tell(Terminated())
    assert worker.tell(Ticked()) == []
    worker.answer(discard=(map_attempt(0),))
    assert worker.tell(Ticked()) == [Exit(0, "the worker was told to stop")]
