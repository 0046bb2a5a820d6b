"""What other distributions register for the tests of jobs: the contract imports none of them.

Callers: `comparison` (the engine), `frames` (Polars).
"""

from __future__ import annotations

from typing import Any, Final

GROUP: Final = "mapreduce.testing"
"""The group: `engine` is a `comparison.RunJob`, `frames` makes a frame of columns."""


def load(name: str) -> Any:
    """Return what an installed distribution registers under a name, or None."""
    # A quarter of what importing the contract takes, which every slot does, and only tests get here.
    from importlib import metadata  # noqa: PLC0415 - see above

    found = metadata.entry_points(group=GROUP, name=name)
    return next(iter(found)).load() if found else None
