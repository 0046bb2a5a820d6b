"""The output of `mapreduce run` on stdout: `mapreduce cat ./DIR`, without a cluster.

Neighbours: `cat.py` (calls it, and prints outputs on a cluster), `transfer.py` (reads the manifest), `decompress.py`.
"""

from __future__ import annotations

import hashlib
import os
from typing import Any

from mapreduce_cli.cluster import decompress, streams, transfer
from mapreduce_cli.cluster.problems import Broken


def is_folder(text: str) -> bool:
    """Tell whether the text means a folder of this machine: a path. A job's name has no slash."""
    return "/" in text or text in (".", "..")


def manifest(folder: str) -> dict[str, Any]:
    """Return what the manifest of an output says of it; raises `Refused`, `Broken`."""
    with streams.told():
        return transfer.read_manifest(folder)


def copy_out(folder: str, files: list[dict[str, Any]], write: transfer.Write, *, raw: bool) -> None:
    """Write the content of the data files in their order; raises `Refused`, or `Broken` where one is damaged."""
    for known in files:
        name = str(known["name"])
        reader, digest = decompress.reader(name, raw=raw), hashlib.sha256()
        with streams.told(), open(transfer.locate(folder, name), "rb") as file:
            while block := file.read(transfer.BLOCK):
                digest.update(block)
                for text in reader.feed(block):
                    write(text)
        reader.end()
        if known["checksum"] != f"sha256:{digest.hexdigest()}":
            raise Broken(f"{os.path.join(folder, name)} is not what the job wrote: its checksum is another one")
