"""The first slot processes of a worker: forked from it, before it imports what slots have no use for.

A slot that is started imports for a tenth of a second what the worker has imported already, and begins to
only when the worker can speak to the master. These are there sooner. The worker has one thread then, no
event loop, and has not read its token. A slot that takes the place of another is started (`slot.py`),
whatever the worker has become. Neighbours: `newborn.py`, `process.py` (what a slot runs), `pool.py`.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from mapreduce_worker import newborn
from mapreduce_worker.slots import process

PROCESS: Final = "mapreduce_worker.slots.process"


def fork(count: int, scratch: Path, environment: Mapping[str, str]) -> list[newborn.Linked]:
    """Fork so many slots, whose files are below `scratch`; fewer, or none, where that is not possible."""
    forked: list[newborn.Linked] = []
    if not newborn.possible():
        return forked
    with contextlib.suppress(OSError):
        # What stands in the way is told when the slots that are missing are started.
        folder = scratch / "slots"
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(count):
            forked.append(_fork(folder / f"{number}.log", folder / f"{number}.stacks", environment))  # noqa: PERF401 - some may have come before an error
    return forked


def _fork(log: Path, stacks: Path, environment: Mapping[str, str]) -> newborn.Linked:
    ours, theirs = socket.socketpair()
    agent = os.getpid()
    try:
        with theirs, log.open("ab") as printed:
            pid = os.fork()
            if pid == 0:
                _be(agent, theirs.fileno(), printed.fileno(), stacks, environment)
    except OSError:
        ours.close()
        raise
    return newborn.Linked(newborn.Child(pid), ours)


def _be(agent: int, channel: int, printed: int, stacks: Path, environment: Mapping[str, str]) -> None:
    """Be a slot; never returns."""
    try:
        newborn.begin("slot", environment, printed, {channel})
        _forget_network()
        sys.argv = [PROCESS, str(channel), str(agent), str(stacks.absolute())]
        process.main(sys.argv[1:])
    except BaseException:  # noqa: BLE001 - the end of a process, as the interpreter's own
        traceback.print_exc()
    finally:
        os._exit(1)


def _forget_network() -> None:
    """Let user code that imports aiohttp have its own: ours was imported without authorities, see `starting`."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "aiohttp"]:
        del sys.modules[name]
