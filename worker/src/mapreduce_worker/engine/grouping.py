"""Rows in key order, one key after the other, each with an iterator over its values.

Whoever takes a key may read all of its values, some, or none; what is left is passed over. Values come by blocks, so
that a key may have more of them than memory. Caller: `reduce_task`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, compress, islice
from operator import ne
from typing import Any

from mapreduce_worker.engine.blocks import Rows

Decoder = Callable[[bytes], Any]


class Groups:
    """The groups of one attempt, to be gone through once."""

    def __init__(
        self, rows: Iterable[Rows], decoder: Callable[[], Decoder], key_of: Callable[[bytes], bytes] | None = None
    ) -> None:
        """`decoder` gives what decodes keys, and is asked where there are rows; `key_of` finds the key in a row's."""
        self._rows = iter(rows)
        self._decoder = decoder
        self._key_of = key_of
        self._keys: list[bytes] = []
        self._values: list[Any] = []
        self._pending = False
        """These rows are the next, and nobody has seen them."""
        self.fault: BaseException | None = None
        """What the rows raised: user code that reads values may have swallowed it."""

    def __iter__(self) -> Iterator[tuple[bytes, Any, Iterator[Any]]]:
        """Yield (encoded key, key, values); the values end with the next step, whoever still has them."""
        while self._advance():
            encoded, values = self._keys, self._values
            starts = [0, *compress(range(1, len(encoded)), map(ne, encoded, islice(encoded, 1, None)))]
            firsts = encoded if len(starts) == len(encoded) else [encoded[start] for start in starts]
            decoded = list(map(self._decoder(), firsts))
            group: Iterator[Any]
            for first, key, start, end in zip(firsts, decoded, starts, islice(starts, 1, None), strict=False):
                group = iter(values[start:end])
                yield first, key, group
                for _ in group:
                    pass
            # The last one may go on in the next block. A chain, as a generator could be closed by whoever hands it on
            # (`yield from`), and then nobody would know that there are more values.
            group = chain.from_iterable(self._on(starts[-1]))
            yield firsts[-1], decoded[-1], group
            for _ in group:
                pass

    def _on(self, start: int) -> Iterator[list[Any]]:
        """Yield the values from a place in this block on, then those of the same key in the blocks behind it."""
        key = self._keys[start]
        yield self._values[start:]
        while self._advance():
            end = bisect_right(self._keys, key)
            values = self._values[:end]
            if end < len(self._keys):
                self._keys, self._values, self._pending = self._keys[end:], self._values[end:], True
            yield values
            if self._pending:
                return

    def _advance(self) -> bool:
        """Take the next block, unless there is one that nobody has seen; tell whether there is any."""
        if self._pending:
            self._pending = False
            return True
        try:
            rows = next((rows for rows in self._rows if rows.count), None)
            if rows is None:
                return False
            self._keys = rows.keys if self._key_of is None else list(map(self._key_of, rows.keys))
            self._values = rows.unpacked()
        except BaseException as error:  # interrupted too: user code may swallow it, not who called it
            self.fault = error
            raise
        return True
