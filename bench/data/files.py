"""Input for the rows, made once and kept: below BENCH_DATA, or else /var/tmp/mapreduce-bench.

The name of what is kept holds its kind, its size, and a digest of the modules that make it: another generator makes
other files. `ensure` makes them in a process of its own, which leaves the caller as small as it was: a process's most
memory is that of its parent at least. Neighbours: `zipf.py`, `records.py`.
"""

from __future__ import annotations

import hashlib
import itertools
import multiprocessing
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import BinaryIO

from bench.data import records, zipf

SEED = 6
PROCESSES = 2
LEAST_BLOCK = 5_000_000
"""No block is smaller, so that one can tell how many to make."""
DOCUMENTS = 64
"""Files that a text is divided into, for the index."""
SMALL_FILE = 10_000
"""Bytes of a file where there are many, in the least."""

Block = Callable[[int, int], bytes]
BLOCKS: dict[str, Block] = {
    "text": zipf.block,
    "records": records.block,
    "uniform": records.uniform_block,
    "skewed": records.skewed_block,
}
"""One file each."""
PIECES: dict[str, Callable[[int], int]] = {
    "documents": lambda size: -(-size // DOCUMENTS),
    "small-files": lambda size: SMALL_FILE,
    "halves": lambda size: -(-size // 2),
}
"""Folders with the text in pieces of so many bytes, for a size of the whole."""


def root() -> Path:
    """Return the folder for input and for what is written, which is there from now on."""
    folder = Path(os.environ.get("BENCH_DATA") or "/var/tmp/mapreduce-bench")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def ensure(kind: str, size: int, folder: Path | None = None) -> Path:
    """Return the file or folder of a kind and about that size, made now if it is not there.

    Raises `KeyError` for an unknown kind, and `subprocess.CalledProcessError` where making it failed, for a full disk.
    """
    folder = folder or root()
    place = folder / f"{kind}-{size}-{SEED}-{generator_digest(kind)}{'.txt' if kind in BLOCKS else ''}"
    if not place.exists():
        source = ensure("text", size, folder) if kind in PIECES else place
        command = [sys.executable, "-m", "bench.data.files", kind, str(size), str(source), str(place)]
        subprocess.run(command, check=True)
    return place


def generator_digest(kind: str) -> str:
    """Return what tells this generator from earlier ones."""
    block = BLOCKS.get(kind, zipf.block)
    sources = [Path(sys.modules[block.__module__].__file__ or ""), Path(__file__)]
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:8]


def write(out: BinaryIO, blocks: Iterable[bytes], size: int) -> None:
    """Write the whole lines of the blocks, up to `size` bytes."""
    for made in blocks:
        out.write(made if len(made) <= size else made[: made.rfind(b"\n", 0, size) + 1])
        size = max(0, size - len(made))


def divide(source: BinaryIO, folder: Path, piece: int) -> None:
    """Write the lines of a file as files of `piece` bytes, each up to the end of a line."""
    folder.mkdir()
    for number in itertools.count():
        if not (content := source.read(piece)):
            return
        (folder / f"{number:05}.txt").write_bytes(content + source.readline())


def _make(kind: str, size: int, source: Path, place: Path) -> None:
    """Make it under another name, so that what has its name is whole."""
    unfinished = place.with_name(place.name + ".unfinished")
    if kind in BLOCKS:
        with unfinished.open("wb") as out, multiprocessing.Pool(PROCESSES) as pool:
            write(out, pool.imap(partial(BLOCKS[kind], SEED), range(size // LEAST_BLOCK + 1)), size)
    else:
        shutil.rmtree(unfinished, ignore_errors=True)
        with source.open("rb") as text:
            divide(text, unfinished, PIECES[kind](size))
    unfinished.rename(place)


if __name__ == "__main__":
    _make(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]), Path(sys.argv[4]))
