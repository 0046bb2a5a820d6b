"""After a restart: the job as the journal, the workers' registrations and the platform tell it.

The journal gives the plan, the charged failures, the staged parts and which maps finished; the
workers say which outputs they hold and what they run. Nothing that finished runs again.
Neighbours: `storage.py` (pages come with `open`), `registration.py` (what workers announce),
`phases.py` (when the grace is over).
"""

from __future__ import annotations

from array import array

import msgspec

from mapreduce.history import Frame, HistoryEvent, PlanMade, PlanPage
from mapreduce.ids import AttemptId, TaskId
from mapreduce.plan import PlanHeader, Split
from mapreduce.protocol import JournalPage
from mapreduce_operator.core import adoption, failures, maps, parts, shape
from mapreduce_operator.core.book import KEPT_FAILURES, Book, Failure, Part, Recovered
from mapreduce_operator.core.events import TaskFailure
from mapreduce_operator.core.outputs import MapOutputs
from mapreduce_operator.core.pace import Pace
from mapreduce_operator.core.states import TaskState
from mapreduce_operator.core.tasks import ChargedError, TaskTable

_encode_split = msgspec.msgpack.Encoder().encode


def read(book: Book, page: JournalPage) -> None:
    """Read one page of frames; page 0 begins anew, but keeps what the gateway said beside."""
    if page.number == 0 or book.recovered is None:
        early = book.recovered.staged if book.recovered is not None else {}
        book.recovered = Recovered(staged=early)
    for frame in page.frames:
        _read_frame(book.recovered, frame)


def note_staged(book: Book, partition: int, part: Part) -> None:
    """Keep a report of an older epoch's staging that came before the journal was read."""
    if book.recovered is None:
        book.recovered = Recovered()
    book.recovered.staged.setdefault(partition, part)


def _read_frame(found: Recovered, frame: Frame) -> None:
    entry = frame.entry
    if isinstance(entry, PlanPage):
        if found.header is None:
            if entry.number == 0:
                found.pages = []
            if entry.number == len(found.pages):
                found.pages.append(entry.splits)
    elif isinstance(entry, PlanMade):
        if found.header is None and entry.pages == len(found.pages):
            found.header = entry.header
    else:
        _read_event(found, entry)


def _read_event(found: Recovered, entry: HistoryEvent) -> None:
    # A disruption is charged by the event that tells of it, everything else by an event of its own; `Charged` with
    # `disruption` says that this budget is spent, which is not one more.
    says_so_itself = entry.budget == "disruption"
    if entry.budget and (entry.event == "Charged") != says_so_itself:
        found.charges[entry.budget] = found.charges.get(entry.budget, 0) + 1
    if entry.task is not None:
        _read_of_task(found, entry, entry.task)
        if entry.attempt is not None:
            _read_of_part(found, entry, entry.attempt)
        return
    match entry.event:
        case "EpochOpened":
            found.started_wall = entry.wall if found.started_wall is None else found.started_wall
            found.active_wall = entry.wall if found.active_wall is None else found.active_wall
        case "Resumed":
            found.active_wall = entry.wall
        case "JobFailed":
            found.failure = Failure(entry.reason, entry.message)
        case _:
            pass


def _read_of_task(found: Recovered, entry: HistoryEvent, task: TaskId) -> None:
    if entry.event == "Finished" and entry.seconds > 0:
        found.paces.setdefault(task.kind, Pace()).add(entry.seconds)
    match entry.event:
        case "Charged" if entry.budget == "user":
            _read_charge(found, entry, task)
        case "Staged" if entry.attempt is not None:
            found.staged.setdefault(task.index, _part(entry, entry.attempt))
            found.last_error.pop(task, None)
            found.has_reduce = task.kind == "reduce"
        case "Consumed":
            found.consumed = entry.checksum
            found.key_type = entry.key_type or found.key_type
        case "LeftOut":
            found.left_out.append(task)
        case "Finished" if task.kind == "load":
            found.has_reduce = entry.message != shape.MAP_ONLY
        case "Finished" | "Held" if task.kind == "map":
            found.has_reduce = entry.message != shape.MAP_ONLY
            _read_map(found, entry, task)
        case _:
            pass


def _read_charge(found: Recovered, entry: HistoryEvent, task: TaskId) -> None:
    found.charged[task] = found.charged.get(task, 0) + 1
    if not _has_part(found, task):
        found.judged[task] = found.charged[task]
    found.last_error[task] = (entry.message, entry.worker)
    if entry.reason == failures.OVER_MEMORY:
        found.alone.add(task)
    found.failures = [*found.failures, _failure(entry)][-KEPT_FAILURES:]


def _read_map(found: Recovered, entry: HistoryEvent, task: TaskId) -> None:
    found.finished[task.index] = entry.checksum
    if found.has_reduce:
        found.last_error.pop(task, None)
    if entry.records:
        found.records[task.index] = entry.records
    found.counters[task.index] = entry.counters
    found.bad[task.index] = entry.bad


def _read_of_part(found: Recovered, entry: HistoryEvent, attempt: AttemptId) -> None:
    """Note the parts that were finished, and may be on their workers still."""
    index = attempt.task.index
    made = found.made.get(index)
    match entry.event:
        case "Finished" if attempt.task.kind == "reduce" or (
            attempt.task.kind == "map" and entry.message == shape.MAP_ONLY
        ):
            found.made[index] = (_part(entry, attempt), entry.worker)
        case "Lost" if made is not None and made[0].attempt == attempt:
            del found.made[index]
        case "Assigned" if made is not None and made[0].attempt.task == attempt.task:
            # Its worker was not there any more when an older master had begun.
            del found.made[index]
        case "Consumed":
            found.vouched.add(attempt)
        case _:
            pass


def _has_part(found: Recovered, task: TaskId) -> bool:
    """Tell whether an attempt of a task has made a part that was still there: what others met then did not matter."""
    made = found.made.get(task.index)
    if made is None or made[0].attempt.task != task:
        return False
    return task.kind == "map" or made[0].attempt in found.vouched


def _part(entry: HistoryEvent, attempt: AttemptId) -> Part:
    facts = (entry.checksum, entry.rows, entry.size)
    return Part(attempt, *facts, -1, entry.records, entry.counters, entry.bad)


def _failure(entry: HistoryEvent) -> TaskFailure:
    """What people see of a charged failure of an older epoch: its traceback is not in the journal."""
    return TaskFailure(
        task=str(entry.task),
        worker=entry.worker,
        reason=entry.reason,
        message=entry.message,
        where="",
        traceback="",
        wall=entry.wall,
    )


def resume(book: Book) -> None:
    """Go on from what the journal told; a gateway that was only started again tells of parts."""
    found = book.recovered if book.recovered is not None else Recovered()
    book.recovered = None
    if not book.rebuilt:
        book.rebuilt = True
        _first_time(book, found)
    if book.header is not None:
        for partition, part in sorted(found.staged.items()):
            shape.learn(book, has_reduce=part.attempt.task.kind == "reduce")
            if partition < book.producers.count:
                parts.accept(book, partition, part)
    for worker in book.registry.alive():
        adoption.take_over(book, worker)
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
    book.consumed = found.consumed
    book.key_type = found.key_type
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
