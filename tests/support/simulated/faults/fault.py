"""What a fault is: a name, the phases in which it can exist, and how it begins.

The modules beside this one hold the faults by what they hurt; `catalogue.py` lists them all.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Literal

import msgspec

if TYPE_CHECKING:
    from tests.support.simulated.world import World

Phase = Literal["start", "map", "early", "shuffle", "reduce", "publish", "over"]
"""early: maps run, and reduces gather what others have made."""
Group = Literal["workers", "gateways", "master", "network", "slots", "user", "api", "disks", "clocks"]

PHASES: Final[tuple[Phase, ...]] = ("map", "early", "shuffle", "reduce", "publish")
"""Where every fault hits that can exist there."""
PHASES_OF_JOBS: Final[tuple[Phase, ...]] = ("map", "shuffle", "reduce", "publish")
"""Those that docs/fault-matrix.md tells of: what hits early hits while maps run."""
WITH_TASKS: Final[tuple[Phase, ...]] = ("map", "early", "shuffle", "reduce")
IN_SLOTS: Final[tuple[Phase, ...]] = ("map", "early", "reduce")


class Fault(msgspec.Struct, frozen=True):
    """One kind of fault. `strike` begins it and tells whether it could.

    shows: that it began is no hit yet; whoever meets it says so (`World.hit`). ends: the job may fail or be
    deleted by it, so schedules hold it rarely.
    """

    name: str
    group: Group
    phases: tuple[Phase, ...]
    strike: Callable[[World], bool]
    shows: bool = False
    ends: bool = False
