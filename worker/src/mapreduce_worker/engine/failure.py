"""Failures of an attempt, and how they are told: `describe` turns an exception into an `ErrorInfo`.

The engine wraps whatever user code raises, or is at fault for, in a `UserTaskError` that knows
where it happened. Faults of the engine and of the machine come through as they are.
"""

from __future__ import annotations

import errno
import os
import re
import signal
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, NoReturn

import mapreduce
from mapreduce.errors import (
    CombineError,
    CorruptionError,
    InputError,
    MapReduceError,
    MixedKeyError,
    ProgramError,
    RecordError,
    RecordMalformedError,
    RecordTooLongError,
    SlotDamagedError,
    SystemFault,
    UnsupportedKeyError,
    UserError,
    ValueEncodingError,
)
from mapreduce.protocol import ErrorInfo

Kind = Literal["user", "disruption", "refused"]

PROGRAM_FOLDER: Final = "program-"
"""Programs are loaded from folders with names that begin so; people need not see them."""
MAX_FRAMES: Final = 20
MAX_TEXT: Final = 8000
"""Characters of a message or traceback that are kept."""
_MAX_SAID: Final = 2000
"""Those of what an exception says below its frames, which are what one looks for."""

_YIELDING: Final = {"map": "a record", "combine": "a key and its values", "reduce": "a key and its values"}
"""What yields pairs, and what it is called with."""
_CALLED_WRONGLY: Final = re.compile(r"\(\) (missing|takes|got) .*argument")
"""How Python says that a call does not fit a function."""
_OURS: Final = (f"{Path(__file__).parent.parent}{os.sep}", f"{Path(mapreduce.__file__).parent}{os.sep}")

_REASONS: Final[tuple[tuple[type[BaseException], str], ...]] = (
    (MixedKeyError, "MixedKeys"),
    (UnsupportedKeyError, "UnsupportedKey"),
    (ValueEncodingError, "ValueNotEncodable"),
    (RecordMalformedError, "RecordMalformed"),
    (RecordTooLongError, "RecordTooLong"),
    (RecordError, "RecordUndecodable"),
    (CombineError, "CombinerChangedKey"),
    (SlotDamagedError, "SlotDamaged"),
)


class UserTaskError(UserError):
    """The user's code or data is at fault: `__cause__` is what was raised, `where` tells at what."""

    def __init__(self, where: str, message: str) -> None:
        """Take the place (`file:offset`, or key and partition) and what to tell."""
        super().__init__(message)
        self.where = where


class RecordRefused(UserTaskError):
    """A record of the input is at fault: it will be tomorrow too, so that trying again cannot help."""


class TooManyBadRecords(RecordRefused):
    """The attempt alone has more bad records than the job may have: `__cause__` is what was wrong with the last."""


class _InputFault(InputError):
    """A fault of the input's files; `where` is the file and the offset, if one was being read."""

    def __init__(self, message: str, where: str = "") -> None:
        super().__init__(message)
        self.where = where


class InputNotFound(_InputFault):
    """No file matches a pattern."""


class InputUnreadable(_InputFault):
    """An input file cannot be read, or must not be."""


class InputDamaged(_InputFault):
    """A compressed or parquet input file is damaged, or cut short."""


class RecordTooLong(_InputFault):
    """A record of the input is too long; found where its file is divided, before any task reads it."""


class InputChanged(_InputFault):
    """An input file is not the one that was planned."""


class Interrupted(KeyboardInterrupt):
    """A signal ends this process: no fault of the user's code, which may have been at work when it came."""


class EngineFault(SystemFault):
    """The engine, or the disk beneath it, failed while it was at work for user code."""


@contextmanager
def own_work() -> Iterator[None]:
    """Mark work of the engine that is called from within a user's loop: what it raises is no fault of the user."""
    try:
        yield
    except MapReduceError:
        raise
    except Exception as error:  # the boundary between the user's loop and ours
        raise EngineFault(f"{type(error).__name__}: {error}") from error


def blame(error: BaseException, where: str, doing: str) -> NoReturn:
    """Raise `UserTaskError` for an error that came out of a call of user code.

    `doing` names the method, such as `map`. A fault that the engine raised beneath user code
    is raised as it is, and so is what comes from outside: a signal, the end of a generator.
    """
    if isinstance(error, UserTaskError) or _comes_from_outside(error):
        raise error
    if isinstance(error, MapReduceError) and not isinstance(error, UserError) and not _raised_by_user(error):
        raise error
    raise _users(error, where, doing) from error


def _comes_from_outside(error: BaseException) -> bool:
    """Tell whether user code has not raised this, whatever it was doing."""
    if isinstance(error, GeneratorExit):
        return not _raised_by_user(error)
    if isinstance(error, KeyboardInterrupt):
        # Where Python's own handler is in place, nobody can tell a signal from a `raise`.
        return isinstance(error, Interrupted) or signal.getsignal(signal.SIGINT) is signal.default_int_handler
    return False


def _users(error: BaseException, where: str, doing: str) -> UserTaskError:
    if isinstance(error, UserError):
        return UserTaskError(where, str(error))
    if doing in _YIELDING and isinstance(error, (TypeError, ValueError)) and not user_frames(error.__traceback__):
        if isinstance(error, TypeError) and _CALLED_WRONGLY.search(str(error)):
            return UserTaskError(where, f"{doing} is called with {_YIELDING[doing]}: {error}")
        return UserTaskError(where, f"{doing} must yield pairs (key, value): {error}")
    if isinstance(error, SystemExit):
        return UserTaskError(where, f"{doing} called sys.exit({error.code!r})")
    return UserTaskError(where, _one_line(error))


