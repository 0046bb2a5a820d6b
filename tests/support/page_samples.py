"""Jobs as the page is told of them, by size: made up, always the same for the same arguments.

`job` is a whole update; `hostile` has text in every place that tries to become something else; `as_file` makes a report
that a browser can open, with the policy that reports have. Neighbours: `browser` (opens them), `mapreduce_page.model`
(says what each field means).
"""

from __future__ import annotations

import base64
import hashlib
import heapq
import random
import zlib
from pathlib import Path
from typing import Any

import msgspec

STATIC = Path(__file__).parents[2] / "src/mapreduce_page/static"
COLUMNS = (
    *("row", "kind", "index", "epoch", "number", "worker", "slot", "given", "began", "took", "outcome", "flags"),
    *("records", "size", "cpu", "peak", "group"),
)
Json = dict[str, Any]

TRACEBACK = """Traceback (most recent call last):
  File "/work/job.py", line 12, in map
    yield fields[0], int(fields[2])
                     ^^^^^^^^^^^^^^
ValueError: invalid literal for int() with base 10: 'n/a'
"""
LOG = "reading logs/2026-11-07.csv\nskipping the header\nline 40117 has 3 fields\n"

HOSTILE = (
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(2)</script>",
    "\x1b[31mred\x1b]8;;http://evil.example\x07click\x1b]8;;\x07",
    "\u202egnp.exe\u2066\u200b",
    "nul\x00bell\x07return\rback\x08",
    "javascript:alert(3)",
    '"><svg onload=alert(4)>',
)


