"""What the documents say of themselves holds: their links lead somewhere, their tables are whole."""

import re
from pathlib import Path
from typing import get_args

import pytest

from mapreduce.history import EventWord
from mapreduce.words import PHASES
from tests.support import documents


@pytest.mark.parametrize("path", documents.all_files(), ids=lambda path: str(path.relative_to(documents.ROOT)))
def test_every_link_within_the_repository_leads_to_a_file_and_a_heading(path: Path) -> None:
    assert documents.broken_links(path) == []


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


def test_every_document_can_be_reached_from_the_index() -> None:
    docs = documents.ROOT / "docs"
    reached, to_read = set(), [docs / "README.md"]
    while to_read:
        page = to_read.pop()
        if page in reached or page.suffix != ".md" or not page.is_relative_to(docs):
            continue
        reached.add(page)
        links = documents.links(page.read_text(encoding="utf-8"))
        to_read += [(page.parent / link.partition("#")[0]).resolve() for link in links if "://" not in link]
    assert sorted(str(page.relative_to(docs)) for page in set(docs.rglob("*.md")) - reached) == []
