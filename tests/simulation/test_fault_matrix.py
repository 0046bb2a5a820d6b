"""The record behind docs/fault-matrix.md is of the faults that there are; and what one fault alone does is measured."""

import pathlib

import msgspec

from tests.support.simulated import matrix
from tests.support.simulated.faults import catalogue

RECORD = pathlib.Path(__file__).parent / "fault-matrix.json"


def test_the_record_has_every_fault_in_its_phases():
    record = msgspec.json.decode(RECORD.read_bytes(), type=matrix.Record)
    recorded = {row.fault: tuple(row.hits) for row in record.rows}
    assert recorded == {fault.name: fault.phases for fault in catalogue.ALL}
    assert all(row.runs for row in record.rows)


def test_a_worker_that_is_killed_is_told_of_charged_to_nobody_and_its_task_soon_runs_again():
    row = matrix.row(catalogue.named("worker killed"), {}, seeds=[0])
    assert "WorkerLost" in row.told
    assert "user" not in row.charged
    assert row.ends == ("Succeeded",)
    assert 0 < row.back < 10


def test_one_schedule_tells_one_story():
    fault = catalogue.named("operator frozen, a successor starts")
    assert matrix.run(fault, "map", 1) == matrix.run(fault, "map", 1)
