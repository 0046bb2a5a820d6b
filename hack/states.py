"""Draw docs/states.md from the tables of `mapreduce_operator.core.states`.

states.py            write docs/states.md
states.py --check    fail if it is stale
states.py ROOT       write ROOT/docs/states.md (for hack/generators)
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from enum import IntEnum
from pathlib import Path

from mapreduce_operator.core import states
from mapreduce_operator.core.states import EventT, StateT

HEAD = """# States

Drawn from the tables in `operator/src/mapreduce_operator/core/states.py` by `hack/states.py`; do not edit.
Whatever is not in a table is a defect: the master raises `InvalidTransition` with the history of the
task, job or worker, and only that job is marked.
"""


def main(arguments: list[str]) -> int:
    target = Path("docs/states.md")
    if arguments == ["--check"]:
        if target.exists() and target.read_text(encoding="utf-8") == text():
            return 0
        print(f"{target} is stale: run make update")
        return 1
    target = Path(arguments[0] if arguments else ".") / target
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text(), encoding="utf-8")
    return 0


def text() -> str:
    return "\n".join(
        [
            HEAD,
            *machine("Tasks", "Maps, reduces, and the tasks of the store.", states.TASK, states.TASK_EVENTS),
            *machine("Jobs", "The states are the phases that people see.", states.JOB, states.JOB_EVENTS),
            *machine("Workers", "Workers and gateways.", states.WORKER, states.WORKER_EVENTS),
        ]
    )


def machine(
    title: str, about: str, table: Mapping[tuple[StateT, EventT], StateT], events: Mapping[EventT, str]
) -> list[str]:
    """One state machine as a diagram, and what its events mean."""
    arrows: dict[tuple[str, str], list[str]] = {}
    for (state, event), following in table.items():
        if following != state:
            arrows.setdefault((_name(state), _name(following)), []).append(event)
    lines = [f"## {title}", "", about, "", "<!-- not run: a picture -->", "```mermaid", "stateDiagram-v2"]
    lines += [f"    [*] --> {_name(next(iter(table))[0])}"]
    lines += [f"    {before} --> {after}: {', '.join(names)}" for (before, after), names in arrows.items()]
    lines += ["```", "", "| event | what happened | from | to |", "|---|---|---|---|"]
    for event, meaning in events.items():
        pairs = [(_name(state), _name(after)) for (state, name), after in table.items() if name == event]
        for after in dict.fromkeys(after for _, after in pairs):
            sources = ", ".join(before for before, reached in pairs if reached == after)
            lines.append(f"| {event} | {meaning} | {sources} | {after} |")
    return [*lines, ""]


def _name(state: IntEnum) -> str:
    return state.name.capitalize()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
