"""The `restricted` Pod Security Standard, as every Pod that we make keeps it, and the user of them all.

Without any client: the command line makes Pods so too. Neighbour: `pods.py`.
"""

from __future__ import annotations

from typing import Any, Final

USER: Final = 65532
"""The user and group of workers, gateways and helpers: what one writes the others can read. As in the images."""


def pod() -> dict[str, Any]:
    """Return the `securityContext` of a Pod."""
    return {
        "runAsNonRoot": True,
        "runAsUser": USER,
        "runAsGroup": USER,
        "fsGroup": USER,
        # A claim with many files is not walked again for every Pod.
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def container() -> dict[str, Any]:
    """Return the `securityContext` of a container."""
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
