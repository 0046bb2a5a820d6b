"""A program's files on the disk of whoever runs it, and its side files where an `import` finds them.

    program-<digest>/job.py               the program itself
    program-<digest>-files/helper.py      its side files: modules, and data for `self.file`

Two folders, so that a program called `random.py` hides no module of that name. Neighbour: `program`.
"""

from __future__ import annotations

import importlib
import sys
from importlib.machinery import PathFinder, all_suffixes
from pathlib import Path
from typing import Final

from mapreduce.errors import ProgramError
from mapreduce.program import MAX_SOURCE_BYTES, Program
from mapreduce_worker.engine import durable
from mapreduce_worker.engine.failure import PROGRAM_FOLDER

_SIDE: Final = "-files"
LIBRARIES: Final = frozenset(
    {"mapreduce", "mapreduce_cli", "mapreduce_operator", "mapreduce_worker"}
    | {"aiohttp", "isal", "kopf", "msgspec", "polars", "xxhash", "zstandard"}
    | {"click", "kubernetes", "rich", "urllib3", "websocket", "yaml"}
)
"""What any part of the system imports: their names are taken also where that part is not installed."""


def write(program: Program, scratch: Path) -> Path:
    """Write all files, unless they are there; return the program's own path. Raises `ProgramError`."""
    _check(program)
    for name, place in places(program, scratch).items():
        content = next(file.content for file in program.files if file.name == name)
        _write(Path(place), content)
    path = scratch / _folder(program) / program.file
    _write(path, program.source)
    return path


def places(program: Program, scratch: Path) -> dict[str, str]:
    """Return where the side files are, by name."""
    folder = scratch / (_folder(program) + _SIDE)
    return {file.name: str(folder / file.name) for file in program.files}


def let_import(program: Program, scratch: Path) -> None:
    """Put the side files in front of `sys.path`, and forget those of a program that was loaded before."""
    for name, module in list(sys.modules.items()):
        if _is_side_folder(Path(getattr(module, "__file__", None) or "").parent):
            del sys.modules[name]
    sys.path[:] = [entry for entry in sys.path if not _is_side_folder(Path(entry))]
    for file in program.files:
        _check_module(file.name)
    if program.files:
        sys.path.insert(0, str(scratch / (_folder(program) + _SIDE)))
        importlib.invalidate_caches()


def _folder(program: Program) -> str:
    return f"{PROGRAM_FOLDER}{program.digest[:16]}"


def _is_side_folder(path: Path) -> bool:
    return path.name.startswith(PROGRAM_FOLDER) and path.name.endswith(_SIDE)


def _write(path: Path, content: bytes) -> None:
    if not path.exists() or path.read_bytes() != content:
        path.parent.mkdir(parents=True, exist_ok=True)
        # What it holds is compared whenever it is used.
        with durable.replacing(path, sync=False) as file:
            file.write(content)


def _check(program: Program) -> None:
    names = [program.file, *(file.name for file in program.files)]
    for name in names:
        if Path(name).name != name or name in ("", ".", "..") or "\0" in name:
            raise ProgramError(f"a program's file is a bare name such as job.py, not {name!r}")
        if names.count(name) > 1:
            raise ProgramError(f"two files of the program have the name {name}")
    if program.size > MAX_SOURCE_BYTES:
        raise ProgramError(
            f"the program {program.file} has {program.size} bytes with its side files; at most {MAX_SOURCE_BYTES} "
            "are accepted"
        )


def _check_module(name: str) -> None:
    """Refuse a side file that would hide a module that others import, or be hidden by it."""
    stem, dot, suffix = name.partition(".")
    if dot + suffix in all_suffixes() and (whose := owner(stem)):
        raise ProgramError(f"the side file {name} has the name of a module of {whose}: give it another name")


def owner(stem: str) -> str:
    """Return in words whose module has this name already; empty if it is free.

    What may be imported later counts as what was imported before. Only folders of installed packages are searched:
    a side file may well lie on `PYTHONPATH` too, where its author works on it.
    """
    if stem in sys.stdlib_module_names:
        return "Python's own library"
    installed = [entry for entry in sys.path if Path(entry).name in ("site-packages", "dist-packages")]
    if stem in LIBRARIES or stem in sys.modules or PathFinder.find_spec(stem, installed) is not None:
        return "an installed package"
    return ""
