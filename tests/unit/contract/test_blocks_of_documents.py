"""Every fenced block of the documents is run, looked at, or says why not."""

import re
from pathlib import Path

import pytest

from tests.support import blocks, documents, guide, tutorial
from tests.support.documents import Block
from tests.support.promtool import promtool

DOCUMENTS = documents.covered()
ALL = [(path, block) for path in DOCUMENTS for block in documents.blocks(path.read_text(encoding="utf-8"))]


def name(path: Path) -> str:
    return str(path.relative_to(documents.ROOT))


def block(language: str, text: str, not_run: str = "") -> Block:
    return Block(language, text, 1, "", not_run)


@pytest.mark.parametrize("path", DOCUMENTS, ids=name)
def test_every_block_is_right_or_says_why_nothing_looks_at_it(path: Path) -> None:
    found = documents.blocks(path.read_text(encoding="utf-8"))
    said = [f"{name(path)}:{one.line}: {what}" for one in found for what in blocks.wrong(one)]
    assert not said, "\n".join(said)


@pytest.mark.parametrize("path", DOCUMENTS, ids=name)
def test_every_block_is_fenced(path: Path) -> None:
    assert documents.indented(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=name)
def test_what_a_document_shows_as_printed_follows_the_commands_that_print_it(path: Path) -> None:
    tutorial.steps(documents.blocks(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    "path", sorted({path for path, one in ALL if one.language in {"python", "pycon"} and not one.not_run}), ids=name
)
def test_the_python_of_a_document_does_what_it_shows(path: Path) -> None:
    said, compared = guide.run(documents.blocks(path.read_text(encoding="utf-8")), path.name)
    assert not said, "".join(said)
    # The examples of the reference are those of the docstrings: `make verify` compares it with them.
    assert compared > {"docs/writing-jobs.md": 20, "docs/reference.md": 15}.get(name(path), -1)


@pytest.mark.parametrize("path", ["docs/writing-jobs.md", "docs/reference.md", "docs/tutorial.md"])
def test_every_block_of_the_guide_the_reference_and_the_tutorial_is_run(path: str) -> None:
    found = documents.blocks((documents.ROOT / path).read_text(encoding="utf-8"))
    assert {one.language for one in found} <= set(blocks.RUN)
    assert not any(one.not_run for one in found)


def test_the_queries_of_the_documents_are_such(tmp_path: Path) -> None:
    for _, one in ALL:
        if one.language == "promql" and not one.not_run:
            promtool("check", "rules", str(rules_of(tmp_path, one.text)))


def rules_of(folder: Path, text: str) -> Path:
    path = folder / "rules.yaml"
    path.write_text(blocks.queries(text), encoding="utf-8")
    return path


def test_a_query_that_is_none_is_told(tmp_path: Path) -> None:
    promtool("check", "rules", str(rules_of(tmp_path, "sum by (phase) (\n  mapreduce_jobs\n)\n\nrate(a[5m])\n")))
    with pytest.raises(AssertionError, match="parse error"):
        promtool("check", "rules", str(rules_of(tmp_path, "sum by (mapreduce_jobs\n")))


def test_each_reason_to_run_nothing_is_one_that_a_block_has() -> None:
    assert {one.not_run for _, one in ALL} - {""} == set(blocks.REASONS)


def test_documents_that_are_run_elsewhere_are_known_there() -> None:
    for document, test in blocks.RUN_BY.items():
        if (documents.ROOT / document).exists():
            assert Path(document).name in (documents.ROOT / test).read_text(encoding="utf-8"), test


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("make test E2E=1 && make nothing\n", "make has no target nothing"),
        ("mapreduce frobnicate x\n", "mapreduce has no command frobnicate"),
        ("cd x; mapreduce run a b \\\n  --outptu c\n", "mapreduce run has no option --outptu"),
        ("kubectl mapreduce get --wide\n", "mapreduce get has no option --wide"),
        ("helm install a b --set worker.picture=c\n", "the chart has no value worker.picture"),
        ("kubectl apply -f examples/none.yaml # a comment\n", "there is no file examples/none.yaml"),
    ],
)
def test_a_word_of_a_script_that_does_not_exist_is_told(script: str, said: str) -> None:
    assert blocks.wrong(block("sh", script, "needs a cluster")) == [said]


def test_what_stands_in_a_here_document_is_no_command() -> None:
    assert blocks.wrong(block("sh", "cat > a <<'END'\nmake nothing\nEND\nmake test\n")) == []


@pytest.mark.parametrize(
    ("language", "text", "said"),
    [
        ("", "some\n", "no.* looks at a block of language ''"),
        ("json", "{,}\n", "no JSON"),
        ("yaml", "kind: ConfigMap\napiVersion: v1\n", "ConfigMap has no metadata"),
        ("yaml", "worker: {picture: 1}\n", "worker.*picture"),
        ("yaml", "worker: {image: 1}\n", "worker.image: 1 is not of type 'string'"),
        ("yaml", "- 1\n", "neither a resource nor values"),
        ("text", "x\n", "'because' is no reason"),
    ],
)
def test_a_block_that_is_wrong_is_told(language: str, text: str, said: str) -> None:
    (found,) = blocks.wrong(block(language, text, "because" if language == "text" else ""))
    assert re.search(said, found)


def test_a_job_is_held_to_the_schema_of_the_resource() -> None:
    job = (documents.ROOT / "docs/resource.md").read_text(encoding="utf-8")
    (shown,) = [one.text for one in documents.blocks(job) if one.language == "yaml"]
    assert blocks.wrong(block("yaml", shown)) == []
    assert "'colour' was unexpected" in blocks.wrong(block("yaml", shown + "  colour: red\n"))[0]
    assert "order: 'Up'" in blocks.wrong(block("yaml", shown + "  order: Up\n"))[0]
    assert "'input'" in blocks.wrong(block("yaml", re.sub("  input:.*\n", "", shown)))[0]


def test_indented_blocks_are_found() -> None:
    text = "Some.\n\n    code\n\n```text\n\n    none\n```\n\n- item\n    goes on\n"
    assert documents.indented(text) == [3]
