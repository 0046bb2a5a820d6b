"""One small sample of every file format, with the class of each of its bytes. Neighbour: `corruption.py`."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from mapreduce import history, keys, paths, protocol, values
from mapreduce.errors import CorruptionError
from mapreduce.history import Frame, HistoryEvent, PlanMade, PlanPage
from mapreduce.ids import AttemptId, TaskId
from mapreduce.plan import FileRange, ListedFile, PlanHeader, Split
from mapreduce.protocol import ReadSegments, SegmentHead
from mapreduce.protocol.answers import Holder
from mapreduce_worker.core.events import FetchSegments
from mapreduce_worker.engine import blocks, columns, map_output, part, part_lines
from mapreduce_worker.engine.blocks import Block, Codec
from mapreduce_worker.engine.map_output import SegmentFile
from mapreduce_worker.fetch import Fetcher
from mapreduce_worker.gateway import publishing, standing
from mapreduce_worker.gateway.journal import Journal
from mapreduce_worker.ticketing import TicketBook
from tests.support.corruption import Sample, Span
from tests.support.crash_store import CrashStore, Disk
from tests.support.outputs import PATH, UID, attempt, make_output, opened_epoch, stage

SMALL_PAGE: Final = 300
"""Bytes that the journal's sample is read in: frames lie across its pages."""
_WORDS = [f"word{number:04d}" for number in range(300)]
_KIND: Final = {0: "msgpack", 1: "Arrow", 2: "one value"}


def all_samples(folder: Path) -> list[Sample]:
    """Return a sample of every format; their readers write into `folder`."""
    return [
        map_output_sample(folder, "lz4"),
        map_output_sample(folder, "none"),
        map_output_sample(folder, "zstd"),
        part_sample(folder),
        part_sample(folder, own=True),
        staged_part_sample(folder),
        lines_sample(folder),
        journal_sample(),
        events_sample(),
        segments_sample(folder),
        manifest_sample(),
    ]


# --- rows ----------------------------------------------------------------------------------


def map_output_sample(folder: Path, codec: Codec) -> Sample:
    """Return a map output of many partitions: few rows, none, integers, objects, one row, columns, one value."""
    path = folder / f"sample-{codec}.mapout"
    index = _write_map_output(path, codec)
    content = path.read_bytes()
    blocks_at = [
        span for found in index.segments for span in _frames(content, found.offset, found.offset + found.length)
    ]
    first, last = index.segments[0].offset, index.segments[-1].offset + index.segments[-1].length
    return Sample(
        name=f"map output, {codec}",
        content=content,
        spans=(*_head(first), *blocks_at, *_end(content, last, "index")),
        read=lambda data: _read_map_output(_rewrite(path, data)),
    )


def part_sample(folder: Path, *, own: bool = False) -> Sample:
    """Return a part of two blocks, as a merge reads it: of pairs, or of values of one type."""
    path, content, spans = _part(folder, own=own)
    return Sample(
        name="part of values" if own else "part",
        content=content,
        spans=spans,
        read=lambda data: _read_part(_rewrite(path, data)),
    )


def staged_part_sample(folder: Path) -> Sample:
    """Return a part as the gateway looks through it that stages it: it reads no rows, and stages bytes."""
    path, content, spans = _part(folder, own=True)
    return Sample(
        name="part, staged", content=content, spans=spans, read=lambda data: (part.verify(_rewrite(path, data)), data)
    )


def lines_sample(folder: Path) -> Sample:
    """Return a part of lines, as it is staged, and as it is copied into a data file."""
    path = folder / "lines.part"
    with path.open("wb") as file:
        writer = part_lines.LinesWriter(file, "tsv", "str", own=True)
        writer.add(blocks.of_objects([keys.encode(word) for word in _WORDS], list(range(len(_WORDS)))))
        writer.finish()
    content = path.read_bytes()
    first = len(part.LINES_HEAD)
    last = first + part.read_summary(path).length
    spans = (*_head(first), Span("lines", first, last), *_end(content, last, "summary"))
    return Sample(
        name="part of lines", content=content, spans=spans, read=lambda data: _read_lines(_rewrite(path, data), data)
    )


def _read_lines(path: Path, data: bytes) -> Any:
    """Read lines as both do that read them; the bytes themselves are staged."""
    found = []
    for read in (part.verify, lambda given: b"".join(part.lines(given, part.read_summary(given)))):
        try:
            found.append(read(path))
        except CorruptionError:
            continue
    if not found:
        raise CorruptionError("both refuse it")
    return found, data


def _part(folder: Path, *, own: bool) -> tuple[Path, bytes, tuple[Span, ...]]:
    path = folder / "sample.part"
    with path.open("wb") as file:
        writer = part.Writer(file, "str", own=own)
        for chosen in (_WORDS[:20], _WORDS[20:]):
            encoded = [keys.encode(word) for word in chosen]
            if own:
                writer.add(blocks.of_objects(encoded, list(range(len(chosen)))))
            else:
                writer.add(Block(encoded, [values.encode([word, 1]) for word in chosen]))
        writer.finish()
    content = path.read_bytes()
    summary = part.read_summary(path)
    first, last = len(part.HEAD), len(part.HEAD) + summary.length
    return path, content, (*_head(first), *_frames(content, first, last), *_end(content, last, "summary"))


