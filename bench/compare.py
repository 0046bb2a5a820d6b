"""Plays the contenders of one row against each other: A-B-A-B, after one run of each to warm up.

Every run's output is compared with the truth, also the first one's, and a wrong one ends the row. Neighbours:
`measure.py` (one run), `rows.py` (who plays), `lines.py` (what is written down).
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from bench.check import WrongOutput
from bench.contenders import Contender
from bench.measure import Measured
from bench.truth import Truth

Tell = Callable[[int, str, Measured], None]
"""Takes the number of the round from 0, the contender's name, and what was measured."""
Run = Callable[[tuple[str, ...], Path], Measured]
"""Runs a command to its end, what it prints to a file; raises `CommandFailed`."""
Learn = Callable[[Truth], str]
"""Returns the digest of the right output; raises `WrongOutput` where that cannot be right itself."""


class Play:
    """The runs of one row. scratch: a folder for outputs and logs, which stay only with `keep`."""

    def __init__(
        self, contenders: tuple[Contender, ...], scratch: Path, run: Run, learn: Learn, *, keep: bool = False
    ) -> None:
        self._contenders = contenders
        self._scratch = scratch
        self._run = run
        self._learn = learn
        self._keep = keep

    def rounds(self, count: int, tell: Tell) -> dict[str, list[Measured]]:
        """Return what was measured, by contender and round; raises `WrongOutput`, and what `run` and `learn` raise."""
        for contender in self._contenders:
            self._turn(contender, "warm-up")
        found: dict[str, list[Measured]] = {contender.name: [] for contender in self._contenders}
        for number in range(count):
            for contender in self._contenders:
                measured = self._turn(contender, str(number))
                found[contender.name].append(measured)
                tell(number, contender.name, measured)
        return found

    def _turn(self, contender: Contender, turn: str) -> Measured:
        folder = self._scratch / f"{contender.name.replace(' ', '-')}-{turn}"
        folder.mkdir(parents=True)
        measured = self._run(contender.command(folder), self._scratch / f"{folder.name}.log")
        wanted = self._learn(contender.truth)
        if (found := contender.read(folder)) != wanted:
            raise WrongOutput(f"{contender.name} wrote {found}, and should have {wanted}: {folder}")
        if not self._keep:
            shutil.rmtree(folder)
        return measured
