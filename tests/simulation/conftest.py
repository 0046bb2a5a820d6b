"""Sums up what the schedules of this folder hit, and says it at the end; `hack/simulate` asks for the whole table."""

import os
import pathlib

import msgspec
import pytest

from tests.support.simulated.coverage import Coverage

COVERAGE = pytest.StashKey[Coverage]()


def pytest_configure(config):
    config.stash[COVERAGE] = Coverage()


@pytest.fixture(scope="session")
def coverage(pytestconfig):
    """Return what counts the schedules of the whole session."""
    return pytestconfig.stash[COVERAGE]


def pytest_terminal_summary(terminalreporter, config):
    counted = config.stash[COVERAGE]
    if not counted.schedules:
        return
    terminalreporter.section("simulation")
    if os.environ.get("SIMULATION_TABLE"):
        for line in (*counted.table(), ""):
            terminalreporter.write_line(line)
    terminalreporter.write_line(counted.speed())
    if record := os.environ.get("SIMULATION_HITS"):
        hits = [(fault, phase, count) for (fault, phase), count in sorted(counted.hits.items())]
        pathlib.Path(record).write_bytes(msgspec.json.encode({"schedules": counted.schedules, "hits": hits}))