def _write_map_output(path: Path, codec: Codec = "lz4") -> map_output.Index:
    many = [keys.encode(word) for word in _WORDS]
    segments = [
        blocks.of_objects(many[:3], [1, 2, 3]),
        None,
        blocks.of_objects(many, list(range(len(many)))),
        blocks.of_objects(many, [[word, 0.5] for word in _WORDS]),
        blocks.of_objects(many[5:6], ["one"]),
        columns.of_lists(many, _WORDS),
        columns.of_lists(many, [number / 7 for number in range(len(many))]),
        columns.of_lists(many, [number % 3 == 0 for number in range(len(many))]),
        columns.of_one(many, values.encode(["one"])),
    ]
    with path.open("wb") as file:
        writer = map_output.Writer(file, codec)
        for block in segments:
            writer.segment([] if block is None else [block])
        return writer.finish("str", "in/a.txt:0")


def _read_map_output(path: Path) -> Any:
    index = map_output.read_index(path)
    return index, [_rows(segment) for segment in map_output.segments_of(path, index)]


def _rows(segment: SegmentFile) -> list[tuple[bytes, Any]]:
    return [row for block in map_output.read(segment) for row in zip(block.keys, block.unpacked(), strict=True)]


def _read_part(path: Path) -> Any:
    summary = part.read_summary(path)
    rows = [row for block in part.read(path) for row in zip(block.keys, block.unpacked(), strict=True)]
    return summary, rows


