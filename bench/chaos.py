"""Jobs one after another on the kind cluster while a monkey deletes and kills: `make chaos MINUTES=10`.

Each output is compared with what the naive reference makes of the same input, byte by byte, and each history goes
through the history checker. In the last two thirds the operator is left alone, and the jobs are not, so that its
memory has a slope. At the end: nothing of any job is left, neither objects nor files. Exits 1 at the first wrong
output, broken history, failed job or left-over. Neighbours: `monkey.py`, `memory.py`.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
import traceback
from collections import Counter
from typing import Any

import msgspec

from bench.memory import Memory
from bench.monkey import Monkey
from mapreduce import history, testing
from mapreduce.errors import CorruptionError
from tests.support import cluster, history_checker
from tests.support.cluster import Namespace
from tests.support.cluster_jobs import prepare, submit, texts

MAPS = 12
REDUCES = 4
JOB_SECONDS = 400
"""A job that takes longer under the monkey counts as stuck."""
SETTLE_SECONDS = 120
SPARED = 2 / 3
"""The last share of the time, in which the operator is left alone: a process that dies every minute shows no slope."""
KEPT = 5
"""Finished jobs that stay, so that the operator always has as many: what it holds for more is no leak."""

WORD_COUNT = """
import time
import mapreduce as mr

class Chaos(mr.Job):
    def map(self, line):
        time.sleep(0.15)
        for word in line.split():
            yield word, 1

    def reduce(self, key, values):
        time.sleep(0.5)
        yield key, sum(values)
"""
COMBINED = """
import time
import mapreduce as mr

class Chaos(mr.Job):
    reduce = mr.Sum()

    def map(self, line):
        time.sleep(0.15)
        for word in line.split():
            yield (len(word), word), 1
"""
MAP_ONLY = """
import time
import mapreduce as mr

class Chaos(mr.Job):
    def map(self, line):
        time.sleep(0.3)
        yield line.split()[0], line.upper()
"""
SORTED_VALUES = """
import time
import mapreduce as mr

class Chaos(mr.Job):
    sort_values = True

    def map(self, line):
        time.sleep(0.15)
        words = line.split()
        for word in words:
            yield word, words[0] + words[-1]

    def reduce(self, key, values):
        time.sleep(0.5)
        yield key, list(values)
"""
SLEEPS = {f"time.sleep({pause})": "pass" for pause in (0.15, 0.3, 0.5)}


class Kind(msgspec.Struct, frozen=True):
    """A job to run again and again. `claim` is its output's; the input is on `texts`, on another node."""

    name: str
    program: str
    parts: int
    claim: str = "results"
    spec: dict[str, Any] = {}


KINDS = (
    Kind("word count", WORD_COUNT, REDUCES),
    Kind("built-in sum, one claim", COMBINED, REDUCES, claim="texts"),
    Kind("map-only", MAP_ONLY, MAPS),
    Kind("sorted values", SORTED_VALUES, REDUCES),
    Kind("two slots a worker", WORD_COUNT, REDUCES, spec={"workers": {"replicas": 2, "slots": 2}}),
)
SHELLS = {"texts": "load", "results": "read"}


class Wrong(Exception):
    """What must not happen has happened."""


def expected(kind: Kind, files: dict[str, bytes]) -> bytes:
    """Return what the naive reference makes of the input, without the sleeping."""
    text = kind.program
    for pause, nothing in SLEEPS.items():
        text = text.replace(pause, nothing)
    program: dict[str, Any] = {}
    exec(text, program)  # noqa: S102 - the programs are this module's own constants
    lines = [line.decode() for content in files.values() for line in content.split(b"\n")[:-1]]
    return testing.run_tsv(program["Chaos"], lines)


def run_job(namespace: Namespace, kind: Kind, number: int, wanted: bytes) -> history_checker.Events:
    """Run one job to its end and check it; raises `Wrong`, or `AssertionError` if it fails or takes too long."""
    name, path, shell = f"chaos-{number}", f"out-{number}", SHELLS[kind.claim]
    output = {"path": path, "volume": {"persistentVolumeClaim": {"claimName": kind.claim}}}
    submit(namespace, kind.program, name, **({"workers": {"replicas": 3}, "output": output} | kind.spec))
    namespace.wait_complete(name, timeout=JOB_SECONDS)
    found = namespace.read(shell, f"{path}/output.tsv")
    if found != wanted:
        raise Wrong(f"{name} ({kind.name}): the output is not the reference's: {found[:300]!r} … {wanted[:300]!r}")
    events = history.parse(namespace.read(shell, f"{path}/_history/events.ndjson"))
    broken = history_checker.check(events, maps=MAPS, reduces=kind.parts)
    if broken:
        raise Wrong(f"{name} ({kind.name}): its history breaks: {broken}")
    return events


