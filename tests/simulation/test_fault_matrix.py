"""The record behind docs/fault-matrix.md is of the faults that there are; and what one fault alone does is measured."""

import pathlib

import msgspec
import pytest

from hack import fault_matrix
from tests.support.simulated import matrix
from tests.support.simulated.faults import catalogue
from tests.support.simulated.faults.fault import PHASES_OF_JOBS

RECORD = pathlib.Path(__file__).parent / "fault-matrix.json"


def test_the_record_has_every_fault_in_its_phases():
    record = msgspec.json.decode(RECORD.read_bytes(), type=matrix.Record)
    recorded = {row.fault: tuple(row.hits) for row in record.rows}
    told = {fault.name: tuple(phase for phase in PHASES_OF_JOBS if phase in fault.phases) for fault in catalogue.ALL}
    assert recorded == told
    assert all(row.runs for row in record.rows)


def test_the_page_tells_of_how_many_seeds_the_record_is():
    record = msgspec.json.decode(RECORD.read_bytes(), type=matrix.Record)
    assert record.schedules > record.seeds > len(catalogue.CELLS)
    page = fault_matrix.page(msgspec.to_builtins(record))
    assert f"{record.schedules:,} schedules ({record.seeds:,} seeds of all faults" in page


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("Pod force-deleted", "PodDeleted"),
        ("worker killed", "WorkerKilled"),
        ("Pod evicted: its node is short of memory", "PodEvicted"),
    ],
)
def test_a_worker_that_is_gone_is_told_of_by_its_reason_counted_as_a_disruption_and_its_tasks_soon_run_again(
    fault, told
):
    row = matrix.row(catalogue.named(fault), {}, seeds=[0])
    assert (row.told, row.charged, row.ends) == ((told,), ("disruption",), ("Succeeded",))
    assert 0 < row.back < 10


def test_one_schedule_tells_one_story():
    fault = catalogue.named("operator frozen, a successor starts")
    assert matrix.run(fault, "map", 1) == matrix.run(fault, "map", 1)
