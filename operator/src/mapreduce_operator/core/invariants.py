"""The master's book-keeping, checked again from scratch. Called after every event in every test.

Each rule is a function that yields what is wrong, in words. Slow by design: nothing here is kept
up to date by the code that it checks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final

from mapreduce_operator.core import alone, divide, maps, scheduling
from mapreduce_operator.core.book import Book
from mapreduce_operator.core.master import Master
from mapreduce_operator.core.outputs import NOBODY
from mapreduce_operator.core.states import JobState, TaskState, WorkerState
from mapreduce_operator.core.tally import Tally


class InvariantBroken(AssertionError):
    """The book contradicts itself; the message lists how."""


def check(master: Master) -> None:
    """Raise `InvariantBroken` if anything in the master's book contradicts something else."""
    book = master.book
    if book.ended or book.deposed:
        return
    found = [problem for rule in _RULES for problem in rule(book)]
    if found:
        raise InvariantBroken("; ".join(found))


def _states_are_counted(book: Book) -> Iterator[str]:
    for kind, table in book.tasks.items():
        actual = [sum(1 for state in table.state if state == wanted) for wanted in TaskState]
        if actual != table.counts:
            yield f"{kind}: counted {table.counts}, are {actual}"
        waiting = sum(1 for index in table.alone if table.is_in(index, TaskState.WAITING))
        if waiting != table.waiting_alone:
            yield f"{kind}: counted {table.waiting_alone} that wait to run alone, are {waiting}"


def _live_attempts_agree_with_their_workers(book: Book) -> Iterator[str]:
    live = {
        attempt.id: attempt
        for table in book.tasks.values()
        for some in table.live.values()
        for attempt in some.values()
    }
    for attempt in live.values():
        if not attempt.worker.alive:
            yield f"{attempt.id} runs on {attempt.worker.name}, which is lost"
        if attempt.worker.attempts.get(attempt.id) is not attempt:
            yield f"{attempt.id} is unknown to its worker {attempt.worker.name}"
        if attempt.cancel:
            yield f"{attempt.id} counts, though it was cancelled"
    for worker in book.registry.alive():
        for attempt in worker.attempts.values():
            if not attempt.cancel and attempt.id not in live:
                yield f"{attempt.id} on {worker.name} counts for no task"


def _who_runs_alone_is_alone(book: Book) -> Iterator[str]:
    for worker in book.registry.alive("worker"):
        given = [attempt for attempt in worker.attempts.values() if attempt.id.epoch == book.epoch]
        if worker.runs_alone and any(attempt.alone for attempt in given) and len(given) > 1:
            yield f"{worker.name} has {len(given)} attempts, though one of them runs alone"


def _backups_run_elsewhere(book: Book) -> Iterator[str]:
    for worker in book.registry.alive():
        wanted = [attempt for attempt in worker.attempts.values() if not attempt.cancel]
        tasks = Counter(attempt.id.task for attempt in wanted if attempt.id.epoch == book.epoch)
        yield from (f"{task} runs {count} times on {worker.name}" for task, count in tasks.items() if count > 1)
        yield from (
            f"{worker.name} backs up its own {attempt.id}" for attempt in wanted if attempt.backed_up_by is worker
        )


def _running_tasks_are_run(book: Book) -> Iterator[str]:
    if book.over or book.failure is not None:
        return
    for kind, table in book.tasks.items():
        for index in range(table.count):
            attempts = table.live_attempts(index)
            relied_on = any(attempt.worker.usable for attempt in attempts)
            if table.is_in(index, TaskState.RUNNING) and not relied_on:
                yield f"{kind}-{index} is running, but nobody runs it"
            if table.is_in(index, TaskState.WAITING) and relied_on:
                yield f"{kind}-{index} is waiting, but runs"


