"""Workers and gateways as processes of this machine.

Every process gets a scratch directory of its own, its token through a pipe that only it can
read, and one end of a pipe that closes when this process dies, however it dies. The end of a
process is told to the job at once; whether it is replaced is the core's decision. Neighbours:
`mapreduce_operator.runtime.jobs` (calls it), `mapreduce_cli.local` (composes it),
`mapreduce_worker.__main__` (what is started; known by its name and environment only).
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import os
import secrets
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec

from mapreduce_operator.core.events import Event, StartWorker, StopWorker, WorkerChanged, WorkerClosed, WorkerSeen
from mapreduce_operator.drivers.beginning import inherited
from mapreduce_operator.drivers.nursery import Born, Nursery, NurseryGoneError
from mapreduce_operator.drivers.orphans import Orphans
from mapreduce_operator.rpc.authentication import Identity, TokenRejected
from mapreduce_operator.runtime.driver import NotStartedError

HOST = "127.0.0.1"
WORKER_MODULE = "mapreduce_worker"
_LOG_TAIL = 2000
"""Bytes of a process's log that are told when it ends by itself."""


class LocalAuthenticator:
    """Random tokens, one a process: the local stand-in for TokenReview."""

    def __init__(self) -> None:
        self._identities: dict[str, Identity] = {}

    def issue(self, identity: Identity) -> str:
        """Return a new token for a process that is about to start."""
        token = secrets.token_urlsafe(32)
        self._identities[token] = identity
        return token

    def revoke(self, identity: Identity) -> None:
        """Accept the token of a process that ended no more."""
        self._identities = {token: known for token, known in self._identities.items() if known != identity}

    async def authenticate(self, token: str, remote: str) -> Identity:
        """Return who holds the token; raises `TokenRejected`."""
        given = token.encode()
        for known, identity in self._identities.items():
            if hmac.compare_digest(known.encode(), given):
                return identity
        raise TokenRejected(f"the token sent from {remote} was not issued here")


class LocalSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where and how processes are started.

    master: URL of the RPC server. folder: holds their scratch directories and logs.
    root: the folder that inputs and outputs are relative to. slot_memory: bytes a slot. workers: how many share the
    cores.
    """

    job_uid: str
    master: str
    folder: Path
    root: Path
    slots: int
    slot_memory: int
    workers: int = 1


class _Worker(msgspec.Struct):
    """A process that was started: `stopping` once its end was asked for."""

    identity: Identity
    process: asyncio.subprocess.Process | Born
    watch: asyncio.Task[None] | None = None
    stopping: bool = False


class LocalDriver:
    """The `Driver` of one job on this machine."""

    def __init__(
        self,
        settings: LocalSettings,
        authenticator: LocalAuthenticator,
        post: Callable[[Event], None],
        orphans: Orphans | None = None,
        nursery: Nursery | None = None,
    ) -> None:
        """`nursery`, which this closes, has processes sooner than they can be started."""
        self._settings = settings
        self._authenticator = authenticator
        self._post = post
        self._orphans = orphans
        self._nursery = nursery
        self._workers: dict[str, _Worker] = {}
        self._closed = False
        # Children hold the reading end; they exit when the writing end, which only this process has, closes.
        self._parent_read, self._parent_write = os.pipe()

    @property
    def pids(self) -> dict[str, int]:
        """The processes that run, by the name of their worker."""
        return {name: worker.process.pid for name, worker in self._workers.items()}

    def log_of(self, name: str) -> Path:
        """Return the file that takes what the process prints."""
        return self._settings.folder / f"{name}.log"

    async def start(self, command: StartWorker) -> None:
        """Start one process and tell the job that it runs; raises `NotStartedError`."""
        if self._closed or command.name in self._workers:
            return
        identity = Identity(self._settings.job_uid, command.name, secrets.token_hex(8), HOST)
        try:
            process = await self._spawn(command, identity)
        except OSError as error:
            self._authenticator.revoke(identity)
            raise NotStartedError("InternalError", f"the process of {command.name} did not start: {error}") from error
        worker = self._workers[command.name] = _Worker(identity, process)
        seen = WorkerSeen(
            name=command.name,
            uid=identity.uid,
            role=command.role,
            index=command.index,
            incarnation=command.incarnation,
            state="running",
            node=HOST,
        )
        worker.watch = asyncio.get_running_loop().create_task(self._watch(command.name, worker))
        self._post(WorkerChanged(seen))

    async def stop(self, command: StopWorker) -> None:
        """Kill one process; what it held is not needed any more."""
        worker = self._workers.get(command.name)
        if worker is None or worker.watch is None or command.uid not in ("", worker.identity.uid):
            return
        worker.stopping = True
        _kill(worker.process)
        await asyncio.wait([worker.watch])

    async def close(self) -> None:
        """Kill every process below this one and remove their scratch directories; logs stay."""
        if self._closed:
            return
        self._closed = True
        workers = list(self._workers.values())
        for worker in workers:
            worker.stopping = True
            _kill(worker.process)
        for end in (self._parent_read, self._parent_write):
            os.close(end)
        await asyncio.gather(*(worker.watch for worker in workers if worker.watch is not None))
        if self._nursery is not None:
            self._nursery.close()
        if self._orphans is not None:
            self._orphans.kill(own=())

    async def _spawn(self, command: StartWorker, identity: Identity) -> asyncio.subprocess.Process | Born:
        scratch = self._scratch(command.name)
        scratch.mkdir(parents=True, exist_ok=True)
        token_read, token_write = os.pipe()
        try:
            os.write(token_write, self._authenticator.issue(identity).encode())
            os.close(token_write)
            with self.log_of(command.name).open("ab") as log:
                settings = self._variables(command, scratch, token_read)
                if self._nursery is not None:
                    with contextlib.suppress(NurseryGoneError):
                        return await self._nursery.bear(settings, log.fileno(), token_read, self._parent_read)
                return await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-P",  # a file of the user's folder must not shadow a module
                    "-m",
                    WORKER_MODULE,
                    env=inherited(os.environ) | {"PYTHONHASHSEED": "0", "PYTHONUNBUFFERED": "1"} | settings,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    pass_fds=(token_read, self._parent_read),
                    start_new_session=True,
                )
        finally:
            os.close(token_read)

    def _variables(self, command: StartWorker, scratch: Path, token_fd: int) -> dict[str, str]:
        settings = self._settings
        return {
            "MAPREDUCE_MASTER": settings.master,
            "MAPREDUCE_ROLE": command.role,
            "MAPREDUCE_TOKEN_FD": str(token_fd),
            "MAPREDUCE_PARENT_FD": str(self._parent_read),
            "MAPREDUCE_SCRATCH": str(scratch),
            "MAPREDUCE_DATA_HOST": HOST,
            "MAPREDUCE_DATA_PORT": "0",
            "MAPREDUCE_SHARED_DISK": "1",
            "MAPREDUCE_SLOTS": str(settings.slots),
            "MAPREDUCE_SHARING": str(settings.workers),
            "MAPREDUCE_SLOT_MEMORY": str(settings.slot_memory),
            "MAPREDUCE_ROOT_INPUT": str(settings.root),
            "MAPREDUCE_ROOT_OUTPUT": str(settings.root),
        }

    async def _watch(self, name: str, worker: _Worker) -> None:
        """Wait for the end of a process and tell the job at once."""
        status = await worker.process.wait()
        del self._workers[name]
        self._authenticator.revoke(worker.identity)
        # Whatever the process left running in its group (a merge, say) must not outlive it.
        _kill(worker.process)
        if not self._closed:
            # Else `close` does it, for all of them at once.
            if self._orphans is not None:
                self._orphans.reap(own=self.pids.values())
            self._post(WorkerClosed(name, "WorkerLost", self._cause(name, worker, status)))
        await asyncio.to_thread(shutil.rmtree, self._scratch(name), ignore_errors=True)

    def _scratch(self, name: str) -> Path:
        return self._settings.folder / name

    def _cause(self, name: str, worker: _Worker, status: int) -> str:
        """Say why a process ended; one that ended by itself may have printed the reason."""
        if worker.stopping:
            return "it was stopped"
        return f"its process {_ending(status)}{self._last_words(name) if status > 0 else ''}"

    def _last_words(self, name: str) -> str:
        """Return the last line that the process printed."""
        try:
            with self.log_of(name).open("rb") as log:
                log.seek(max(0, log.seek(0, os.SEEK_END) - _LOG_TAIL))
                printed = log.read().decode(errors="replace").strip()
        except OSError:
            return ""
        return f": {printed.rpartition(chr(10))[2]}" if printed else ""


def _ending(status: int) -> str:
    if status >= 0:
        return f"ended with exit status {status}"
    try:
        return f"was killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"was killed by signal {-status}"


def _kill(process: asyncio.subprocess.Process | Born) -> None:
    """Kill the process and its group (each is the leader of its own, once it has begun)."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(process.pid, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
