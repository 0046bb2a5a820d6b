"""A slot's process is asked where it is only while it lives: after that its number may be another process's."""

import asyncio
import os
from types import SimpleNamespace
from typing import Any

import pytest

from mapreduce_worker.core.events import LoadInSlot
from mapreduce_worker.slots import stacks
from mapreduce_worker.slots.slot import Slot, SlotConfig
from tests.support.outputs import attempt

PID = 4_000_000_000
"""No process has it."""


@pytest.mark.parametrize(("returncode", "signals"), [(None, [(PID, stacks.SIGNAL)]), (-9, []), (0, [])])
def test_only_a_process_that_has_not_ended_is_asked_where_it_is(tmp_path, monkeypatch, returncode, signals):
    sent = []
    monkeypatch.setattr(os, "kill", lambda pid, number: sent.append((pid, number)))

    async def ask():
        slot = Slot(0, SlotConfig(scratch=tmp_path, environment={}, post=lambda event: None))
        process: Any = SimpleNamespace(pid=PID, returncode=returncode)
        slot._process = process
        slot._task, slot._sent = LoadInSlot(0, attempt("load")), True
        slot.kill(attempt("load"), ask=True)

    asyncio.run(ask())
    assert sent == signals
