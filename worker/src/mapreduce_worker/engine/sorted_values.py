"""`sort_values`: the values of a key reach its reduce in their order, or in the opposite one.

What is shuffled then is no key but a pair (key, value), in the encoding of a tuple: sorting the pairs
sorts the values of each key. A pair goes where its key alone would go, and pairs with one key are one
group. The type of a pair is told as `str by int`, so that a mixture of values is found wherever a mixture
of keys is.
Neighbours: `tables`, `map_run`, `partitions`, `reduce_task`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from mapreduce import keys
from mapreduce.errors import MixedKeyError, UnsupportedKeyError
from mapreduce.keys import KeyType
from mapreduce_worker.engine.tables import KeyGuard, Mapper, Pairs


def split(pair_type: KeyType) -> tuple[KeyType, KeyType]:
    """Return the types of key and value of `str by int`."""
    key_type, _, value_type = pair_type.partition(keys.BY)
    return key_type, value_type


def key_of(pair_type: KeyType) -> Callable[[bytes], bytes]:
    """Return the function that finds the encoded key in an encoded pair."""
    as_tuple = _as_tuple(pair_type)
    return lambda encoded: keys.first_of(encoded, as_tuple)


def decoded(encoded: bytes, pair_type: KeyType) -> Any:
    """Return the user's key of a row, whether its type is `str` or `str by int`."""
    key_type, value_type = split(pair_type)
    return keys.decode(key_of(pair_type)(encoded) if value_type else encoded, key_type)


def key_in(pair_type: KeyType) -> Callable[[bytes], bytes]:
    """Return the function that finds what begins the encoded pairs of one key, and no other pair."""
    as_tuple = _as_tuple(pair_type)
    return lambda encoded: keys.first_in(encoded, as_tuple)


def _as_tuple(pair_type: KeyType) -> KeyType:
    return f"tuple[{','.join(split(pair_type))}]"


def paired(mapper: Mapper) -> Mapper:
    """Return the mapper with ((key, value), value) in place of (key, value)."""

    def pairs(found: Pairs) -> Iterator[tuple[Any, Any]]:
        for key, value in found:
            yield (key, value), value

    def mapped(record: Any) -> Pairs | None:
        found = mapper(record)
        return None if found is None else pairs(found)

    return mapped


class PairGuard(KeyGuard):
    """Checks that all keys have one type, and all values one."""

    def __init__(self, where: Callable[[], str], *, descending: bool = False, values_descend: bool = False) -> None:
        """Take what `KeyGuard` takes; `values_descend`: the largest value of a key comes first."""
        super().__init__(where, descending=descending)
        self._values_descend = values_descend

    def _type_of(self, key: Any) -> KeyType:
        user_key, value = key
        key_type = super()._type_of(user_key)
        try:
            value_type = keys.type_of(value)
        except UnsupportedKeyError as error:
            if type(value) is tuple:
                raise UnsupportedKeyError(f"with sort_values a value must be what a key may be: {error}") from None
            raise UnsupportedKeyError(
                "with sort_values a value must be what a key may be (str, bytes, bool, int, float or a tuple of "
                f"these), not {type(value).__name__}: {keys.short(value)}"
            ) from None
        return f"{key_type}{keys.BY}{keys.descending(value_type) if self._values_descend else value_type}"

    def _encoder(self, key_type: KeyType) -> Callable[[Any], bytes]:
        encode = keys.encoder(_as_tuple(key_type))

        def encode_pair(pair: Any) -> bytes:
            try:
                return encode(pair)
            except UnsupportedKeyError as error:
                keys.encode(pair[0])
                raise UnsupportedKeyError(f"with sort_values a value must be what a key may be: {error}") from error

        return encode_pair

    def _mixed(self, key: Any, actual: KeyType) -> MixedKeyError:
        key_type, value_type = map(keys.plain, split(actual))
        first_key, first_value = map(keys.plain, split(self.key_type))
        if key_type != first_key:
            return MixedKeyError(
                f"key {keys.short(key[0])} is {key_type}, but the first key, at {self.key_at}, is {first_key}"
            )
        return MixedKeyError(
            f"with sort_values all values have one type, but {keys.short(key[1])} is {value_type}, "
            f"and the first value, at {self.key_at}, is {first_value}"
        )
