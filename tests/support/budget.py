"""How many examples Hypothesis draws for a property.

`make test` draws few, always the same ones; `make properties`, which sets `EXAMPLES`, draws many
times as many, new ones each time. Neighbours: every test with a `@given`, `tests/unit/conftest.py`.
"""

from __future__ import annotations

import os
from typing import Final

from hypothesis import settings

TIMES: Final = int(os.environ.get("EXAMPLES", "0"))
"""How many times the count that a property names; 0 for the small run."""
SHARE: Final = 5
FEWEST: Final = 10
PLAIN: Final = 100
"""The count of a property that names none."""


def examples(count: int = PLAIN) -> settings:
    """Return the settings of a property that is worth `count` examples: a share of them in `make test`."""
    if TIMES:
        return settings(max_examples=count * TIMES, deadline=None)
    return settings(max_examples=max(FEWEST, count // SHARE), deadline=None, derandomize=True)
