"""Files and folders as one stream of frames, with checksums: both ends of a copy.

One end is imported by the command line, the other is this file's source, run in a Pod by an
interpreter that has nothing of ours: standard library only. Whatever is received has a hidden name
until all of it is there, on disk, and its checksums agree. Neighbours: `helper_pod.py` (starts the
other end), `copy.py` and `cat.py`.

A frame is a letter, the length of the payload (big-endian, 32 bits), the payload:
I what comes (JSON), K a folder (JSON), F a file begins (JSON), D bytes of it, E its SHA-256,
Z the end (JSON), X a refusal (JSON). JSON that is longer than a frame comes as M, M, …, and the rest
of it with its own letter.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import secrets
import shutil
import stat
import struct
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from typing import Any

HEADER = struct.Struct("!cI")
BLOCK = 1 << 20
LONGEST = 256 << 20
"""Bytes that a message of several frames may have: some hundred bytes for each of a million files."""
SUFFIX = ".copying"
"""Hidden names are `.NAME.RANDOM.copying`."""
STALE = 86_400.0
"""Seconds after which what a killed copy left is swept by the next to the same name."""
MANIFEST = "_manifest.json"
SEALED = re.compile(rb'(.*),\n "crc": ([0-9]{1,10})\n}\n', re.DOTALL)

Write = Callable[[bytes], Any]
Read = Callable[[int], bytes]
Frame = tuple[bytes, bytes]


class Refusal(Exception):
    """One end cannot go on: what is wrong and where, for people."""


def frame(kind: bytes, payload: bytes = b"") -> bytes:
    """Return a frame as bytes."""
    return HEADER.pack(kind, len(payload)) + payload


def message(kind: bytes, value: dict[str, Any]) -> bytes:
    """Return the frame, or the frames, whose payload is JSON."""
    payload = json.dumps(value).encode()
    last = max(0, len(payload) - 1) // BLOCK * BLOCK
    more = [frame(b"M", payload[at : at + BLOCK]) for at in range(0, last, BLOCK)]
    return b"".join([*more, frame(kind, payload[last:])])


def frames(read: Read) -> Iterator[Frame]:
    """Yield frames until Z, a message as one; raises `Refusal` for X, `EOFError` if the stream ends early."""
    held = bytearray()
    while True:
        kind, length = HEADER.unpack(exactly(read, HEADER.size))
        if length > BLOCK:
            raise EOFError(f"a frame of {length} bytes")
        payload = exactly(read, length)
        if kind == b"M":
            held += payload
            if len(held) > LONGEST:
                raise EOFError(f"a message of more than {LONGEST} bytes")
            continue
        if held:
            payload = bytes(held) + payload
            held.clear()
        if kind == b"X":
            raise Refusal(json.loads(payload)["message"])
        yield kind, payload
        if kind == b"Z":
            return


def exactly(read: Read, size: int) -> bytes:
    """Return `size` bytes; raises `EOFError`."""
    pieces = []
    while size:
        piece = read(size)
        if not piece:
            raise EOFError("the other side ended")
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


# --- sending -----------------------------------------------------------------------------


def send(source: str, write: Write) -> dict[str, Any]:
    """Send a file, or a folder with all below it; return what was sent. Raises `Refusal`, `OSError`."""
    if not os.path.exists(source):
        raise Refusal(f"{source} does not exist")
    whole = os.path.isdir(source)
    folders, files, skipped = list_below(source) if whole else ([], [""], [])
    return send_files(source, files, write, kind="folder" if whole else "file", folders=folders, skipped=skipped)


def send_files(
    root: str, files: list[str], write: Write, *, kind: str, folders: list[str], skipped: list[str]
) -> dict[str, Any]:
    """Send these files of a folder, in this order; an empty name is the root itself."""
    sizes = [os.stat(os.path.join(root, name) if name else root).st_size for name in files]
    facts = {"kind": kind, "files": len(files), "bytes": sum(sizes), "skipped": skipped}
    write(message(b"I", facts))
    for folder in folders:
        write(message(b"K", {"path": folder}))
    for name, size in zip(files, sizes, strict=True):
        _send_file(os.path.join(root, name) if name else root, name, size, write)
    write(message(b"Z", {}))
    return facts


def _send_file(path: str, name: str, size: int, write: Write) -> None:
    digest, sent = hashlib.sha256(), 0
    with open(path, "rb") as file:
        write(message(b"F", {"path": name, "size": size}))
        # One byte more than there should be tells of a file that grew, and no more than one is read.
        while sent <= size and (block := file.read(min(BLOCK, size + 1 - sent))):
            digest.update(block)
            sent += len(block)
            write(frame(b"D", block))
    if sent != size:
        raise Refusal(f"{path} changed while it was copied: it had {size} bytes")
    write(frame(b"E", digest.digest()))


def list_below(folder: str) -> tuple[list[str], list[str], list[str]]:
    """Return folders, regular files, and what is neither, relative to `folder`, in order."""
    folders: list[str] = []
    files: list[str] = []
    skipped: list[str] = []
    for path, names, others in os.walk(folder, onerror=_raise):
        names.sort()
        for name in list(names):
            full = os.path.join(path, name)
            if os.path.islink(full):
                # It may lead back to where we come from.
                names.remove(name)
                skipped.append(os.path.relpath(full, folder))
            else:
                folders.append(os.path.relpath(full, folder))
        for name in sorted(others):
            full = os.path.join(path, name)
            regular = os.path.exists(full) and stat.S_ISREG(os.stat(full).st_mode)
            (files if regular else skipped).append(os.path.relpath(full, folder))
    return folders, files, skipped


def _raise(error: OSError) -> None:
    raise error


# --- receiving ----------------------------------------------------------------------------


def receive(target: str, stream: Iterator[Frame], *, force: bool = False, progress: Write = len) -> dict[str, Any]:
    """Receive what the other end sends under the name `target`; return what came.

    `force`: a file that stands there is replaced, a folder is added to. Raises `Refusal`, `OSError`
    and `EOFError`, after which nothing has the final name that had not before.
    """
    kind, payload = next(stream)
    if kind != b"I":
        raise EOFError(f"the other side began with {kind!r}")
    facts: dict[str, Any] = json.loads(payload)
    _check_target(target, facts, force)
    folder, name = os.path.split(target)
    os.makedirs(folder or ".", exist_ok=True)
    _sweep(folder or ".", name)
    _check_room(folder or ".", facts["bytes"])
    stage = os.path.join(folder, f".{name}.{secrets.token_hex(4)}{SUFFIX}")
    try:
        if facts["kind"] == "folder":
            os.mkdir(stage)
        for kind, payload in stream:
            if kind == b"K":
                os.makedirs(_inside(stage, json.loads(payload)["path"]), exist_ok=True)
            elif kind == b"F":
                _receive_file(_inside(stage, json.loads(payload)["path"]), stream, progress)
        _place(stage, target, whole=facts["kind"] == "folder", force=force)
    finally:
        if os.path.isdir(stage) and not os.path.islink(stage):
            shutil.rmtree(stage, ignore_errors=True)
        else:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(stage)
    return facts


def _receive_file(path: str, stream: Iterator[Frame], progress: Write) -> None:
    digest = hashlib.sha256()
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path, "xb") as file:
        for kind, payload in stream:
            if kind == b"D":
                digest.update(payload)
                file.write(payload)
                progress(payload)
            elif kind == b"E" and payload == digest.digest():
                break
            else:
                raise Refusal(f"the checksum of {path} does not agree with that of the other side")
        file.flush()
        os.fsync(file.fileno())


def _check_target(target: str, facts: dict[str, Any], force: bool) -> None:
    if not os.path.lexists(target):
        return
    if not force:
        raise Refusal(f"{target} exists already; choose another name, or --force")
    if os.path.isdir(target) != (facts["kind"] == "folder"):
        there = "folder" if os.path.isdir(target) else "file"
        raise Refusal(f"{target} is a {there}, and what would be copied there is a {facts['kind']}")


def _check_room(folder: str, size: int) -> None:
    found = os.statvfs(folder)
    free = found.f_bavail * found.f_frsize
    if size > free:
        raise Refusal(f"{folder} has {free} bytes free, and {size} would be copied there")


def _inside(stage: str, name: str) -> str:
    """Return the path of a name that the other side chose, which must not leave the stage."""
    if not name:
        return stage
    if name.startswith("/") or ".." in name.split("/") or "\0" in name:
        raise Refusal(f"the other side sent the name {name!r}")
    return os.path.join(stage, name)


def _place_once(stage: str, target: str) -> None:
    """Give a file its final name, which nothing may have: unlike a rename, a link replaces nothing."""
    try:
        os.link(stage, target)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS):
            raise
        # A volume without hard links: a look just before is the best that is left.
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), target) from None
        os.rename(stage, target)


def _place(stage: str, target: str, *, whole: bool, force: bool) -> None:
    """Give what came its final name, each file whole."""
    if not whole and not force:
        _place_once(stage, target)
    elif not whole or not os.path.lexists(target):
        os.rename(stage, target)
    else:
        folders, files, _ = list_below(stage)
        for folder in folders:
            os.makedirs(os.path.join(target, folder), exist_ok=True)
        for name in files:
            os.replace(os.path.join(stage, name), os.path.join(target, name))
    _flush(os.path.dirname(target) or ".")


def _flush(folder: str) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sweep(folder: str, name: str) -> None:
    """Remove what copies to this name left that were killed a day ago or more."""
    for left in os.listdir(folder):
        if left.startswith(f".{name}.") and left.endswith(SUFFIX):
            path = os.path.join(folder, left)
            with contextlib.suppress(OSError):
                if time.time() - os.lstat(path).st_mtime > STALE:
                    shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)


# --- the end in the Pod -----------------------------------------------------------------------


def locate(root: str, path: str) -> str:
    """Return a path of the volume; raises `Refusal` if links lead out of it."""
    found = os.path.realpath(os.path.join(root, path))
    inside = os.path.realpath(root)
    if found != inside and not found.startswith(inside + "/"):
        raise Refusal(f"{path} leads out of the volume")
    return found


def read_manifest(folder: str) -> dict[str, Any]:
    """Return what the manifest of a job's output says of the job and its files. Raises `Refusal`, `OSError`."""
    try:
        with open(os.path.join(folder, MANIFEST), "rb") as file:
            manifest = json.loads(_checked(file.read()))
    except (FileNotFoundError, NotADirectoryError):
        raise Refusal(f"{folder} is no output of a job: it has no {MANIFEST}") from None
    return {name: manifest.get(name) for name in ("uid", "job", "output", "files")}


