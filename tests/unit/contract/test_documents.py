"""What the documents say of themselves holds: their links lead somewhere, their Python does what it shows."""

from pathlib import Path

import pytest

from tests.support import documents, guide

GUIDE = documents.ROOT / "docs/writing-jobs.md"


@pytest.mark.parametrize("path", documents.all_files(), ids=lambda path: str(path.relative_to(documents.ROOT)))
def test_every_link_within_the_repository_leads_to_a_file_and_a_heading(path: Path) -> None:
    assert documents.broken_links(path) == []


def test_the_python_of_the_guide_does_what_it_shows() -> None:
    said, compared = guide.run(documents.blocks(GUIDE.read_text(encoding="utf-8")), GUIDE.name)
    assert not said, "".join(said)
    assert compared > 20


def test_every_block_of_the_guide_and_of_the_tutorial_is_of_a_kind_that_is_run() -> None:
    for path in (GUIDE, documents.ROOT / "docs/tutorial.md"):
        kinds = {block.language for block in documents.blocks(path.read_text(encoding="utf-8"))}
        assert kinds <= {"sh", "text", "python", "pycon"}, path
