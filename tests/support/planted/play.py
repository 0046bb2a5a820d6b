"""Plant one bug in this interpreter, look for it, and print what was found as one line of JSON.

    python -m tests.support.planted.play NAME FIRST LIMIT

NAME may be `nothing`: the code as it is. Neighbours: `table.py` starts one such interpreter a bug, since an edit
lasts as long as its interpreter.
"""

from __future__ import annotations

import importlib
import resource
import sys
from typing import Final

import msgspec

from tests.support.planted import bugs, patching

SECONDS: Final = 240
"""Of processor time, which one bug may take: it may make a schedule endless."""


def main() -> None:
    """Play the bug that is named."""
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, resource.getrlimit(resource.RLIMIT_CPU)[1]))
    name, first, limit = sys.argv[1:]
    if name != bugs.NOTHING:
        patching.plant(bugs.named(name).edits)
    # Not before: it imports the simulation, and with it the code that is edited.
    search = importlib.import_module("tests.support.planted.search")
    seed, found, broke_off = search.find(int(first), int(limit))
    sys.stdout.buffer.write(msgspec.json.encode({"seed": seed, "found": found, "broke_off": broke_off}) + b"\n")


if __name__ == "__main__":
    main()
