"""Two independent runs side by side, each in a single process on a core of its own, each with half of the input.

singles.py PROGRAM FOLDER OUTPUT
"""

import os
import subprocess
import sys
from pathlib import Path

BIN = Path(sys.executable).parent


def main(program, folder, output):
    """Run both, and end with status 1 unless both succeed."""
    halves = sorted(Path(folder).iterdir())
    cores = sorted(os.sched_getaffinity(0))
    running = []
    for half, core in zip(halves, cores, strict=False):
        command = [BIN / "mapreduce", "run", "--sequential", program, half, "--output", f"{output}-{half.stem}"]
        running.append(subprocess.Popen(["taskset", "-c", str(core), *command]))
    failed = [process.wait() for process in running]
    sys.exit(any(failed) or len(failed) < len(halves))


if __name__ == "__main__":
    main(*sys.argv[1:])
