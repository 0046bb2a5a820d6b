"""`python -m mapreduce_worker`: one worker or one gateway, as the environment says.

Neighbours: `settings.py`, `agent.py` (role worker), `gateway/shell.py` (role gateway).
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import sys
import threading
from collections.abc import Callable, Sequence

from mapreduce import logs, starting
from mapreduce.errors import UsageError
from mapreduce_worker import settings as settings_module
from mapreduce_worker.newborn import Linked
from mapreduce_worker.settings import Settings

_log = logging.getLogger("mapreduce_worker")


def main() -> int:
    """Run until the job is over; return the exit status."""
    warm: list[Linked] = []
    try:
        settings = settings_module.read(os.environ)
        if settings.role == "worker":
            warm = _fork_slots(settings)
        _log_to_stderr()
        token = settings_module.token_source(settings)
    except (UsageError, OSError) as error:
        _log_to_stderr()
        _log.error("%s", error)
        return 2
    if settings.parent_fd is not None:
        _exit_with_parent(settings.parent_fd)
    return asyncio.run(_run(settings, token, warm))


def _log_to_stderr() -> None:
    logs.begin(os.environ.get("MAPREDUCE_LOG_FORMAT", "text"))
    logs.always(
        **{name: os.environ.get(f"MAPREDUCE_LOG_{name.upper()}", "") for name in ("job", "namespace", "worker")}
    )


def _fork_slots(settings: Settings) -> list[Linked]:
    """Fork the first process of each slot; before there are threads, a log, a token or a network."""
    with starting.imports():
        from mapreduce_worker.slots import pool, warm  # noqa: PLC0415 - a gateway has no use for it

    gc.freeze()
    return warm.fork(
        settings.slots, settings.scratch, pool.slot_environment(os.environ, settings.slots, settings.sharing)
    )


async def _run(settings: Settings, token: Callable[[], str], warm: Sequence[Linked]) -> int:
    # Each role brings libraries that the other has no use for.
    if settings.role == "worker":
        with starting.imports():
            from mapreduce_worker.agent import run_worker  # noqa: PLC0415 - see above

        gc.freeze()
        return await run_worker(settings, token, warm)
    with starting.imports():
        from mapreduce_worker.client import MasterClient  # noqa: PLC0415 - see above
        from mapreduce_worker.gateway.shell import run_gateway  # noqa: PLC0415 - see above

    gc.freeze()
    async with MasterClient(settings.master, token, settings.ca) as client:
        return await run_gateway(settings, client)


def _exit_with_parent(fd: int) -> None:
    """End this process as soon as the pipe's other end closes: the parent is gone, however it went.

    A thread of its own, so that a busy event loop does not keep an orphan alive.
    """

    def watch() -> None:
        while os.read(fd, 1):
            pass
        os._exit(1)

    os.set_inheritable(fd, False)
    threading.Thread(target=watch, name="parent", daemon=True).start()


if __name__ == "__main__":
    sys.exit(main())
