"""The API server accepts every resource that the documents show, by all its rules."""

import pytest
import yaml

from tests.support import documents

RESOURCES = [
    pytest.param(block.text, id=f"{path.relative_to(documents.ROOT)}:{block.line}")
    for path in documents.covered()
    for block in documents.blocks(path.read_text(encoding="utf-8"))
    if block.language == "yaml" and not block.not_run and "kind" in (next(yaml.safe_load_all(block.text)) or {})
]


def test_there_are_some() -> None:
    assert len(RESOURCES) >= 3


@pytest.mark.parametrize("text", RESOURCES)
def test_a_resource_of_a_document_is_accepted(server, text: str) -> None:
    said = server.kubectl("create", "--dry-run=server", "--validate=strict", "-f", "-", stdin=text.encode())
    assert "created (server dry run)" in said
