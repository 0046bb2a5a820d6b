"""An exchange is parked until there is something to say, answered once, and refused where it makes no sense."""

from mapreduce_operator.core import events
from tests.support.master_builder import JobUnderTest


def commands_of(job, process, **changes):
    """Send one exchange and return what the master asked for, without delivering it."""
    body = process.exchange()
    request = next(job.numbers)
    for name, value in changes.items():
        body = type(body)(**({field: getattr(body, field) for field in body.__struct_fields__} | {name: value}))
    event = events.Exchanged(request=request, session=process.session, body=body)
    return request, job.master.handle(event, events.Instant(mono=job.mono, wall=0.0)).commands


def replies(commands):
    return [command for command in commands if isinstance(command, events.Reply)]


def refusals(commands):
    return [(command.request, command.status) for command in commands if isinstance(command, events.Refuse)]


def test_an_exchange_with_nothing_to_say_is_parked_until_the_beat():
    job = JobUnderTest(maps=1).until_mapping()
    idle = next(worker for worker in job.workers if not worker.active)
    answers = len(idle.answers)
    request = idle.request
    assert request
    job.mono += 2.0
    job.tell(events.Ticked())
    assert (idle.request, len(idle.answers)) == (request, answers)
    job.mono += 1.0
    job.tell(events.Ticked())
    assert (idle.request, len(idle.answers)) == (0, answers + 1)


def test_a_parked_exchange_is_answered_as_soon_as_there_is_work():
    job = JobUnderTest(maps=1, reducers=1).until_mapping()
    idle = next(worker for worker in job.workers if not worker.active)
    busy = next(worker for worker in job.workers if worker.active)
    job.kill(busy)
    assert [str(attempt) for attempt in idle.active] == ["map-0.e1.1"]


def test_a_newer_exchange_releases_the_older_one():
    job = JobUnderTest(maps=1).until_mapping()
    idle = next(worker for worker in job.workers if not worker.active)
    parked = idle.request
    _, commands = commands_of(job, idle)
    assert refusals(commands) == [(parked, 409)]


def test_an_unknown_session_has_to_register_again():
    job = JobUnderTest().until_mapping()
    worker = job.workers[0]
    worker.session = "nobody's"
    request, commands = commands_of(job, worker)
    assert refusals(commands) == [(request, 401)]


def test_a_master_that_hears_of_a_newer_epoch_asks_and_if_it_is_so_stops_serving_and_asks_to_end():
    job = JobUnderTest().until_mapping()
    request, commands = commands_of(job, job.workers[0], epoch=2)
    message = "epoch 2 was named, this master is of epoch 1"
    refusal = events.Refuse(request=request, status=409, reason="EpochOld", message=message)
    assert commands == (events.ReadEpoch(), refusal)
    told = job.tell(events.EpochRead(2))
    assert told == (events.StepDown("there is a master of epoch 2, this one is of epoch 1"),)
    request, commands = commands_of(job, job.workers[1])
    assert refusals(commands) == [(request, 409)]
    assert replies(commands) == []


def test_a_worker_that_names_an_epoch_that_never_was_is_given_up_and_the_job_goes_on():
    job = JobUnderTest(maps=2).until_mapping()
    liar = job.workers[0]
    commands_of(job, liar, epoch=1 << 31)
    job.tell(events.EpochRead(1))
    assert job.stopped == [liar.name]
    assert job.run_to_the_end() == "Succeeded"


def test_where_it_cannot_be_told_whether_there_is_a_newer_epoch_the_job_goes_on_and_asks_once_a_beat():
    job = JobUnderTest(maps=2).until_mapping()
    worker = job.workers[0]
    asked = []
    for _ in range(20):
        asked += [command for command in commands_of(job, worker, epoch=5)[1] if command == events.ReadEpoch()]
        job.tell(events.EpochRead(None))
    assert len(asked) == 1
    job.mono += job.spec.timing.beat
    job.tell(events.Ticked())
    assert events.ReadEpoch() in commands_of(job, worker, epoch=5)[1]
    assert job.run_to_the_end() == "Succeeded"


def test_an_exchange_that_was_overtaken_changes_nothing():
    job = JobUnderTest(maps=2).until_mapping()
    worker, _ = job.running("map")[0]
    request, commands = commands_of(job, worker, seen=worker.seen - 1, running=())
    assert refusals(commands) == [(request, 409)]
    assert len(job.running("map")) == 2
    assert job.history("Lost") == []


def test_a_closed_connection_is_not_answered_any_more():
    job = JobUnderTest(maps=1).until_mapping()
    idle = next(worker for worker in job.workers if not worker.active)
    job.tell(events.Disconnected(idle.request))
    job.mono += 4.0
    commands = job.master.handle(events.Ticked(), events.Instant(mono=job.mono, wall=0.0)).commands
    assert idle.request not in [reply.request for reply in replies(commands)]


def test_workers_hear_when_the_input_gateway_is_gone_and_where_the_next_one_is():
    job = JobUnderTest(maps=2).until_mapping()
    worker = job.workers[0]
    assert worker.input_address == f"{job.gateway.name}:8444"
    job.start_at_once = False
    job.kill(job.gateway)
    assert worker.input_address == ""
    job.start(job.asked_for[-1])
    job.settle()
    assert worker.input_address == f"{job.gateway.name}:8444"
