"""Programs as they are named on the command line: a file with side files, or a module.

    job.py            the one job in a file
    job.py:Indexer    one of several
    pkg.jobs:Indexer  of a module that is installed where the workers run

Neighbours: `run.py` and `cluster/`.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from mapreduce.errors import ProgramError
from mapreduce.program import MAX_SOURCE_BYTES, Program, SideFile

_MODULE: Final = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")


def read(text: str, files: Iterable[str] = ()) -> Program:
    """Return the program that `text` names, with its side files; raises `ProgramError`."""
    path, class_name = _divide(text)
    side_files = tuple(_side_file(name) for name in files)
    if not os.path.exists(path) and not path.endswith(".py") and _MODULE.fullmatch(path):
        if side_files:
            raise ProgramError("--files goes with a program file; a module brings its own files")
        return Program(file="", source=b"", class_name=class_name, module=path)
    program = Program(file=Path(path).name, source=_content(path, "program"), class_name=class_name, files=side_files)
    _check(program)
    return program


def _divide(text: str) -> tuple[str, str]:
    """Return path or module, and class; a file whose name holds a colon is a file."""
    head, separator, tail = text.rpartition(":")
    if separator and tail.isidentifier() and not os.path.exists(text):
        return head, tail
    return text, ""


def _side_file(path: str) -> SideFile:
    return SideFile(Path(path).name, _content(path, "side file"))


def _content(path: str, what: str) -> bytes:
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            raise ProgramError(f"the {what} {path} is no regular file")
        with open(path, "rb") as file:
            # One byte too many is enough for the refusal.
            return file.read(MAX_SOURCE_BYTES + 1)
    except FileNotFoundError as error:
        raise ProgramError(f"the {what} {path} does not exist") from error
    except OSError as error:
        raise ProgramError(f"the {what} {path} cannot be read: {error.strerror}") from error


def _check(program: Program) -> None:
    names = [program.file, *(file.name for file in program.files)]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise ProgramError(f"two files of the program have the name {min(twice)}: they stand in one folder")
    if program.size > MAX_SOURCE_BYTES:
        raise ProgramError(
            f"the program {program.file} is too large with its files: at most {MAX_SOURCE_BYTES} bytes are accepted"
        )
