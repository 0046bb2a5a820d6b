"""One `MapReduceJob` and what runs for it: from the first sight of the resource to its end.

Level-triggered: `_reconcile` looks at the resource as it is and takes the next step; a wake-up
says only that looking may be worth it. What happens to tasks is the core's business alone. An
error while handling one job delays or fails that job and no other.
Neighbours: `jobs.py` (all jobs), `running.py` (the core and the Pods), `leaving.py` (a deleted
job), `objects.py`, `inputs.py`, `publish.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from mapreduce import logs, words
from mapreduce.spec import Limits
from mapreduce_operator.core import policies, suspension
from mapreduce_operator.core.events import (
    Announce,
    Event,
    FindJobs,
    InputMissing,
    JobDeleted,
    JobStatus,
    SpecChanged,
)
from mapreduce_operator.kube import inputs, leaving, objects, programs, resource, status
from mapreduce_operator.kube.client import JsonObject, Ref
from mapreduce_operator.kube.errors import ApiError, Conflict, Forbidden, InvalidSpec, LeaseLost, Rejected
from mapreduce_operator.kube.existing import Existing, Looks
from mapreduce_operator.kube.inputs import Missing
from mapreduce_operator.kube.job_series import JobSeries
from mapreduce_operator.kube.observe import PodSeen
from mapreduce_operator.kube.publish import Publisher
from mapreduce_operator.kube.resource import ParsedJob
from mapreduce_operator.kube.running import Running, Shared
from mapreduce_operator.runtime.jobs import Phase

LOOK_AGAIN: Final = 2.0
"""Seconds until a job that waits for something in the API looks again."""
RETRY: Final = 2.0
CLOCK_TURNS: Final = 60.0
"""Seconds after which the wall clock is read again: nobody tells when it is set."""

_log = logging.getLogger(__name__)


class Job:
    """Follows one resource on the master's loop; also the `Observer` of its runtime."""

    def __init__(self, body: JsonObject, shared: Shared, find: Callable[[], Awaitable[Existing]]) -> None:
        """`find` looks which jobs exist now; it may raise `ApiError`."""
        self.owner = resource.owner(body)
        self._shared = shared
        self._looks = Looks(find, self._post)
        self._body = body
        self._seen_at = shared.clock()
        self._first_seen = self._waits_since = self._seen_at
        generation = int(body["metadata"].get("generation") or 0)
        self._publisher = Publisher(
            shared.writer, self.owner, generation, body.get("status") or {}, counts=shared.counts, wall=shared.wall
        )
        self._resumed = resource.touched(body)
        self._running = Running(self.owner, shared, self)
        self._parsed: ParsedJob | None = None
        self._missing = Missing()
        self._ended: Phase | None = None
        self._broken = ""
        self._deleted_at: float | None = None
        self._cleaning = False
        self._is_told_suspended = False
        self._woken = asyncio.Event()
        self._task = asyncio.get_running_loop().create_task(self._run())

    @property
    def series(self) -> JobSeries:
        """What a scraper is told of the job."""
        return self._publisher.series

    # --- what the outside world tells ---

    def seen(self, body: JsonObject, began: float | None = None) -> None:
        """The resource as a watch, or a LIST that began at `began`, shows it."""
        if began is not None and began < self._seen_at:
            return
        self._body = body
        self._seen_at = self._shared.clock()
        self._woken.set()

    def pod_seen(self, pod: PodSeen) -> None:
        """A hint from a watch about one of the job's Pods."""
        self._running.pod_seen(pod)

    def pods_listed(self, listed: list[PodSeen], began: float) -> None:
        """All Pods of the job, by a LIST that began at `began`."""
        if self._running.pods_listed(listed, began):
            self._woken.set()

    def existed_before(self, instant: float) -> bool:
        """Tell whether this job was known before an instant, so that a LIST since must have it."""
        return self._first_seen < instant

    async def close(self) -> None:
        """Stop following: the resource is gone, or this process ends."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self._looks.close()
        await self._running.stop()
        await self._publisher.close()

    # --- Observer ---

    def status_changed(self, uid: str, status: JobStatus) -> None:
        """Show people the new status."""
        if not objects.is_deleted(self._body):
            self._publisher.set_status(status)

    def announced(self, uid: str, announcement: Announce) -> None:
        """Tell people what happened."""
        if self._is_told_suspended and announcement.reason == suspension.SUSPENDED:
            return
        self._publisher.announce(announcement)

    def jobs_sought(self, uid: str, sought: FindJobs) -> None:
        """Look which of the other jobs at the output live."""
        self._looks.begin(sought.uids)

    def ended(self, uid: str, phase: Phase) -> None:
        """The core has nothing left to do."""
        self._ended = phase
        self._woken.set()

    def deposed(self, uid: str, message: str) -> None:
        """Another operator runs this job."""
        self._shared.deposed(f"job {self.owner.namespace}/{self.owner.name}: {message}")

    def broken(self, uid: str, error: Exception) -> None:
        """The core met a defect."""
        self._fail("InternalError", f"a defect of the operator: {type(error).__name__}: {error}")

    # --- one step after the other ---

    async def _run(self) -> None:
        with logs.within(job=self.owner.name, namespace=self.owner.namespace):
            await self._keep_reconciling()

    async def _keep_reconciling(self) -> None:
        while True:
            self._woken.clear()
            pause: float | None = RETRY
            try:
                pause = await self._reconcile()
            except LeaseLost:
                return
            except InvalidSpec as error:
                self._fail("InvalidSpec", str(error))
            except Conflict:
                await self._read_again()
            except ApiError as error:
                _log.warning("job %s/%s: %s", self.owner.namespace, self.owner.name, error)
            except Exception as error:  # noqa: BLE001 - the task boundary of one job: its defect must not touch others
                _log.exception("job %s/%s: a defect while reconciling", self.owner.namespace, self.owner.name)
                self._fail("InternalError", f"a defect of the operator: {type(error).__name__}: {error}")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._woken.wait()

    async def _reconcile(self) -> float | None:
        """Take the next step; return the seconds until the next look, or None to wait for a change."""
        if objects.is_deleted(self._body):
            return await self._leave()
        self._publisher.observed(int(self._body["metadata"].get("generation") or 0))
        finished = resource.finished(self._body)
        if self._broken or self._ended is not None or (finished and not self._running.is_on):
            return await self._settle()
        # A job tells that it failed before its core has cleaned up: that core is left alone.
        return None if finished else await self._advance()

    async def _advance(self) -> float | None:
        """Bring the job to run, or look after what it waits for."""
        wanted = resource.wanted(self._body)
        if not self._running.is_on and wanted.suspend:
            return await self._stay_suspended()
        self._post(wanted)
        if self._running.is_on:
            await self._adopt()
            await self._look_for_volumes()
            self._publisher.tell_if_stalled()
            return LOOK_AGAIN if self._missing.reason else None
        try:
            prepared = await self._prepare()
        except Forbidden as error:
            prepared = Missing("ObjectRefused", f"an object of the job is not allowed: {error}")
        except Rejected as error:
            self._fail("ObjectRefused", f"an object of the job was refused: {error}")
            return None
        if isinstance(prepared, Missing):
            return self._wait_without_core(prepared)
        await self._start_core(prepared, wanted)
        return LOOK_AGAIN if self._missing.reason else None

    async def _prepare(self) -> ParsedJob | Missing:
        """Make what the job needs before its Pods; return the job, or what it waits for. Raises `ApiError`."""
        await self._adopt()
        program = await programs.find(self._shared.api, self._body)
        if isinstance(program, Missing):
            return program
        self._parsed = parsed = resource.parse(self._body, program.files if program else None, self._shared.defaults)
        await objects.prepare(self._shared.api, self._shared.writer, self.owner, self._shared.platform)
        if program is not None and not program.kept:
            await programs.keep(self._shared.writer, self.owner, program.files)
        return parsed

    async def _adopt(self) -> None:
        if not objects.has_finalizer(self._body):
            image = resource.image(self._body, self._shared.defaults)
            self._body = await objects.adopt(self._shared.writer, self._body, image)

    async def _stay_suspended(self) -> float | None:
        """No core was started, and none is while the job is suspended: nothing is made for it."""
        self._waits_since = self._shared.clock()
        self._missing = Missing()
        if not self._is_told_suspended:
            self._is_told_suspended = True
            told, announcement = suspension.without_core(self._shared.wall())
            self._publisher.set_status(told)
            if not resource.is_shown_suspended(self._body):
                self._publisher.announce(announcement)
        return await self._remove_pods()

    async def _start_core(self, parsed: ParsedJob, wanted: SpecChanged | None) -> None:
        """Start a core, and tell it the whole truth before the first tick. `wanted`: None if the job was deleted."""
        self._ended = None
        began = self._shared.clock()
        listed = await self._running.list_pods()
        missing = await inputs.find_volumes(self._shared.api, parsed)
        self._running.make(parsed, resumed=self._resumed)
        self._resumed = True
        if wanted is not None:
            self._tell_wanted(wanted)
        self.pods_listed(listed, began)
        self._tell_missing(missing)
        if wanted is None:
            self._post(JobDeleted())
        self._running.begin()

    def _tell_wanted(self, wanted: SpecChanged) -> None:
        """Tell a new core what is wanted; one that knows of a pause before it begins its deadlines anew."""
        if self._is_told_suspended or resource.is_shown_suspended(self._body):
            self._is_told_suspended = True
            self._post(msgspec.structs.replace(wanted, suspend=True))
            self._is_told_suspended = False
        self._post(wanted)

    async def _look_for_volumes(self) -> None:
        """While the job waits for a claim or a ConfigMap, see whether it has come."""
        if self._missing.reason and self._parsed is not None:
            self._tell_missing(await inputs.find_volumes(self._shared.api, self._parsed))

    def _tell_missing(self, missing: Missing) -> None:
        if missing != self._missing:
            self._missing = missing
            self._post(InputMissing(missing.reason, missing.message))

    def _wait_without_core(self, missing: Missing) -> float:
        """Before its core begins, nobody else asks whether the job has waited too long."""
        limits = Limits(pre_running_deadline=resource.pre_running_deadline(self._body))
        verdict = policies.before_running(self._shared.clock() - self._waits_since, limits, missing.message)
        if verdict is not None:
            self._fail(verdict.reason, verdict.message)
        elif missing != self._missing:
            self._missing = missing
            self._publisher.set_status(JobStatus(phase="Pending", message=missing.message))
            self._publisher.announce(Announce(kind="Warning", reason=missing.reason, message=missing.message))
        return LOOK_AGAIN

    async def _settle(self) -> float | None:
        """The job is over: nothing of it keeps running. Files of a failed one stay until it is deleted."""
        await self._publisher.flush()
        await self._running.stop()
        self._parsed = None
        if resource.finished(self._body) == "Complete" and objects.has_finalizer(self._body):
            self._body = await objects.release(self._shared.writer, self._body)
        return await self._remove_pods() or await self._expire()

    async def _remove_pods(self) -> float | None:
        """Delete what Pods there are; again until none is left, since the creation of one may have been on its way."""
        return None if await self._running.remove_pods() else LOOK_AGAIN

    async def _expire(self) -> float | None:
        """Delete the job itself when it has been over for as long as it is to be kept."""
        expires = resource.expires_at(self._body)
        if expires is None:
            return None
        left = expires - self._shared.wall()
        if left > 0:
            return min(left, CLOCK_TURNS)
        await objects.delete_job(self._shared.writer, self._body)
        return None

    async def _leave(self) -> float | None:
        """The user deleted the job: clean up within the budget, then let it go."""
        if not objects.has_finalizer(self._body):
            await self._running.stop()
            return None
        now = self._shared.clock()
        if self._deleted_at is None:
            self._deleted_at = now
        if not self._cleaning:
            self._cleaning = await self._begin_cleaning()
        if self._cleaning and self._ended != "Deleted" and not self._broken:
            left = self._deleted_at + await leaving.budget(self._shared.api, self._parsed) - now
            if left > 0:
                return min(left, LOOK_AGAIN)
        await self._running.stop()
        await objects.delete_pods(self._shared.api, self._shared.writer, self.owner)
        self._body = await objects.release(self._shared.writer, self._body)
        return None

    async def _begin_cleaning(self) -> bool:
        """Tell the core that the job is deleted, starting one if there are files to remove; else return False."""
        if resource.finished(self._body) == "Complete" or not self._resumed:
            return False
        if self._running.is_on and self._ended is None and not self._broken:
            self._post(JobDeleted())
            return True
        self._broken = ""
        self._parsed = parsed = await leaving.prepare(self._shared, self._body)
        if parsed is None:
            return False
        await self._running.stop()
        await self._start_core(parsed, None)
        return True

    def _post(self, event: Event) -> None:
        self._running.post(event)

    def _fail(self, reason: str, message: str) -> None:
        """Mark this job, and this one alone."""
        if self._broken:
            return
        self._broken = reason
        if reason == "InternalError":
            self._shared.counts.job_defects.add()
        self._publisher.set_status(status.failed(reason, message, self._shared.wall(), self._publisher.latest))
        self._publisher.announce(Announce(kind="Warning", reason=reason, message=message))
        self._woken.set()

    async def _read_again(self) -> None:
        """A write met a newer version of the job: look at that one."""
        ref = Ref(words.PLURAL, self.owner.namespace, self.owner.name)
        with contextlib.suppress(ApiError):
            body = await self._shared.api.get(ref)
            if body["metadata"]["uid"] == self.owner.uid:
                self.seen(body)
