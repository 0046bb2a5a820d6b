"""The watches: kopf, on a loop and a thread of its own, tells the master's loop what it saw.

Low-level handlers only. A handler that keeps state would write annotations, and a daemon would
write finalizers, both without asking the Lease; nothing in this thread writes at all. What it
tells is a hint: a lost one is healed by the next LIST (`jobs.py`).
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Protocol, cast

import kopf

from mapreduce import words
from mapreduce.metric_page import Histogram
from mapreduce_operator.kube import kept, observe, pods
from mapreduce_operator.kube.observe import PodSeen

SERVER_TIMEOUT: Final = 240
"""Seconds after which the API server ends a watch, so that a new one begins."""
CLIENT_TIMEOUT: Final = 300
"""Seconds after which this side ends a watch that the server forgot to end."""
INACTIVITY_TIMEOUT: Final = 75
"""Seconds without any event, bookmarks included, after which a watch counts as dead."""

CHUNK: Final = 20
"""Objects in one page of the LIST that a watch begins with: a job may have more than a megabyte."""
CONNECT_TIMEOUT: Final = 10.0
"""Seconds for a connection: a server that is away may answer nothing at all."""
BEAT: Final = 1.0
"""Seconds between two signs of life of this loop."""
BACKOFFS: Final = (1, 1, 2, 3, 5)
"""Seconds between tries of a request; the last one again and again."""

_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_log = logging.getLogger(__name__)


class Sink(Protocol):
    """Who is told, on the master's loop."""

    def job_seen(self, body: dict[str, Any], *, gone: bool = False) -> None:
        """A job as it is now."""

    def pod_seen(self, pod: PodSeen) -> None:
        """A Pod as it is now."""


class Watches:
    """The thread that watches. `ended` is called on the master's loop when it is over, why ever."""

    def __init__(
        self,
        sink: Sink,
        namespaces: tuple[str, ...],
        ended: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
        lag: Histogram | None = None,
    ) -> None:
        self._sink = sink
        self._lag = lag or Histogram(())
        self._namespaces = namespaces
        self._ended = ended
        self._master = asyncio.get_running_loop()
        self._stop = threading.Event()
        self._clock = clock
        self._beaten = clock()
        self._thread = threading.Thread(target=self._run, name="watches", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def age(self) -> float:
        """Return the seconds since the loop of this thread last did anything; called from any thread."""
        return self._clock() - self._beaten

    async def stop(self, timeout: float = 5.0) -> None:
        """End the thread; it is a daemon, so that one that does not end holds up nothing."""
        self._stop.set()
        await asyncio.to_thread(self._thread.join, timeout)

    def _run(self) -> None:
        try:
            asyncio.run(self._watch())
        except Exception:  # noqa: BLE001 - the boundary of the thread: its end ends the process, with this as the reason
            _log.exception("the watches ended")
        finally:
            if not self._stop.is_set():
                self._tell(self._ended)

    async def _watch(self) -> None:
        beating = asyncio.get_running_loop().create_task(self._beat())
        try:
            await kopf.operator(
                registry=self._registry(),
                settings=settings(),
                standalone=True,
                # Given, since kopf would else ask for the user's name, and the image's uid has none.
                identity=cast("Any", "mapreduce-operator"),
                clusterwide=not self._namespaces,
                namespaces=self._namespaces,
                stop_flag=self._stop,
            )
        finally:
            beating.cancel()

    async def _beat(self) -> None:
        while True:
            self._beaten = self._clock()
            await asyncio.sleep(BEAT)
            self._lag.observe(max(0.0, self._clock() - self._beaten - BEAT))

    def _registry(self) -> kopf.OperatorRegistry:
        registry = kopf.OperatorRegistry()
        kopf.on.login(registry=registry)(login)
        kopf.on.event(words.GROUP, words.VERSION, words.PLURAL, registry=registry)(self._job_event)
        kopf.on.event("", "v1", "pods", registry=registry)(self._pod_event)
        return registry

    async def _job_event(self, *, event: Mapping[str, Any], **_: Any) -> None:
        # Slim already here: what waits for the master's loop waits in memory.
        body = kept.of(event["object"])
        gone = event["type"] == "DELETED"
        self._tell(lambda: self._sink.job_seen(body, gone=gone))

    async def _pod_event(self, *, event: Mapping[str, Any], **_: Any) -> None:
        seen = observe.seen(event["object"], deleted=event["type"] == "DELETED")
        if seen is not None:
            self._tell(lambda: self._sink.pod_seen(seen))

    def _tell(self, call: Callable[[], None]) -> None:
        # A loop that is closed already has nothing left to hear.
        if not self._master.is_closed():
            self._master.call_soon_threadsafe(call)


class Backoffs:
    """kopf's pauses between tries, without an end: an API server that is away is waited for, however long.

    When a new process is worth trying is for the liveness probe to say.
    """

    def __iter__(self) -> Iterator[float]:
        """Yield the pauses of one request."""
        yield from BACKOFFS
        while True:
            yield BACKOFFS[-1]


def settings() -> kopf.OperatorSettings:
    """Return how kopf watches here."""
    chosen = kopf.OperatorSettings()
    chosen.watching.server_timeout = SERVER_TIMEOUT
    chosen.watching.client_timeout = CLIENT_TIMEOUT
    chosen.watching.inactivity_timeout = INACTIVITY_TIMEOUT
    chosen.watching.chunk_size = CHUNK
    chosen.networking.error_backoffs = Backoffs()
    chosen.networking.connect_timeout = CONNECT_TIMEOUT
    chosen.watching.label_selectors["pods"] = pods.selector()
    # Nothing of the cluster but jobs and Pods is read, and nothing is written.
    chosen.scanning.disabled = True
    chosen.posting.enabled = False
    return chosen


def login(*, settings: kopf.OperatorSettings, **_: Any) -> kopf.ConnectionInfo | None:
    """Return the Pod's own credentials, or, outside of one, those of KUBECONFIG."""
    host, port = os.environ.get("KUBERNETES_SERVICE_HOST"), os.environ.get("KUBERNETES_SERVICE_PORT")
    if not host or not port:
        return kopf.login_with_kubeconfig(settings=settings)
    return kopf.ConnectionInfo(
        # By address, as the API client does: the cluster's DNS may not be up yet.
        server=f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}",
        ca_path=str(_ACCOUNT / "ca.crt"),
        scheme="Bearer",
        token=(_ACCOUNT / "token").read_text().strip(),
    )
