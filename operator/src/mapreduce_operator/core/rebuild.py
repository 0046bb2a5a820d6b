"""After a restart: the job as the journal, the workers' registrations and the platform tell it.

The journal gives the plan, the charged failures, the staged parts and which maps finished; the
workers say which outputs they hold and what they run. Nothing that finished runs again.
Neighbours: `frames.py` (reads the journal), `storage.py` (pages come with `open`), `registration.py` (what
workers announce), `phases.py` (when the grace is over).
"""

from __future__ import annotations

from array import array

import msgspec

from mapreduce.ids import TaskId
from mapreduce.plan import PlanHeader, Split
from mapreduce.protocol import JournalPage
from mapreduce_operator.core import adoption, failures, frames, maps, parts, shape, skew
from mapreduce_operator.core.book import KEPT_FAILURES, Book
from mapreduce_operator.core.entries import Part, Recovered
from mapreduce_operator.core.outputs import MapOutputs
from mapreduce_operator.core.states import TaskState
from mapreduce_operator.core.tasks import ChargedError, TaskTable

_encode_split = msgspec.msgpack.Encoder().encode


def read(book: Book, page: JournalPage) -> None:
    """Read one page of frames; page 0 begins anew, but keeps what the gateway said beside."""
    if page.number == 0 or book.recovered is None:
        early = book.recovered.staged if book.recovered is not None else {}
        book.recovered = Recovered(staged=early)
    for frame in page.frames:
        frames.read(book.recovered, frame)


def note_staged(book: Book, partition: int, part: Part) -> None:
    """Keep a report of an older epoch's staging that came before the journal was read."""
    if book.recovered is None:
        book.recovered = Recovered()
    book.recovered.staged.setdefault(partition, part)


def resume(book: Book) -> None:
    """Go on from what the journal told; a gateway that was only started again tells of parts."""
    found = book.recovered if book.recovered is not None else Recovered()
    book.recovered = None
    if not book.rebuilt:
        book.rebuilt, book.named_at = True, book.now
        _first_time(book, found)
    if book.header is not None:
        for partition, part in sorted(found.staged.items()):
            shape.learn(book, has_reduce=part.attempt.task.kind == "reduce")
            if partition < book.producers.count:
                parts.accept(book, partition, part)
    for worker in book.registry.alive():
        adoption.take_over(book, worker)
        adoption.ask_again(book, worker)
    _hear_again(book)


def _first_time(book: Book, found: Recovered) -> None:
    book.started_wall = found.started_wall or book.started_wall
    if found.active_wall is not None and not book.resumes:
        # The time between two masters counts, and a pause does not; only the wall clock knows either.
        active_wall = max(found.active_wall, book.wanted.resumed_wall)
        book.active_since = book.at.mono - max(0.0, book.at.wall - active_wall)
    for budget, count in found.charges.items():
        book.charges[budget] += count
    book.last_failures = [*found.failures, *book.last_failures][-KEPT_FAILURES:]
    book.texts.used += found.texts
    book.texts.printed += found.printed
    if found.failure is not None:
        book.fail(found.failure.reason, found.failure.message)
    if found.header is None:
        return
    if found.header.program_digest != book.spec.program.digest:
        book.fail("ProgramInvalid", "the program is not the one that the job was planned with")
        return
    book.tasks["plan"].move(0, "succeeded")
    book.has_reduce = found.has_reduce
    install_plan(book, found.header, found.pages)
    skew.restore(book, found.sizes, found.heavy)
    book.consumed = found.consumed
    book.key_type = found.key_type
    book.boundaries = found.boundaries
    book.made = {
        index: (part, worker)
        for index, (part, worker) in found.made.items()
        if part.attempt.task.kind == book.producers.kind and (book.map_only or part.attempt in found.vouched)
    }
    for kind, pace in found.paces.items():
        book.tasks[kind].pace = pace
    _restore_tasks(book, found)


def _restore_tasks(book: Book, found: Recovered) -> None:
    for task, count in found.charged.items():
        table = book.tasks.get(task.kind)
        if table is not None and task.index < table.count:
            table.user_failures[task.index] = min(255, count)
            text, worker = found.last_error.get(task, ("", ""))
            if text:
                table.last_error[task.index] = ChargedError.of(text, worker)
            if task in found.alone and task.kind in ("map", "reduce"):
                table.run_alone(task.index)
            judged = found.judged.get(task, 0)
            if judged >= book.spec.limits.attempts_per_task and not _is_settled(found, task):
                _spent(book, found, task, f"{task} failed {judged} times, at last: {text}")
    for task in found.left_out:
        book.tasks[task.kind].move(task.index, "spent")
        failures.leave_out(book, task)
    if book.map_only:
        # Only what is staged has come to stay.
        return
    map_table = book.tasks["map"]
    for index, checksum in found.finished.items():
        if index < map_table.count and not map_table.is_in(index, TaskState.FAILED):
            # It finished, so it runs again only if nobody turns out to hold it.
            map_table.move(index, "succeeded")
            book.outputs.remember(index, checksum)
            book.outputs.orphans.add(index)
            maps.count(book, index, 1)
            maps.note(book, index, found.records.get(index, 0), found.counters[index], found.bad[index])


def _is_settled(found: Recovered, task: TaskId) -> bool:
    """Tell whether what a task was charged does not matter: it is left out, or its part is staged."""
    part = found.staged.get(task.index)
    return task in found.left_out or (part is not None and part.attempt.task == task)


def _spent(book: Book, found: Recovered, task: TaskId, message: str) -> None:
    """The last master died between charging a task and leaving it out, or failing the job."""
    if task.kind in ("map", "reduce") and failures.may_leave_out(book, task.kind, already=len(found.left_out)):
        book.record("LeftOut", task=task, reason="UserCodeFailed", message=message)
        found.left_out.append(task)
    else:
        book.fail("UserCodeFailed", message)


def install_plan(book: Book, header: PlanHeader, pages: list[tuple[Split, ...]]) -> None:
    """Make the tables of the job's tasks."""
    book.header = header
    for page in pages:
        book.splits.extend(_encode_split(split) for split in page)
        book.split_sizes.extend(split.size for split in page)
    count = len(book.splits)
    book.median_split = sorted(book.split_sizes)[count // 2] if count else 0
    book.tasks["map"] = TaskTable("map", count)
    shape.lay_tables(book)
    book.outputs = MapOutputs(count)
    book.records = array("Q", bytes(8 * count))


def end_grace(book: Book) -> None:
    """Everybody who was going to tell has told: what nobody holds is made again."""
    if book.grace_over:
        return
    book.grace_over = True
    for index in sorted(book.outputs.orphans):
        book.outputs.lose(index)
    maps.run_orphans_again(book)
    _hear_again(book)


def _hear_again(book: Book) -> None:
    """Answer those whose reports came too early, so that they report again."""
    for worker in book.registry.alive():
        if worker.kept_back:
            worker.kept_back = False
            worker.prompt = True
            book.news.add(worker.number)
