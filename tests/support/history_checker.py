"""Check the history of any run, simulated or real, against the rules that make the output trustworthy.

Works on the parsed lines of `events.ndjson` (see `mapreduce.history.parse`), so that the same
checker serves the simulation, the integration tests, the cluster and the benchmarks.
"""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any

Events = list[dict[str, Any]]

FORGOTTEN = "its worker does not know it any more"
"""What the history says of an attempt that had begun, and is missing in a later exchange of the same session."""


def check(
    events: Events,
    *,
    maps: int,
    reduces: int,
    attempts_per_task: int = 4,
    published: bool = True,
    counters: dict[str, int] | None = None,
) -> list[str]:
    """Return every rule that the history breaks, in words; an empty list is a good history.

    Of a job without reduce, `reduces` is the number of parts: one a map. `counters` are those of the
    manifest, if they should be checked too.
    """
    return [
        *_epochs_grow(events),
        *_budgets_are_respected(events, attempts_per_task),
        *_each_reduce_is_staged_once(events, reduces if published else 0),
        *_one_version_of_each_map_is_consumed(events),
        *(_published_after_all_parts(events) if published else ()),
        *_every_map_finished(events, maps if published else 0),
        *_nothing_comes_of_what_was_not_assigned(events),
        *_nothing_comes_of_what_was_given_up(events),
        *_what_was_consumed_is_known_before_a_part_is_staged(events),
        *_ranges_are_told_once_and_first(events),
        *_a_name_is_one_worker(events),
        *_an_attempt_is_assigned_once(events),
        *_an_attempt_ends_once(events, published=published),
        *_a_slot_has_one_attempt(events),
        *_an_attempt_says_the_same_of_its_bad_records(events),
        *_sizes_are_told_once(events),
        *(wrong_counters(events, counters) if counters is not None else ()),
    ]


def named(events: Events, *words: str) -> Events:
    """Return the events with one of these names."""
    return [event for event in events if event["event"] in words]


def counters_that_count(events: Events) -> dict[str, int]:
    """Return the sums over the attempts that count: of each map the last that finished or was found
    held, of each part the one that was staged."""
    sums: Counter[str] = Counter()
    for event in events_that_count(events):
        for name, value in event.get("counters", {}).items():
            sums[name] += value
    return dict(sums)


def bad_records_that_count(events: Events) -> dict[str, int]:
    """Return how many records each attempt that counts has left out, where it has any: what
    `_bad_records.jsonl` of the output holds."""
    return {event["attempt"]: event["bad_records"] for event in events_that_count(events) if event.get("bad_records")}


def events_that_count(events: Events) -> Iterable[dict[str, Any]]:
    """Return for each task the event with which it counted: of each map the last that finished or was found
    held, of each part the one that was staged."""
    counted: dict[str, dict[str, Any]] = {}
    for event in named(events, "Finished", "Held"):
        if event["task"].startswith("map-"):
            counted[event["task"]] = event
    for event in named(events, "Staged"):
        counted[event["task"]] = event
    for task in left_out(events):
        counted.pop(task, None)
    return counted.values()


def left_out(events: Events) -> set[str]:
    """Return the tasks without which the job went on."""
    return {event["task"] for event in named(events, "LeftOut")}


def wrong_counters(events: Events, counters: dict[str, int]) -> list[str]:
    """Say in words if these counters are not those of the attempts that count."""
    expected = counters_that_count(events)
    return [] if counters == expected else [f"the counters are {counters}, but those that count make {expected}"]


def lost_on(events: Events, worker: str) -> Events:
    """Return the attempts, and finished outputs, that were lost with one worker."""
    return [event for event in named(events, "Lost") if event.get("worker") == worker]


def finished_more_than_once(events: Events) -> list[str]:
    """Return the maps that finished (or were found held) in more than one attempt."""
    attempts: dict[str, set[str]] = defaultdict(set)
    for event in named(events, "Finished", "Held"):
        if event["task"].startswith("map-"):
            attempts[event["task"]].add(event["attempt"])
    return sorted(task for task, found in attempts.items() if len(found) > 1)


def assigned_again_after_finishing(events: Events) -> list[str]:
    """Return the maps that were assigned again after an attempt of theirs had finished."""
    finished: set[str] = set()
    again = []
    for event in events:
        task = event.get("task", "")
        if not task.startswith("map-"):
            continue
        if event["event"] in ("Finished", "Held"):
            finished.add(task)
        elif event["event"] == "Assigned" and task in finished:
            again.append(task)
    return again


def holders_of_what_ran_again(events: Events) -> set[str]:
    """Return the workers that had finished maps which were assigned again afterwards."""
    holders: dict[str, str] = {}
    found = set()
    for event in events:
        task = event.get("task", "")
        if event["event"] in ("Finished", "Held") and task.startswith("map-"):
            holders[task] = event["worker"]
        elif event["event"] == "Assigned" and task in holders:
            found.add(holders[task])
    return found