def delete_old(namespace: Namespace, number: int) -> None:
    """Delete the job of this number, if there ever was one; its output stays."""
    if number >= 0:
        namespace.kubectl("delete", "mrjob", f"chaos-{number}", "--wait=false")


def left_objects(namespace: Namespace) -> list[str]:
    """Return what is left of jobs in the namespace."""
    kinds = "pods,configmaps,secrets,services,persistentvolumeclaims"
    found = cluster.kubectl_json("-n", namespace.name, "get", kinds, "-l", "mapreduce.dev/job")["items"]
    return [f"{one['kind']}/{one['metadata']['name']}" for one in found]


def left_files(namespace: Namespace) -> list[str]:
    """Return files and folders on both claims that no finished job accounts for."""
    wanted = {"output.tsv", "_manifest.json", "_SUCCESS", "_history", "_history/events.ndjson"}
    found = []
    for shell in SHELLS.values():
        for path in namespace.files(shell):
            first, _, rest = path.partition("/")
            is_output = first.startswith("out-") and (not rest or rest in wanted)
            if first not in ("in", "lost+found") and not is_output:
                found.append(f"{shell}: {path}")
    return found


def check_left_overs(namespace: Namespace) -> None:
    """Raise `Wrong` if anything is left, of finished jobs and after these are deleted."""
    try:
        cluster.eventually(
            "the Pods of finished jobs go", lambda: not namespace.pods(), timeout=SETTLE_SECONDS, interval=2
        )
        if files := left_files(namespace):
            raise Wrong(f"orphan files: {files}")
        namespace.kubectl("delete", "mrjob", "--all", f"--timeout={SETTLE_SECONDS}s", timeout=SETTLE_SECONDS + 30)
        cluster.eventually("all objects go", lambda: not left_objects(namespace), timeout=SETTLE_SECONDS, interval=2)
    except AssertionError as error:
        raise Wrong(f"orphan objects: {left_objects(namespace)}: {error}") from error
    print("no object and no file is left of any job")


def chaos(namespace: Namespace, minutes: float, seed: int, *, spare_operator: bool) -> None:
    """Run jobs for so long; raises `Wrong` or `AssertionError` at the first that is not right."""
    files = texts(files=MAPS, lines=10, seed=seed)
    wanted = {kind.name: expected(kind, files) for kind in KINDS}
    prepare(namespace, {})
    namespace.write_all("load", files)
    chance = random.Random(f"jobs {seed}")
    ran: Counter[str] = Counter()
    events_seen: Counter[str] = Counter()
    hits = 0
    memory = Memory()
    begun = time.monotonic()
    spared_from = begun if spare_operator else begun + 60 * minutes * (1 - SPARED)
    monkey = Monkey(namespace, seed, operator_until=spared_from)
    monkey.start()
    try:
        while time.monotonic() < begun + 60 * minutes:
            kind = KINDS[sum(ran.values())] if sum(ran.values()) < len(KINDS) else chance.choice(KINDS)
            begin = time.monotonic()
            events = run_job(namespace, kind, sum(ran.values()), wanted[kind.name])
            ran[kind.name] += 1
            delete_old(namespace, sum(ran.values()) - 1 - KEPT)
            events_seen.update(str(event["event"]) for event in events)
            hits += sum(1 for event in history_checker.named(events, "Lost", "WorkerLost"))
            epochs = len({event["epoch"] for event in events})
            print(
                f"{time.strftime('%X')} job {sum(ran.values())}, {kind.name}: right, {time.monotonic() - begin:.0f} s, "
                f"{epochs} epochs, {len(history_checker.named(events, 'Lost'))} attempts or outputs lost, "
                f"{len(history_checker.assigned_again_after_finishing(events))} finished maps run again",
                flush=True,
            )
    finally:
        monkey.stop()
        memory.stop()
        print(f"\ndeeds: {dict(monkey.deeds)}\njobs: {dict(ran)}\nevents of all histories: {dict(events_seen)}")
    if not hits:
        raise Wrong("the monkey hit nothing")
    check_left_overs(namespace)


def main() -> int:
    """Return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--spare-operator", action="store_true", help="leave the operator alone from the start")
    chosen = parser.parse_args()
    print(f"seed {chosen.seed}, {chosen.minutes:g} minutes", flush=True)
    with cluster.namespace() as namespace:
        try:
            chaos(namespace, chosen.minutes, chosen.seed, spare_operator=chosen.spare_operator)
        except (Wrong, AssertionError, CorruptionError):
            traceback.print_exc()
            print(f"\n{cluster.operator_log(200)}\nchaos: failed; seed {chosen.seed}")
            return 1
    print("chaos: every output and every history is right")
    return 0


if __name__ == "__main__":
    sys.exit(main())
