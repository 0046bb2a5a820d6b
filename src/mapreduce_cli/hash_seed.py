"""The hash seed that user code runs with: the same everywhere, since it iterates over sets.

Neighbours: `run.py` (--sequential) and `replay.py`, which run user code in their own process.
"""

from __future__ import annotations

import os
import sys


def fix() -> None:
    """Start this command again with the fixed hash seed, unless it has it."""
    if os.environ.get("PYTHONHASHSEED") == "0":
        return
    os.environ["PYTHONHASHSEED"] = "0"
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - there is no shell to want
