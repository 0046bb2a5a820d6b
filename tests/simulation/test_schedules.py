"""Hundreds of schedules of faults, one a seed: each ends with the right bytes and a history without fault.

`SEED=7 pytest tests/simulation -k whatever -s` replays one schedule and tells its whole story.
"""

import os
import sys

import pytest

from tests.support.simulated.world import A_FICKLE_MAP, EVERYTHING, ONLY_THE_MASTER, Faults, World

SEEDS = int(os.environ.get("SEEDS", "300"))
ONE = int(os.environ.get("SEED", "-1"))
SCHEDULES = [[ONE]] if ONE >= 0 else [range(first, SEEDS, 20) for first in range(20)]


def play(seed, faults=EVERYTHING):
    """Play one schedule; fail with its story if something is wrong."""
    world = World(seed, faults)
    wrong = ["the simulation raised an exception"]
    try:
        wrong = world.run()
    finally:
        if wrong or ONE >= 0:
            story = world.story if ONE >= 0 else [line for line in world.story if " event " not in line]
            sys.stdout.write("".join(f"{line[:600]}\n" for line in story))
            sys.stdout.write(f"seed {seed}: replay it with SEED={seed}\n")
    assert wrong == [], f"seed {seed}"


@pytest.mark.parametrize("seeds", SCHEDULES)
def test_whatever_fails_the_output_is_right_and_the_history_is_sound(seeds):
    for seed in seeds:
        play(seed)


@pytest.mark.parametrize("seed", range(5))
def test_a_schedule_without_faults_ends_well(seed):
    play(seed, Faults(workers=False, gateways=False, master=False, network=False, slots=False, user=False))


@pytest.mark.parametrize("first", range(4))
def test_nothing_that_finished_runs_again_when_only_the_operator_dies(first):
    for seed in range(first, 40, 4):
        play(seed, ONLY_THE_MASTER)


@pytest.mark.parametrize("first", range(4))
def test_two_outputs_of_one_map_are_never_mixed(first):
    for seed in range(first, 60, 4):
        play(seed, A_FICKLE_MAP)
