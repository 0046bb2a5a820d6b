"""Hundreds of schedules of faults, one a seed: each ends with the right bytes and a history without fault.

`SEED=7 hack/simulate -k whatever` replays one schedule and tells its whole story.
"""

import os
import sys

import pytest

from tests.support.simulated.coverage import SEEDS
from tests.support.simulated.faults import catalogue
from tests.support.simulated.schedule import (
    A_FICKLE_MAP,
    A_LARGE_MAP,
    A_SLOW_WORKER,
    EVERYTHING,
    NOTHING,
    ONLY_THE_MASTER,
)
from tests.support.simulated.world import World

ONE = int(os.environ.get("SEED", "-1"))
CELLS = len(catalogue.CELLS)
MORE = 20
"""How many seeds more a fault and phase get that no schedule has shown."""


def play(coverage, seed, faults=EVERYTHING, name="whatever"):
    """Play one schedule and return its world; fail with its story if something is wrong."""
    world = World(seed, faults)
    wrong = ["the simulation raised an exception"]
    try:
        with coverage.playing(world):
            wrong = world.run()
    finally:
        if wrong or ONE >= 0:
            sys.stdout.write(world.told(whole=ONE >= 0))
            sys.stdout.write(f"replay it with: SEED={seed} hack/simulate -k '{name}'\n")
    assert wrong == [], f"seed {seed}"
    return world


def of_fault(fault):
    """Return the seeds whose schedules wait for a phase with this fault."""
    return [seed for seed in range(SEEDS) if catalogue.CELLS[seed % CELLS][0] is fault]


SCHEDULES = [("one", [ONE])] if ONE >= 0 else [(fault.name, of_fault(fault)) for fault in catalogue.ALL]


@pytest.mark.parametrize("seeds", [pytest.param(seeds, id=name) for name, seeds in SCHEDULES])
def test_whatever_fails_the_output_is_right_and_the_history_is_sound(seeds, coverage):
    for seed in seeds:
        play(coverage, seed)


@pytest.mark.parametrize("fault", [pytest.param(fault, id=fault.name) for fault in catalogue.ALL] if ONE < 0 else [])
def test_each_fault_hits_in_each_phase_in_which_it_can_exist(fault, coverage):
    for cell in [cell for cell, (which, _) in enumerate(catalogue.CELLS) if which is fault]:
        phase = catalogue.CELLS[cell][1]
        # The schedules above may have shown it already; else here are more that wait for it.
        for seed in range(1_000_000 // CELLS * CELLS + cell, 2_000_000, CELLS)[:MORE]:
            if coverage.hits[fault.name, phase]:
                break
            play(coverage, seed)
        assert coverage.hits[fault.name, phase], phase


@pytest.mark.parametrize("seed", range(5))
def test_a_schedule_without_faults_ends_well(seed, coverage):
    play(coverage, seed, NOTHING, "without_faults")


@pytest.mark.parametrize("first", range(4))
def test_nothing_that_finished_runs_again_when_only_the_operator_dies(first, coverage):
    for seed in range(first, 40, 4) if ONE < 0 else [ONE]:
        play(coverage, seed, ONLY_THE_MASTER, "only_the_operator")


@pytest.mark.parametrize("first", range(4))
def test_two_outputs_of_one_map_are_never_mixed(first, coverage):
    for seed in range(first, 60, 4) if ONE < 0 else [ONE]:
        play(coverage, seed, A_FICKLE_MAP, "never_mixed")


@pytest.mark.parametrize("first", range(4))
def test_of_two_attempts_that_race_one_counts(first, coverage):
    for seed in range(first, 60, 4) if ONE < 0 else [ONE]:
        play(coverage, seed, A_SLOW_WORKER, "that_race")


def test_a_map_that_needs_a_worker_of_its_own_gets_one_from_reduces_that_gather(coverage):
    for seed in range(20) if ONE < 0 else [ONE]:
        play(coverage, seed, A_LARGE_MAP, "reduces_that_gather")
