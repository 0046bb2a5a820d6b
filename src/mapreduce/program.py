"""A program as data: its file name, its source, and the digest that names it.

Nobody but a slot looks inside; operator, agent and gateway carry it as bytes.
"""

from __future__ import annotations

import hashlib

import msgspec

MAX_SOURCE_BYTES = 1 << 20
"""The largest program that is accepted: what a ConfigMap can hold."""


class SideFile(msgspec.Struct, frozen=True):
    """A file beside the program, by its bare name: a module that it imports, or data that it reads."""

    name: str
    content: bytes


class Program(msgspec.Struct, frozen=True):
    """`file` is a bare file name such as `job.py`; `class_name` chooses among several jobs.

    With `module`, a dotted name, the program is a module of the worker's own installation (its
    image), and `file` and `source` are empty.
    """

    file: str
    source: bytes
    class_name: str = ""
    files: tuple[SideFile, ...] = ()
    module: str = ""

    @property
    def size(self) -> int:
        """The bytes of source and side files, which `MAX_SOURCE_BYTES` bounds."""
        return len(self.source) + sum(len(file.content) for file in self.files)

    @property
    def digest(self) -> str:
        """The SHA-256 of everything that it is, each piece with its length, in hexadecimal."""
        digest = hashlib.sha256()
        names = (self.file.encode(), self.class_name.encode(), self.module.encode(), self.source)
        for piece in (*names, *(part for file in self.files for part in (file.name.encode(), file.content))):
            digest.update(len(piece).to_bytes(8, "big"))
            digest.update(piece)
        return digest.hexdigest()


class Shape(msgspec.Struct, frozen=True):
    """What a slot found when it loaded the program."""

    class_name: str
    has_reduce: bool
    has_combine: bool
