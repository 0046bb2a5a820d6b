"""A map attempt: the records of a split become one map output file.

Records → pairs → a table (`tables`) → sorted runs when it is full → one file (`sorter`).
The file is a function of the split, the program, the number of partitions and `flush_bytes`:
running it with more or less memory gives the same rows and checksum.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import chain, groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, ClassVar, Final, NoReturn

from mapreduce import keys, partition_sizes, values
from mapreduce.api import Job
from mapreduce.errors import CombineError, RowTooLargeError
from mapreduce.ids import AttemptId
from mapreduce.protocol import MapOutput
from mapreduce.reducers import Reducer
from mapreduce.selection import Collect, Each, Unique
from mapreduce_worker.engine import blocks, failure, folding, partitions, quarantine, sorted_values, sorter, tables
from mapreduce_worker.engine.blocks import Rows
from mapreduce_worker.engine.distinct_table import DistinctTable
from mapreduce_worker.engine.first_pairs import FirstPairs
from mapreduce_worker.engine.fold_table import FoldTable
from mapreduce_worker.engine.heavy_keys import HeavyKeys
from mapreduce_worker.engine.instance import Instance, Progress
from mapreduce_worker.engine.options import TaskOptions
from mapreduce_worker.engine.ordered import Notes
from mapreduce_worker.engine.pair_table import PairTable
from mapreduce_worker.engine.quarantine import Quarantine
from mapreduce_worker.engine.record_loop import RecordLoop
from mapreduce_worker.engine.records import Batch
from mapreduce_worker.engine.sorter import Numbers, Sorter

_PUT_OUT: Final = (Each, Collect, Unique)
"""Reducers, by their exact types, that put out every value as it is; of any other nobody knows what becomes of it."""
_first, _second = itemgetter(0), itemgetter(1)


class MapRun:
    """One attempt over any batches of records."""

    by_record: ClassVar[bool] = True
    """The user's code takes one record at a time, so that one that is bad can be left out."""

    def __init__(self, job_class: type[Job], options: TaskOptions, out: Path, progress: Progress) -> None:
        """Make a fresh job; nothing of the user's is called yet but its constructor."""
        self._out = out
        self._options = options
        self._records = RecordLoop()
        self._user = Instance(job_class, options, self._records.place, progress)
        self._job = self._user.job
        self._reducer = folding.in_map(self._job)
        mapper = self._user_map()
        self.quarantine = Quarantine(options.skip_bad_records)
        if options.skip_bad_records and self.by_record:
            mapper = quarantine.skipping(mapper, self._admit(), self.quarantine, self._records, self._user)
        paired = sorted_values.paired if self._job.sort_values else sorter.unchanged
        self._first_pairs = FirstPairs(mapper)
        self._plain = paired(mapper)
        # Quarantine looks at every pair; where there are keys only, text is what is wanted.
        looks = not (options.skip_bad_records or self._keys_only())
        self._mapper = paired(self._first_pairs) if looks else self._plain
        self._guard = self._make_guard()
        # Where keys have a total order, nobody knows yet which reduce reads which.
        count = 1 if options.order == "total" else options.partitions
        self._divider = partitions.Divider(self._user, count)
        self._combines = self._job.combine is not None and self._reducer is None
        self._table = self._make_table(options.flush_bytes, options.memory)
        self._sorter = Sorter(
            out,
            partitions=count,
            memory=options.memory,
            codec=options.codec,
            fold=partial(folding.folded, reducer=self._reducer, blame=self._blame) if self._reducer else None,
            combine=self._combined if self._combines else None,
        )

    def _user_map(self) -> Callable[[Any], Any]:
        assert self._job.map is not None  # noqa: S101 - `program.load` refuses a job without one
        return self._job.map

    def _make_guard(self) -> tables.KeyGuard:
        where, job = self._records.where, self._job
        if not job.sort_values:
            return tables.KeyGuard(where, descending=job.descending)
        values_descend = job.sort_values == "descending"
        return sorted_values.PairGuard(where, descending=job.descending, values_descend=values_descend)

    def _keys_only(self) -> bool:
        return isinstance(self._job.reduce, Reducer) and self._job.reduce.keys_only

    def _admit(self) -> quarantine.Admit:
        job = self._job
        if self._keys_only():
            return quarantine.key
        put_out = job.combine is None and type(job.reduce) in _PUT_OUT
        return quarantine.pairs(self._reducer, sort_values=bool(job.sort_values), put_out=put_out)

    def _make_table(self, flush_bytes: int, memory: int) -> FoldTable | DistinctTable | PairTable | tables.GroupTable:
        if isinstance(self._reducer, Unique):
            look_back = self._records.look_back
            return DistinctTable(self._guard, memory // 3, self._spill_rows, self._hand_over, look_back)
        if self._reducer is not None:
            # An accumulator takes about three times what it counts for, and sorting again as much.
            limit = min(flush_bytes, memory // 6)
            return FoldTable(self._reducer, self._guard, limit, self._spill, self._hand_over, self._records.look_back)
        if not self._combines:
            return PairTable(self._guard, memory // 3, self._spill_rows)
        return tables.GroupTable(self._guard, flush_bytes, memory // 3, self._spill, self._flush)

    def run(self, batches_: Iterator[Batch], attempt: AttemptId) -> MapOutput:
        """Map everything, then write the output."""
        try:
            self._user.setup()
            count = self._records.run(batches_, self._consume, self._user.tell)
            with failure.own_work():
                self._empty()
                notes = self._make_notes(attempt.task.index)
                heavy = HeavyKeys(self._guard.key_type, by_value=bool(self._job.sort_values))
                with self._naming_rows():
                    index = self._sorter.finish(self._guard.key_type, self._guard.key_at, notes, heavy.note)
                sizes = [segment.length for segment in index.segments]
            counters = self._user.teardown()
        except BaseException:  # interrupted too: half an output stands nowhere
            self._out.unlink(missing_ok=True)
            raise
        finally:
            self._sorter.close()
        return MapOutput(
            attempt=attempt,
            checksum=index.checksum,
            rows=index.rows,
            size=self._out.stat().st_size,
            key_type=index.key_type,
            key_at=index.key_at,
            records=count,
            counters=counters,
            bad=self.quarantine.kept,
            sample=notes.sample if notes is not None else (),
            sizes=partition_sizes.pack(sizes),
            heavy=heavy.told(sum(sizes)),
            spills=self._sorter.spills,
        )

    def _make_notes(self, number: int) -> Notes | None:
        if self._options.order != "total":
            return None
        sorts, key_type = bool(self._job.sort_values), self._guard.key_type
        return Notes(self._options.samples, sorted_values.key_in(key_type) if sorts else sorter.unchanged, number)

    def _consume(self, part: Iterator[Any]) -> None:
        self._table.consume(self._mapper, part)
        if self._first_pairs.seen:
            self._mapper = self._plain

    # --- rows ---------------------------------------------------------------------

    def _empty(self) -> None:
        """Hand over all that is held."""
        if isinstance(self._table, (PairTable, DistinctTable)):
            self._table.empty()
        else:
            if isinstance(self._table, FoldTable):
                self._table.take_text()
            self._spill(self._table.take())

    def _spill_rows(self, encoded: list[bytes], rows: Rows) -> None:
        self._add(rows, self._divider.numbers(encoded, self._guard.key_type))

    def _hand_over(self, rows: Rows) -> None:
        self._add(rows, self._divider.of_rows(rows, self._guard.key_type))

    def _spill(self, rows: tables.Rows) -> None:
        """Hand the rows of a table to the sorter, each with its partition."""
        encoded, held = rows
        numbers = self._divider.numbers(encoded, self._guard.key_type)
        if self._reducer is not None:
            self._add(blocks.of_objects(encoded, held), numbers)
        else:
            keys_, packed, numbers = tables.flat(rows, numbers)
            self._add(blocks.of_packed(keys_, packed), numbers)

    def _flush(self, rows: tables.Rows) -> None:
        self._spill(rows)
        with self._naming_rows():
            self._sorter.flush()

    def _add(self, rows: Rows, numbers: Numbers) -> None:
        with self._naming_rows():
            self._sorter.add(rows, numbers)

    @contextmanager
    def _naming_rows(self) -> Iterator[None]:
        """Tell a row that is too large with its key: it may have come long before the current record."""
        try:
            yield
        except RowTooLargeError as error:
            key = sorted_values.decoded(error.key, self._guard.key_type)
            failure.blame(error, f"key {key!r:.80}, map", "map")

    def _blame(self, encoded: bytes, error: BaseException) -> NoReturn:
        """Raise what the reducer has raised where the values of a key met after some were spilled."""
        key = keys.decode(encoded, self._guard.key_type)
        failure.blame(folding.told(key, error), f"key {key!r:.80}, map", "map")

    # --- the user's combiner --------------------------------------------------------------

    def _combined(self, rows: Iterable[Rows]) -> Iterator[Rows]:
        """Call the combiner once a key. It may run in the midst of a record, which is none of its business."""
        flat = chain.from_iterable(zip(block.keys, block.values, strict=True) for block in rows)
        decode_key = keys.decoder(self._guard.key_type) if self._guard.key_type else None
        out: tuple[list[bytes], list[bytes]] = ([], [])
        with self._user.aside("combine"):
            for encoded, group in groupby(flat, _first):
                assert decode_key is not None  # noqa: S101 - there is a row, so there is a key type
                packed = self._combine(decode_key(encoded), encoded, map(values.decode, map(_second, group)))
                out[0].extend([encoded] * len(packed))
                out[1].extend(packed)
                if len(out[0]) >= blocks.MAX_ROWS:
                    yield blocks.of_packed(*out)
                    out = ([], [])
        yield blocks.of_packed(*out)

    def _combine(self, key: Any, encoded: bytes, group: Iterator[Any]) -> list[bytes]:
        packed: list[bytes] = []
        key_type = self._guard.key_type
        try:
            for new_key, value in self._job.combine(key, group) or ():
                if not tables.check_key(new_key, key_type, encoded):
                    raise CombineError(f"combine was given the key {key!r:.80} and yielded {new_key!r:.80}")
                packed.append(values.encode(value))
        except BaseException as error:  # noqa: BLE001 - the boundary to user code
            failure.blame(error, f"key {key!r:.80}, combine", "combine")
        return packed
