"""The commands of docs/writing-jobs.md do what it shows; its Python is run by the unit tests."""

import os
import sys
from pathlib import Path

from tests.support import documents, tutorial


def test_the_commands_of_the_guide_do_what_it_shows(tmp_path: Path) -> None:
    text = (documents.ROOT / "docs/writing-jobs.md").read_text(encoding="utf-8")
    path = f"{Path(sys.prefix) / 'bin'}{os.pathsep}{os.environ['PATH']}"
    done = tutorial.run(tutorial.steps(documents.blocks(text)), tmp_path, os.environ | {"PATH": path})
    assert len(done) == 6
