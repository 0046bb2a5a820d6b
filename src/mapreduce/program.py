"""A program as data: its file name, its source, and the digest that names it.

Nobody but a slot looks inside; operator, agent and gateway carry it as bytes.
"""

from __future__ import annotations

import hashlib

import msgspec

MAX_SOURCE_BYTES = 1 << 20
"""The largest program that is accepted: what a ConfigMap can hold."""


class Program(msgspec.Struct, frozen=True):
    """`file` is a bare file name such as `job.py`; `class_name` chooses among several jobs."""

    file: str
    source: bytes
    class_name: str = ""

    @property
    def digest(self) -> str:
        """The SHA-256 of name, class and source, in hexadecimal."""
        content = b"\0".join((self.file.encode(), self.class_name.encode(), self.source))
        return hashlib.sha256(content).hexdigest()


class Shape(msgspec.Struct, frozen=True):
    """What a slot found when it loaded the program."""

    class_name: str
    has_reduce: bool
    has_combine: bool
