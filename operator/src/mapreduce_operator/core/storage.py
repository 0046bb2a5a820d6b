"""The work of the gateways: open, plan, stage, publish, clean; and what comes of it.

    open ──> (plan) ──> stage, once a part ──> publish ──> clean (of a job that failed or was deleted)

The output gateway opens first, and again whenever it was started again. Neighbours: `phases.py`
(when a job publishes), `ending.py` (when it is cleaned up), `rebuild.py` (what open found).
"""

from __future__ import annotations

from typing import Final

from mapreduce.history import PlanMade, PlanPage
from mapreduce.ids import Kind
from mapreduce.protocol import (
    Cleaned,
    JournalPage,
    Opened,
    OutputContested,
    PlanFinished,
    PlanPageMade,
    Published,
    Staged,
)
from mapreduce_operator.core import attempts, failures, parts, policies, rebuild, shape
from mapreduce_operator.core.book import Book
from mapreduce_operator.core.entries import JournalTrouble, Part, PlanDraft
from mapreduce_operator.core.events import FindJobs, JobsFound
from mapreduce_operator.core.states import JobState, TaskState
from mapreduce_operator.core.tasks import Attempt
from mapreduce_operator.core.workers import Worker

STAGES_AT_ONCE: Final = 8
"""Stage attempts that one gateway has at a time."""
CONTESTS: Final = 30
"""How often in a row an output may be found contested."""
JUDGED_AT_ONCE: Final = 100
"""Other jobs at the output of which it is found out at a time whether they live."""
TROUBLE_KEPT: Final = 2000
"""Characters that are kept of why a journal cannot be written: a gateway says it, and may be anybody's image."""


def advance(book: Book) -> None:
    """Give the gateways what can be done now."""
    gateway = book.output_gateway
    if gateway is None or not gateway.usable:
        return
    if not gateway.opened:
        give_open(book, gateway)
        return
    if not book.rebuilt:
        return
    if book.header is None:
        _plan(book)
    _stage(book, gateway)
    if book.state is JobState.PUBLISHING and book.journal.is_written(book.publish_sequence):
        give_once(book, gateway, "publish")


def give_once(book: Book, worker: Worker, kind: Kind) -> None:
    """Give the only task of a kind to a worker, if it may run now."""
    table = book.tasks[kind]
    if table.first_ready(book.now, book.journal.written) is not None and not table.live:
        attempts.give(book, worker, kind, 0)


def give_open(book: Book, gateway: Worker) -> None:
    """Let the output be opened, unless it is being found out who else lives."""
    if not book.sought:
        give_once(book, gateway, "open")


def _plan(book: Book) -> None:
    gateway = book.input_gateway
    if gateway is not None and gateway.usable and book.journal.is_written(1) and book.draft_sequence == 0:
        give_once(book, gateway, "plan")


def _stage(book: Book, gateway: Worker) -> None:
    if not book.to_stage:
        return
    table = book.tasks["stage"]
    for partition in sorted(book.to_stage):
        if len(gateway.attempts) >= STAGES_AT_ONCE:
            return
        if table.is_in(partition, TaskState.WAITING) and table.may_run(partition, book.now, book.journal.written):
            book.to_stage.discard(partition)
            attempts.give(book, gateway, "stage", partition)


# --- open -------------------------------------------------------------------------------------


def journal_page(book: Book, attempt: Attempt, report: JournalPage) -> None:
    """Read one page of the journal that `open` found."""
    if not attempt.cancel:
        rebuild.read(book, report)


def opened(book: Book, attempt: Attempt, report: Opened) -> None:
    """The output's name is ours and the journal is open: go on where it ends."""
    if not attempts.end(book, attempt):
        return
    book.tasks["open"].move(0, "succeeded")
    book.record("Finished", attempt=attempt.id, worker=attempt.worker)
    attempt.worker.opened = True
    book.opened_once = True
    book.contests = 0
    book.news.add(attempt.worker.number)
    if report.published:
        book.summary = report.summary
        book.found_published = True
    else:
        rebuild.resume(book)


def contested(book: Book, attempt: Attempt, report: OutputContested) -> None:
    """Others left something at the output's name. Whoever is asked now answers for them as they are now; a list
    that was made before may lack a job that began since."""
    if not attempts.end(book, attempt):
        return
    attempts.put_back(book, "open", 0)
    book.contests += 1
    if book.contests > CONTESTS:
        message = f"others leave something at the output again and again, at last {', '.join(report.uids[:3])}"
        book.fail("OutputReserved", message)
    # Whoever can write to the volume can make this happen: each time costs a LIST of all jobs.
    book.tasks["open"].paused[0] = book.now + policies.pause(book.contests - 1, policies.STORAGE_PAUSES)
    book.sought = report.uids[:JUDGED_AT_ONCE]
    book.commands.append(FindJobs(book.sought))


