"""What one scrape gets: values under names of the table, in Prometheus' text format.

Counters and histograms are kept by who counts; all else is read when somebody asks. Neighbours: `metrics.py` (the
table), the endpoints of operator, workers and gateways.
"""

from __future__ import annotations

import bisect
import math
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from mapreduce import metrics

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_ESCAPES: Final = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})


class Counter:
    """A number by the values of its labels, which only grows; one thread adds."""

    def __init__(self, *known: tuple[str, ...]) -> None:
        """`known`: labels that are told from the beginning, as 0: what appears as 1 has not grown for a scraper."""
        self._values = dict.fromkeys(known, 0.0)

    def add(self, *labels: str, by: float = 1.0) -> None:
        """Count something."""
        self._values[labels] = self._values.get(labels, 0.0) + by

    def __iter__(self) -> Iterator[tuple[tuple[str, ...], float]]:
        """Yield the labels and the sum of each."""
        return iter(list(self._values.items()))


class Histogram:
    """How often values were at most each of some bounds; one thread observes."""

    def __init__(self, bounds: Sequence[float]) -> None:
        """`bounds` grow; what is above the last one is counted too."""
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(self.bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        """Count one value."""
        self.counts[bisect.bisect_left(self.bounds, value)] += 1
        self.sum += value


class Page:
    """The values of one scrape. Putting one under a name that is not in the table raises `KeyError`."""

    def __init__(self) -> None:
        self._lines: dict[str, list[str]] = {}

    def put(self, name: str, value: float, *labels: str) -> None:
        """Add one value; `labels` in the order of the table."""
        self._add(name, "", metrics.BY_NAME[name].labels, labels, value)

    def put_counter(self, name: str, counter: Counter) -> None:
        """Add everything that was counted."""
        for labels, value in counter:
            self.put(name, value, *labels)

    def put_histogram(self, name: str, histogram: Histogram, *labels: str) -> None:
        """Add the lines of one histogram."""
        names = metrics.BY_NAME[name].labels
        below = 0
        for bound, count in zip((*histogram.bounds, math.inf), list(histogram.counts), strict=True):
            below += count
            self._add(name, "_bucket", (*names, "le"), (*labels, _number(bound)), below)
        self._add(name, "_sum", names, labels, histogram.sum)
        self._add(name, "_count", names, labels, below)

    def put_process(self, version: str) -> None:
        """Add what is told of every process."""
        self.put("mapreduce_build_info", 1, version)
        self.put("process_cpu_seconds_total", time.process_time())
        self.put("process_resident_memory_bytes", _resident())
        self.put("process_start_time_seconds", _STARTED)

    def text(self) -> str:
        """Return the page, in the order of the table."""
        told: list[str] = []
        for metric in metrics.TABLE:
            if metric.name in self._lines:
                told.append(f"# HELP {metric.name} {metric.help.replace(chr(92), chr(92) * 2)}")
                told.append(f"# TYPE {metric.name} {metric.kind}")
                told += self._lines[metric.name]
        return "\n".join([*told, ""])

    def _add(self, name: str, suffix: str, names: Sequence[str], labels: Sequence[str], value: float) -> None:
        pairs = ",".join(f'{key}="{text.translate(_ESCAPES)}"' for key, text in zip(names, labels, strict=True))
        line = f"{name}{suffix}{{{pairs}}} {_number(value)}" if pairs else f"{name}{suffix} {_number(value)}"
        self._lines.setdefault(name, []).append(line)


def _number(value: float) -> str:
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    if math.isnan(value):
        return "NaN"
    return str(int(value)) if value == int(value) and abs(value) < 1 << 53 else repr(value)


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


_STARTED: Final = time.time()
"""This module is imported when a process starts."""
