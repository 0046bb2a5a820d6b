"""A slot stays within its memory whatever the input: what the engine takes beside an interpreter at rest."""

import sys
from pathlib import Path
from subprocess import run

import msgspec
import pytest

from mapreduce_worker.engine.options import SLOT_SHARE
from tests.support.memory_runs import INPUT, LINE, MEMORY, Grown

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("job", ["OneKey", "Through"])
def test_an_input_of_many_times_the_memory_is_spilled_and_streamed(tmp_path, job):
    command = [sys.executable, "-m", "tests.support.memory_runs", str(tmp_path), job]
    told = run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr
    grown = msgspec.json.decode(told.stdout, type=Grown)
    assert grown.rows == (INPUT // LINE if job == "Through" else 1)
    assert grown.spills > 0
    assert max(grown.map, grown.reduce, grown.merge) < SLOT_SHARE * MEMORY
