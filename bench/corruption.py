"""Flip single bits of every file format, many of each: `make corruption FLIPS=100000`.

Every flip must be noticed, or change nothing of what is read. Prints how many of each class of bytes ended
how; exits 1 if a flip was not noticed, and says where it was. The formats and their readers are in
`tests/support/corruption_samples.py`; the unit tests try a few.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import get_args

from tests.support import corruption, corruption_samples
from tests.support.corruption import Found, Verdict

VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
SHOWN = 3
"""Of each class of each format."""


def main() -> int:
    """Try the flips, divided equally over the formats; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--flips", type=int, default=100_000, help="how many, over all formats")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    begin = time.monotonic()
    total: Counter[Verdict] = Counter()
    missed: list[tuple[str, Found]] = []
    print(f"{'format and class':45}{'bytes':>8}" + "".join(f"{verdict:>12}" for verdict in VERDICTS))
    with tempfile.TemporaryDirectory() as folder:
        samples = corruption_samples.all_samples(Path(folder))
        for sample in samples:
            counts, found = corruption.run(sample, -(-chosen.flips // len(samples)), chosen.seed)
            missed += [(sample.name, one) for one in found]
            print(f"{sample.name:45}{len(sample.content):8}")
            for name, spans in sample.classes().items():
                size = sum(span.end - span.start for span in spans)
                print(f"  {name:43}{size:8}" + "".join(f"{counts[name, verdict]:12}" for verdict in VERDICTS))
            for (_, verdict), number in counts.items():
                total[verdict] += number
    shown: Counter[tuple[str, str]] = Counter()
    for name, one in missed:
        shown[name, one.flip.name] += 1
        if shown[name, one.flip.name] > SHOWN:
            continue
        where = f"{one.flip.name}, byte {one.flip.position}, bit {one.flip.bit}"
        print(f"NOT NOTICED: {name}: {where}: {one.detail}")
    told = ", ".join(f"{total[verdict]} {verdict}" for verdict in VERDICTS)
    print(f"{total.total()} flips in {time.monotonic() - begin:.0f} s (seed {chosen.seed}): {told}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
