"""A session's bytes as the frames of a transfer, and what goes wrong with them in our words.

Neighbours: `session.py` (pieces of any size), `transfer.py` (frames).
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Protocol

from mapreduce_cli.cluster import transfer
from mapreduce_cli.cluster.problems import Broken, Refused


class Pipe(Protocol):
    """A program's standard streams; `Session` is one."""

    def write(self, data: bytes) -> None:
        """Send bytes to its stdin."""

    def read(self) -> bytes:
        """Return the next bytes of its stdout; nothing at the end."""

    def close(self) -> None:
        """Hang up."""


def frames(pipe: Pipe) -> Iterator[transfer.Frame]:
    """Yield the frames that the other end sends."""
    held = memoryview(b"")

    def read(size: int) -> bytes:
        nonlocal held
        if not held:
            held = memoryview(pipe.read())
        piece, held = bytes(held[:size]), held[size:]
        return piece

    return transfer.frames(read)


@contextlib.contextmanager
def told() -> Iterator[None]:
    """Turn what a transfer raises into problems that people can read."""
    try:
        yield
    except transfer.Refusal as refusal:
        raise Refused(str(refusal)) from refusal
    except EOFError as error:
        raise Broken(f"the transfer broke off: {error}", hint="try again; nothing has its final name") from error
    except BrokenPipeError:
        raise
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        raise Broken(f"{error.strerror or error}{where}") from error


def upload(pipe: Pipe, source: str, progress: transfer.Write) -> dict[str, object]:
    """Send a file or folder of this machine; return what the other end has. Raises `Problem`."""

    def write(data: bytes) -> None:
        pipe.write(data)
        if data[:1] == b"D":
            progress(data[transfer.HEADER.size :])

    answers = frames(pipe)
    with told():
        try:
            transfer.send(source, write)
        except Broken:
            # The other end hung up. If it said why, that is what matters.
            with contextlib.suppress(EOFError, Broken):
                next(answers)
            raise
        except (transfer.Refusal, OSError):
            pipe.close()
            raise
        _, payload = next(answers)
    facts: dict[str, object] = json.loads(payload)
    return facts


def download(pipe: Pipe, target: str, *, force: bool, progress: transfer.Write) -> dict[str, object]:
    """Receive a file or folder under a name of this machine; return what came. Raises `Problem`."""
    with told():
        return transfer.receive(target, frames(pipe), force=force, progress=progress)
