"""Edits of product code that are made in memory, while the module is imported: nothing on the disk changes.

An edit names a function and a piece of its text. If the function is gone, or does not hold that piece
exactly once, the code has changed and the edit with it: `EditFailed` says so. Neighbours: `bugs.py` (the
edits), `play.py` (plants them in an interpreter of its own).
"""

from __future__ import annotations

import ast
import importlib.util
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, ModuleType
from typing import Any

import msgspec


class EditFailed(Exception):
    """The code that an edit is of is not what it was."""


class Edit(msgspec.Struct, frozen=True):
    """In `function` of `module` (`Class.method` for a method), `old` becomes `new`."""

    module: str
    function: str
    old: str
    new: str


def apply(source: str, edit: Edit) -> str:
    """Return the source of a module after one edit; raises `EditFailed`."""
    first, last = _lines_of(source, edit)
    lines = source.splitlines(keepends=True)
    text = "".join(lines[first:last])
    if (count := text.count(edit.old)) != 1:
        raise EditFailed(f"{edit.module}.{edit.function} holds {count} times, not once: {edit.old!r}")
    return "".join([*lines[:first], text.replace(edit.old, edit.new), *lines[last:]])


def edited(module: str, edits: Sequence[Edit]) -> str:
    """Return the source of a module after its edits, compiled once to see that it can be; raises `EditFailed`."""
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise EditFailed(f"there is no module {module}")
    with open(spec.origin, encoding="utf-8") as file:
        source = file.read()
    return _edited(source, spec.origin, module, edits)


def plant(edits: Sequence[Edit]) -> None:
    """Let every edited module be imported with its edits; raises `EditFailed` if one is imported already."""
    names = {edit.module for edit in edits}
    if there := sorted(names & sys.modules.keys()):
        raise EditFailed(f"imported before they could be edited: {there}")
    sys.meta_path.insert(0, _Finder(edits))


def _edited(source: str, origin: str, module: str, edits: Sequence[Edit]) -> str:
    for edit in edits:
        if edit.module == module:
            source = apply(source, edit)
    try:
        compile(source, origin, "exec")
    except SyntaxError as error:
        raise EditFailed(f"{module} cannot be compiled after its edits: {error}") from error
    return source


def _lines_of(source: str, edit: Edit) -> tuple[int, int]:
    """Return the lines of a function, from 0, the end excluded."""
    body: Sequence[ast.stmt] = ast.parse(source).body
    found: ast.stmt | None = None
    for name in edit.function.split("."):
        named = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
        found = next((node for node in body if isinstance(node, named) and node.name == name), None)
        if not isinstance(found, named):
            raise EditFailed(f"{edit.module} has no {edit.function}")
        body = found.body
    if found is None or found.end_lineno is None:
        raise EditFailed(f"{edit.module} has no {edit.function}")
    return found.lineno - 1, found.end_lineno


class _Loader(SourceFileLoader):
    """Reads the source and edits it; takes and leaves no compiled file."""

    edits: Sequence[Edit] = ()

    def get_code(self, fullname: str) -> CodeType | None:
        source = self.get_data(self.path).decode()
        text: Any = _edited(source, self.path, fullname, self.edits)
        return self.source_to_code(text, self.path)


class _Finder(MetaPathFinder):
    """Finds the edited modules; every other one is somebody else's to find."""

    def __init__(self, edits: Sequence[Edit]) -> None:
        self._edits = edits

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not any(edit.module == fullname for edit in self._edits):
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is None or spec.origin is None:
            return None
        loader = _Loader(fullname, spec.origin)
        loader.edits = self._edits
        return importlib.util.spec_from_file_location(fullname, spec.origin, loader=loader)