class _Made:
    """Attempts as they come, by columns."""

    def __init__(self, seed: int, workers: int, slots: int) -> None:
        self.random = random.Random(seed)
        self.rows: list[tuple[int, ...]] = []
        self.free = [(0.0, worker, slot) for worker in range(workers) for slot in range(slots)]
        heapq.heapify(self.free)
        self.end = 0

    def attempt(self, kind: int, index: int, number: int, outcome: int, group: int = -1) -> None:
        at, worker, slot = heapq.heappop(self.free)
        draw = self.random
        given = int(at) + draw.randint(2, 40)
        took = int(draw.lognormvariate(8, 0.35) * (1 if kind == 0 else 2.2) * (0.4 if outcome == 2 else 1))
        if draw.random() < 0.01:
            took *= 4
        flags = (1 if number else 0) | (2 if draw.random() < 0.02 else 0)
        sizes = (draw.randint(90_000, 110_000), draw.randint(5 << 20, 7 << 20)) if outcome == 1 else (0, 0)
        self.rows.append((
            *(len(self.rows), kind, index, 1, number, worker, slot, given, given + 3, -1 if outcome == 0 else took),
            *(outcome, flags, *sizes, took * 9 // 10, draw.randint(200, 300) << 10, group),
        ))  # fmt: skip
        if outcome != 0:
            heapq.heappush(self.free, (given + 3 + took, worker, slot))
            self.end = max(self.end, given + 3 + took)

    def barrier(self) -> None:
        """Nobody begins before all have ended."""
        self.free = [(float(self.end), worker, slot) for _, worker, slot in self.free]
        heapq.heapify(self.free)


def job(maps: int, reduces: int, *, workers: int = 4, slots: int = 2, phase: str = "Succeeded", seed: int = 1) -> Json:
    """Return a whole update of a job that ended, or that runs (phase Mapping): then half its maps are done."""
    made = _Made(seed, workers, slots)
    runs = phase == "Mapping"
    failed = 0
    for index in range(maps // 2 if runs else maps):
        if index == 3 and phase == "Failed":
            continue
        number = 0
        while number < 3 and made.random.random() < 0.03:
            outcome = made.random.choice((2, 2, 3))
            made.attempt(0, index, number, outcome, 0 if outcome == 2 else -1)
            failed += outcome == 2
            number += 1
        made.attempt(0, index, number, 1)
    if runs:
        for index in range(maps // 2, min(maps, maps // 2 + workers * slots)):
            made.attempt(0, index, 0, 0)
    if phase == "Failed":
        for number in range(4):
            made.attempt(0, 3, number, 2, 1)
    else:
        made.barrier()
        for index in range(0 if runs else reduces):
            made.attempt(1, index, 0, 1)
    return _update(made, maps, reduces, workers, slots, phase, failed)


def _update(made: _Made, maps: int, reduces: int, workers: int, slots: int, phase: str, failed: int) -> Json:
    runs, end = phase == "Mapping", made.end + 200
    message = "map-3 failed 4 times: ValueError: invalid literal for int() with base 10: 'n/a'"
    groups = [_group(0, failed, "ConnectionResetError at job.py:31", "ConnectionResetError: the mirror closed", end)]
    if phase == "Failed":
        groups.append(_group(1, 4, "ValueError at job.py:12", message.partition(": ")[2], end))
    size = 6 << 20
    return {
        "v": 1, "boot": "b", "rev": 1, "full": True, "more": False, "t0": 1_795_000_000_000, "now": end,
        "head": {
            "ns": "team", "name": "wordcount", "uid": "0b1f", "phase": phase, "began": 0, "ended": -1 if runs else end,
            "reason": "TaskFailed" if phase == "Failed" else "", "message": message if phase == "Failed" else "",
            "epochs": [0], "params": {"min": "3"}, "counters": {"words": 1_234_567, "skipped lines": 42},
            "left_out": [], "bad_records": 0, "output": "pvc:results/wc", "rows_dropped": 0,
            "phases": [_phase(made, "map", maps, size, runs), _phase(made, "reduce", reduces, 0, runs)],
        },
        "workers": [_worker(made, row, slots, end) for row in range(workers)],
        "attempts": columns(made.rows),
        "usage": _usage(workers, end),
        "rate": _rate(made, end),
        "groups": [group for group in groups if group["count"]],
        "partitions": {"sizes": [], "heavy": []} if runs or phase == "Failed" else _partitions(made, reduces),
    }  # fmt: skip


def columns(rows: list[tuple[int, ...]]) -> dict[str, list[int]]:
    """Return rows by columns, with differences where the page's API has them."""
    table = {name: [row[at] for row in rows] for at, name in enumerate(COLUMNS)}
    for name in ("row", "began"):
        table[name] = [value - before for before, value in zip([0, *table[name]], table[name], strict=False)]
    return table


def _phase(made: _Made, kind: str, total: int, size: int, runs: bool) -> Json:
    mine = [row for row in made.rows if row[1] == (kind == "reduce")]
    took = sorted(row[9] for row in mine if row[10] == 1)
    done, active = len(took), sum(row[10] == 0 for row in mine)
    return {
        "kind": kind, "total": total, "done": done, "active": active, "failed": 0,
        "retried": sum(row[4] > 0 for row in mine), "backups": 0, "records": done * 100_000, "size": done * 6 << 20,
        "total_size": size * total, "records_s": 812_000.0 * (done > 0), "size_s": 48e6 * (done > 0),
        "left_s": 95.0 if runs and kind == "map" else -1.0,
        "median": took[done // 2] if took else 0, "p95": took[done * 95 // 100] if took else 0,
        "max": took[-1] if took else 0,
    }  # fmt: skip


def _worker(made: _Made, row: int, slots: int, end: int) -> Json:
    lost = row == 1 and any(attempt[10] == 3 for attempt in made.rows)
    name, node = f"wordcount-worker-{row}", f"node-{row % 3}"
    gone = end - 300 if lost else -1
    told = {"slots": slots, "joined": 20 * row, "gone": gone, "reason": "PodLost" if lost else ""}
    return {"row": row, "name": name, "uid": f"u{row}", "node": node, **told}


def _usage(workers: int, end: int) -> Json:
    draw = random.Random(5)
    step = max(1000, end // 60)
    told: dict[str, list[int]] = {"row": [], "at": [], "cpu": [], "mem": []}
    for at in range(step, end, step):
        for row in range(min(workers, 50)):
            told["row"].append(row)
            told["at"].append(at)
            told["cpu"].append(draw.randint(1500, 2000))
            told["mem"].append(300 + 20 * row + at * 200 // end + draw.randint(0, 30))
    return told


def _rate(made: _Made, end: int) -> Json:
    ends = sorted((row[8] + row[9], row[1]) for row in made.rows if row[10] == 1)
    step = max(200, end // 120)
    told: dict[str, list[int]] = {"at": [], "records": [], "size": [], "done": []}
    maps = done = 0
    for at in range(0, end, step):
        while done < len(ends) and ends[done][0] <= at:
            maps += ends[done][1] == 0
            done += 1
        for name, value in (("at", at), ("records", maps * 100_000), ("size", maps * 6 << 20), ("done", done)):
            told[name].append(value)
    return told


def _group(number: int, count: int, place: str, message: str, end: int) -> Json:
    samples = [{"attempt": f"map-3.e1.{at}", "worker": "wordcount-worker-0", "at": 900 + at} for at in range(2)]
    told = {"count": count, "first": 900, "last": end - 400, "tasks": ["map-3", "map-17"], "samples": samples}
    return {"id": number, "reason": "UserError", "place": place, "message": message, **told}


def _partitions(made: _Made, reduces: int) -> Json:
    sizes = [made.random.randint(40 << 20, 60 << 20) for _ in range(reduces)]
    if reduces > 5:
        sizes[5] = 210 << 20
    return {"sizes": sizes, "heavy": [{"partition": 5 % reduces, "key": "the", "rows": 4_000_000, "size": 150 << 20}]}


def texts(update: Json, traceback: str = TRACEBACK, log: str = LOG) -> dict[str, list[Json]]:
    """Return what the samples of each group said."""
    return {
        str(group["id"]): [_text(sample, group, traceback, log) for sample in group["samples"]]
        for group in update["groups"]
    }


def _text(sample: Json, group: Json, traceback: str, log: str) -> Json:
    words = {
        "where": "in/logs/2026-11-07.csv at 40117",
        "message": group["message"],
        "traceback": traceback,
        "log": log,
    }
    return {"attempt": sample["attempt"], "peak": 260 << 10, **words}


def report(update: Json) -> Json:
    """Return what a report of the job holds."""
    return {"v": 1, "update": update, "texts": texts(update)}


def hostile() -> Json:
    """Return a report with hostile text wherever a user, a file or a worker has a word."""
    bad = " ".join(HOSTILE)
    update = job(40, 4, phase="Failed")
    head = update["head"]
    head |= {"name": f"job {HOSTILE[0]}", "ns": HOSTILE[6], "message": bad, "reason": bad, "output": bad}
    head |= {"params": {bad: bad}, "counters": {bad: 1}, "left_out": [bad]}
    for worker in update["workers"]:
        worker |= {"name": f"{bad}{worker['row']}", "node": bad, "reason": bad, "gone": 900}
    for group in update["groups"]:
        group |= {"reason": bad, "place": bad, "message": bad, "tasks": [bad]}
        for sample in group["samples"]:
            sample |= {"worker": bad}
    update["partitions"] = {"sizes": [1 << 20] * 4, "heavy": [{"partition": 1, "key": bad, "rows": 5, "size": 9}]}
    return {"v": 1, "update": update, "texts": texts(update, bad, bad)}


def as_file(told: Json) -> str:
    """Return a report as one file of HTML: nothing but its own script and style may run in it."""
    script = (STATIC / "page.js").read_text(encoding="utf-8")
    style = (STATIC / "page.css").read_text(encoding="utf-8")
    packed = base64.b64encode(zlib.compress(msgspec.json.encode(told), 6, wbits=-15)).decode()
    policy = (
        f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}; img-src data:; base-uri 'none'; "
        "form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    )
    parts = {
        "<!--style-->": f'<meta http-equiv="Content-Security-Policy" content="{policy}"><style>{style}</style>',
        "<!--data-->": f'<script type="application/octet-stream" id="data">{packed}</script>',
        "<!--script-->": f"<script>{script}</script>",
    }
    page = (STATIC / "shell.html").read_text(encoding="utf-8")
    for mark, text in parts.items():
        page = page.replace(mark, text)
    return page


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
