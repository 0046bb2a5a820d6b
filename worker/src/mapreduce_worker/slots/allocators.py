"""What becomes of memory that a slot or a merge has freed: kept for a while, as the next batch wants as much again.

By themselves both allocators soon give large pieces back to the kernel, which has to fill each page with zeros when it
is asked for the next time: a tenth of the time of sorting. Callers: `process`, `gateway.merge_process`. Neighbour:
`memory` (a slot's size).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
from typing import Final

from mapreduce.spec import MIB

LEAST: Final = 256 * MIB
"""Bytes of data that an attempt may hold, from which on there is room for what is kept: some tens of megabytes."""
MUCH: Final = 1024 * MIB
"""The same for all that is freed: a third more than otherwise."""
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_LARGEST: Final = 32 * MIB
"""The most for which glibc takes memory that it can keep (mallopt(3), `M_MMAP_THRESHOLD`)."""
_KEPT: Final = 64 * MIB
_JEMALLOC: Final = "_RJEM_MALLOC_CONF"
"""Where Polars' allocator looks for options, when it is loaded."""
_SECONDS: Final = "dirty_decay_ms:3000,muzzy_decay_ms:0"
_FOR_EVER: Final = "dirty_decay_ms:-1,muzzy_decay_ms:0"


def keep_freed(memory: int) -> None:
    """Keep freed memory where an attempt may hold so many bytes of data; Polars is not loaded yet."""
    if memory < LEAST:
        return
    os.environ.setdefault(_JEMALLOC, _FOR_EVER if memory >= MUCH else _SECONDS)
    # Another C library has no such function, and keeps what it likes.
    with contextlib.suppress(AttributeError, OSError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_MMAP_THRESHOLD, _LARGEST)
        mallopt(_TRIM_THRESHOLD, _KEPT)
