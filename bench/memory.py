"""How much memory the operator on the kind cluster has over time, and whether it grows: for `chaos.py`.

Neighbour: `operator_process.py`, which looks at the process from its node.
"""

from __future__ import annotations

import itertools
import math
import threading
import time
from typing import NamedTuple

from bench import operator_process

SAMPLE_SECONDS = 10.0
WARM_SECONDS = 600.0
"""A process younger than this still grows: by what it imports, by its first jobs, and by the tokens that it accepted,
which it remembers for ten minutes. What it gains afterwards has no such excuse."""

Point = tuple[float, float]
"""Seconds since the start, MiB."""


class Slope(NamedTuple):
    """MiB an hour. error: two standard errors, what lies within is chance."""

    value: float
    error: float

    def __str__(self) -> str:
        return f"{self.value:+.2f} ± {self.error:.2f} MiB an hour"


def slope(lives: list[list[Point]]) -> Slope | None:
    """Return the slope that fits all processes best, each at its own level; None for too few points.

    What is left of neighbouring samples is alike, so that they say less than as many independent ones: the standard
    error is widened by the first autocorrelation r, by the root of (1 + r) / (1 - r).
    """
    centred = [_centred(points) for points in lives if len(points) > 1]
    below = sum(x * x for points in centred for x, _ in points)
    freedom = sum(len(points) - 1 for points in centred) - 1
    if freedom < 1 or not below:
        return None
    steep = sum(x * y for points in centred for x, y in points) / below
    residuals = [[y - steep * x for x, y in points] for points in centred]
    squares = sum(one * one for rest in residuals for one in rest)
    alike = sum(one * other for rest in residuals for one, other in itertools.pairwise(rest))
    r = min(max(alike / squares, 0.0), 0.99) if squares else 0.0
    error = math.sqrt(squares / freedom / below * (1 + r) / (1 - r))
    return Slope(3600 * steep, 3600 * 2 * error)


def _centred(points: list[Point]) -> list[Point]:
    x = sum(moment for moment, _ in points) / len(points)
    y = sum(size for _, size in points) / len(points)
    return [(moment - x, size - y) for moment, size in points]


class Memory:
    """Samples of the operator's memory, taken in a thread from the start until `stop`."""

    def __init__(self) -> None:
        self._begin = time.time()
        self._samples: list[tuple[float, operator_process.Process]] = []
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stopped.wait(SAMPLE_SECONDS):
            try:
                process = operator_process.look()
            except AssertionError:
                # The API server may be slow; the next sample will do.
                continue
            if process is not None:
                self._samples.append((time.time() - self._begin, process))

    def stop(self) -> None:
        """Print all samples a process, and the slope within those that lived long enough."""
        self._stopped.set()
        self._thread.join()
        lives: dict[tuple[int, float], list[Point]] = {}
        for moment, process in self._samples:
            lives.setdefault((process.pid, round(process.started)), []).append((moment, process.rss / 2**20))
        print(f"\noperator memory, MiB at seconds since the start; {len(lives)} processes")
        settled = []
        for (pid, started), points in lives.items():
            print(f"  process {pid}: " + "  ".join(f"{moment:.0f}: {size:.1f}" for moment, size in points))
            settled.append([point for point in points if point[0] + self._begin - started > WARM_SECONDS])
        print(f"  slope after the first {WARM_SECONDS:.0f} s of a process: {_told(settled)}")


def _told(lives: list[list[Point]]) -> str:
    found = slope(lives)
    return f"{found} ({sum(map(len, lives))} samples)" if found else "unknown, no process lived long enough"
