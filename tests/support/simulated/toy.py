"""The job that every simulation runs: a word count whose files, parts and outputs are small values.

Without a reduce, each map writes its words as they come.

The cores do not care what data is; so here a segment is a tuple of rows, and a part is msgpack.
What comes out is compared with a count made in one line.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence

import msgspec
from xxhash import xxh3_64_digest, xxh3_128_hexdigest

from mapreduce import bad_records, tsv
from mapreduce.bad_records import BadRecord
from mapreduce.boundaries import ALL, KeyRange
from mapreduce.errors import CorruptionError
from mapreduce.ids import AttemptId, TaskId
from mapreduce.partition_sizes import MOST_HEAVY, HeavyKey
from mapreduce.partitioning import partition
from mapreduce.plan import FileRange, ListedFile, PlanHeader, Split
from mapreduce.program import Program
from mapreduce.protocol import ReadSegments
from mapreduce.spec import JobSpec, Limits, Overwrite
from mapreduce_worker.engine.data_file import Style
from mapreduce_worker.gateway.data_files import Planned
from mapreduce_worker.gateway.storage import Merged, PartFacts
from tests.support.crash_store import CrashStore

Row = tuple[str, int]
WORDS = [f"word{number}" for number in range(12)]
ENGINE = "0.1.0"
JUDGE = "the-operator"
UID = "0123456789abcdef"
PROGRAM = Program("job.py", b"the simulation never looks inside")


class Toy(msgspec.Struct, frozen=True):
    """The input: the words of each map; the number of partitions."""

    texts: tuple[tuple[str, ...], ...]
    partitions: int
    has_reduce: bool = True
    spoiled_map: int = -1
    spoiled_partition: int = -1
    """The map and the reduce whose user code always fails, and which are left out."""
    fickle_map: int = -1
    """The map that gives something else in each attempt, which its user should not have written."""
    total: bool = False
    """The words have a total order: a map has a single segment, and each reduce reads a range of it."""

    @classmethod
    def draw(cls, chance: random.Random) -> Toy:
        """Return an input of a few maps, some of them without a word."""
        maps = chance.randint(1, 7)
        texts = tuple(tuple(chance.choices(WORDS, k=chance.randint(0, 9))) for _ in range(maps))
        toy = cls(texts, chance.randint(1, 4), has_reduce=chance.random() < 0.7)
        toy = msgspec.structs.replace(toy, total=toy.has_reduce and (maps + toy.partitions) % 3 == 0)
        if chance.random() < 0.85:
            return toy
        spoiled_partition = chance.randrange(toy.partitions) if toy.has_reduce and chance.random() < 0.5 else -1
        spoiled = msgspec.structs.replace(toy, spoiled_map=chance.randrange(maps), spoiled_partition=spoiled_partition)
        return spoiled.by_hash() if spoiled_partition >= 0 else spoiled

    def by_hash(self) -> Toy:
        """Return the same where words go by their hash, so that it is known beforehand which are in a partition."""
        return msgspec.structs.replace(self, total=False)

    @classmethod
    def of_many_tasks(cls, chance: random.Random) -> Toy:
        """Return an input of eight maps, for four reduces or for none."""
        return cls(tuple(tuple(chance.choices(WORDS, k=5)) for _ in range(8)), 4, has_reduce=chance.random() < 0.8)

    def with_a_fickle_map(self, chance: random.Random) -> Toy:
        """Return the same input where one map is not deterministic, and nothing is spoiled."""
        fickle = chance.randrange(len(self.texts))
        return Toy(self.texts, self.partitions, fickle_map=fickle, total=self.total)

    def is_spoiled(self, task: TaskId) -> bool:
        """Tell whether the user's code fails in every attempt of a task."""
        return task.index == (self.spoiled_map if task.kind == "map" else self.spoiled_partition)

    def _read(self) -> list[tuple[str, ...]]:
        """Return the texts of the maps that are not left out."""
        return [text for index, text in enumerate(self.texts) if index != self.spoiled_map]

    def _written(self) -> list[str]:
        """Return the words that reach the output."""
        words = [word for text in self._read() for word in text]
        if not self.has_reduce:
            return words
        return [word for word in words if partition(word.encode(), self.partitions) != self.spoiled_partition]

    @property
    def parts(self) -> int:
        """How many parts the output is made of."""
        return self.partitions if self.has_reduce else len(self.texts)

    def spec(
        self, workers: int, slots: int, separate_input: bool, *, overwrite: Overwrite = "refuse", uid: str = UID
    ) -> JobSpec:
        """Return the job over this input."""
        return JobSpec(
            uid=uid,
            name="toy",
            program=PROGRAM,
            inputs=("in",),
            output="results/out",
            reducers=self.partitions,
            workers=workers,
            slots=slots,
            separate_input=separate_input,
            overwrite=overwrite,
            order="total" if self.total else "hash",
            skip_bad_records=bad_records.MOST,
            limits=Limits(
                pre_running_deadline=100_000.0, disruptions_in_a_row=1000, max_failed_tasks=2, task_timeout=60.0
            ),
        )

    def splits(self, plan: int) -> tuple[Split, ...]:
        """Return one split a text, in another order in each plan that is made: a later one may see other files.

        Where it matters which of them a map reads, the order stays.
        """
        count = len(self.texts)
        first = plan if self.has_reduce and max(self.spoiled_map, self.fickle_map) < 0 else 0
        texts = [(index + first) % count for index in range(count)]
        return tuple(
            Split(index, (FileRange(ListedFile(f"in/{text}", str(text), 1, "mtime:1"), 0, 1),))
            for index, text in enumerate(texts)
        )

    def header(self, engine: str) -> PlanHeader:
        """Return the plan's header."""
        return PlanHeader(
            files=len(self.texts),
            size=len(self.texts),
            splits=len(self.texts),
            partitions=self.partitions,
            split_size=1,
            flush_bytes=1,
            program_digest=PROGRAM.digest,
            engine_version=engine,
        )

    def _weight(self, index: int, attempt: AttemptId | None) -> int:
        """Return how often an attempt of a map counts each word."""
        return tries(attempt) if attempt is not None and index == self.fickle_map else 1

    def map(self, index: int, attempt: AttemptId | None) -> tuple[tuple[Row, ...], ...]:
        """Return the segments of one text: for each partition, or for all, its rows, ordered by key."""
        segments: list[list[Row]] = [[] for _ in range(1 if self.total else self.partitions)]
        weight = self._weight(index, attempt)
        for word, count in sorted((word, count * weight) for word, count in Counter(self.texts[index]).items()):
            segments[partition(word.encode(), len(segments))].append((word, count))
        return tuple(tuple(segment) for segment in segments)

    def map_part(self, index: int) -> bytes:
        """Return the part of one map of a job without reduce: its words in their order."""
        return _part([(word, 1) for word in self.texts[index]])

    def bad(self, index: int, attempt: AttemptId) -> tuple[BadRecord, ...]:
        """Return what the map of one text leaves out besides, one record for each of a certain word; no two attempts
        of a map say the same of it."""
        return tuple(
            BadRecord(file=str(index), offset=at, reason="UserCodeFailed", message=f"ValueError: in {attempt}")
            for at, word in enumerate(self.texts[index])
            if word in WORDS[:3]
        )

    def expected_bad(self) -> list[tuple[str, int]]:
        """Return file and offset of all that is left out, in the order of the texts."""
        return [
            (str(index), at)
            for index, text in enumerate(self.texts)
            for at, word in enumerate(text)
            if index != self.spoiled_map and word in WORDS[:3]
        ]

    def counters(self, index: int, attempt: AttemptId) -> dict[str, int]:
        """Return what one map attempt counts; under "tries" no two attempts of a map count alike."""
        return {"maps": 1, "words": len(self.texts[index]), "tries": tries(attempt)}

    def expected_counters(self) -> dict[str, int]:
        """Return what the counters must be that do not depend on which attempts count."""
        read = self._read()
        sums = {"words": sum(map(len, read)), "maps": len(read)} if read else {}
        reduced = self.has_reduce and self.partitions > (self.spoiled_partition >= 0)
        return sums | ({"keys": len(set(self._written()))} if reduced else {})

    def expected(self, attempt: AttemptId | None = None) -> bytes:
        """Return what `output.tsv` must hold, with what this attempt of the fickle map gave."""
        if not self.has_reduce:
            return b"".join(tsv.line(word, 1) for word in self._written())
        counts = Counter(self._written())
        if attempt is not None:
            for word in self.texts[self.fickle_map]:
                counts[word] += self._weight(self.fickle_map, attempt) - 1
        return b"".join(tsv.line(word, count) for word, count in sorted(counts.items()))


