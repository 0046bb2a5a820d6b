"""The commands of the documents do what they show; their Python is run by the unit tests."""

import os
import sys
from pathlib import Path

import pytest

from tests.support import blocks, documents, tutorial

STEPS = {
    name: steps
    for path in documents.covered()
    if (name := str(path.relative_to(documents.ROOT))) not in blocks.RUN_BY
    and (steps := tutorial.steps(documents.blocks(path.read_text(encoding="utf-8"))))
}
"""The commands of each document that has some, but of those with a test of their own."""


def test_the_guide_and_the_front_page_are_among_them() -> None:
    assert len(STEPS["docs/writing-jobs.md"]) == 6
    assert "README.md" in STEPS


@pytest.mark.parametrize("name", STEPS)
def test_the_commands_of_a_document_do_what_it_shows(tmp_path: Path, name: str) -> None:
    # What a reader has who stands in a clone: nothing is written into these.
    for there in ("examples", "docs", "helm", "crds", ".venv"):
        (tmp_path / there).symlink_to(documents.ROOT / there)
    path = f"{Path(sys.prefix) / 'bin'}{os.pathsep}{os.environ['PATH']}"
    tutorial.run(STEPS[name], tmp_path, os.environ | {"PATH": path})
