"""The fixed list of bugs that the simulation must find, each a few small edits of product code.

Where two layers guard against one mistake, both are edited: else the bug is none. Neighbours:
`patching.py` (what an edit is), `search.py` (what counts as found), `tests/unit/test_planted_bugs.py` (every
edit still fits the code).
"""

from __future__ import annotations

from typing import Final

import msgspec

from tests.support.planted.patching import Edit

MASTER: Final = "mapreduce_operator.core."
WORKER: Final = "mapreduce_worker.core."
GATEWAY: Final = "mapreduce_worker.gateway."


class Bug(msgspec.Struct, frozen=True):
    """One bug; `what` says in a sentence what is wrong with the code."""

    name: str
    what: str
    edits: tuple[Edit, ...]


def named(name: str) -> Bug:
    """Return the bug of this name; raises `SystemExit` for none."""
    for bug in ALL:
        if bug.name == name:
            return bug
    raise SystemExit(f"no planted bug is called {name!r}; there are: {', '.join(bug.name for bug in ALL)}")


MESSAGES: Final = (
    Bug(
        "apply a report twice",
        "A repeated report is applied again, and counts a map once more.",
        (
            Edit(
                MASTER + "exchange",
                "_apply_reports",
                "report.number <= worker.applied or applied == REPORTS_AT_ONCE",
                "applied == REPORTS_AT_ONCE",
            ),
            Edit(MASTER + "maps", "note", "    if counts:\n        count(book, index, -1)\n", ""),
        ),
    ),
    Bug(
        "lose an answer",
        "What an answer assigned is taken for known, whether the worker saw that answer or not.",
        (
            Edit(MASTER + "answers", "_assignments", "not 0 < attempt.sent <= worker.seen", "attempt.sent == 0"),
            Edit(MASTER + "exchange", "_compare_running", "(attempt.started or told)", "attempt.started"),
        ),
    ),
    Bug(
        "double session",
        "A new session of a worker does not end its old one.",
        (Edit(MASTER + "workers", "Registry.open_session", "        self.close_session(worker)\n", ""),),
    ),
    Bug(
        "stale location",
        "A worker keeps the first place that it was told of a map output.",
        (
            Edit(
                WORKER + "locations",
                "LocationTable.apply",
                "places[index] = Place(",
                "places[index] = places.get(index) or Place(",
            ),
            Edit(WORKER + "locations", "LocationTable.apply", "places.pop(index, None)", "pass"),
        ),
    ),
    Bug(
        "combine again at retry",
        "Where a fetch broke off, all of it is fetched again, and what came the first time is reduced twice.",
        (
            Edit(
                WORKER + "locations",
                "Gathering.fetched",
                "        if not complaints:\n",
                "        if not told.issuperset(fetch.wanted):\n"
                "            again = {attempt.task.index: place for attempt, place in fetch.wanted.items()}\n"
                "            self._todo.setdefault(fetch.holder.number, {}).update(again)\n"
                "        if not complaints:\n",
            ),
            Edit(
                WORKER + "locations",
                "Gathering._keep",
                "            self._here[index] = (segment, place.checksum)",
                "            self._here[index] = (segment, place.checksum)\n"
                "            self._every = [*getattr(self, '_every', []), segment]",
            ),
            Edit(
                WORKER + "locations",
                "Gathering.segments",
                "(self._here[index][0] for index in sorted(self._here))",
                "getattr(self, '_every', [])",
            ),
        ),
    ),
)

RESTARTS: Final = (
    Bug(
        "ignore the epoch",
        "Attempts are named as if there were one epoch, and nobody looks at it.",
        (
            Edit(
                MASTER + "tasks", "TaskTable.new_attempt", "self.id(index), epoch, number", "self.id(index), 1, number"
            ),
            Edit(
                GATEWAY + "core.gateway",
                "GatewayCore._assign",
                " and work.attempt.epoch == self._line.book.epoch",
                "",
            ),
            Edit(
                GATEWAY + "core.gateway",
                "GatewayCore._note_result",
                "event.attempt.epoch == self._line.book.epoch",
                "True",
            ),
        ),
    ),
    Bug(
        "refill budgets at restart",
        "What was charged before a restart of the master is forgotten.",
        (Edit(MASTER + "rebuild", "_restore_tasks", "min(255, count)", "0"),),
    ),
    Bug(
        "forget a held map output at registration",
        "The outputs that a worker announces are not taken over.",
        (
            Edit(
                MASTER + "adoption",
                "_hear",
                "        _take_output(book, worker, output)\n",
                "",
            ),
        ),
    ),
    Bug(
        "assign during the grace",
        "After a restart, tasks are given out before the workers have told what they run and hold.",
        (Edit(MASTER + "scheduling", "advance", "    if not book.grace_over:\n        return\n", ""),),
    ),
    Bug(
        "plan changes after restart",
        "The plan in the journal is not read: another is made.",
        (Edit(MASTER + "rebuild", "_first_time", "if found.header is None:", "if True:"),),
    ),
    Bug(
        "choose ranges anew after restart",
        "Where keys have a total order, the ranges in the journal are not read: they are chosen once more.",
        (Edit(MASTER + "rebuild", "_first_time", "    book.boundaries = found.boundaries\n", ""),),
    ),
    Bug(
        "journal after acting",
        "The master acts on what it has journalled without waiting until that is durable.",
        (
            Edit(MASTER + "journal", "Journal.is_written", "self.written >= sequence", "True"),
            Edit(MASTER + "tasks", "TaskTable.may_run", "self.blocked.get(index, 0) > written", "False"),
        ),
    ),
    Bug(
        "reuse a Pod name",
        "The next start of a worker gets the name of the one before.",
        (Edit(MASTER + "fleet", "fill_seats", "        seat.number += 1\n", ""),),
    ),
)

