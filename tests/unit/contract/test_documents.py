"""What the documents say of themselves holds: their links lead somewhere, their Python does what it shows."""

import re
from pathlib import Path
from typing import get_args

import pytest

from mapreduce.history import EventWord
from mapreduce.words import PHASES
from tests.support import documents, guide

GUIDE = documents.ROOT / "docs/writing-jobs.md"
REFERENCE = documents.ROOT / "docs/reference.md"


@pytest.mark.parametrize("path", documents.all_files(), ids=lambda path: str(path.relative_to(documents.ROOT)))
def test_every_link_within_the_repository_leads_to_a_file_and_a_heading(path: Path) -> None:
    assert documents.broken_links(path) == []


def test_the_python_of_the_guide_does_what_it_shows() -> None:
    said, compared = guide.run(documents.blocks(GUIDE.read_text(encoding="utf-8")), GUIDE.name)
    assert not said, "".join(said)
    assert compared > 20


def test_the_examples_of_the_docstrings_do_what_they_show() -> None:
    # `make verify` compares the reference with the docstrings, so that these are theirs.
    said, compared = guide.run(documents.blocks(REFERENCE.read_text(encoding="utf-8")), REFERENCE.name)
    assert not said, "".join(said)
    assert compared > 15


def test_every_block_of_the_guide_the_reference_and_the_tutorial_is_of_a_kind_that_is_run() -> None:
    for path in (GUIDE, REFERENCE, documents.ROOT / "docs/tutorial.md"):
        kinds = {block.language for block in documents.blocks(path.read_text(encoding="utf-8"))}
        assert kinds <= {"sh", "text", "python", "pycon"}, path


def first_cells(path: str, heading: str) -> set[str]:
    """Return the words in the first column of the first table of a document below a line that begins with `heading`."""
    text = (documents.ROOT / path).read_text(encoding="utf-8").partition(f"\n{heading}")[2]
    table = re.search(r"^\|.*?\n(?=[^|]|$)", text, re.DOTALL | re.MULTILINE)
    assert table is not None, path
    return {word for row in table[0].splitlines() for word in re.findall(r"`(\w+)`", row.split("|")[1])}


def test_every_event_of_a_history_is_explained_and_no_other() -> None:
    assert first_cells("docs/formats.md", "## History") == set(get_args(EventWord)) | {"event"}


def test_every_phase_of_a_job_is_explained_and_no_other() -> None:
    # Waiting is the command line's own word for a job without a status.
    assert first_cells("docs/command-line.md", "`mapreduce get") == {*PHASES, "Waiting"}
