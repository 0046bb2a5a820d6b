"""Counters: numbers that user code counts beside its pairs, `self.counters["skipped"] += 1`.

Each attempt counts on its own, from nothing; only what the attempt that counts has counted is added
up, so that a sum is exact after any failure, and the same in every mode.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Final

import msgspec

from mapreduce.errors import UserError

MAX_NAMES: Final = 50
"""Names in one job."""
MAX_LENGTH: Final = 100
"""Characters of a name."""
Counted = Annotated[dict[Annotated[str, msgspec.Meta(max_length=MAX_LENGTH)], int], msgspec.Meta(max_length=MAX_NAMES)]
"""What one attempt has counted, in a message; a worker's `Counters.checked` lets nothing else out."""
_LEAST, _MOST = -(2**63), 2**63 - 1


class CounterError(UserError):
    """A counter has a name or a value that no counter can have, or there are too many."""


class Counters(dict[str, int]):
    """What one attempt counts: 0 for every name that was not counted yet."""

    def __missing__(self, name: str) -> int:
        """Return 0; raises `CounterError` for a name that cannot be one."""
        _check_name(name)
        if len(self) >= MAX_NAMES:
            raise _too_many([*self, name])
        return 0

    def checked(self) -> dict[str, int]:
        """Return what was counted, in the order of the names; raises `CounterError` for what cannot travel."""
        for name in self:
            _check_name(name)
        return _checked(self)


def add(counted: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Return the sums, in the order of the names; raises `CounterError` for more than `MAX_NAMES`."""
    sums: dict[str, int] = {}
    for counters in counted:
        for name, value in counters.items():
            sums[name] = sums.get(name, 0) + value
    return _checked(sums)


def _checked(sums: Mapping[str, int]) -> dict[str, int]:
    if len(sums) > MAX_NAMES:
        raise _too_many(list(sums))
    for name, value in sums.items():
        if type(value) is not int:
            raise CounterError(
                f"the counter {name!r} is {value!r:.80}: a counter is an int, not {type(value).__name__}"
            )
        if not _LEAST <= value <= _MOST:
            raise CounterError(f"the counter {name!r} does not fit in 64 bits: {value}")
    return {name: sums[name] for name in sorted(sums)}


def _check_name(name: object) -> None:
    if type(name) is not str:
        raise CounterError(f"a counter's name is a str, not {type(name).__name__}: {name!r:.80}")
    if not 0 < len(name) <= MAX_LENGTH:
        raise CounterError(f"a counter's name has 1 to {MAX_LENGTH} characters, not {len(name)}: {name!r:.80}")
    try:
        name.encode()
    except UnicodeEncodeError:
        raise CounterError(f"the counter's name {name!r:.80} holds an unpaired surrogate") from None


def _too_many(names: list[str]) -> CounterError:
    shown = ", ".join(map(repr, names[-3:]))
    return CounterError(
        f"a job has at most {MAX_NAMES} counters, and counted under {len(names)} names, such as {shown}: "
        "what has many names is a key, to be yielded by map"
    )