def assigned_before_all_had_told(events: Events) -> list[str]:
    """Return the maps and reduces that a later master gave out, though an attempt of an older one ran or had
    finished, as a worker told afterwards."""
    assigned: set[tuple[int, str]] = set()
    early = []
    for event in events:
        if not event.get("task", "").startswith(("map-", "reduce-")):
            continue
        of_task = event["epoch"], event["task"]
        if event["event"] == "Assigned":
            assigned.add(of_task)
        elif event["event"] in ("Started", "Held") and of_task in assigned:
            older = f".e{event['epoch']}." not in event["attempt"]
            early += [event["task"]] if older else []
    return early


def forgotten_by_their_workers(events: Events) -> list[str]:
    """Return the attempts that had begun, and that a worker with an unbroken session did not name any more."""
    return [event["attempt"] for event in named(events, "Lost") if event.get("message") == FORGOTTEN]


def most_workers_busy_at_once(events: Events) -> int:
    """Return the largest number of workers that had an attempt of map or reduce at the same time."""
    busy: dict[str, set[str]] = defaultdict(set)
    most = 0
    for event in events:
        attempt = event.get("attempt", "")
        if not attempt.startswith(("map-", "reduce-")):
            continue
        if event["event"] == "Assigned":
            busy[event["worker"]].add(attempt)
        elif event["event"] in ("Finished", "Failed", "Lost", "Cancelled"):
            for attempts in busy.values():
                attempts.discard(attempt)
        most = max(most, sum(1 for attempts in busy.values() if attempts))
    return most


def _epochs_grow(events: Events) -> Iterable[str]:
    for before, after in itertools.pairwise(events):
        if after["epoch"] < before["epoch"]:
            yield f"epoch {after['epoch']} after epoch {before['epoch']} at event {after['sequence']}"


def _budgets_are_respected(events: Events, attempts_per_task: int) -> Iterable[str]:
    charged = Counter(event["task"] for event in named(events, "Charged") if event.get("budget") == "user")
    ended = bool(named(events, "JobFailed"))
    for task, count in charged.items():
        if count > attempts_per_task or (count == attempts_per_task and not ended and task not in left_out(events)):
            yield f"{task} was charged {count} times with a budget of {attempts_per_task}"


def _each_reduce_is_staged_once(events: Events, reduces: int) -> Iterable[str]:
    staged: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for event in named(events, "Staged"):
        staged[event["task"]].add((event["attempt"], event["checksum"]))
    for task, sources in staged.items():
        if len(sources) > 1:
            yield f"{task} was staged from more than one attempt: {sorted(sources)}"
    made_nothing = {task for task in left_out(events) if task not in staged}
    if reduces and any(task.startswith("reduce-") for task in staged):
        reduces -= sum(1 for task in made_nothing if task.startswith("reduce-"))
    elif reduces:
        reduces = max(0, reduces - len(made_nothing))
    if reduces and len(staged) != reduces:
        yield f"{len(staged)} of {reduces} reduces were staged"


def _one_version_of_each_map_is_consumed(events: Events) -> Iterable[str]:
    staged = {event["attempt"] for event in named(events, "Staged") if event["task"].startswith("reduce-")}
    digests = {event["checksum"] for event in named(events, "Consumed") if event["attempt"] in staged}
    if len(digests) > 1:
        yield f"the staged reduces consumed different map outputs: {sorted(digests)}"
    missing = staged - {event["attempt"] for event in named(events, "Consumed")}
    if missing:
        yield f"nobody knows what these staged reduces consumed: {sorted(missing)}"


def _published_after_all_parts(events: Events) -> Iterable[str]:
    positions = [number for number, event in enumerate(events) if event["event"] == "Publishing"]
    if not positions:
        yield "the job was published, but its history has no Publishing"
        return
    late = list(named(events[positions[0] :], "Staged"))
    if late:
        yield f"staged after publishing began: {[event['task'] for event in late]}"


def _every_map_finished(events: Events, maps: int) -> Iterable[str]:
    proofs = named(events, "Finished", "Held", "Staged")
    finished = {event["task"] for event in proofs if event["task"].startswith("map-")}
    finished |= {task for task in left_out(events) if task.startswith("map-")}
    if len(finished) < maps:
        yield f"{len(finished)} of {maps} maps finished"


def _nothing_comes_of_what_was_not_assigned(events: Events) -> Iterable[str]:
    """Every attempt that finished or was staged was assigned, or was found by a later master.

    Not by position: the gateway journals what it stages at once, the master its frames in batches.
    After a restart of the master, an assignment may have died with the one before.
    """
    if len(named(events, "EpochOpened")) > 1:
        return
    known = {event["attempt"] for event in named(events, "Assigned", "Held")}
    for event in named(events, "Finished", "Staged"):
        if event["attempt"] not in known:
            yield f"{event['attempt']} is {event['event']}, but was never assigned"


