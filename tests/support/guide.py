"""Runs the Python of a document: its blocks in one namespace, in their order, as a reader would type them.

A block ```python is run as it is; in a block ```pycon what stands behind `>>>` must print what is
shown. `…` stands for any text. Neighbour: `documents`.
"""

from __future__ import annotations

import ast
import doctest
import textwrap
from collections.abc import Iterable, Iterator

from tests.support.documents import Block

_FLAGS = doctest.ELLIPSIS


def run(blocks: Iterable[Block], name: str) -> tuple[list[str], int]:
    """Run the Python of these blocks; return what is not as it is shown, and how many results were compared."""
    examples = [example for block in blocks if not block.not_run for example in _examples(block)]
    test = doctest.DocTest(examples, {"__name__": "guide"}, name, name, 0, None)
    said: list[str] = []
    doctest.DocTestRunner(verbose=False, optionflags=_FLAGS).run(test, out=said.append, clear_globs=False)
    return said, sum(bool(example.want or example.exc_msg) for example in examples)


def _examples(block: Block) -> Iterator[doctest.Example]:
    if block.language == "pycon":
        text = block.text.replace("…", "...")
        for example in doctest.DocTestParser().get_examples(text, f"line {block.line}"):
            example.lineno += block.line - 1
            yield example
    elif block.language == "python":
        rows = block.text.split("\n")
        for node in ast.parse(block.text).body:
            begin = min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", []))])
            source = textwrap.dedent("\n".join(rows[begin - 1 : node.end_lineno]))
            yield doctest.Example(source, "", lineno=block.line + begin - 2)
