"""What an output must be: by the naive reference up to 100 MB of input, above that by a program that is not ours.

Made in processes of their own, untimed. `python -m bench.truth PROGRAM:CLASS INPUT OUTPUT` writes what the naive
reference makes of a file, or of the files of a folder. Neighbours: `mapreduce.testing`, `bench.check`.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from bench import check
from mapreduce.api import Input, Job
from mapreduce.testing import run_tsv

REFERENCE_BYTES = 100_000_000


class Truth(NamedTuple):
    """How to learn what an output must be.

    program: FILE:CLASS, for the reference. source: a file or a folder. size: its bytes. beyond: the command that tells
    it for more than 100 MB; the file that it is to write comes last. proof: raises `check.WrongOutput` for a file that
    cannot be the truth.
    """

    program: str
    source: Path
    size: int
    beyond: tuple[str, ...]
    proof: Callable[[Path], None] | None = None

    def digest(self, scratch: Path, env: Mapping[str, str]) -> str:
        """Return the digest of the right output; raises `subprocess.CalledProcessError` or `check.WrongOutput`."""
        reference = (sys.executable, "-m", "bench.truth", self.program, str(self.source))
        output = scratch / f"truth-{os.getpid()}.tsv"
        command = reference if self.size <= REFERENCE_BYTES else self.beyond
        subprocess.run([*command, str(output)], check=True, env=dict(env))
        try:
            if self.proof is not None:
                self.proof(output)
            return check.digest(output)
        finally:
            output.unlink()


class Truths:
    """Digests of right outputs, each made once: rows over the same input have the same truth."""

    def __init__(self, scratch: Path, env: Mapping[str, str]) -> None:
        self._scratch = scratch
        self._env = env
        self._known: dict[Truth, str] = {}

    def learn(self, truth: Truth) -> str:
        """Return the digest; raises what `Truth.digest` raises."""
        if truth not in self._known:
            self._known[truth] = truth.digest(self._scratch, self._env)
        return self._known[truth]


def reference(program: str, source: Path) -> bytes:
    """Return what the naive reference makes of the lines below `source`, for a job that may ask for its file."""
    return run_tsv(_with_file(load(program)), _lines(source))


def load(program: str) -> type[Job]:
    """Return the job `FILE:CLASS`; raises `ValueError` for a file that is not Python's."""
    path, _, name = program.rpartition(":")
    spec = importlib.util.spec_from_file_location("program", path)
    if spec is None or spec.loader is None:
        raise ValueError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: type[Job] = getattr(module, name)
    return found


def _lines(source: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(source.iterdir()) if source.is_dir() else [source]:
        with path.open(encoding="utf-8", newline="\n") as lines:
            for line in lines:
                yield path.name, line.rstrip("\n")


def _with_file(job_class: type[Job]) -> type[Job]:
    """Return the job with records (file, line): the reference itself knows no files."""

    def mapping(self: Any, record: tuple[str, str]) -> Any:
        self.input = Input(lambda: (record[0], lambda: 0))
        return job_class.map(self, record[1])  # type: ignore[misc] # a job of ours has a map

    return type(job_class.__name__, (job_class,), {"map": mapping})


if __name__ == "__main__":
    Path(sys.argv[3]).write_bytes(reference(sys.argv[1], Path(sys.argv[2])))
