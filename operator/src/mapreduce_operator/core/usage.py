"""What workers use of processor and memory over time: samples of all of them, for the history.

Workers say with each exchange what they have used so far; how often that is kept is decided here. Neighbours:
`exchange.py` (hears), `policies.py` (how often), `master.py` (asks at each tick).
"""

from __future__ import annotations

from mapreduce import usage_rows
from mapreduce.protocol import Usage
from mapreduce.usage_rows import Row
from mapreduce_operator.core import policies
from mapreduce_operator.core.book import Book
from mapreduce_operator.core.workers import Worker


def note(worker: Worker, told: Usage | None) -> None:
    """Note what a worker says of itself."""
    if told is not None and worker.role == "worker":
        worker.usage = told


def begin(worker: Worker) -> None:
    """A process has begun: nothing that an older one said is compared with what it says."""
    worker.usage = None
    worker.sampled = Usage()


def sample(book: Book) -> None:
    """Put a sample into the history, if it is time for one and somebody has said something new."""
    if book.now < book.sample_at or book.over or book.journal.closed:
        return
    book.sample_at = book.now + policies.usage_pause(book.now)
    rows = [row for worker in book.registry.alive("worker") if (row := _row(worker)) is not None]
    if rows:
        book.record("Usage", usage=usage_rows.pack(rows))


def _row(worker: Worker) -> Row | None:
    now, before = worker.usage, worker.sampled
    if now is None or now.at_ms <= before.at_ms:
        return None
    worker.sampled = now
    used = max(0, now.cpu_ms - before.cpu_ms) * 1000 // (now.at_ms - before.at_ms)
    return Row(worker.number, used, now.resident >> 20)
