"""Looks for the first schedule whose end shows that a bug is planted.

What counts is what the end shows: a wrong output, a history that breaks a rule, a job that does not end or
fails. The master's invariants are not checked meanwhile. Where no seed shows any of these, it counts that a
master broke over an event that its tables have no place for: in an operator that ends the job. A schedule that
any other exception broke off shows nothing. Neighbours: `play.py` imports this once the bug is planted;
`tests/simulation` plays the same schedules.
"""

from __future__ import annotations

from mapreduce.errors import InvalidTransition
from tests.support.simulated.schedule import KINDS
from tests.support.simulated.world import World


def find(first: int, limit: int) -> tuple[int, str, str]:
    """Return the first seed from `first` to before `limit` that shows something, what it shows, and the last
    exception beside.

    The seed is -1 where none shows anything.
    """
    broken, breaks, exception = -1, "", ""
    for seed in range(first, limit):
        for faults in KINDS:
            try:
                wrong = World(seed, faults, checked=False).run()
            except InvalidTransition as error:
                if broken < 0:
                    broken, breaks = seed, f"no other sign: the job breaks off: {error}"
            except Exception as error:  # noqa: BLE001 - that the code trips over its own bug is no finding here
                exception = f"{type(error).__name__}: {error}"
            else:
                if wrong:
                    return seed, wrong[0], exception
    return broken, breaks, exception
