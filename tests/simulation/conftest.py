"""Sums up what the schedules of this folder hit, in all processes, and says it at the end; `hack/simulate` asks for
the whole table."""

import os
import pathlib
import time

import msgspec
import pytest

from tests.support.simulated.coverage import Coverage, Hits

COVERAGE = pytest.StashKey[Coverage]()
BEGAN = pytest.StashKey[float]()
OUTPUT = "simulation"
"""The key under which a process of pytest-xdist hands its sums to the one that started it."""


def pytest_configure(config):
    config.stash[COVERAGE] = Coverage()
    config.stash[BEGAN] = time.monotonic()


@pytest.fixture(scope="session")
def coverage(pytestconfig):
    """Return what counts the schedules of the whole session, as far as this process plays them."""
    return pytestconfig.stash[COVERAGE]


def pytest_sessionfinish(session):
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput[OUTPUT] = msgspec.json.encode(session.config.stash[COVERAGE].told())


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    # One that crashed has told nothing.
    if told := getattr(node, "workeroutput", {}).get(OUTPUT):
        node.config.stash[COVERAGE].add(msgspec.json.decode(told, type=Hits))


def pytest_terminal_summary(terminalreporter, config):
    counted = config.stash[COVERAGE]
    if not counted.schedules:
        return
    terminalreporter.section("simulation")
    if os.environ.get("SIMULATION_TABLE"):
        for line in (*counted.table(), ""):
            terminalreporter.write_line(line)
    terminalreporter.write_line(counted.speed(time.monotonic() - config.stash[BEGAN]))
    if record := os.environ.get("SIMULATION_HITS"):
        pathlib.Path(record).write_bytes(msgspec.json.encode(counted.told()))
