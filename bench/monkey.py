"""Deletes and kills at random what a job runs on. Neighbours: `chaos.py`, which runs the jobs; `operator_process.py`.

What it does next is drawn from a seed; what it hits depends on what is there at that time.
"""

from __future__ import annotations

import random
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable

from bench import operator_process
from tests.support.cluster import Namespace

FORCE = ("--grace-period=0", "--force")
PAUSE = (3.0, 11.0)
"""Seconds between two deeds."""


class Monkey:
    """Runs in a thread between `start` and `stop`. `deeds` counts what it did, `victims` names the Pods it deleted.

    operator_until: the time.monotonic() from which it leaves the operator alone.
    """

    def __init__(self, namespace: Namespace, seed: int, *, operator_until: float) -> None:
        self.deeds: Counter[str] = Counter()
        self.victims: set[str] = set()
        self._namespace = namespace
        self._chance = random.Random(seed)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._ways: list[tuple[int, str, Callable[[], str]]] = [
            (4, "worker deleted", lambda: self._delete("worker")),
            (4, "worker deleted with force", lambda: self._delete("worker", *FORCE)),
            (2, "gateway deleted", lambda: self._delete("gateway")),
            (1, "gateway deleted with force", lambda: self._delete("gateway", *FORCE)),
        ]
        self._ways_with_operator = [
            *self._ways,
            (1, "operator deleted", operator_process.delete),
            (1, "operator killed", self._kill_operator),
        ]
        self._operator_until = operator_until

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End after the deed that it is at."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(self._chance.uniform(*PAUSE)):
            ways = self._ways_with_operator if time.monotonic() < self._operator_until else self._ways
            ((_, name, do),) = self._chance.choices(ways, [weight for weight, _, _ in ways])
            try:
                hit = do()
            except (AssertionError, subprocess.SubprocessError) as error:
                # What was there a moment ago may be gone; the API server may be slow.
                print(f"monkey: {name}: {str(error)[:200]}", flush=True)
                continue
            if hit:
                self.deeds[name] += 1
                print(f"{time.strftime('%X')} monkey: {name}: {hit}", flush=True)

    def _delete(self, role: str, *force: str) -> str:
        names = sorted(
            str(pod["metadata"]["name"])
            for pod in self._namespace.pods(role)
            if pod["status"]["phase"] == "Running" and "deletionTimestamp" not in pod["metadata"]
        )
        if not names:
            return ""
        victim = self._chance.choice(names)
        self._namespace.kubectl("delete", "pod", victim, "--wait=false", "--ignore-not-found", *force)
        self.victims.add(victim)
        return victim

    def _kill_operator(self) -> str:
        # A container that dies again and again is started ever later: a new Pod begins anew.
        if operator_process.restarts():
            return operator_process.delete()
        process = operator_process.look()
        if process is None:
            return ""
        operator_process.kill(process)
        return f"process {process.pid} on {process.node}"
