"""Keys of many records, taken together: what `map` gives for a job that counts keys, or yields pairs of one value.

Loops in C count keys, or join them, fastest when they get many, and a record has few. So keys are taken from each
record in its turn and held until there are enough. A key that cannot be carried is found later then, but is told
as if each had been looked at where it came: with its own record, and before anything that happened after it.
Of pairs only the keys are gathered (decisions 0043, 0055, 0063). Neighbours: `fold_table` and `distinct_table` (what
takes the keys), `record_loop` (whose slices these are).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from typing import Any, Final

from mapreduce_worker.engine.tables import key_iterator

CHUNK: Final = 4096
"""Keys of a list that are taken as they are, at most."""
ENOUGH: Final = 512
"""Keys that are handed on together: strings that still lie in a core's own cache when they are."""
FIRST: Final = 32
"""The same, before anything is known of their length."""

Take = Callable[[list[Any]], int]
"""Takes keys; returns how many may come at once, or 0 if it refuses them and has taken none that is new."""


class Pump:
    """Takes keys from records, and hands them on in chunks."""

    def __init__(self, take: Take, careful: Callable[[list[Any]], None], look_back: Callable[[int], None]) -> None:
        """`careful` gets the keys of one record after the other, wherever `take` refuses a chunk.

        look_back: told before how many records ago that record was, and 0 in the end.
        """
        self._take = take
        self._careful = careful
        self._look_back = look_back
        self._keys: list[Any] = []
        self._ends: list[int] = []
        self._enough = FIRST

    def run(self, mapper: Callable[[Any], Any], records: Iterable[Any]) -> None:
        """Map records and hand on every key; what the mapper raises comes through."""
        keys, ends = self._keys, self._ends
        try:
            for record in records:
                found = mapper(record)
                if type(found) is list and len(found) <= CHUNK:
                    keys += found
                elif found is not None:
                    self._drain(key_iterator(found))
                ends.append(len(keys))
                if len(keys) >= self._enough:
                    self._hand_on()
        except (Exception, SystemExit):  # user code may raise anything
            # A key that came before this, and is a fault too, is the first one.
            self.hand_on()
            raise
        self._hand_on()

    def run_pairs(
        self, mapper: Callable[[Any], Any], records: Iterable[Any], value: Any, other: Callable[[Any, Any], Any]
    ) -> None:
        """Map records to pairs and hand on every key that comes with this value, the same object.

        `other` gets any other pair, and returns the value that is looked for from then on.
        """
        keys, wanted = self._keys, value
        flow = _Flow(mapper, keys, self._ends)
        pairs = chain.from_iterable(flow.run(records))
        try:
            while not flow.ended:
                for key, found in islice(pairs, self._enough):
                    if found is wanted:
                        # Not by a name of its own: the interpreter knows this form, and spares the call.
                        keys.append(key)
                    else:
                        wanted = other(key, found)
                if not flow.ended:
                    self._ends.append(len(keys))
                self._hand_on()
        except (Exception, SystemExit):  # user code may raise anything
            # As in `run`.
            self.hand_on()
            raise
        if flow.stopped is not None:
            raise flow.stopped

    def gather(self, key: Any) -> None:
        """Take a key of a pair that `other` got, as if it had come with the value that is looked for."""
        self._keys.append(key)

    def hand_on(self) -> None:
        """Hand on what is held, in the midst of a record."""
        self._ends.append(len(self._keys))
        self._hand_on()

    def _drain(self, found: Iterator[Any]) -> None:
        """Take all keys of one record, however many there are."""
        keys, ends = self._keys, self._ends
        while True:
            before, most = len(keys), self._enough
            keys.extend(islice(found, most))
            if len(keys) - before < most:
                return
            ends.append(len(keys))
            self._hand_on()

    def _hand_on(self) -> None:
        keys, ends = self._keys, self._ends
        try:
            if keys:
                if most := self._take(keys):
                    self._enough = min(8 * self._enough, ENOUGH, most)
                else:
                    self._one_by_one()
        finally:
            keys.clear()
            ends.clear()

    def _one_by_one(self) -> None:
        start = 0
        for index, end in enumerate(self._ends, 1):
            if end > start:
                self._look_back(len(self._ends) - index)
                self._careful(self._keys[start:end])
                start = end
        self._look_back(0)


class _Flow:
    """What `map` gives for each record, one record after the other; notes how many keys were held after each."""

    def __init__(self, mapper: Callable[[Any], Any], keys: list[Any], ends: list[int]) -> None:
        self._mapper = mapper
        self._keys = keys
        self._ends = ends
        self.ended = False
        """No record is left."""
        self.stopped: StopIteration | None = None
        """What `map` raised, or what it gave where it was asked for pairs: as it is, that comes through no generator
        and no chain. There `ended` is true."""

    def run(self, records: Iterable[Any]) -> Iterator[Iterator[Any]]:
        mapper, keys, ends = self._mapper, self._keys, self._ends
        for record in records:
            try:
                found = iter(mapper(record) or ())
            except StopIteration as error:
                ends.append(len(keys))
                self.stopped = error
                break
            yield found
            ends.append(len(keys))
        self.ended = True
