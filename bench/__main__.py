"""`make bench`: measures rows side by side with others, checks every output, writes lines and tables.

    python -m bench [ROW…] [--size SIZE] [--rounds N] [--results DIR] [--keep] [--list]

Prints a JSON line a measurement and the tables at the end; both are also written below --results. The exit status is 1
where an output was wrong or a command failed, whatever the figures are.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from bench import report, surroundings
from bench.check import WrongOutput
from bench.compare import Play
from bench.data import files
from bench.measure import CommandFailed, Measured, run_command
from bench.report import Line, Result
from bench.rows import GB, KB, MB, ROWS, Row
from bench.truth import Truths

UNITS = {"": 1, "kB": KB, "MB": MB, "GB": GB}


class Record:
    """The lines of one call: each is printed and added to a file at once, so that a call that ends early has them."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        stamp = re.sub(r"[-:]", "", surroundings.now()["date"])
        self._name = folder / f"{stamp}-{surroundings.commit()}"

    def add(self, line: Line) -> None:
        """Write a line with what tells where and when."""
        text = json.dumps(line | surroundings.now() | surroundings.fixed())
        print(text, flush=True)
        with self._name.with_suffix(".ndjson").open("a", encoding="utf-8") as out:
            out.write(text + "\n")

    def close(self, results: list[Result]) -> None:
        """Write the tables."""
        text = report.tables(results)
        print(f"\n{text}\n\n{self._name}.ndjson")
        command = " ".join(["python -m bench", *sys.argv[1:]])
        head = f"`{command}` at {surroundings.commit()}, load {surroundings.now()['load']}"
        self._name.with_suffix(".md").write_text(f"{head}\n\n{text}\n", encoding="utf-8")


def measure(row: Row, given: argparse.Namespace, record: Record, truths: Truths) -> Result:
    """Measure one row; raises `CommandFailed` or `WrongOutput`."""
    size = row.sized(given.size)
    print(f"{row.name}: {row.about}; {size:,} bytes", file=sys.stderr, flush=True)
    contenders, verdicts = row.match(size)
    scratch = Path(tempfile.mkdtemp(prefix=f"run-{row.name}-", dir=files.root()))
    current: dict[str, list[Measured]] = {}

    def tell(number: int, who: str, measured: Measured) -> None:
        current[who] = [measured]
        record.add({"row": row.name, "size": size, "round": number} | report.of_run(who, measured, verdicts, current))

    run = partial(run_command, env=surroundings.environment())
    play = Play(contenders, scratch, run, truths.learn, keep=given.keep)
    # What fails stays as it is, to be looked at.
    rounds = play.rounds(given.rounds, tell)
    if not given.keep:
        shutil.rmtree(scratch)
    for verdict in verdicts:
        record.add({"row": row.name, "size": size} | report.of_verdict(verdict, rounds))
    return Result(row.name, size, verdicts, rounds)


def main() -> int:
    """Measure the rows that were asked for; return the exit status."""
    given = _arguments()
    if given.list:
        print("\n".join(f"{row.name:13} {row.about}{' (when named)' if row.asked else ''}" for row in ROWS))
        return 0
    chosen = [row for row in ROWS if (row.name in given.rows if given.rows else not row.asked)]
    surroundings.pin()
    record, results, failed = Record(given.results), [], 0
    truths = Truths(files.root(), surroundings.environment())
    for row in chosen:
        try:
            results.append(measure(row, given, record, truths))
        except (CommandFailed, WrongOutput, subprocess.CalledProcessError) as error:
            failed = 1
            record.add({"row": row.name, "ok": False, "error": str(error)})
    record.close(results)
    return failed


def _arguments() -> Any:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__.partition("\n")[0])
    names = [row.name for row in ROWS]
    parser.add_argument(
        "rows", nargs="*", metavar="ROW", help=f"one of {', '.join(names)}; default: what needs no asking"
    )
    parser.add_argument("--size", type=_bytes, help="bytes of input, as 20MB or 1GB; default: those of the target")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--results", type=Path, default=surroundings.ROOT / "bench" / "results")
    parser.add_argument("--keep", action="store_true", help="keep outputs and logs")
    parser.add_argument("--list", action="store_true", help="list the rows")
    given = parser.parse_args()
    if unknown := sorted(set(given.rows) - set(names)):
        parser.error(f"no row is called {', '.join(unknown)}; there are {', '.join(names)}")
    if given.rounds < 1:
        parser.error("--rounds must be 1 or more")
    return given


def _bytes(text: str) -> int:
    found = re.fullmatch(r"(\d+) ?([kMG]B)?", text)
    if not found or not int(found[1]):
        raise argparse.ArgumentTypeError(f"{text!r} is no size such as 20MB")
    return int(found[1]) * UNITS[found[2] or ""]


if __name__ == "__main__":
    sys.exit(main())
