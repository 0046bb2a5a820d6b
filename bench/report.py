"""What is written down: one JSON line a measurement and one a verdict, and tables for the eye."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any, NamedTuple

from bench.measure import Measured
from bench.verdicts import MIB, Rounds, Verdict

Line = dict[str, Any]
Cells = tuple[str, ...]


class Result(NamedTuple):
    """A row that was run."""

    row: str
    size: int
    verdicts: tuple[Verdict, ...]
    rounds: Rounds


def of_run(who: str, measured: Measured, verdicts: Sequence[Verdict], round_so_far: Rounds) -> Line:
    """Return the line of one run, with the verdict of its round where it completes one whose side of ours has run.

    round_so_far: what each contender took in this round, this one included.
    """
    line: Line = {
        "who": who,
        "wall": round(measured.wall, 3),
        "cpu": round(measured.cpu, 3),
        "peak": measured.peak,
        "ok": True,
    }
    for verdict in verdicts:
        if verdict.ours not in round_so_far:
            continue
        alone = verdict._replace(peers=(who,)) if who in verdict.peers else verdict
        if (who == verdict.ours and not verdict.peers) or who in verdict.peers:
            line["verdict"] = verdict.name
            line["ratio"] = round(alone.value(round_so_far), 4)
            line["cpu_ratio"] = round(alone.value(round_so_far, "cpu"), 4)
            line |= {"must": verdict.must, "aim": verdict.aim}
    return line


def of_verdict(verdict: Verdict, rounds: Rounds) -> Line:
    """Return the line of a verdict over all rounds. `met`: must and aim, by wall time."""
    value = verdict.value(rounds)
    return {
        "verdict": verdict.name,
        "kind": verdict.kind,
        "rounds": len(rounds[verdict.ours]),
        "ratio": round(value, 4),
        "cpu_ratio": round(verdict.value(rounds, "cpu"), 4),
        "must": verdict.must,
        "aim": verdict.aim,
        "met": {"must": verdict.meets(value, verdict.must), "aim": verdict.meets(value, verdict.aim)},
    }


def tables(results: Sequence[Result]) -> str:
    """Return a table of the verdicts, and one of the runs."""
    verdicts = [_verdict_cells(result, verdict) for result in results for verdict in result.verdicts]
    runs = [_run_cells(result, who) for result in results for who in result.rounds]
    return "\n\n".join(
        (
            _table(("row", "size", "verdict", "by wall", "by cpu", "must", "aim", "met"), verdicts),
            _table(("row", "who", "wall s", "min", "max", "cpu s", "peak MiB"), runs),
        )
    )


def _verdict_cells(result: Result, verdict: Verdict) -> Cells:
    value = verdict.value(result.rounds)
    sign = "≥" if verdict.kind == "times" else "≤"
    limits = tuple("" if limit is None else f"{sign} {limit:g}" for limit in (verdict.must, verdict.aim))
    met = "aim" if verdict.meets(value, verdict.aim) else "must" if verdict.meets(value, verdict.must) else "no"
    if verdict.must is None:
        met = ""
    by_cpu = "" if verdict.kind == "memory" else _short(verdict.value(result.rounds, "cpu"))
    return (result.row, _size(result.size), verdict.name, _short(value), by_cpu, *limits, met)


def _run_cells(result: Result, who: str) -> Cells:
    runs = result.rounds[who]
    walls = [run.wall for run in runs]
    times = [statistics.median(walls), min(walls), max(walls), statistics.median(run.cpu for run in runs)]
    return (result.row, who, *(f"{time:.2f}" for time in times), f"{max(run.peak for run in runs) / MIB:.0f}")


def _short(value: float) -> str:
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"


def _size(size: int) -> str:
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= factor:
            return f"{size / factor:g} {unit}"
    return f"{size} B"


def _table(head: Cells, rows: Sequence[Cells]) -> str:
    """Return the rows as a table of Markdown, which is read as it stands too."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    rule = tuple("-" * width for width in widths)
    lines = ["| " + " | ".join(map(str.ljust, cells, widths)) + " |" for cells in (head, rule, *rows)]
    return "\n".join(lines)
