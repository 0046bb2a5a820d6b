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
            del self._job_of[self._session_of.pop(owner)]
        return job

    def get(self, uid: str) -> JobRuntime | None:
        """Return the job with this uid."""
        return self._jobs.get(uid)

    def open_session(self, job: JobRuntime, worker: str, session: str) -> None:
        """Note a session of a worker; the one that it had before is over."""
        if self._jobs.get(job.uid) is not job:
            return
        previous = self._session_of.get((job.uid, worker))
        if previous is not None:
            del self._job_of[previous]
        self._session_of[job.uid, worker] = session
        self._job_of[session] = job

    def of_session(self, session: str) -> JobRuntime | None:
        """Return the job of a session, or None for one that is unknown or over."""
        return self._job_of.get(session)