def call(method: Callable[[], None], name: str) -> None:
    """Call `setup` or `teardown`; what it raises is a `UserTaskError`."""
    try:
        method()
    except BaseException as error:  # noqa: BLE001 - the boundary to user code
        blame(error, name, name)


def describe(error: BaseException) -> ErrorInfo:
    """Return the failure as the user reads it, and as the master charges it."""
    if isinstance(error, UserTaskError):
        cause = error.__cause__ or error
        kind: Kind = "refused" if isinstance(error, RecordRefused) else "user"
        reason = "TooManyBadRecords" if isinstance(error, TooManyBadRecords) else _user_reason(cause)
        # Without a cause the engine itself found the fault: no line of the user's raised anything.
        shown = trace(error.__cause__) if error.__cause__ is not None else ""
        return _info(kind, reason, str(error), where=error.where, trace=shown)
    if isinstance(error, ProgramError):
        return _info("refused", "ProgramInvalid", str(error), trace=trace(error.__cause__) if error.__cause__ else "")
    if isinstance(error, InputError):
        known = isinstance(error, _InputFault)
        where = error.where if isinstance(error, _InputFault) else ""
        return _info("refused", type(error).__name__ if known else "InputUnreadable", str(error), where=where)
    if isinstance(error, UserError):
        return _info("user", _user_reason(error), str(error), trace=trace(error))
    if isinstance(error, CorruptionError):
        return _info("disruption", "SegmentUnreadable", str(error))
    if isinstance(error, SystemExit):
        return _info("user", "UserCodeFailed", f"the program called sys.exit({error.code!r})", trace=trace(error))
    if isinstance(error, MemoryError):
        return _info("user", "SlotOverMemory", "the attempt needs more memory than its slot has", trace=trace(error))
    return _fault(error)


def _fault(error: BaseException) -> ErrorInfo:
    origin = error.__cause__ if isinstance(error, EngineFault) and error.__cause__ else error
    if isinstance(origin, OSError):
        full = " (the scratch disk is full)" if origin.errno in (errno.ENOSPC, errno.EDQUOT) else ""
        return _info("disruption", "StorageFailed", f"{_one_line(origin)}{full}")
    text = "".join(traceback.format_exception(origin))
    return _info("disruption", "InternalError", _one_line(origin), trace=text[-MAX_TEXT:])


def _info(kind: Kind, reason: str, message: str, *, where: str = "", trace: str = "") -> ErrorInfo:
    return ErrorInfo(
        kind=kind,
        reason=reason,
        message=_sendable(message[:MAX_TEXT]),
        where=_sendable(where[:MAX_TEXT]),
        traceback=_sendable(trace),
    )


def _sendable(text: str) -> str:
    """Return the text with lone surrogates escaped: user code may put them anywhere, and UTF-8 has none."""
    return text.encode(errors="backslashreplace").decode()


def _user_reason(cause: BaseException) -> str:
    return next((reason for kind, reason in _REASONS if isinstance(cause, kind)), "UserCodeFailed")


def trace(error: BaseException) -> str:
    """Return the traceback from the first frame of the user's on; empty if none of the frames is the user's."""
    frames = user_frames(error.__traceback__)
    if not frames:
        return ""
    shown = [_renamed(frame) for frame in frames[-MAX_FRAMES:]]
    lines = ["Traceback (most recent call last):\n"]
    if len(frames) > MAX_FRAMES:
        lines.append(f"  … {len(frames) - MAX_FRAMES} frames left out\n")
    lines += traceback.format_list(shown)
    said = "".join(traceback.format_exception_only(error))
    lines.append(said if len(said) <= _MAX_SAID else f"{said[:_MAX_SAID]}…\n")
    text = "".join(lines)
    return text if len(text) <= MAX_TEXT else f"…{text[-MAX_TEXT:]}"


def user_frames(start: TracebackType | None) -> list[traceback.FrameSummary]:
    """Return the frames from the first that is neither the engine's nor the contract's on."""
    frames = traceback.extract_tb(start)
    for index, frame in enumerate(frames):
        if not (is_ours(frame.filename) or frame.filename.startswith("<frozen importlib")):
            return list(frames[index:])
    return []


def _raised_by_user(error: BaseException) -> bool:
    frames = traceback.extract_tb(error.__traceback__)
    return bool(frames) and not is_ours(frames[-1].filename)


def is_ours(filename: str) -> bool:
    """Tell whether a file of code is the worker's or the contract's."""
    return filename.startswith(_OURS)


def shown_path(filename: str) -> str:
    """Return the name under which people know a file of code."""
    path = Path(filename)
    return path.name if path.parent.name.startswith(PROGRAM_FOLDER) else filename


def _renamed(frame: traceback.FrameSummary) -> traceback.FrameSummary:
    name = shown_path(frame.filename)
    return traceback.FrameSummary(name, frame.lineno, frame.name, lookup_line=False, line=frame.line)


def _one_line(error: BaseException) -> str:
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