def _rewrite(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def _head(first: int) -> list[Span]:
    return [Span("head: magic", 0, 8), Span("head: version, format, codec", 8, first)]


def _frames(content: bytes, at: int, end: int) -> list[Span]:
    """Return the spans of the frames of `engine.blocks` that lie there."""
    spans = []
    while at < end:
        length = int.from_bytes(content[at : at + 4], "big")
        body = at + blocks.HEAD_BYTES
        spans += [
            Span("block: length", at, at + 4),
            Span("block: CRC", at + 4, at + 8),
            Span("block: rows", at + 8, at + 12),
            Span("block: kind", at + 12, body),
            Span(f"block: body, {_KIND[content[at + 12]]}", body, body + length),
        ]
        at = body + length
    return spans


def _end(content: bytes, last: int, name: str) -> list[Span]:
    footer = len(content) - 16
    return [
        Span(name, last, footer),
        Span("footer: length", footer, footer + 4),
        Span("footer: CRC", footer + 4, footer + 8),
        Span("footer: magic", footer + 8, footer + 16),
    ]


# --- history -------------------------------------------------------------------------------

_ATTEMPT = AttemptId(TaskId(0, "map", 17), 2, 1)
_SPLITS = tuple(
    Split(index, (FileRange(ListedFile(f"in/{index}", str(index), 300, "mtime:1"), 0, 300),)) for index in range(4)
)
FRAMES: Final = (
    Frame(1, 1, HistoryEvent(event="EpochOpened", wall=1.5)),
    Frame(1, 2, PlanPage(0, _SPLITS)),
    Frame(1, 3, PlanMade(PlanHeader(4, 1200, 4, 2, 300, 4096, "sha256:00", "0.1.0"), 1)),
    Frame(2, 1, HistoryEvent(event="EpochOpened", wall=2.0)),
    Frame(2, 2, HistoryEvent(event="Assigned", wall=2.1, task=_ATTEMPT.task, attempt=_ATTEMPT, worker="w-0")),
    Frame(2, 3, HistoryEvent(event="Finished", wall=2.5, task=_ATTEMPT.task, attempt=_ATTEMPT, checksum="c", rows=3)),
    Frame(2, 0, HistoryEvent(event="Staged", wall=3.5, task=TaskId(0, "reduce", 1), checksum="xxh3:1f", rows=2)),
)


def journal_sample() -> Sample:
    """Return a journal, read as a gateway does that takes it over."""
    spans, content = [], b""
    for number, frame in enumerate(FRAMES, 1):
        data = history.pack(frame)
        name = "last frame" if number == len(FRAMES) else "frame"
        at = len(content)
        spans += [
            Span(f"{name}: length", at, at + 4),
            Span(f"{name}: CRC", at + 4, at + 8),
            Span(f"{name}: body", at + 8, at + len(data)),
        ]
        content += data
    return Sample(name="journal", content=content, spans=tuple(spans), read=_read_journal, torn=list(FRAMES[:-1]))


def _read_journal(data: bytes) -> list[Frame]:
    store = CrashStore(Disk())
    store.append("journal", data)
    return [frame for page in Journal(store, "journal", SMALL_PAGE).recover() for frame in page]


def events_sample() -> Sample:
    """Return the lines of `events.ndjson`."""
    spans, content = [], b""
    for line in history.render(FRAMES):
        at, crc = len(content), len(content) + line.index(b',"crc":')
        spans += [
            Span("line: event", at, crc),
            Span("line: CRC", crc, at + len(line) - 1),
            Span("line: newline", at + len(line) - 1, at + len(line)),
        ]
        content += line
    return Sample(name="events.ndjson", content=content, spans=tuple(spans), read=history.parse)


# --- the wire ------------------------------------------------------------------------------


def segments_sample(folder: Path) -> Sample:
    """Return a holder's answer: four segments, one of them empty, and one that it does not have."""
    path = folder / "served.mapout"
    index = _write_map_output(path)
    content, spans, maps = b"", [], []
    for number, found in enumerate([*index.segments[:4], None]):
        asked = attempt("map", number)
        maps.append(asked)
        head, body = segment_head(asked, found), b""
        if found is not None:
            body = path.read_bytes()[found.offset : found.offset + found.length]
        at = len(content)
        content += len(head).to_bytes(4, "big") + head + body
        name = "head of a segment" if found is not None else "head of none"
        spans += [Span("length of a head", at, at + 4), Span(name, at + 4, at + 4 + len(head))]
        spans += _frames(content, at + 4 + len(head), len(content))
    return Sample(
        name="segments on the wire",
        content=content,
        spans=tuple(spans),
        read=lambda data: asyncio.run(_receive(folder / "received", data, tuple(maps))),
    )


def segment_head(asked: AttemptId, found: map_output.Segment | None) -> bytes:
    """Return a head as a worker sends it."""
    if found is None:
        return protocol.encode(SegmentHead(attempt=asked, found=False, crc=protocol.NOTHING))
    head = SegmentHead(attempt=asked, found=True, length=found.length, rows=found.rows, crc=found.crc)
    return protocol.encode(head)


async def _receive(folder: Path, data: bytes, maps: tuple[AttemptId, ...]) -> Any:
    """Fetch segments and read their rows; raises `CorruptionError` if more are lost than the holder lacks."""
    command = FetchSegments(
        attempt=attempt("reduce", 0),
        fetch=0,
        holder=Holder(number=0, worker="w-0", address="127.0.0.1:1"),
        ticket="",
        request=ReadSegments(step=0, partition=0, maps=maps),
    )
    found = await _Answered(data).segments(command, folder)
    rows = {
        one.source: _rows(SegmentFile(Path(one.path), one.offset, one.length, one.rows, one.crc))
        for one in found.arrived
    }
    lost = {missing for missing, _ in found.lost}
    if lost | set(rows) != set(maps) or lost & set(rows):
        raise AssertionError(f"of {maps}, {sorted(map(str, rows))} arrived and {sorted(map(str, lost))} are lost")
    if lost > {maps[-1]}:
        raise CorruptionError(f"{sorted(map(str, lost))} are lost")
    return rows


class _Answered(Fetcher):
    """A fetcher that gets the same answer to whatever it asks."""

    def __init__(self, data: bytes) -> None:
        super().__init__(TicketBook(), shared_disk=False)
        self._data = data

    async def _open(self, url: str, body: bytes, ticket: str, scope: str) -> Any:
        return _Answer(self._data)


class _Answer:
    """An answer with its bytes, and what `aiohttp.StreamReader` does with them."""

    def __init__(self, data: bytes) -> None:
        self._file = io.BytesIO(data)
        self.content = self

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    async def read(self, count: int) -> bytes:
        return self._file.read(count)

    async def readexactly(self, count: int) -> bytes:
        data = self._file.read(count)
        if len(data) < count:
            raise asyncio.IncompleteReadError(data, count)
        return data


# --- what is published ---------------------------------------------------------------------


def manifest_sample() -> Sample:
    """Return a manifest: what `finish` goes by when it decides which files stay, and whose output it is."""
    disk = Disk()
    output = make_output(CrashStore(disk))
    output.open({UID})
    output.append([opened_epoch()])
    for index, data in enumerate((b"a\t1\n", b"b\t2\n")):
        stage(output, index, data)
    output.publish(attempt("publish"), b'{"job":{"name":"wc"},"counters":{"lines":7},"left_out":["map-3"]}', 9.0)
    content = disk.below(PATH)[paths.MANIFEST]
    return Sample(name="manifest", content=content, spans=_manifest_spans(content), read=_read_manifest)


def _manifest_spans(content: bytes) -> tuple[Span, ...]:
    crc = content.rfind(b',\n "crc"')
    if crc < 0:
        return (Span("fields", 0, len(content)),)
    return (Span("fields", 0, crc), Span("CRC", crc, len(content)))


def _read_manifest(data: bytes) -> Any:
    store = CrashStore(Disk())
    store.make_directory("wc")
    store.append(f"wc/{paths.MANIFEST}", data)
    whose = standing.published_by(store, "wc")
    if whose is None:
        raise CorruptionError("it is taken for no output of a job")
    return whose, publishing.summary(store, "wc", "wc")
