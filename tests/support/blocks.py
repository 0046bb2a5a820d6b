"""What every fenced block of a document is held to, beside those that are run; `documents.covered()` says where.

A block says its language, and each language has a check: `python` and `pycon` are run by `guide`, `sh` and the `text`
below it by `tutorial`, `promql` is for promtool; here are `yaml` and `json`, and the words of commands that are not
run. A block that no check fits says why in the line above it: `<!-- not run: REASON -->`, with a reason of `REASONS`.
"""

from __future__ import annotations

import itertools
import json
import re
import shlex
from collections.abc import Callable, Iterator
from typing import Any, Final

import click
import jsonschema
import yaml

from mapreduce import words
from mapreduce_cli.main import cli
from tests.support.documents import ROOT, Block

REASONS: Final = {
    "a picture": "It is for the eye.",
    "needs a cluster": "The tests have none where documents are run; that its words exist is looked at.",
    "changes this machine": "It sets up, builds or removes something for long; that its words exist is looked at.",
    "another system's": "A program or a command of something that this repository does not have.",
    "an example of what is printed": "Where something goes wrong, or at one moment.",
}
"""Why a block may be left out, each with what that means."""
RUN_BY: Final = {"docs/tutorial.md": "tests/e2e/test_tutorial.py", "docs/the-story.md": "tests/e2e/test_story.py"}
"""Documents whose commands need what their own tests have."""
CHART: Final = ROOT / "helm/mapreduce-operator"
RUN: Final = ("python", "pycon", "sh", "text", "promql")
_PATHS: Final = ("examples/", "helm/", "hack/", "docs/", "crds/")
_SPEAKERS: Final = frozenset({"mapreduce", "kubectl-mapreduce"})


def wrong(block: Block) -> list[str]:
    """Return what is wrong with a block that is not run, or cannot be."""
    if block.not_run and block.not_run not in REASONS:
        return [f"{block.not_run!r} is no reason of tests/support/blocks.py"]
    if block.language == "sh":
        return list(unknown_words(block.text))
    if block.not_run or block.language in RUN:
        return []
    check = _CHECKS.get(block.language)
    return [f"nothing looks at a block of language {block.language!r}"] if check is None else list(check(block.text))


def unknown_words(script: str) -> Iterator[str]:
    """Yield what a script names that does not exist: targets of make, commands, options, values, files of the tree."""
    for words_of in _commands(script):
        if words_of[0] == "make" and "-C" not in words_of:
            targets = {target for target in words_of[1:] if "=" not in target} - _targets()
            yield from (f"make has no target {target}" for target in sorted(targets))
        if words_of[0] in _SPEAKERS or words_of[:2] == ["kubectl", "mapreduce"]:
            yield from _unknown_to_click(words_of[1:] if words_of[0] in _SPEAKERS else words_of[2:])
        if words_of[0] == "helm":
            yield from _unknown_values(words_of)
        for word in words_of:
            if word.startswith(_PATHS) and not any(mark in word for mark in "*<>$") and not (ROOT / word).exists():
                yield f"there is no file {word}"


def _commands(script: str) -> Iterator[list[str]]:
    """Yield the words of each simple command; what stands in a here-document is none."""
    script = re.sub(r"<<-?\s*'?(\w+)'?(.*)\n(?:.*\n)*?\1(?:\n|$)", r"\2\n", script).replace("\\\n", " ")
    for line in script.split("\n"):
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        command: list[str] = []
        for word in [*lexer, ";"]:
            if set(word) <= set(";&|()"):
                if command:
                    yield command
                command = []
            elif command or not re.fullmatch(r"\w+=.*", word):
                command.append(word)


def _targets() -> set[str]:
    return set(re.findall(r"^([a-z][\w-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def _unknown_to_click(words_of: list[str]) -> Iterator[str]:
    name = words_of[0] if words_of else ""
    if not name or name.isupper() or name.startswith("-"):
        return
    command = cli.get_command(click.Context(cli), name)
    if command is None:
        yield f"mapreduce has no command {name}"
        return
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    asked = {word.partition("=")[0] for word in words_of[1:] if re.match(r"--?[a-z]", word)}
    yield from (f"mapreduce {name} has no option {option}" for option in sorted(asked - known - {"--help"}))


def _unknown_values(words_of: list[str]) -> Iterator[str]:
    """Yield what `--set` names that the chart has no value for."""
    for option, setting in itertools.pairwise(words_of):
        if option in {"--set", "--set-string", "--set-json"}:
            found = _values()
            for part in re.split(r"[.\[{]", setting.partition("=")[0]):
                if not isinstance(found, dict) or part not in found:
                    yield f"the chart has no value {setting.partition('=')[0]}"
                    break
                found = found[part]
                if found == {} or isinstance(found, list):
                    break


def _json(text: str) -> Iterator[str]:
    try:
        json.loads(text)
    except ValueError as error:
        yield f"no JSON: {error}"


def _yaml(text: str) -> Iterator[str]:
    """Look at resources, a MapReduceJob by its schema; and at a mapping that is none as values of the chart."""
    for document in yaml.safe_load_all(text):
        if not isinstance(document, dict):
            yield f"neither a resource nor values of the chart: {document!r:.60}"
        elif document.get("kind") == words.KIND:
            yield from _against(_closed(_resource_schema()), document)
        elif "kind" in document:
            yield from (
                f"{document['kind']} has no {name}" for name in ("apiVersion", "metadata") if name not in document
            )
        else:
            schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
            yield from _against(schema, _merged(_values(), document))


def _values() -> Any:
    return yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))


def _merged(below: Any, above: Any) -> Any:
    """Return values of the chart with some of them replaced, as helm does."""
    if not isinstance(below, dict) or not isinstance(above, dict):
        return above
    return below | {name: _merged(below.get(name), value) for name, value in above.items()}


def _resource_schema() -> dict[str, Any]:
    crd = yaml.safe_load((ROOT / "crds/mapreducejobs.yaml").read_text(encoding="utf-8"))
    (version,) = crd["spec"]["versions"]
    schema: dict[str, Any] = version["schema"]["openAPIV3Schema"]
    return schema


def _closed(schema: Any) -> Any:
    """Return the schema with nothing allowed that it does not name, as kubectl's validation has it."""
    if not isinstance(schema, dict):
        return schema
    closed = {name: _closed(value) for name, value in schema.items()}
    if "properties" in schema:
        closed["properties"] = {name: _closed(value) for name, value in schema["properties"].items()}
        if "metadata" in schema["properties"]:
            # Kubernetes' own, which the resource's schema only narrows.
            closed["properties"]["metadata"] = schema["properties"]["metadata"]
        closed.setdefault("additionalProperties", False)
    if schema.get("x-kubernetes-int-or-string"):
        closed["type"] = ["integer", "string"]
    return closed


def _against(schema: Any, document: Any) -> Iterator[str]:
    for error in jsonschema.Draft202012Validator(schema).iter_errors(document):
        yield f"{'.'.join(map(str, error.absolute_path)) or 'the whole'}: {error.message}"


def queries(text: str) -> str:
    """Return the queries of a block as a file of rules, which promtool reads; a blank line stands between two."""
    each = re.split(r"\n{2,}", text.strip())
    rules = [{"record": f"query:{number}", "expr": query} for number, query in enumerate(each)]
    return yaml.safe_dump({"groups": [{"name": "document", "rules": rules}]})


_CHECKS: Final[dict[str, Callable[[str], Iterator[str]]]] = {"yaml": _yaml, "json": _json}