def send_output(folder: str, write: Write) -> None:
    """Send the manifest of a job's output, then its data files in their order."""
    manifest = read_manifest(folder)
    write(message(b"I", {"manifest": manifest}))
    for name in [str(known["name"]) for known in manifest["files"]]:
        path = locate(folder, name)
        _send_file(path, name, os.stat(path).st_size, write)
    write(message(b"Z", {}))


def _checked(document: bytes) -> bytes:
    """Return a manifest; see `mapreduce_worker.gateway.sealed`."""
    match = SEALED.fullmatch(document)
    if match is None or zlib.crc32(match[1]) != int(match[2]):
        raise Refusal(f"{MANIFEST} is damaged")
    return document


def main(task: dict[str, Any], read: Read, write: Write) -> int:
    """Do what the other end asks for: send, output or receive; return the exit status."""
    root = task["root"]
    try:
        path = locate(root, task["path"])
        if task["do"] == "send":
            send(path, write)
        elif task["do"] == "output":
            send_output(path, write)
        else:
            facts = receive(path, frames(read), force=task["force"])
            write(message(b"Z", facts))
    except (Refusal, OSError, EOFError) as error:
        said = f"{error.strerror}: {error.filename}" if isinstance(error, OSError) and error.filename else str(error)
        shown = said.replace(os.path.realpath(root) + "/", "").replace(os.path.realpath(root), "the volume")
        with contextlib.suppress(OSError):
            write(message(b"X", {"message": shown}))
        return 1
    return 0


if __name__ == "__main__":
    _out = sys.stdout.buffer

    def _write(data: bytes) -> None:
        _out.write(data)
        _out.flush()

    # As much as has come, rather than all that was asked for.
    _read: Read = sys.stdin.buffer.read1  # type: ignore[union-attr]  # a buffered reader has it
    sys.exit(main(json.loads(sys.argv[1]), _read, _write))
