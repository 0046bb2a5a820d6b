"""The files of a program ↔ the ConfigMap that holds them.

Text is under `data`; what is not UTF-8 is under `binaryData`, as base64. Pure, and without the
Kubernetes client. Neighbours: `programs.py` (finds the ConfigMap, keeps a copy).
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from mapreduce_operator.kube.errors import InvalidSpec


def files_of(config_map: Mapping[str, Any]) -> dict[str, bytes]:
    """Return what a ConfigMap holds, by key; raises `InvalidSpec` for binary data that is no base64."""
    files = {name: str(text).encode() for name, text in (config_map.get("data") or {}).items()}
    for name, content in (config_map.get("binaryData") or {}).items():
        try:
            files[name] = base64.b64decode(content, validate=True)
        except (TypeError, ValueError) as error:
            raise InvalidSpec(f"the key {name!r} of the program's ConfigMap: {error}") from error
    return files


def data_of(files: Mapping[str, bytes]) -> dict[str, dict[str, str]]:
    """Return the fields `data` and `binaryData` of a ConfigMap that holds these files."""
    data: dict[str, str] = {}
    binary: dict[str, str] = {}
    for name, content in files.items():
        try:
            data[name] = content.decode()
        except UnicodeDecodeError:
            binary[name] = base64.b64encode(content).decode()
    return {"data": data, "binaryData": binary}
