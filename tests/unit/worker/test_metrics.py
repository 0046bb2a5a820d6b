"""What a worker tells a scraper: counted from what passes in front of its core."""

import asyncio

from aiohttp import ClientSession
from prometheus_client.parser import text_string_to_metric_families

from mapreduce import metrics
from mapreduce.protocol import ErrorInfo
from mapreduce_worker import resources
from mapreduce_worker.core import events
from mapreduce_worker.metrics import Endpoint, WorkerMeter
from mapreduce_worker.settings import Settings
from tests.support.apiserver import free_port
from tests.support.worker_messages import map_attempt, map_output, reduce_attempt, segment, split

W = "mapreduce_worker"


class Clock:
    """Time that goes on with each look."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        self.now += 100.0
        return self.now


def meter(tmp_path, served=0, **settings):
    return WorkerMeter(
        Settings(master="http://127.0.0.1:1", role="worker", scratch=tmp_path, slots=3, **settings),
        lambda: served,
        clock=Clock(),
    )


def samples(text):
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def told(made):
    return samples(asyncio.run(made.endpoint.text()))


def passed(made, *pairs):
    """Let events pass, each with the commands that the core answers."""
    for event, *commands in pairs:
        handle = made.watching(lambda _event, _now, commands=commands: tuple(commands))
        assert handle(event, 0.0) == commands


def run_map(index, slot=0):
    return events.MapInSlot(slot=slot, attempt=map_attempt(index), split=split(index), input=None)


def test_attempts_are_counted_by_kind_and_outcome_and_slots_by_what_they_do(tmp_path):
    made = meter(tmp_path)
    broke = ErrorInfo(kind="user", reason="UserCodeFailed", message="m")
    passed(
        made,
        (events.Ticked(), run_map(0), run_map(1), run_map(2)),
        (events.MapDone(map_attempt(0), map_output(map_attempt(0)), 70), run_map(3)),
        (events.Broke(map_attempt(1), broke),),
        (events.SlotDied(attempt=map_attempt(2), code=-9),),
        (events.ReduceDone(attempt=reduce_attempt(0), checksum="c", rows=1, size=2, spills=4),),
    )
    page = told(made)
    attempts = {key[1:]: value for key, value in page.items() if key[0] == f"{W}_attempts_total"}
    assert attempts == {
        ("map", "succeeded"): 1,
        ("map", "failed"): 1,
        ("map", "killed"): 1,
        ("reduce", "succeeded"): 1,
        ("reduce", "failed"): 0,
        ("reduce", "killed"): 0,
    }
    assert (page[f"{W}_slots", "busy"], page[f"{W}_slots", "free"]) == (1, 2)
    assert (page[f"{W}_records_total",], page[f"{W}_spills_total",]) == (70, 4)


def test_bytes_that_came_and_fetches_that_failed_are_counted(tmp_path):
    made = meter(tmp_path, served=99)
    ranges = (events.FetchedRange(0, 0, 30), events.FetchedRange(0, 30, 12))
    arrived = (segment(map_attempt(0)),)
    lost = ((map_attempt(1), "away"), (map_attempt(2), "away"))
    passed(
        made,
        (events.InputArrived(map_attempt(0), events.FetchedInput("p", ranges)),),
        (events.InputUnreachable(map_attempt(1)),),
        (events.SegmentsArrived(attempt=reduce_attempt(0), fetch=1, arrived=arrived, lost=lost),),
    )
    page = told(made)
    assert page[f"{W}_read_bytes_total",] == 42
    assert page[f"{W}_fetched_bytes_total",] == arrived[0].length > 0
    assert page[f"{W}_served_bytes_total",] == 99
    assert page[f"{W}_fetch_failures_total", "input"] == 1
    assert page[f"{W}_fetch_failures_total", "segments"] == 2


def test_all_of_the_table_is_told_and_nothing_else_and_scratch_is_what_lies_there(tmp_path):
    (tmp_path / "held").mkdir()
    (tmp_path / "held" / "map-0").write_bytes(b"x" * 100_000)
    (tmp_path / "away").symlink_to("/usr")
    page = told(meter(tmp_path, scratch_limit=5 << 20))
    assert {name for name, *_ in page} == {metric.name for metric in metrics.TABLE if metric.who in ("every", "worker")}
    assert 100_000 <= page[f"{W}_scratch_bytes",] < 200_000
    assert page[f"{W}_scratch_limit_bytes",] == 5 << 20
    assert page[f"{W}_memory_bytes",] > 1 << 20
    assert page[f"{W}_cpu_seconds_total",] > 0


def test_silence_begins_with_the_last_answer_of_the_operator(tmp_path):
    made = meter(tmp_path)
    for _ in range(5):
        made._clock()
    passed(made, (events.Refused(1, 503, "Unavailable", "m"),))
    assert told(made)[f"{W}_master_silence_seconds",] <= 300


def test_the_memory_s_limit_is_the_group_s_or_else_the_machine_s(tmp_path):
    machine = resources.memory_limit(tmp_path)
    assert machine > 1 << 28
    (tmp_path / "memory.max").write_text("max\n")
    assert resources.memory_limit(tmp_path) == machine
    (tmp_path / "memory.max").write_text(f"{1 << 28}\n")
    assert resources.memory_limit(tmp_path) == 1 << 28


def test_a_port_that_is_taken_costs_the_metrics_alone(caplog, tmp_path):
    made = meter(tmp_path)

    async def go():
        port = free_port()
        other = Endpoint(made)
        await other.start("127.0.0.1", port)
        await made.endpoint.start("127.0.0.1", port)
        async with ClientSession() as http, http.get(f"http://127.0.0.1:{port}/metrics") as answer:
            text = await answer.text()
        await made.endpoint.close()
        await other.close()
        return answer.headers["Content-Type"], text

    kind, text = asyncio.run(go())
    assert kind.startswith("text/plain; version=0.0.4")
    assert (f"{W}_slots", "free") in samples(text)
    assert "no metrics are served" in caplog.text