def _outputs_have_holders(book: Book) -> Iterator[str]:
    table = book.tasks["map"]
    for index in range(table.count if not book.over and not book.map_only else 0):
        holder = book.outputs.holder[index]
        done = table.is_in(index, TaskState.SUCCEEDED)
        if holder >= 0 and not book.registry.by_number(holder).alive:
            yield f"the output of map-{index} is at {book.registry.by_number(holder).name}, which is lost"
        if holder >= 0 and not done:
            yield f"map-{index} has an output, but has not succeeded"
        if done and holder == NOBODY and index not in book.outputs.orphans:
            yield f"map-{index} has succeeded, but nobody holds its output"
    if book.outputs.orphans and book.grace_over and maps.outputs_needed(book) and not book.over:
        yield f"outputs that are needed are gone, and nothing is done: {sorted(book.outputs.orphans)}"


def _parts_are_somewhere(book: Book) -> Iterator[str]:
    made_by, stages = book.producers, book.tasks["stage"]
    if stages.count != made_by.count:
        yield f"{made_by.count} tasks make parts, but {stages.count} parts can be staged"
    for partition in range(made_by.count if not book.over else 0):
        part = book.parts.get(partition)
        state = TaskState(made_by.state[partition])
        name = made_by.id(partition)
        if state is TaskState.SUCCEEDED and (part is None or part.worker != -1):
            yield f"{name} has succeeded, but its part is not known as staged"
        if state is TaskState.STAGING:
            if part is None or part.worker < 0 or not book.registry.by_number(part.worker).alive:
                yield f"the part of {name} is being staged from nobody"
            if partition not in book.to_stage and not stages.live_attempts(partition) and not book.over:
                yield f"nobody stages the part of {name}"
        if state in (TaskState.WAITING, TaskState.RUNNING) and part is not None:
            yield f"{name} runs again, but its old part is still known"


def _counters_are_those_that_count(book: Book) -> Iterator[str]:
    expected = Tally()
    table = book.tasks["map"]
    for index in book.counted.indices():
        if table.is_in(index, TaskState.SUCCEEDED):
            expected.add(book.counted.get(index))
    for partition, part in book.parts.items():
        if not book.map_only and book.producers.is_in(partition, TaskState.SUCCEEDED):
            expected.add(part.counters)
    if expected.totals() != book.tally.totals():
        yield f"the counters are {book.tally.totals()}, but should be {expected.totals()}"


def _bad_records_are_those_that_count(book: Book) -> Iterator[str]:
    table = book.tasks["map"]
    expected = sum(len(found) for index, found in book.bad.items() if table.is_in(index, TaskState.SUCCEEDED))
    if expected != book.bad_count:
        yield f"{book.bad_count} bad records are counted, but should be {expected}"
    if book.bad_count > book.spec.skip_bad_records and book.failure is None and not book.over:
        yield f"{book.bad_count} bad records are too many, and nothing is done"


def _waiting_maps_get_room(book: Book) -> Iterator[str]:
    """Else reduces that wait for a lost segment would hold every slot for ever."""
    if book.over or book.failure is not None or not book.grace_over:
        return
    if book.state not in (JobState.MAPPING, JobState.REDUCING):
        return
    waiting = scheduling.maps_beside_others(book)
    if not book.tasks["map"].counts[TaskState.WAITING] or not (book.map_only or maps.outputs_needed(book)):
        return
    free = any(scheduling.is_free(book, worker) for worker in book.registry.alive("worker"))
    held_back = book.tasks["map"].blocked or book.tasks["map"].paused
    if waiting and free and not held_back:
        yield "a map waits, though a slot is free"
    table = book.tasks["map"]
    large = table.ready_alone(book.now, book.journal.written, most=1)
    if large and any(alone.is_empty(book, worker) for worker in book.registry.alive("worker")):
        yield f"map-{large[0]} waits for a worker of its own, though one is empty"
    if large and any(scheduling.waiting_reduces(book, reserved=True)):
        yield "a worker is kept free for a map that runs alone, and a reduce waits there for it"
    waiting_reduces = len(list(scheduling.waiting_reduces(book)))
    if not free and waiting_reduces and scheduling.being_preempted(book) < waiting:
        yield f"{waiting} maps wait, {waiting_reduces} reduces wait for them, and too few make room"