def _nothing_comes_of_what_was_given_up(events: Events) -> Iterable[str]:
    """An attempt that a master cancelled, or saw fail or lost, does not finish under that master.

    Under the next one it may: a cancellation that did not reach the worker died with the master.
    """
    given_up: set[tuple[int, str]] = set()
    for event in events:
        which = event["epoch"], event.get("attempt", "")
        if event["event"] in ("Cancelled", "Failed", "Lost"):
            given_up.add(which)
        elif event["event"] == "Finished" and which in given_up:
            yield f"{event['attempt']} finished after it was given up"


def _what_was_consumed_is_known_before_a_part_is_staged(events: Events) -> Iterable[str]:
    first: dict[str, str] = {}
    for event in named(events, "Consumed", "Staged"):
        before = first.setdefault(event["attempt"], event["event"])
        if before == "Staged" and event["event"] == "Consumed":
            yield f"{event['attempt']} was staged before it was known what it consumed"


def _ranges_are_told_once_and_first(events: Events) -> Iterable[str]:
    """Where keys have a total order, it is told which ranges there are before a reduce is assigned, and never again."""
    told = [at for at, event in enumerate(events) if event["event"] == "Divided"]
    if len(told) > 1:
        yield f"keys were divided {len(told)} times: {[events[at].get('boundaries', []) for at in told]}"
    for event in named(events[: told[0]] if told else [], "Assigned"):
        if event["task"].startswith("reduce-"):
            yield f"{event['attempt']} was assigned before keys were divided"


def _a_name_is_one_worker(events: Events) -> Iterable[str]:
    """The name of a worker, or of a gateway, is not used again."""
    uids: dict[str, set[str]] = defaultdict(set)
    for event in events:
        if event.get("worker") and event.get("worker_uid"):
            uids[event["worker"]].add(event["worker_uid"])
    for name, found in uids.items():
        if len(found) > 1:
            yield f"the name {name} was that of {len(found)} workers: {sorted(found)}"


def _an_attempt_is_assigned_once(events: Events) -> Iterable[str]:
    """No two masters give out attempts of a map or a reduce under one name: their epochs are in it."""
    for name, count in Counter(event["attempt"] for event in named(events, "Assigned")).items():
        if count > 1 and name.startswith(("map-", "reduce-")):
            yield f"{name} was assigned {count} times"


def _an_attempt_ends_once(events: Events, *, published: bool) -> Iterable[str]:
    """What a master gave out of maps and reduces, or took over, ends under it, and once; what it made may go later.

    What still ran when the master died, or the job was suspended, need not. A worker may begin what it does not yet
    know to be cancelled.
    """
    running: set[str] = set()
    ended: dict[str, str] = {}
    for event in events:
        word, attempt = event["event"], event.get("attempt", "")
        if word in ("EpochOpened", "Suspended"):
            running.clear()
            ended.clear()
        elif word in ("Assigned", "Started") and attempt.startswith(("map-", "reduce-")) and attempt not in ended:
            running.add(attempt)
        elif word in ("Finished", "Failed", "Cancelled", "Lost"):
            running.discard(attempt)
            before = ended.setdefault(attempt, "")
            allowed = ("Lost",) if before == "Finished" else ("Finished",)
            if before and word not in allowed:
                yield f"{attempt} was {before}, and is {word} later"
            ended[attempt] = before or word
    if published and running:
        yield f"these attempts never ended: {sorted(running)}"


def _a_slot_has_one_attempt(events: Events) -> Iterable[str]:
    """A slot gets no second attempt before the first has ended, or, if it was cancelled, has given the slot back."""
    taken: dict[tuple[str, int], str] = {}
    for event in events:
        word, worker = event["event"], event.get("worker", "")
        if word == "EpochOpened":
            taken.clear()
        elif word in ("WorkerReady", "WorkerLost"):
            taken = {place: attempt for place, attempt in taken.items() if place[0] != worker}
        elif word == "Started" and event.get("slot", -1) >= 0:
            place = worker, event["slot"]
            if place in taken:
                yield f"slot {event['slot']} of {worker} has {event['attempt']}, and has {taken[place]} still"
            taken[place] = event["attempt"]
        elif word in ("Finished", "Failed", "Lost", "Ended"):
            taken = {place: attempt for place, attempt in taken.items() if attempt != event.get("attempt")}


def _an_attempt_says_the_same_of_its_bad_records(events: Events) -> Iterable[str]:
    """Whatever tells again what an attempt of a map made, tells as many bad records."""
    told: dict[str, set[int]] = defaultdict(set)
    for event in named(events, "Finished", "Held", "Staged"):
        if event["attempt"].startswith("map-"):
            told[event["attempt"]].add(event.get("bad_records", 0))
    for attempt, counts in told.items():
        if len(counts) > 1:
            yield f"{attempt} left out {' or '.join(map(str, sorted(counts)))} records, as it was told"


def _sizes_are_told_once(events: Events) -> Iterable[str]:
    """Once it is journalled how large partitions are, a later master knows it too."""
    if (count := len(named(events, "Sizes"))) > 1:
        yield f"the sizes of the partitions are told {count} times"
