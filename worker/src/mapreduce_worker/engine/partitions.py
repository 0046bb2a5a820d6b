"""Which partition each key of a table goes to: by the hash of the key, or by the user's `partition`.

A table is divided whenever it is full, so that how often the user's function is called depends on memory:
it may depend on key and number alone, it sees no record, and what it counts is refused.
Neighbours: `mapreduce.partitioning` (the hash), `map_run`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from mapreduce import keys
from mapreduce.keys import KeyType
from mapreduce.partitioning import hashes, partition_all
from mapreduce_worker.engine import failure, sorted_values
from mapreduce_worker.engine.blocks import Block, Rows
from mapreduce_worker.engine.failure import UserTaskError
from mapreduce_worker.engine.instance import Instance
from mapreduce_worker.engine.sorter import Numbers

if TYPE_CHECKING:
    import polars

SOME: Final = 4096
"""Keys of a column that are objects at once: few enough that each takes the memory of one before."""


class Divider:
    """Divides the keys of one attempt among `count` partitions."""

    def __init__(self, user: Instance, count: int) -> None:
        """Take the attempt's job."""
        self._user = user
        self._count = count
        self._partition: Callable[[Any, int], Any] | None = user.job.partition
        self._sorts = bool(user.job.sort_values)

    @property
    def divides(self) -> bool:
        """Tell whether `numbers` looks at keys."""
        return self._count > 1 or self._partition is not None

    def numbers(self, encoded: list[bytes], key_type: KeyType) -> list[int]:
        """Return the partition of each encoded key; with `sort_values` they are pairs. Nothing, if there is but one."""
        if not (encoded and self.divides):
            return []
        if self._sorts:
            encoded = list(map(sorted_values.key_of(key_type), encoded))
            key_type, _ = sorted_values.split(key_type)
        if self._partition is None:
            return partition_all(encoded, self._count)
        decode, known = keys.decoder(key_type), dict.fromkeys(encoded, 0)
        with self._user.aside("partition"):
            for key in known:
                known[key] = self._ask(decode(key))
        return [known[key] for key in encoded]

    def of_rows(self, rows: Rows, key_type: KeyType) -> Numbers:
        """Return the same of rows: as a column where they are one, and the keys' hashes divide them."""
        if not self.divides:
            return []
        if self._sorts or self._partition is not None or isinstance(rows, Block):
            return self.numbers(rows.keys, key_type)
        return by_hash(rows.key_series, self._count)

    def _ask(self, key: Any) -> int:
        assert self._partition is not None  # noqa: S101 - its only caller has looked
        where = f"key {key!r:.80}, partition"
        try:
            number = self._partition(key, self._count)
        except BaseException as error:  # noqa: BLE001 - the boundary to user code
            failure.blame(error, where, "partition")
        if type(number) is not int or not 0 <= number < self._count:
            raise UserTaskError(
                where,
                f"partition gave {number!r:.80} for the key {key!r:.80}: it must be an int from 0 to {self._count - 1}",
            )
        return number


def by_hash(keys: polars.Series, count: int) -> polars.Series:
    """Return the partition of each key of a column, which has some."""
    import polars  # noqa: PLC0415 - see `columns`

    some = [hashes(keys.slice(at, SOME).to_list()) for at in range(0, len(keys), SOME)]
    wide = polars.Series([b"".join(some)]).bin.reinterpret(
        dtype=polars.Array(polars.UInt64, len(keys)), endianness="big"
    )
    return (wide.explode() % count).cast(polars.UInt32)
