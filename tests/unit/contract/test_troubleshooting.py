"""docs/troubleshooting.md names every reason and no other, in words that the messages have."""

import re
from functools import cache

import pytest

from mapreduce.words import REASONS
from tests.support import documents

TEXT = (documents.ROOT / "docs/troubleshooting.md").read_text(encoding="utf-8")
ROWS = [
    row
    for table in re.findall(r"^\| you see .*\n\|[-|]+\n((?:\|.*\n)+)", TEXT, re.MULTILINE)
    for row in table.splitlines()
]
SEEN = [re.split(r"(?<!\\)\|", row)[1] for row in ROWS]
NO_REASONS = {"ErrImagePull", "ImagePullBackOff", "OOMKilled"}
"""Kubernetes' own words."""


@cache
def sources() -> str:
    """Return our code, with the pieces of each text joined."""
    roots = ("src", "operator/src", "worker/src")
    code = "\n".join(path.read_text() for root in roots for path in sorted((documents.ROOT / root).rglob("*.py")))
    return re.sub(r"\"\s*\n\s*f?\"", "", code)


def test_every_reason_is_there_and_no_other() -> None:
    calm = TEXT.partition("## No trouble at all")[2]
    named = set(re.findall(r"`([A-Z][a-z]+(?:[A-Z][a-z]+)*)`", "".join([*SEEN, calm])))
    phases = {"Waiting", "WorkersReady"}
    assert named - NO_REASONS - phases == set(REASONS)


def test_every_symptom_has_a_cause_something_to_look_at_and_something_to_do() -> None:
    assert len(ROWS) > 40
    for row in ROWS:
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]]
        assert len(cells) == 4, row
        assert all(cells), row


@pytest.mark.parametrize("words", sorted({words for seen in SEEN for words in re.findall(r"\*([^*]+)\*", seen)}))
def test_the_words_of_a_message_are_those_of_the_code(words: str) -> None:
    assert words in sources()
