"""Play every planted bug, PROCESSES at once (default: one a core), and print a table of what found each.

    python -m tests.support.planted.table [NAME…]

The exit status is 1 if a bug was not found within SEEDS seeds (default 400). A seed that shows something is played
once more without the bug, where it must show nothing. Neighbours: `bugs.py` (the
list), `play.py` (one bug, in an interpreter of its own). `make mutants` runs it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import msgspec

from tests.support.planted import bugs, play
from tests.support.planted.bugs import Bug

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
    missing: list[str] = []
    with ThreadPoolExecutor(int(os.environ.get("PROCESSES") or os.cpu_count() or 1)) as pool:
        for bug, (result, seconds) in zip(chosen, pool.map(lambda bug: _try(bug, seeds), chosen), strict=True):
            _show(bug, result, seconds)
            missing += [bug.name] if result.seed < 0 else []
    _say("")
    if missing:
        _say(f"mutants: {len(missing)} of {len(chosen)} not found with {seeds} seeds: {'; '.join(missing)}")
        return 1
    _say(f"mutants: all {len(chosen)} found")
    return 0


def _try(bug: Bug, seeds: str) -> tuple[Result, float]:
    """Return what came of one bug, and the seconds that its search took."""
    begin = time.monotonic()
    result = _play(bug.name, "0", seeds)
    seconds = time.monotonic() - begin
    if result.seed >= 0 and (sound := _play(bugs.NOTHING, str(result.seed), str(result.seed + 1))).seed >= 0:
        result = Result(broke_off=f"seed {result.seed} fails without the bug too: {sound.found}")
    return result, seconds


def _show(bug: Bug, result: Result, seconds: float) -> None:
    seed = str(result.seed) if result.seed >= 0 else "none"
    text = result.found or f"NOT FOUND {result.broke_off}"
    _say(f"{bug.name:<44}{seed:>5}{seconds:>9.1f}  {text[:WIDTH]}")


def _play(name: str, first: str, limit: str) -> Result:
    command = [sys.executable, "-m", "tests.support.planted.play", name, first, limit]
    done = subprocess.run(command, check=False, capture_output=True)
    if done.returncode == -signal.SIGXCPU:
        return Result(broke_off=f"no end after {play.SECONDS} s of processor time")
    if done.returncode:
        sys.stderr.write(done.stderr.decode(errors="replace"))
        raise SystemExit(f"mutants: {name!r} could not be played")
    return msgspec.json.decode(done.stdout, type=Result)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
