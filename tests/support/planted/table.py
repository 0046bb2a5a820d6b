"""Play every planted bug, one after the other, and print a table of what found each.

    python -m tests.support.planted.table [NAME…]

The exit status is 1 if a bug was not found within SEEDS seeds (default 400). A seed that shows something is played
once more without the bug, where it must show nothing. Neighbours: `bugs.py` (the
list), `play.py` (one bug, in an interpreter of its own). `make mutants` runs it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time

import msgspec

from tests.support.planted import bugs
from tests.support.planted.bugs import Bug

SECONDS = 240.0
"""How long one bug may take: it may make a schedule endless."""
WIDTH = 100


class Result(msgspec.Struct, frozen=True):
    """What came of one bug; the seed is -1 if nothing did."""

    seed: int = -1
    found: str = ""
    broke_off: str = ""


def main() -> int:
    """Print the table; return the exit status."""
    seeds = os.environ.get("SEEDS", "400")
    chosen = [bugs.named(name) for name in sys.argv[1:]] or list(bugs.ALL)
    _say(f"{'planted bug':<44}{'seed':>5}{'seconds':>9}  found by")
    missing = [bug.name for bug in chosen if not _show(bug, seeds)]
    _say("")
    if missing:
        _say(f"mutants: {len(missing)} of {len(chosen)} not found with {seeds} seeds: {'; '.join(missing)}")
        return 1
    _say(f"mutants: all {len(chosen)} found")
    return 0


def _show(bug: Bug, seeds: str) -> bool:
    begin = time.monotonic()
    result = _play(bug.name, "0", seeds)
    seconds = time.monotonic() - begin
    if result.seed >= 0 and (sound := _play(bugs.NOTHING, str(result.seed), str(result.seed + 1))).seed >= 0:
        result = Result(broke_off=f"seed {result.seed} fails without the bug too: {sound.found}")
    seed = str(result.seed) if result.seed >= 0 else "none"
    text = result.found or f"NOT FOUND {result.broke_off}"
    _say(f"{bug.name:<44}{seed:>5}{seconds:>9.1f}  {text[:WIDTH]}")
    return result.seed >= 0


def _play(name: str, first: str, limit: str) -> Result:
    command = [sys.executable, "-m", "tests.support.planted.play", name, first, limit]
    try:
        done = subprocess.run(command, check=False, capture_output=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return Result(broke_off=f"no end after {SECONDS:g} s")
    if done.returncode:
        sys.stderr.write(done.stderr.decode(errors="replace"))
        raise SystemExit(f"mutants: {name!r} could not be played")
    return msgspec.json.decode(done.stdout, type=Result)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
