"""Input files as bytes: which files match, and the bytes of the records that begin in a range.

A record ends with `\\n`; the last one of a file may lack it. A record belongs to the range in
which its first byte is, so ranges that meet give every record once. Callers: the gateway (for
planning, and to serve `/v1/input`), slots that share its disk, and `--sequential`.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Generator, Iterator, Sequence
from glob import glob, has_magic
from pathlib import Path
from typing import BinaryIO, Final

from mapreduce.plan import FileRange, ListedFile
from mapreduce.spec import MAX_RECORD_BYTES
from mapreduce_worker.engine import long_lines
from mapreduce_worker.engine.failure import InputChanged, InputNotFound, InputUnreadable
from mapreduce_worker.engine.long_lines import Chunk
from mapreduce_worker.engine.sparse import At

CHUNK: Final = 1 << 20
"""Bytes that are read at once."""
ANY_DEPTH: Final = "**"
_FOLDER: Final = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC
"""A folder that is only walked through: it need not be readable."""
_LINKED: Final = frozenset({errno.ELOOP, errno.ENOTDIR, errno.EMLINK})
"""How the systems say that a name was a link, or that a folder was."""
_NOT_WALKED: Final = frozenset({"", ".", ".."})
"""Names in a path that do not name what is below."""


def list_files(root: Path, patterns: Sequence[str], *, by_content: bool = False) -> list[ListedFile]:
    """Return the files below `root` that match, ordered by (position of the pattern, name as bytes).

    A pattern is a path relative to `root`, with `*`, `?`, `[…]` and `**` as in a shell: `**`, and wildcards after
    it, go into no linked folder, so that a link to a folder above ends nowhere. A folder
    stands for all files in it, at any depth. Names that begin with a dot or `_` are hidden from folders and
    wildcards, so that neither a job's staging folder nor what stands beside the data of an output is input: they
    match only where the pattern has that character itself. A file that two patterns match is listed once.
    `by_content`: identities are hashes of the content, for a ConfigMap.

    Raises `InputNotFound` if a pattern matches no file, `InputUnreadable` if a match is no
    regular file, one that says it is empty and is not, or a link that leaves `root`.
    """
    real_root = os.path.realpath(root)
    seen: set[str] = set()
    listing: list[ListedFile] = []
    folders: dict[str, str] = {}
    for pattern in patterns:
        base, paths = _match(root, pattern)
        if not paths:
            raise InputNotFound(f"no file matches {pattern!r}")
        found = [
            _listed(path, _name(path, base), (real_root, _resolved(root, path, folders)), by_content)
            for path in paths
            if path not in seen
        ]
        seen |= paths
        listing += sorted(found, key=lambda file: file.name.encode())
    return listing


def matching(root: Path, patterns: Sequence[str]) -> set[str]:
    """Return the paths of all that `list_files` would look at, unread; a pattern may match nothing."""
    return {path for pattern in patterns for path in _match(root, pattern)[1]}


def _match(root: Path, pattern: str) -> tuple[str, set[str]]:
    """Return the part of the pattern before its first wildcard, and the paths of all files that match."""
    steps = [step for step in pattern.split("/") if step not in ("", ".")]
    if ".." in steps or "\0" in pattern:
        raise InputUnreadable(f"the pattern {pattern!r} must not leave the input's root")
    fixed = 0
    while fixed < len(steps) and not has_magic(steps[fixed]):
        fixed += 1
    base = "/".join(steps[:fixed])
    paths: set[str] = set()
    for path in _expand(root, "", steps):
        if os.path.isdir(root / path):
            paths.update(_below(root, path))
        else:
            paths.add(path)
    return base, paths


def _expand(root: Path, base: str, steps: Sequence[str], *, anywhere: bool = False) -> Iterator[str]:
    """Yield what matches the steps below `base`; `anywhere`: a `**` came before."""
    if not steps:
        yield base
        return
    step, rest = steps[0], steps[1:]
    if step == ANY_DEPTH:
        if rest[:1] != [ANY_DEPTH]:
            yield from _at_any_depth(root, base, rest)
        else:
            yield from _expand(root, base, rest, anywhere=True)
        return
    for name in glob(step, root_dir=root / base):
        if has_magic(step) and is_hidden(name) and step[0] != name[0]:
            continue
        path = os.path.join(base, name)
        linked = anywhere and has_magic(step) and os.path.islink(root / path)
        if os.path.isdir(root / path):
            if not linked:
                yield from _expand(root, path, rest, anywhere=anywhere)
        elif not rest:
            yield path


def _at_any_depth(root: Path, base: str, rest: Sequence[str]) -> Iterator[str]:
    for here, folders, names in os.walk(root / base, onerror=_refuse):
        folders[:] = [name for name in folders if not is_hidden(name)]
        folder = "" if os.path.samefile(here, root) else os.path.relpath(here, root)
        if rest:
            yield from _expand(root, folder, rest, anywhere=True)
        else:
            yield from (os.path.join(folder, name) for name in names if not is_hidden(name))


def _below(root: Path, folder: str) -> Iterator[str]:
    for here, folders, names in os.walk(root / folder, onerror=_refuse):
        folders[:] = [name for name in folders if not is_hidden(name)]
        for name in names:
            path = os.path.join(here, name)
            if not is_hidden(name) and os.path.isfile(path):
                yield os.path.relpath(path, root)


def is_hidden(name: str) -> bool:
    """Tell whether folders and wildcards pass over this name."""
    return name.startswith((".", "_"))


def _refuse(error: OSError) -> None:
    raise InputUnreadable(f"the folder {error.filename} cannot be read: {error.strerror}")


def _name(path: str, base: str) -> str:
    return os.path.basename(path) if path == base else path.removeprefix(f"{base}/" if base else "")


def _resolved(root: Path, path: str, folders: dict[str, str]) -> str:
    """Return the path of a file without links; `folders` remembers those of folders."""
    folder, name = os.path.split(path)
    real = folders.get(folder)
    if real is None:
        real = folders[folder] = os.path.realpath(root / folder)
    full = os.path.join(real, name)
    return os.path.realpath(full) if os.path.islink(full) else full


def _listed(path: str, name: str, resolved: tuple[str, str], by_content: bool) -> ListedFile:
    """Return a file for the listing; `resolved`: the root and the file, without links."""
    real_root, real = resolved
    if os.path.commonpath((real_root, real)) != real_root:
        raise InputUnreadable(f"{path} is a link that leaves the input's root")
    try:
        path.encode()
        status = os.stat(real)
        if not stat.S_ISREG(status.st_mode):
            raise InputUnreadable(f"{path} is no regular file")
        if status.st_size == 0 and _has_content(real):
            raise InputUnreadable(f"{path} does not tell its size, as files of /proc do: copy it, and read the copy")
        # What changes when the content may have changed.
        mark = _content(real) if by_content else f"mtime:{status.st_mtime_ns}"
        return ListedFile(path, name, status.st_size, mark)
    except UnicodeEncodeError:
        raise InputUnreadable(f"the name {os.fsencode(path)!r} is not valid UTF-8: rename the file") from None
    except OSError as error:
        raise InputUnreadable(f"{path} cannot be read: {error.strerror}") from error


def _has_content(path: str) -> bool:
    """Tell whether a file that says that it is empty is none."""
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb", buffering=0) as file:
        return bool(file.read(1))


def _content(path: str) -> str:
    """Return the identity of a file that has the same content at other times: `sha256:<hex>`."""
    with open(path, "rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"


def read_range(
    root: Path, part: FileRange, max_record: int = MAX_RECORD_BYTES, *, skips: bool = False
) -> tuple[int, Iterator[Chunk]]:
    """Return the offset of the first record that begins in the range, and chunks that hold its records.

    The chunks of a range that is the whole file are all its bytes, and may end anywhere: in a file that is
    compressed, or is one record, there is no line to look for. So may those of an `exact` range, behind which an `At`
    and those of its tail may follow. Those of any other range are together whole records, and one of more than
    `max_record` bytes raises `RecordRefused`. Where the job `skips` bad records, who reads the records finds those that
    are too long: they have gaps, and one that is `long_lines.BEYOND` too long raises. The file is checked against the
    listing before the first chunk and after the last one: raises `InputChanged`, also from the iterator, if it is
    another, and `InputUnreadable`.
    """
    file = opened(root, part.file, part.start)
    try:
        if part.start == 0 and part.end >= part.file.size:
            return 0, _bytes(file, part.file, 0, part.file.size)
        if part.exact:
            return part.start, _exact(file, part)
        start = _boundary(file, part.start, part.file, max_record, skips)
        end = max(start, _boundary(file, part.end, part.file, max_record, skips))
    except BaseException:  # interrupted too: who is given no file closes none
        file.close()
        raise
    if skips:
        return start, long_lines.shortened(_bytes(file, part.file, start, end), max_record)
    return start, _records(file, part.file, (start, end), max_record)


def opened(root: Path, listed: ListedFile, at: int = 0) -> BinaryIO:
    """Open a file of the listing; raises `InputChanged` if it is another, and `InputUnreadable`.

    `at` is the offset to tell.
    """
    where = f"{listed.name}:{at}"
    try:
        file = _open(root, listed)
    except FileNotFoundError:
        raise InputChanged(f"{listed.name} was there when the job was planned, and is gone", where) from None
    except OSError as error:
        raise InputUnreadable(f"{listed.name} cannot be read: {error.strerror}", where) from error
    try:
        _check(file, listed, at)
    except BaseException:  # interrupted too: who is given no file closes none
        file.close()
        raise
    file.seek(0)
    return file


def _open(root: Path, listed: ListedFile) -> BinaryIO:
    """Open a file below `root`; a link is followed as long as what it points to is below `root` too.

    A path is walked name by name without following anything. Only where that meets a link is the path
    resolved, and walked again: a link put in place between the look and the opening is refused by the
    kernel. Raises `InputUnreadable` and `OSError`.
    """
    if "\0" in listed.path:
        raise InputUnreadable(f"{listed.path!r} is no path")
    names = listed.path.split("/")
    if not _NOT_WALKED.intersection(names):
        try:
            return _regular(_walked(root, names), listed)
        except OSError as error:
            if error.errno not in _LINKED:
                raise
    real_root = os.path.realpath(root)
    real = os.path.realpath(root / listed.path)
    if os.path.commonpath((real_root, real)) != real_root:
        raise InputUnreadable(f"{listed.name} is not inside the input's volume")
    return _regular(_walked(real_root, os.path.relpath(real, real_root).split(os.sep)), listed)


def _walked(root: str | Path, names: Sequence[str]) -> int:
    """Open what is at the end of these names below `root`, none of which may be a link."""
    *folders, name = names
    at = os.open(root, _FOLDER)
    try:
        for folder in folders:
            below = os.open(folder, _FOLDER | os.O_NOFOLLOW, dir_fd=at)
            os.close(at)
            at = below
        # Without O_NONBLOCK, a pipe put in the place of a file would hold the reader for ever.
        return os.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=at)
    finally:
        os.close(at)


def _regular(fd: int, listed: ListedFile) -> BinaryIO:
    """Return an open file, if it is a regular one."""
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise InputUnreadable(f"{listed.name} is no regular file")
    return os.fdopen(fd, "rb")


def _check(file: BinaryIO, listed: ListedFile, at: int) -> None:
    """Raise `InputChanged` if the file is not the listed one; `at` is the offset to tell."""
    status = os.fstat(file.fileno())
    if listed.identity.startswith("sha256:"):
        file.seek(0)
        found = f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"  # type: ignore[arg-type]
    else:
        found = f"mtime:{status.st_mtime_ns}"
    if status.st_size != listed.size or found != listed.identity:
        raise InputChanged(
            f"{listed.name} changed while the job ran: {status.st_size} bytes, {found}; "
            f"planned with {listed.size} bytes, {listed.identity}",
            f"{listed.name}:{at}",
        )


def _boundary(file: BinaryIO, at: int, listed: ListedFile, max_record: int, skips: bool) -> int:
    """Return where the first record begins that does not begin before `at`; the file's size if none does."""
    if at <= 0:
        return 0
    reach = max_record + long_lines.BEYOND
    file.seek(at - 1)
    position = at - 1
    while chunk := file.read(CHUNK):
        found = chunk.find(b"\n")
        if found >= 0:
            return position + found + 1
        position += len(chunk)
        if position - at > (reach if skips else max_record):
            refuse = long_lines.endless if skips else long_lines.too_long
            raise refuse(listed.name, _record_start(file, at, reach), max_record)
    return position if position > at - 1 else listed.size


