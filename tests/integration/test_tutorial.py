"""The first half of docs/tutorial.md does what it shows: from a fresh clone to a result on this machine."""

import shutil
from pathlib import Path

import pytest

from tests.support import documents, tutorial

LIMIT = 200.0
"""Seconds for all of it, on a machine that does much else; alone it takes 15 or so."""


@pytest.mark.feature("init, and the new job's test", "local")
@pytest.mark.timeout(LIMIT + 40)
def test_the_tutorial_does_what_it_shows_up_to_the_cluster(tmp_path: Path) -> None:
    environment = tutorial.environment(tmp_path, REPOSITORY=str(documents.ROOT))
    assert shutil.which("mapreduce", path=environment["PATH"]) is None
    cloning, *steps = tutorial.read(until=tutorial.CLUSTER)
    assert steps[0].commands == "make demo\n"
    tutorial.run([cloning], tmp_path, environment)
    tutorial.stand_in_for_setup(tmp_path / "mapreduce")
    tutorial.run(steps, tmp_path / "mapreduce", environment, patience=LIMIT)
