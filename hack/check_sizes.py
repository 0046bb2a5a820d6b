"""Fail where a module or a function has grown past its limit, or a package marker stands where none may.

Run by `hack/verify`. Median code is alike everywhere; the long tail is what readers pay for.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

ROOTS = ("src", "operator/src", "worker/src", "tests", "hack")
MODULE_LINES = 400
FUNCTION_LINES = 50


def main() -> int:
    findings = [*misplaced_markers(), *oversized()]
    for finding in findings:
        print(finding)
    return 1 if findings else 0


def misplaced_markers() -> Iterator[str]:
    """`operator` is a standard-library module too, and tests are imported by path."""
    if Path("operator/__init__.py").exists():
        yield "operator/__init__.py: it would shadow the standard library's operator module"
    for marker in sorted(Path("tests").rglob("__init__.py")):
        yield f"{marker}: tests are imported by path (--import-mode=importlib), without packages"


def oversized() -> Iterator[str]:
    for root in ROOTS:
        for path in sorted(Path(root).rglob("*.py")):
            yield from oversized_in(path)


def oversized_in(path: Path) -> Iterator[str]:
    text = path.read_text(encoding="utf-8")
    if (lines := text.count("\n")) > MODULE_LINES:
        yield f"{path}: {lines} lines, at most {MODULE_LINES}"
    for node in ast.walk(ast.parse(text, filename=str(path))):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        size = (node.end_lineno or node.lineno) - node.lineno + 1
        if size > FUNCTION_LINES:
            yield f"{path}:{node.lineno}: {node.name} has {size} lines, at most {FUNCTION_LINES}"


if __name__ == "__main__":
    sys.exit(main())
