"""What a gateway tells a scraper: counted from what passes in front of its core."""

import asyncio
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from mapreduce import metrics
from mapreduce.protocol import ErrorInfo, Staged
from mapreduce_worker.gateway.core.operations import AppendBroke, Appended, AppendFrames, Broke, Moved, Reported
from mapreduce_worker.gateway.metrics import GatewayMeter
from mapreduce_worker.settings import Settings
from tests.support.gateway_messages import frames, stage_part

G = "mapreduce_gateway"
STAGE = stage_part(0)


class Clock:
    """Time that is moved by hand."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


def meter(clock, **settings):
    made = Settings(master="http://127.0.0.1:1", role="gateway", scratch=Path("/nowhere"), **settings)
    return GatewayMeter(made, lambda: 7, clock=clock)


def passed(made, event, *commands):
    handle = made.watching(lambda _event, _now: commands)
    assert handle(event, 0.0) == list(commands)


def told(made):
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(asyncio.run(made.endpoint.text()))
        for sample in family.samples
    }


def test_frames_count_once_they_are_durable_with_the_time_that_took():
    clock = Clock()
    made = meter(clock)
    passed(made, Moved(STAGE.attempt, 0, 0), AppendFrames(1, frames(1, 5)))
    assert told(made)[f"{G}_journal_frames_total",] == 0
    clock.now += 0.2
    passed(made, Appended(1, 5))
    clock.now += 10
    page = told(made)
    assert page[f"{G}_journal_frames_total",] == 5
    assert (page[f"{G}_journal_sync_seconds_bucket", "0.1"], page[f"{G}_journal_sync_seconds_bucket", "0.25"]) == (0, 1)


def test_errors_of_the_store_are_counted_by_operation():
    made = meter(Clock())
    passed(made, AppendBroke(1, "full"))
    passed(made, Broke(STAGE.attempt, ErrorInfo(kind="disruption", reason="StorageFailed", message="m")))
    passed(made, Broke(STAGE.attempt, ErrorInfo(kind="disruption", reason="StorageFailed", message="m")))
    errors = {key[1]: value for key, value in told(made).items() if key[0] == f"{G}_store_errors_total"}
    assert errors == {"open": 0, "plan": 0, "stage": 2, "publish": 0, "clean": 0, "journal": 1}


def test_parts_that_are_staged_are_counted_with_their_bytes():
    made = meter(Clock())
    staged = Staged(attempt=STAGE.attempt, partition=0, source=STAGE.source, checksum="c", rows=3, size=40)
    passed(made, Reported(STAGE.attempt, (staged,)))
    page = told(made)
    assert (page[f"{G}_staged_parts_total",], page[f"{G}_staged_bytes_total",]) == (1, 40)
    assert page[f"{G}_served_bytes_total",] == 7


def test_a_gateway_of_both_claims_tells_all_of_the_table_and_nothing_else(tmp_path):
    page = told(meter(Clock(), root_input=tmp_path, root_output=tmp_path))
    names = {name.removesuffix("_bucket").removesuffix("_count").removesuffix("_sum") for name, *_ in page}
    assert names == {metric.name for metric in metrics.TABLE if metric.who in ("every", "gateway")}
    for volume in ("input", "output"):
        assert 0 < page[f"{G}_volume_free_bytes", volume] <= page[f"{G}_volume_size_bytes", volume]


def test_a_claim_that_the_gateway_does_not_serve_or_that_is_gone_is_not_told(tmp_path):
    page = told(meter(Clock(), root_output=tmp_path / "gone"))
    assert not any("volume" in key[0] for key in page)
