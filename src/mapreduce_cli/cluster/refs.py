"""Where an object of the API is. Neighbours: `api.py`; every command names objects so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

import msgspec

from mapreduce import words

GROUPS: Final[Mapping[str, str]] = {
    "configmaps": "/api/v1",
    "events": "/api/v1",
    "persistentvolumeclaims": "/api/v1",
    "pods": "/api/v1",
    words.PLURAL: f"/apis/{words.GROUP}/{words.VERSION}",
}


class Ref(msgspec.Struct, frozen=True):
    """An object, or a list of objects. An empty namespace means all of them, an empty name the list."""

    resource: str
    namespace: str = ""
    name: str = ""
    subresource: str = ""

    def __str__(self) -> str:
        """Return `pods team-a/wordcount-0`, for messages."""
        return f"{self.resource} {'/'.join(part for part in (self.namespace, self.name, self.subresource) if part)}"

    @property
    def path(self) -> str:
        """The path of the URL."""
        parts = [GROUPS[self.resource]]
        if self.namespace:
            parts += ["namespaces", quote(self.namespace, safe="")]
        parts += [self.resource]
        if self.name:
            parts += [quote(self.name, safe="")]
        if self.subresource:
            parts += [self.subresource]
        return "/".join(parts)


def job(namespace: str, name: str = "") -> Ref:
    """Return where a job, or the list of a namespace's jobs, is."""
    return Ref(words.PLURAL, namespace, name)
