"""How people write a place on a volume: `pvc:CLAIM/path`, `configmap:NAME/pattern`. Pure."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from mapreduce_cli.cluster.problems import Refused

_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
KINDS: Final = ("pvc", "configmap")


class Place(msgspec.Struct, frozen=True):
    """kind: pvc or configmap. path: relative to the root of the volume; empty for the root itself."""

    kind: str
    name: str
    path: str

    def __str__(self) -> str:
        """Return it as people write it."""
        return f"{self.kind}:{self.name}/{self.path}"


def is_place(text: str) -> bool:
    """Tell whether the text means a volume rather than a file of this machine."""
    return text.partition(":")[0] in KINDS and ":" in text


def parse(text: str, kinds: tuple[str, ...] = KINDS) -> Place:
    """Read a place; raises `Refused`, which says what is wrong.

    A slash at the end stays: it says that the path is a folder.
    """
    kind, colon, rest = text.partition(":")
    if not colon or kind not in kinds:
        forms = " or ".join(f"{known}:NAME/path" for known in kinds)
        raise Refused(f"{text!r} is no place on a volume: write {forms}")
    name, _, path = rest.partition("/")
    if not _NAME.fullmatch(name):
        raise Refused(f"{text!r} names no {'claim' if kind == 'pvc' else 'ConfigMap'}: write {kind}:NAME/path")
    if path.startswith("/") or ".." in path.split("/") or "\0" in path:
        raise Refused(f"the path of {text!r} leaves the volume")
    parts = [part for part in path.split("/") if part not in ("", ".")]
    return Place(kind, name, "/".join(parts) + ("/" if path.endswith("/") and parts else ""))
