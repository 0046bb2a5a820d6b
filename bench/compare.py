"""Plays the contenders of one row against each other: A-B-A-B, after one run of each to warm up.

Every run's output is compared with the truth, also the first one's, and a wrong one ends the row. Neighbours:
`measure.py` (one run), `rows.py` (who plays), `lines.py` (what is written down).
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from bench.check import WrongOutput
from bench.contenders import Contender
from bench.measure import Measured
from bench.truth import Truth

Tell = Callable[[int, str, Measured], None]
"""Takes the number of the round from 0, the contender's name, and what was measured."""
Run = Callable[[tuple[str, ...], Path], Measured]
"""Runs a command to its end, what it prints to a file; raises `CommandFailed`."""


class Play:
    """The runs of one row. scratch: a folder for outputs and logs, which stay only with `keep`. env: of the truth."""

    def __init__(
        self, contenders: tuple[Contender, ...], scratch: Path, env: Mapping[str, str], run: Run, *, keep: bool = False
    ) -> None:
        self._contenders = contenders
        self._scratch = scratch
        self._env = env
        self._run = run
        self._keep = keep
        self._truths: dict[Truth, str] = {}

    def rounds(self, count: int, tell: Tell) -> dict[str, list[Measured]]:
        """Return what was measured, by contender and round; raises `WrongOutput`, and what `run` raises."""
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
        wanted = self._truth(contender.truth)
        if (found := contender.read(folder)) != wanted:
            raise WrongOutput(f"{contender.name} wrote {found}, and should have {wanted}: {folder}")
        if not self._keep:
            shutil.rmtree(folder)
        return measured

    def _truth(self, truth: Truth) -> str:
        if truth not in self._truths:
            self._truths[truth] = truth.digest(self._scratch, self._env)
        return self._truths[truth]