def sizes(segments: Sequence[Sequence[Row]]) -> list[int]:
    """Return the bytes of each segment: as many as its words count for, times a hundred."""
    return [100 * sum(count for _, count in segment) for segment in segments]


def heavy(segments: Sequence[Sequence[Row]]) -> tuple[HeavyKey, ...]:
    """Return the word of each segment that counts most, of the first segments."""
    found = (
        HeavyKey(partition, word, count, 100 * count)
        for partition, segment in enumerate(segments)
        for count, word in [max(((count, word) for word, count in segment), default=(0, ""))]
        if count
    )
    return tuple(found)[:MOST_HEAVY]


def text_of(split: Split) -> int:
    """Return which text a split holds."""
    return int(split.ranges[0].file.name)


def tries(attempt: AttemptId) -> int:
    """Return a number that no two attempts of a task have in common."""
    return 10 * attempt.epoch + attempt.number


def digest(value: object) -> str:
    """Return a checksum of any value that msgpack holds."""
    return xxh3_128_hexdigest(msgspec.msgpack.encode(value))


def sample(segments: Sequence[Sequence[Row]], most: int) -> tuple[bytes, ...]:
    """Return what a map tells of its words, which have a total order."""
    return tuple(word.encode() for word, _ in segments[0])[:most]


