"""The tree of errors that cross a boundary of this project.

Every error says what is wrong, where, and what to do. The tree has three branches, because
three different people must act: the author of the job (`UserError`), whoever asked for
something that cannot be had (`UsageError`), and whoever runs the system (`SystemFault`).
"""

from __future__ import annotations


class MapReduceError(Exception):
    """The root: catch it to catch everything that this project raises on purpose.

    Its message says what is wrong, where, and what to do. Three branches tell who must act: `UserError` the author
    of the job, `UsageError` whoever asked for what cannot be had, `SystemFault` whoever runs the system. The classes
    below it are in `mapreduce.errors`, or where the table says.
    """


class UsageError(MapReduceError):
    """What was asked for cannot be done: refused before anything starts (exit status 2)."""


class InputError(UsageError):
    """The input is missing, unreadable, or changed while the job ran."""


class OutputError(UsageError):
    """The output exists already, or its name is taken by another job."""


class ProgramError(UsageError):
    """The program cannot be loaded: a syntax error, no job in it, or more than one."""


class UserError(MapReduceError):
    """The user's code, or the data that it produced, is at fault: charged to the task."""


class UnsupportedKeyError(UserError):
    """A key is of a type, or has a value, that has no place in the order of keys."""


class MixedKeyError(UserError):
    """Two keys of one step have different types."""


class ValueEncodingError(UserError):
    """A value cannot be carried from map to reduce."""


class RowTooLargeError(ValueEncodingError):
    """A key and its value have more bytes than can be carried; `key` is encoded."""

    def __init__(self, message: str, key: bytes) -> None:
        """Take what to tell, and the key."""
        super().__init__(message)
        self.key = key


class RecordError(UserError):
    """A record of the input cannot be decoded; names file and offset."""


class RecordMalformedError(RecordError):
    """A line of the input is not JSON, or a row is not CSV."""


class RecordTooLongError(RecordError):
    """A record of the input has more bytes than the job allows."""


class CombineError(UserError):
    """A combiner broke its contract: it must keep the key."""


class SlotDamagedError(UserError):
    """The program closed or overwrote what the process that runs it needs."""


class SystemFault(MapReduceError):
    """Neither the user's code nor the request is at fault."""


class CorruptionError(SystemFault):
    """Bytes that were read are not the bytes that were written."""


class ProtocolError(SystemFault):
    """The other side speaks another version, or said something that makes no sense."""


class InvalidTransition(SystemFault):
    """A state machine met an event that its table does not know; carries the history."""