def judged(book: Book, found: JobsFound) -> None:
    """It was found out which of the others live: the output can be opened, or is refused."""
    book.live_jobs = (book.live_jobs - set(found.dead)) | set(found.living)
    book.dead_jobs |= set(found.dead)
    book.sought = ()


def must_open_again(book: Book, gateway: Worker) -> None:
    """The output gateway has nothing open any more: the next one, or the next start of it, opens."""
    if gateway.index == 0 and book.tasks["open"].is_in(0, TaskState.SUCCEEDED):
        book.tasks["open"].move(0, "output_lost")


def close(book: Book, gateway: Worker) -> None:
    """The journal that the gateway had open is gone, or another's. To open it again tells what is left of it: the
    job goes on, or fails if frames that were written are missing."""
    gateway.opened = False
    gateway.journal_sent = 0
    must_open_again(book, gateway)


def note_journal_trouble(book: Book, message: str) -> None:
    """Note why the journal cannot be written now, or that it can."""
    before = book.journal_trouble
    if not message:
        book.journal_trouble = None
        return
    message = message[:TROUBLE_KEPT]
    book.journal_trouble = JournalTrouble(message, before.since if before is not None else book.now)
    book.announce_once("Warning", "StorageFailed", f"the journal cannot be written: {message}")


def check_journal(book: Book) -> None:
    """Give up a job whose journal could not be written for too long."""
    trouble = book.journal_trouble
    if trouble is None:
        return
    verdict = policies.journal_given_up(book.now - trouble.since, trouble.message, book.spec.limits)
    if verdict is not None:
        book.fail(verdict.reason, verdict.message)


# --- plan -------------------------------------------------------------------------------------


def plan_page(book: Book, attempt: Attempt, report: PlanPageMade) -> None:
    """Keep one page of a plan that is being made."""
    if attempt.cancel:
        return
    if book.draft is None or book.draft.attempt != attempt.id:
        book.draft = PlanDraft(attempt.id, [])
    if report.number == len(book.draft.pages):
        book.draft.pages.append(report.splits)


def plan_finished(book: Book, attempt: Attempt, report: PlanFinished) -> None:
    """Journal the plan; the job goes on once that is written."""
    if not attempts.end(book, attempt):
        return
    draft = book.draft if book.draft is not None and book.draft.attempt == attempt.id else None
    pages = draft.pages if draft is not None else []
    book.draft = None
    if len(pages) != report.pages or sum(len(page) for page in pages) != report.header.splits:
        message = f"the plan came with {len(pages)} of its {report.pages} pages"
        failures.disrupt(book, "plan", 0, "StorageFailed", message)
        return
    book.tasks["plan"].move(0, "succeeded")
    book.record("Finished", attempt=attempt.id, worker=attempt.worker)
    for number, splits in enumerate(pages):
        book.journal.append(PlanPage(number, splits), book.now)
    book.journal.append(PlanMade(report.header, len(pages)), book.now, awaited=True)
    message = f"{report.header.files} files, {report.header.size} bytes, {report.header.splits} splits"
    book.draft_sequence = book.record("Planned", message=message, awaited=True)
    book.announce("Normal", "Planned", message)
    rebuild.install_plan(book, report.header, pages)


# --- stage --------------------------------------------------------------------------------------


def staged(book: Book, gateway: Worker, report: Staged) -> None:
    """A part is durable. That is so whoever asked for it, and whether it is still wanted.

    What it was made of was checked before it was asked for, and no map may have changed since.
    """
    attempt = gateway.attempts.get(report.attempt)
    if attempt is not None:
        attempts.end(book, attempt)
    facts = (report.checksum, report.rows, report.size)
    part = Part(report.source, *facts, -1, report.records, report.counters, report.bad)
    if not book.rebuilt:
        rebuild.note_staged(book, report.partition, part)
        return
    shape.learn(book, has_reduce=report.source.task.kind == "reduce")
    if report.partition < book.producers.count:
        parts.accept(book, report.partition, part)


# --- publish and clean -----------------------------------------------------------------------------


def published(book: Book, attempt: Attempt, report: Published) -> None:
    """The output stands under its final name."""
    if attempts.end(book, attempt):
        book.tasks["publish"].move(0, "succeeded")
        book.summary = report.summary
        book.found_published = True


def cleaned(book: Book, attempt: Attempt, _: Cleaned) -> None:
    """What was asked to be removed is gone."""
    if attempts.end(book, attempt):
        book.tasks["clean"].move(0, "succeeded")
        if book.ending is not None:
            book.ending.cleaned = True
