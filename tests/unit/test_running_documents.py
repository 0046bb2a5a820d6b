"""The checks of the documents find what is wrong in one."""

import os

import pytest

from tests.support import documents, guide, tutorial


def steps(text):
    return tutorial.steps(documents.blocks(text))


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        ("a\nb\n", "a\nb\n", True),
        ("a\n", "a\nb\n", False),
        ("a\nb\n", "a\n", False),
        ("… s\n", "1.5 s\n", True),
        ("… s\n", "1.5 s\nmore\n", False),
        ("…\nlast\n", "last\n", True),
        ("…\nlast\n", "one\ntwo\nlast\n", True),
        ("…\nlast\n", "one\nnot last\n", False),
        ("a.b\n", "axb\n", False),
        ("…\n", "", True),
    ],
)
def test_what_is_printed_is_compared_with_what_is_shown(shown, printed, same):
    assert tutorial.matches(shown, printed) is same


def test_steps_run_in_one_shell_one_after_the_other(tmp_path):
    done = tutorial.run(
        steps("```sh\nmade=1\ncd /\n```\n```sh\necho $made $PWD\n```\n```text\n1 /\n```"), tmp_path, os.environ
    )
    assert [one.printed for one in done] == ["", "1 /\n"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("```sh\ntrue\n```\n\n```sh\nfalse\necho not reached\n```", "exit 1: line 6: false"),
        ("```sh\necho 1\n```\n```text\n2\n```", "something else: line 2: echo 1"),
        ("```sh\necho 1\nfalse\n```\n```text\n2\n```", "exit 1: line 2"),
    ],
)
def test_a_step_that_fails_or_prints_something_else_is_told_with_its_line(tmp_path, text, said):
    with pytest.raises(AssertionError, match=said):
        tutorial.run(steps(text), tmp_path, os.environ)


def test_output_without_commands_is_an_error():
    with pytest.raises(ValueError, match="line 2"):
        steps("```text\nsome\n```")


def test_a_block_that_does_not_end_is_an_error():
    with pytest.raises(ValueError, match="line 2 does not end"):
        steps("```sh\ntrue\n")


def test_python_that_gives_something_else_is_told_with_its_line():
    said, compared = guide.run(documents.blocks("```python\nx = 1\n```\n\n```pycon\n>>> x\n2\n>>> x\n1\n```"), "a.md")
    assert compared == 2
    assert len([text for text in said if "Failed example" in text]) == 1
    assert any("line 6" in text for text in said)


def test_links_that_lead_nowhere_are_found(tmp_path):
    (tmp_path / "there.md").write_text("# There\n\n## A `b`, c\n\n## Twice\n\n## Twice\n\n```sh\n# no heading\n```\n")
    document = tmp_path / "a.md"
    document.write_text(
        "[1](there.md) [2](there.md#a-b-c) [3](there.md#twice-1) [4](https://example.com/x) [5](#own)\n\n# Own\n\n"
        "[6](gone.md) [7](there.md#no-heading) [8](#other) `[9](code.md)`\n\n    [10](block.md)\n"
    )
    assert documents.broken_links(document) == [
        "gone.md: there is no such file",
        "there.md#no-heading: there is no such heading",
        "#other: there is no such heading",
    ]