def _who_gathers_early_makes_room(book: Book) -> Iterator[str]:
    """Else a reduce that waits for a map could keep a slot from it, or from its backup."""
    if book.over or book.failure is not None:
        return
    gathering = [one for live in book.tasks["reduce"].live.values() for one in live.values() if one.early]
    if gathering and book.state is not JobState.MAPPING:
        yield f"{gathering[0].id} gathers early, and the job is {book.state.name}"
    yield from (f"{one.id} gathers early, and keeps {one.worker.name}" for one in gathering if one.worker.surplus)
    if book.backups_coming and not scheduling.being_preempted(book) and not scheduling.idle(book):
        waiting = any(one.waiting and one.worker.takes_work for one in gathering)
        yield from ("a backup waits for a slot, and nobody makes room",) if waiting else ()


def _nothing_runs_too_early(book: Book) -> Iterator[str]:
    early = book.state in (JobState.PENDING, JobState.PLANNING)
    for table in (book.tasks["map"], book.tasks["reduce"]):
        given = (attempt for some in table.live.values() for attempt in some if attempt.epoch == book.epoch)
        if early or not book.grace_over:
            yield from (f"{attempt} was given out too early" for attempt in given)
    if not divide.is_known(book) and not book.map_only:
        reduces = book.tasks["reduce"].live.values()
        given = (attempt for some in reduces for attempt in some if attempt.epoch == book.epoch)
        yield from (f"{attempt} was given out before its range was known" for attempt in given)
    if book.tasks["publish"].live and not book.producers.done:
        yield "publishing began before every part was staged"


def _seats_are_taken_by_the_living(book: Book) -> Iterator[str]:
    for seat, taken in book.registry.seats.items():
        if taken.worker is not None and not taken.worker.alive:
            yield f"the seat {seat} is taken by {taken.worker.name}, which is lost"
        if (taken.worker is None) != (seat in book.registry.vacant):
            yield f"the seat {seat} is vacant for one and taken for another"


def _sessions_lead_to_the_living(book: Book) -> Iterator[str]:
    sessions = [worker.session for worker in book.registry.alive() if worker.session]
    if len(sessions) != len(set(sessions)):
        yield "two workers have one session"
    for worker in book.registry.alive():
        if worker.state is WorkerState.LOST:
            yield f"{worker.name} is lost, but counts as alive"
        if worker.session and book.registry.by_session(worker.session) is not worker:
            yield f"the session of {worker.name} leads elsewhere"
        if worker.parked is not None and not worker.session:
            yield f"a request of {worker.name} is parked, but it has no session"


def _slots_are_counted(book: Book) -> Iterator[str]:
    workers = list(book.registry.alive("worker"))
    if book.registry.ready != sum(1 for worker in workers if worker.takes_work):
        yield f"{book.registry.ready} workers are said to be ready"
    for worker in workers:
        if worker.free > 0 and worker.number not in book.registry.maybe_free:
            yield f"{worker.name} has a free slot, and nobody knows"
        if worker.session and len(worker.attempts) > worker.slots:
            yield f"{worker.name} has {len(worker.attempts)} attempts on {worker.slots} slots"


_RULES: Final[tuple[Callable[[Book], Iterator[str]], ...]] = (
    _states_are_counted,
    _live_attempts_agree_with_their_workers,
    _backups_run_elsewhere,
    _who_runs_alone_is_alone,
    _running_tasks_are_run,
    _outputs_have_holders,
    _parts_are_somewhere,
    _counters_are_those_that_count,
    _bad_records_are_those_that_count,
    _waiting_maps_get_room,
    _who_gathers_early_makes_room,
    _nothing_runs_too_early,
    _seats_are_taken_by_the_living,
    _sessions_lead_to_the_living,
    _slots_are_counted,
)