def _record_start(file: BinaryIO, at: int, reach: int) -> int:
    """Return where the record begins that the byte before `at` belongs to; `at` if it is farther than `reach`."""
    end, lowest = at, max(0, at - reach)
    while end > lowest:
        begin = max(lowest, end - CHUNK)
        file.seek(begin)
        found = file.read(end - begin).rfind(b"\n")
        if found >= 0:
            return begin + found + 1
        end = begin
    return at if lowest else 0


def _bytes(file: BinaryIO, listed: ListedFile, start: int, end: int) -> Generator[bytes]:
    with file:
        yield from _span(file, listed, start, end)
        _check(file, listed, start)


def _span(file: BinaryIO, listed: ListedFile, start: int, end: int) -> Generator[bytes]:
    at = start
    file.seek(at)
    while at < end:
        chunk = file.read(min(CHUNK, end - at))
        if not chunk:
            raise _shorter(listed, at)
        at += len(chunk)
        yield chunk


def _exact(file: BinaryIO, part: FileRange) -> Generator[Chunk]:
    size = part.file.size
    with file:
        if not 0 <= part.start <= part.end <= (part.tail or size) <= size:
            raise InputUnreadable(f"{part.start} to {part.end}, and from {part.tail}, is no range of {part.file.name}")
        yield from _span(file, part.file, part.start, part.end)
        if part.tail:
            yield At(part.tail)
            yield from _span(file, part.file, part.tail, size)
        _check(file, part.file, part.start)


def _records(file: BinaryIO, listed: ListedFile, bounds: tuple[int, int], max_record: int) -> Iterator[bytes]:
    """Yield whole records, many at a time; raises for the first that is too long."""
    start, end = bounds
    at = start
    held: list[memoryview] = []
    size = 0
    for chunk in _bytes(file, listed, start, end):
        at += len(chunk)
        cut = len(chunk) if at == end else chunk.rfind(b"\n") + 1
        # A look into the chunk: what is cut off is copied once, where it is joined.
        view = memoryview(chunk)
        if cut:
            yield b"".join((*held, view[:cut]))
            held, size = [view[cut:]], len(chunk) - cut
        else:
            held.append(view)
            size += len(chunk)
            # One byte more, as it may be a carriage return that a line feed follows.
            if size > max_record + 1:
                raise long_lines.too_long(listed.name, at - size, max_record)


def _shorter(listed: ListedFile, at: int) -> InputChanged:
    message = f"{listed.name} became shorter while the job ran: it was planned with {listed.size} bytes"
    return InputChanged(message, f"{listed.name}:{at}")
