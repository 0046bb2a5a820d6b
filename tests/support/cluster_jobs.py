"""Programs, inputs and expectations of the end-to-end tests: slow enough to be hit by a fault."""

from __future__ import annotations

import random
from typing import Any

from mapreduce import history, testing
from tests.support import history_checker
from tests.support.cluster import Namespace, job_manifest, nodes

WORDS = ["alpha", "beta", "gamma", "delta", "épsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda", "mu"]

SLOW_WORD_COUNT = """
import time
import mapreduce as mr

class WordCount(mr.Job):
    def map(self, line):
        time.sleep({map_pause})
        for word in line.split():
            yield word, 1

    def reduce(self, key, values):
        time.sleep({reduce_pause})
        yield key, sum(values)
"""


def slow_word_count(map_pause: float = 0.0, reduce_pause: float = 0.0) -> str:
    """Return a word count that sleeps so many seconds a line and a key."""
    return SLOW_WORD_COUNT.format(map_pause=map_pause, reduce_pause=reduce_pause)


def texts(files: int, lines: int = 10, seed: int = 7) -> dict[str, bytes]:
    """Return so many small files; with `splitSize: 1Ki` each is one map."""
    draw = random.Random(seed)
    return {
        f"in/{number:02d}.txt": b"".join(f"{' '.join(draw.choices(WORDS, k=13))}\n".encode() for _ in range(lines))
        for number in range(files)
    }


def expected(files: dict[str, bytes]) -> bytes:
    """Return what the naive reference makes of the same files and program."""
    program: dict[str, Any] = {}
    exec(slow_word_count(), program)  # noqa: S102 - the program is this module's own constant
    lines = [line.decode() for content in files.values() for line in content.split(b"\n")[:-1]]
    return testing.run_tsv(program["WordCount"], lines)


def prepare(namespace: Namespace, files: dict[str, bytes]) -> None:
    """Bind the input claim to one node and the output claim to another, and load the input."""
    first, second = nodes()[:2]
    namespace.claim("texts")
    namespace.claim("results")
    namespace.shell_pod("load", "texts", first)
    namespace.shell_pod("read", "results", second)
    for path, content in files.items():
        namespace.write("load", path, content)


def submit(namespace: Namespace, program: str, name: str = "wordcount", **spec: Any) -> None:
    """Apply a job over `prepare`d claims, one map a file."""
    fields: dict[str, Any] = {
        "input": {
            "paths": ["in/*.txt"],
            "volume": {"persistentVolumeClaim": {"claimName": "texts"}},
            "splitSize": "1Ki",
        }
    }
    namespace.apply(job_manifest(name, program, **(fields | spec)))


def history_of(namespace: Namespace, output: str = "out") -> history_checker.Events:
    """Return the events of a published job."""
    return history.parse(namespace.read("read", f"{output}/_history/events.ndjson"))


def assert_right(namespace: Namespace, files: dict[str, bytes], reduces: int = 4) -> history_checker.Events:
    """Assert that output and history of a published job are right; return the history."""
    assert namespace.read("read", "out/output.tsv") == expected(files)
    events = history_of(namespace)
    assert history_checker.check(events, maps=len(files), reduces=reduces) == []
    return events
