"""A worker that is much slower than the others costs little: its tasks run a second time elsewhere."""

import functools

import msgspec

from tests.support import history_checker
from tests.support.simulated import verdict
from tests.support.simulated.schedule import A_SLOW_WORKER
from tests.support.simulated.world import World

CALMLY = msgspec.structs.replace(A_SLOW_WORKER, network=False)
SEEDS = range(12)


@functools.cache
def played(seed, *, speculation=True):
    """Play one schedule to its end; return the world."""
    world = World(seed, msgspec.structs.replace(CALMLY, speculation=speculation))
    assert world.run() == [], f"seed {seed}"
    return world


def test_a_slow_worker_costs_less_with_backups_than_without():
    with_backups = sum(played(seed).clock.now for seed in SEEDS)
    without = sum(played(seed, speculation=False).clock.now for seed in SEEDS)
    assert with_backups < 0.7 * without


def test_a_backup_runs_on_another_worker_and_each_task_has_one_at_a_time():
    backups = 0
    for seed in SEEDS:
        running: dict[str, dict[str, str]] = {}
        for event in verdict.events(played(seed)):
            runs = running.setdefault(event.get("task", ""), {})
            if event["event"] == "Assigned":
                assert event["worker"] not in runs.values()
                runs[event["attempt"]] = event["worker"]
                backups += event.get("reason") == "Speculative"
                assert len(runs) <= 1 + (event.get("reason") == "Speculative")
            elif event["event"] in ("Finished", "Failed", "Lost", "Cancelled"):
                runs.pop(event.get("attempt", ""), None)
    assert backups >= len(SEEDS)


def test_what_a_loser_made_is_gone_at_the_end():
    lost = 0
    for seed in SEEDS:
        world = played(seed)
        cancelled = {event["attempt"] for event in history_checker.named(verdict.events(world), "Cancelled")}
        lost += len(cancelled)
        hosts = [world.platform.host(seen.name) for seen in world.platform.seen() if seen.role == "worker"]
        kept = {str(attempt) for host in hosts for attempt in (*host.outputs, *host.parts)}
        assert kept & cancelled == set(), f"seed {seed}"
    assert lost >= len(SEEDS)
