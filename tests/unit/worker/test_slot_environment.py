"""What a slot process finds in its environment: its share of the cores, a fixed hash seed, none of our settings."""

import pytest

from mapreduce_worker.slots import pool


@pytest.mark.parametrize(
    ("cores", "slots", "threads"), [(8, 2, "4"), (8, 3, "2"), (2, 2, "1"), (1, 4, "1"), (8, 1, "8")]
)
def test_native_threads_of_a_slot_are_its_share_of_the_cores_and_at_least_one(monkeypatch, cores, slots, threads):
    monkeypatch.setattr(pool, "_cores", lambda: cores)
    assert pool.slot_environment({"POLARS_MAX_THREADS": "64"}, slots)["POLARS_MAX_THREADS"] == threads


@pytest.mark.parametrize(("workers", "threads"), [(1, "4"), (2, "2"), (8, "1")])
def test_workers_that_share_a_machine_share_its_cores(monkeypatch, workers, threads):
    monkeypatch.setattr(pool, "_cores", lambda: 8)
    assert pool.slot_environment({}, 2, workers)["POLARS_MAX_THREADS"] == threads


def test_the_hash_seed_is_fixed_and_the_workers_settings_stay_with_the_worker():
    inherited = {"PATH": "/bin", "PYTHONHASHSEED": "random", "MAPREDUCE_TOKEN_FILE": "/token", "MAPREDUCE_MASTER": "m"}
    environment = pool.slot_environment(inherited, 1)
    assert (environment["PATH"], environment["PYTHONHASHSEED"]) == ("/bin", "0")
    assert not [name for name in environment if name.startswith("MAPREDUCE_")]
