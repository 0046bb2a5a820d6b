"""The epoch: which start of an operator process may write, decided by one Lease.

The epoch is `leaseTransitions`. Every start of a process increments it by compare-and-swap, a
restart in the same Pod too. A renewal is a compare-and-swap as well, so it succeeds only while
nobody took the Lease; whoever was frozen for longer must renew before the next write.
Neighbours: `writer.py` (asks before each write), `__main__` (acquires, keeps, releases).
"""

from __future__ import annotations

import asyncio
import datetime
import hashlib
import logging
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from mapreduce_operator.kube.client import Api, JsonObject, Ref
from mapreduce_operator.kube.errors import ApiError, Conflict, LeaseLost, NotFound, Unavailable

DURATION: Final = 15
"""Seconds after which a Lease that nobody renews may be taken."""
RENEW: Final = 3.0
"""Seconds between two renewals."""
TRUST: Final = DURATION * 2 / 3
"""Seconds after a renewal in which a write needs no new one."""
POLL: Final = 1.0

_log = logging.getLogger(__name__)


class Lease:
    """This process's hold on the Lease. Only the monotonic clock of this machine counts."""

    def __init__(
        self,
        api: Api,
        ref: Ref,
        *,
        pod_uid: str,
        nonce: str,
        clock: Callable[[], float] = time.monotonic,
        pause: float = POLL,
    ) -> None:
        self._api = api
        self._ref = ref
        self._pod_uid = pod_uid
        self._identity = f"{pod_uid}_{nonce}"
        self._clock = clock
        self._pause = pause
        self._held: JsonObject = {}
        self._renewed = 0.0
        self._answered = clock()
        self._lost = False
        self._lock = asyncio.Lock()

    @property
    def epoch(self) -> int:
        """The epoch of this process; 0 before `acquire`."""
        return transitions(self._held)

    def judge(self, namespaces: Sequence[str]) -> str:
        """Return the name under which this operator judges who is dead; after `acquire`.

        It holds for what the operator can list: another cluster, another release, or other namespaces have another.
        """
        uid = str(self._held["metadata"]["uid"])
        return hashlib.sha256("\n".join([uid, *sorted(namespaces)]).encode()).hexdigest()[:32]

    async def acquire(self) -> int:
        """Wait until the Lease is free, take it, and return the new epoch."""
        observed: tuple[Any, ...] = ()
        since = self._clock()
        while True:
            try:
                current = await self._current()
            except ApiError as error:
                _log.warning("the Lease cannot be read: %s", error)
                await asyncio.sleep(self._pause)
                continue
            self._answered = self._clock()
            spec = current.get("spec") or {}
            # The holder's clock is never compared with ours: what counts is how long we saw no renewal.
            state = (spec.get("holderIdentity"), spec.get("renewTime"), spec.get("leaseTransitions"))
            if state != observed:
                observed, since = state, self._clock()
            if self._is_free(spec, self._clock() - since) and await self._take(current):
                _log.info("epoch %d begins, as %s", self.epoch, self._identity)
                return self.epoch
            await asyncio.sleep(self._pause)

    async def latest(self) -> int:
        """Return the epoch that the Lease tells now, whose ever it is; raises `ApiError`."""
        return transitions(await self._current())

    def age(self) -> float:
        """Return the seconds since the last renewal."""
        return self._clock() - self._renewed

    def silence(self) -> float:
        """Return the seconds since the API server last answered about the Lease, or since the start."""
        return self._clock() - max(self._answered, self._renewed)

    async def ensure(self) -> None:
        """Return if this process may write now, renewing if the last renewal is not fresh.

        Raises `LeaseLost` for good; `ApiError` if it cannot be told.
        """
        if self._lost:
            raise LeaseLost("another operator has taken the Lease")
        if self.age() < TRUST:
            return
        if not self._lock.locked():
            await self.renew()
            return
        # Who comes while a renewal is under way shares its fate: a server that is away keeps nobody in a line.
        async with self._lock:
            renewed, lost = self.age() < TRUST, self._lost
        if lost:
            raise LeaseLost("another operator has taken the Lease")
        if not renewed:
            raise Unavailable("the Lease could not be renewed a moment ago")

    async def renew(self) -> None:
        """Renew now; raises as `ensure` does."""
        async with self._lock:
            began = self._clock()
            try:
                self._held = await self._api.replace(self._ref, self._body(self._held, self._identity, self.epoch))
            except (Conflict, NotFound) as error:
                self._held = await self._own(error)
                # What was found may be old: only a write of now proves that nobody came in between.
                began = self._clock()
                self._held = await self._api.replace(self._ref, self._body(self._held, self._identity, self.epoch))
            # Counted from before the request: the server may have taken it at any moment since.
            self._renewed = began

    async def release(self) -> None:
        """Let a successor begin at once. The epoch stays in the Lease."""
        async with self._lock:
            if self._lost or not self._held:
                return
            self._lost = True
            try:
                await self._api.replace(self._ref, self._body(self._held, "", self.epoch))
            except ApiError as error:
                _log.warning("the Lease was not released: %s", error)

    async def keep(self) -> None:
        """Renew for ever; ends with `LeaseLost`."""
        while True:
            await asyncio.sleep(RENEW)
            try:
                await self.renew()
            except ApiError as error:
                _log.warning("the Lease was not renewed: %s", error)

    async def _current(self) -> JsonObject:
        try:
            return await self._api.get(self._ref)
        except NotFound:
            return {}

    def _is_free(self, spec: JsonObject, unchanged: float) -> bool:
        holder = str(spec.get("holderIdentity") or "")
        if not holder or holder.partition("_")[0] == self._pod_uid:
            # Released; or an earlier process of this very Pod, which has ended: containers do not overlap.
            return True
        return unchanged > float(spec.get("leaseDurationSeconds") or DURATION)

    async def _take(self, current: JsonObject) -> bool:
        began = self._clock()
        body = self._body(current, self._identity, transitions(current) + 1)
        try:
            if current:
                self._held = await self._api.replace(self._ref, body)
            else:
                self._held = await self._api.create(Ref(self._ref.resource, self._ref.namespace), body)
        except ApiError as error:
            _log.info("the Lease was not taken: %s", error)
            return False
        self._renewed = began
        return True

    async def _own(self, error: ApiError) -> JsonObject:
        """After a failed compare-and-swap: a renewal of ours may have arrived although its answer did not."""
        current = await self._current()
        if (current.get("spec") or {}).get("holderIdentity") != self._identity or transitions(current) != self.epoch:
            self._lost = True
            raise LeaseLost("another operator has taken the Lease") from error
        return current

    def _body(self, current: JsonObject, identity: str, epoch: int) -> JsonObject:
        now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        metadata = {"name": self._ref.name, "namespace": self._ref.namespace}
        version = (current.get("metadata") or {}).get("resourceVersion")
        if version:
            metadata["resourceVersion"] = version
        spec = {
            "holderIdentity": identity,
            "leaseDurationSeconds": DURATION if identity else 1,
            "leaseTransitions": epoch,
            "renewTime": now,
        }
        return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec}


def transitions(lease: JsonObject) -> int:
    """Return the epoch that a Lease object tells."""
    return int((lease.get("spec") or {}).get("leaseTransitions") or 0)
