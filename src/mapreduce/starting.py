"""How a process of a run imports its libraries: soonest.

Used where a process starts, by `mapreduce_worker.__main__` and `mapreduce_cli.run`; never by what user
code imports.
"""

from __future__ import annotations

import contextlib
import gc
import os
from collections.abc import Iterator
from typing import Final

_AUTHORITIES: Final = "SSL_CERT_FILE"
"""Names the file of certificate authorities to OpenSSL, in place of the machine's."""


@contextlib.contextmanager
def imports() -> Iterator[None]:
    """Import in here what a process needs for all its life; no other thread may look at the environment.

    aiohttp makes a TLS context when it is imported and reads all authorities of the machine into it, 60
    of its 150 ms. Whoever speaks TLS in a run makes a context of its own, later, so that one is never
    used. And what is imported is no garbage, so nothing looks for any meanwhile.
    """
    before = os.environ.get(_AUTHORITIES)
    collects = gc.isenabled()
    os.environ[_AUTHORITIES] = os.devnull
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()
        if before is None:
            del os.environ[_AUTHORITIES]
        else:
            os.environ[_AUTHORITIES] = before
