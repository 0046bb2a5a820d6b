"""The table of faults: docs/fault-matrix.md, from the record of the simulation.

    python -m hack.fault_matrix RECORD PAGE

`hack/simulate` writes the record with `tests.support.simulated.matrix`; `hack/generators/fault-matrix` calls this.
"""

from __future__ import annotations

import json
import pathlib
import sys
from typing import Any

HEAD = """# Faults, and what becomes of a job

Made by `make update` from the record of `make simulate`; do not edit. Times are of the simulation's virtual clock,
medians over the phases and {alone} seeds each of a job of six maps and three reduces that take three seconds,
on three workers, with this fault alone.

- *Told*: the reasons of Events and conditions that people read. None: nobody need know.
- *Charged*: whose budget pays ([protocol](protocol.md#which-budget)); none: nobody's. Disruptions are counted
  and cost a task nothing: the job gives up only after twenty in a row.
- *Back*: seconds from the fault until everything that it took runs again, where it took anything.
- *Later*: by how many seconds the job ended later than without the fault, waiting for its turn in other slots included.
- The last four columns: in how many of {schedules} schedules ({seeds} seeds of all faults, several in each, and others
  of one kind of fault), it hit in that phase; in every one of them the output had the right bytes, or the job failed
  for that reason, and the history broke no rule. A dash: it cannot exist there.

| fault | told | charged | the job | back | later | {phases} |
|---|---|---|---|---|---|{rules}|
"""
TAIL = """
The API server's silence delays the job's *end* at most: nobody can be told of it before. A job goes on meanwhile.

Not here, because the cores never meet them: a program that floods stdout (its slot keeps the last lines), and
resources that make no sense (refused by the schema, or failed with `InvalidSpec` by the operator).
"""


def page(record: dict[str, Any]) -> str:
    """Return the page that a record gives."""
    phases = record["phases"]
    head = HEAD.format(
        schedules=f"{record['schedules']:,}",
        seeds=f"{record['seeds']:,}",
        alone=record["alone"],
        phases=" | ".join(phases),
        rules="---|" * (len(phases) - 1) + "---",
    )
    return head + "".join(_line(row, phases) for row in record["rows"]) + TAIL


def _line(row: dict[str, Any], phases: list[str]) -> str:
    hits = " | ".join(str(row["hits"].get(phase, "-")) for phase in phases)
    told = ", ".join(f"`{word}`" for word in row["told"]) or "none"
    charged = ", ".join(row["charged"]) or "none"
    ends = "; ".join(end[0].lower() + end[1:] for end in row["ends"])
    back = f"{row['back']:.1f}" if row["back"] else "-"
    later = f"{row['later']:.1f}" if "Succeeded" in row["ends"] else "-"
    return f"| {row['fault']} | {told} | {charged} | {ends} | {back} | {later} | {hits} |\n"


if __name__ == "__main__":
    source, target = map(pathlib.Path, sys.argv[1:])
    target.write_text(page(json.loads(source.read_text())))
