"""The compact protocol of Thrift, as much as a parquet file's footer and the headers of its pages need.

Bounded by its bytes: nothing is held that is not asked for, and whatever makes no sense raises `Malformed`.
Neighbours: `parquet_footer` and `parquet_pages`, which know what the fields mean.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

# The numbers of types, as the compact protocol has them.
INTEGERS: Final = frozenset({4, 5, 6})
"""Of 16, 32 and 64 bits."""
BINARY: Final = 8
LISTS: Final = frozenset({9, 10})
"""Lists, and sets."""
MAP: Final = 11
STRUCT: Final = 12
_BOOLS: Final = frozenset({1, 2})
_SIZES: Final = {1: 0, 2: 0, 3: 1, 7: 8, 13: 16}
"""Bytes of a field that has always as many: true, false, a byte, a double, a UUID."""
MAX_DEPTH: Final = 64
"""Structs, lists and maps within each other."""
_MOST_BITS: Final = 63


class Malformed(Exception):
    """The bytes are no Thrift."""


class Reader:
    """A place in some bytes, behind which something is read."""

    def __init__(self, data: bytes) -> None:
        """Begin at the first byte."""
        self._data = data
        self._at = 0

    @property
    def position(self) -> int:
        """The number of bytes that were read or passed over."""
        return self._at

    def fields(self) -> Iterator[tuple[int, int]]:
        """Yield the number and the type of each field of a struct; each is read, or skipped, before the next."""
        number = 0
        while head := self._byte():
            step, kind = head >> 4, head & 15
            number = number + step if step else self._signed()
            yield number, kind

    def integer(self, kind: int) -> int:
        """Return a field that must be an integer."""
        if kind not in INTEGERS:
            raise Malformed(f"type {kind} where a number must be")
        return self._signed()

    def structs(self, kind: int) -> Iterator[None]:
        """Yield for each struct of a field that must be a list of structs; its fields are read before the next."""
        if kind not in LISTS:
            raise Malformed(f"type {kind} where a list must be")
        count, element = self._list()
        if count and element != STRUCT:
            raise Malformed(f"a list of type {element} where structs must be")
        for _ in range(count):
            yield

    def require(self, kind: int, expected: int) -> None:
        """Raise `Malformed` if a field is not of the type that it must have."""
        if kind != expected:
            raise Malformed(f"type {kind} where {expected} must be")

    def skip(self, kind: int, depth: int = 0) -> None:
        """Pass over a field."""
        if depth > MAX_DEPTH:
            raise Malformed("too deep")
        if kind in _SIZES:
            self._pass(_SIZES[kind])
        elif kind in INTEGERS:
            self._varint()
        elif kind == BINARY:
            self._pass(self._varint())
        elif kind == STRUCT:
            for _, inner in self.fields():
                self.skip(inner, depth + 1)
        elif kind in LISTS:
            count, element = self._list()
            for _ in range(count):
                self._skip_element(element, depth + 1)
        elif kind == MAP:
            self._skip_map(depth + 1)
        else:
            raise Malformed(f"there is no type {kind}")

    def _skip_element(self, kind: int, depth: int) -> None:
        """Pass over an element of a list, where a bool has a byte of its own."""
        if kind in _BOOLS:
            self._pass(1)
        else:
            self.skip(kind, depth)

    def _skip_map(self, depth: int) -> None:
        count = self._bounded(self._varint())
        if count:
            kinds = self._byte()
            for _ in range(count):
                self._skip_element(kinds >> 4, depth)
                self._skip_element(kinds & 15, depth)

    def _list(self) -> tuple[int, int]:
        head = self._byte()
        count = head >> 4
        return self._bounded(self._varint() if count == 15 else count), head & 15

    def _bounded(self, count: int) -> int:
        # Every element takes a byte at least.
        if count > len(self._data) - self._at:
            raise Malformed(f"{count} elements in {len(self._data) - self._at} bytes")
        return count

    def _signed(self) -> int:
        number = self._varint()
        return number >> 1 ^ -(number & 1)

    def _varint(self) -> int:
        number = shift = 0
        while True:
            byte = self._byte()
            number |= (byte & 127) << shift
            if byte < 128:
                return number
            shift += 7
            if shift > _MOST_BITS:
                raise Malformed("a number of more than 64 bits")

    def _byte(self) -> int:
        if self._at >= len(self._data):
            raise Malformed("the bytes end too early")
        self._at += 1
        return self._data[self._at - 1]

    def _pass(self, count: int) -> None:
        self._at += count
        if self._at > len(self._data):
            raise Malformed("the bytes end too early")
