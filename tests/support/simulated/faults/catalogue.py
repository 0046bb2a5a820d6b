"""Every fault of the simulation, and every cell: a fault in a phase in which it can exist."""

from __future__ import annotations

from typing import Final

from tests.support.simulated.faults import api, data, links, masters, pods, user
from tests.support.simulated.faults.fault import Fault, Phase

ALL: Final[tuple[Fault, ...]] = (
    *pods.FAULTS,
    *masters.FAULTS,
    *api.FAULTS,
    *links.FAULTS,
    *data.FAULTS,
    *user.FAULTS,
)
CELLS: Final[tuple[tuple[Fault, Phase], ...]] = tuple((fault, phase) for fault in ALL for phase in fault.phases)


def named(name: str) -> Fault:
    """Return the fault of that name; raises `KeyError`."""
    for fault in ALL:
        if fault.name == name:
            return fault
    raise KeyError(name)