TASKS: Final = (
    Bug(
        "count a disruption as a failure",
        "An attempt that is lost with its worker is charged to the user's code.",
        (Edit(MASTER + "failures", "attempt_lost", "elif charged:", "elif kind:"),),
    ),
    Bug(
        "accept a part of an old attempt",
        "A part is taken though its attempt has read an output of a map that another one has replaced.",
        (Edit(MASTER + "reports", "_reduce_succeeded", "if report.consumed != current:", "if False:"),),
    ),
    Bug(
        "re-run no map after two lost holders",
        "A map whose output was lost runs again once, and no second time.",
        (
            Edit(
                MASTER + "maps",
                "run_orphans_again",
                "        run_again(book, index)",
                "        if book.tasks['map'].given(index) < 2:\n            run_again(book, index)",
            ),
        ),
    ),
    Bug(
        "no preemption of waiting reducers",
        "Reduce attempts that wait for segments keep their slots while a map waits for one.",
        (Edit(MASTER + "scheduling", "_make_room", "candidates[:count]", "candidates[:0]"),),
    ),
    Bug(
        "no preemption of an early reduce",
        "Reduces that gather early keep their slots while a map waits for one.",
        (
            Edit(
                MASTER + "scheduling",
                "waiting_reduces",
                "                attempt.waiting\n",
                "                attempt.waiting\n                and not attempt.early\n",
            ),
        ),
    ),
    Bug(
        "count the sizes of a map twice",
        "What a map has for each partition is added again where it runs again.",
        (Edit(MASTER + "skew", "note", " and not sums.has(index)", ""),),
    ),
)

BAD_RECORDS: Final = (
    Bug(
        "count a retry's bad records twice",
        "What a map left out when it ran again is added to what it left out before.",
        (
            Edit(MASTER + "left_records", "note", "    book.bad.pop(index, None)\n", ""),
            Edit(
                MASTER + "left_records",
                "note",
                "book.bad[index] = found",
                "book.bad[index] = (*book.bad.get(index, ()), *found)",
            ),
        ),
    ),
    Bug(
        "keep the bad records of a loser",
        "What an attempt left out that lost to another one of its map takes the place of what the winner told.",
        (
            Edit(
                MASTER + "reports",
                "_map_succeeded",
                "    if not attempts.end(book, attempt):\n",
                "    if not attempts.end(book, attempt):\n        book.bad[attempt.id.task.index] = output.bad\n",
            ),
        ),
    ),
)

SPECULATION: Final = (
    Bug(
        "do not say that a slot was given back",
        "Of a cancelled attempt nobody learns when its slot was free again.",
        (Edit(MASTER + "attempts", "end", "if attempt.cancel and attempt.started:", "if False:"),),
    ),
    Bug(
        "stage a speculative loser",
        "A reduce attempt that reports after another one of its task has won is staged as well.",
        (
            Edit(
                MASTER + "reports",
                "_reduce_succeeded",
                "if not attempts.end(book, attempt):",
                "if not attempts.end(book, attempt) and book.over:",
            ),
            Edit(
                MASTER + "reports",
                "_reduce_succeeded",
                "if not _awaits_part(book, partition):",
                "if not _awaits_part(book, partition) and book.over:",
            ),
            Edit(
                MASTER + "parts",
                "offer",
                '    book.producers.move(partition, "reported")\n',
                "    if book.producers.is_in(partition, TaskState.SUCCEEDED):\n"
                '        book.tasks["stage"].move(partition, "output_lost")\n'
                "    elif not book.producers.is_in(partition, TaskState.STAGING):\n"
                '        book.producers.move(partition, "reported")\n',
            ),
            Edit(
                GATEWAY + "storage",
                "Output.stage",
                "if before is not None and before.checksum == part.facts.checksum:",
                "if before is not None and False:",
            ),
        ),
    ),
)

STORE: Final = (
    Bug(
        "publish before the last part",
        "The job publishes as soon as every part is made, staged or not.",
        (
            Edit(
                MASTER + "phases",
                "_next_phase",
                "book.producers.done",
                "sum(book.producers.counts[2:]) == book.producers.count",
            ),
        ),
    ),
    Bug(
        "_SUCCESS before the manifest",
        "The marker is written before the manifest.",
        (
            Edit(
                GATEWAY + "publishing",
                "prepare",
                "    durable.write(store, posixpath.join(target.staging, paths.MANIFEST), manifest, mark)\n",
                "    durable.write(store, posixpath.join(target.staging, paths.SUCCESS), b'', mark)\n"
                "    durable.write(store, posixpath.join(target.staging, paths.MANIFEST), manifest, mark)\n",
            ),
        ),
    ),
    Bug(
        "the rename before the manifest is durable",
        "Files get their final names before their content is on the disk.",
        (Edit(GATEWAY + "durable", "commit", "    store.sync(temporary)\n", ""),),
    ),
    Bug(
        "skip the CRC",
        "A part is staged as it arrives, whatever its checksum.",
        (Edit(GATEWAY + "storage", "Output._check", "if found != part.facts:", "if False:"),),
    ),
)

ALL: Final = (*MESSAGES, *RESTARTS, *TASKS, *BAD_RECORDS, *SPECULATION, *STORE)

NOTHING: Final = "nothing"
"""The name under which the code is played as it is."""
