"""Where an object of the Kubernetes API is. Without any client: the command line names objects so too.

Neighbour: `client.py`, which asks for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

import msgspec

from mapreduce import words

_GROUPS: Final[Mapping[str, str]] = {
    "configmaps": "/api/v1",
    "events": "/api/v1",
    "persistentvolumeclaims": "/api/v1",
    "pods": "/api/v1",
    "deployments": "/apis/apps/v1",
    "networkpolicies": "/apis/networking.k8s.io/v1",
    "leases": "/apis/coordination.k8s.io/v1",
    "tokenreviews": "/apis/authentication.k8s.io/v1",
    words.PLURAL: f"/apis/{words.GROUP}/{words.VERSION}",
}


class Ref(msgspec.Struct, frozen=True):
    """Where an object, or a list of objects, is. An empty namespace means all of them, or a
    resource without namespaces; an empty name means the list."""

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
        parts = [_GROUPS[self.resource]]
        if self.namespace:
            parts += ["namespaces", quote(self.namespace, safe="")]
        parts += [self.resource]
        if self.name:
            parts += [quote(self.name, safe="")]
        if self.subresource:
            parts += [self.subresource]
        return "/".join(parts)
