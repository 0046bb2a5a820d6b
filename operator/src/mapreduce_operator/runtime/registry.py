"""The jobs of one process by uid, and which job a session belongs to.

Neighbours: `mapreduce_operator.rpc` finds the job of a request here; whoever starts and ends
jobs (the operator's shell, the command line) adds and removes them.
"""

from __future__ import annotations

from collections.abc import Iterator

from mapreduce_operator.runtime.jobs import JobRuntime


class Registry:
    """Jobs and sessions. Sessions are names that only their worker knows."""

    def __init__(self) -> None:
        self._jobs: dict[str, JobRuntime] = {}
        self._job_of: dict[str, JobRuntime] = {}
        self._session_of: dict[tuple[str, str], str] = {}
        self._limits: dict[str, int] = {}

    def __iter__(self) -> Iterator[JobRuntime]:
        """Yield every job."""
        return iter(list(self._jobs.values()))

    def add(self, job: JobRuntime) -> None:
        """Make a job reachable; one with the same uid is replaced."""
        self.remove(job.uid)
        self._jobs[job.uid] = job

    def remove(self, uid: str) -> JobRuntime | None:
        """Forget a job and its sessions; return it if it was known."""
        job = self._jobs.pop(uid, None)
        for owner in [owner for owner in self._session_of if owner[0] == uid]:
            self._close(self._session_of.pop(owner))
        return job

    def get(self, uid: str) -> JobRuntime | None:
        """Return the job with this uid."""
        return self._jobs.get(uid)

    def open_session(self, job: JobRuntime, worker: str, session: str, limit: int = 0) -> None:
        """Note a session of a worker, and how many bytes it may send at once; the one before is over."""
        if self._jobs.get(job.uid) is not job:
            return
        previous = self._session_of.get((job.uid, worker))
        if previous is not None:
            self._close(previous)
        self._session_of[job.uid, worker] = session
        self._job_of[session] = job
        self._limits[session] = limit

    def limit_of(self, session: str) -> int:
        """Return how many bytes a session may send at once."""
        return self._limits.get(session, 0)

    def _close(self, session: str) -> None:
        del self._job_of[session]
        del self._limits[session]

    def of_session(self, session: str) -> JobRuntime | None:
        """Return the job of a session, or None for one that is unknown or over."""
        return self._job_of.get(session)