def segment(segments: Sequence[Sequence[Row]], request: ReadSegments) -> tuple[Row, ...]:
    """Return what a holder sends: where words have a total order, blocks of two rows in which there may be some of the
    range."""
    if request.range == ALL:
        return tuple(segments[request.partition])
    rows = tuple(segments[0])
    blocks = [rows[at : at + 2] for at in range(0, len(rows), 2)]
    return tuple(row for block in blocks if any(_is_in(row, request.range) for row in block) for row in block)


def _is_in(row: Row, wanted: KeyRange) -> bool:
    key = row[0].encode()
    return key >= wanted.low and (wanted.high is None or key < wanted.high)


def reduce(segments: Sequence[Sequence[Row]], wanted: KeyRange = ALL) -> bytes:
    """Return the part that comes of the rows of a range in these segments."""
    counts: Counter[str] = Counter()
    for rows in segments:
        for word, count in rows:
            if _is_in((word, count), wanted):
                counts[word] += count
    return _part(sorted(counts.items()))


def facts(part: bytes) -> PartFacts:
    """Return what a part is; whether it is sound is another question."""
    return PartFacts(checksum=xxh3_128_hexdigest(part), rows=part.count(b"word"), size=len(part))


def flip(data: bytes, chance: random.Random) -> bytes:
    """Return the bytes with one bit of them flipped."""
    at = chance.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :]


class ToyFormats:
    """Parts as the storage operations see them, on a store in memory."""

    def __init__(self, store: CrashStore, has_reduce: bool) -> None:
        self._store = store
        self._has_reduce = has_reduce

    def inspect(self, path: str, style: Style) -> PartFacts:
        return facts(self._store.read(path))

    def write(self, files: Sequence[Planned], style: Style, watch: object) -> list[Merged]:
        return [self._write(file, style) for file in files]

    def _write(self, file: Planned, style: Style) -> Merged:
        rows = [row for path in file.parts for row in _rows(self._store.read(path))]
        if style.by_key:
            rows.sort()
        text = b"".join(tsv.line(word, count) for word, count in rows)
        self._store.append(file.name, text)
        self._store.sync(file.name)
        return Merged(records=len(rows), size=len(text), checksum=xxh3_128_hexdigest(text))


def _part(rows: Sequence[Row]) -> bytes:
    """Return the bytes of a part: its rows behind their checksum."""
    body = msgspec.msgpack.encode(rows)
    return xxh3_64_digest(body) + body


def _rows(part: bytes) -> list[Row]:
    """Return the rows of a part; raises `CorruptionError` if it is not sound."""
    if xxh3_64_digest(part[8:]) != part[:8]:
        raise CorruptionError("a part on the volume is damaged")
    return msgspec.msgpack.decode(part[8:], type=list[Row])
