"""Processes that a run forks instead of starting them: as good as started ones, and watched as well."""

import asyncio
import errno
import json
import os
import signal
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from mapreduce import nursery
from mapreduce_operator.core.events import Event, StartWorker, StopWorker, WorkerChanged, WorkerClosed
from mapreduce_operator.drivers import beginning
from mapreduce_operator.drivers.local import LocalAuthenticator, LocalDriver, LocalSettings
from mapreduce_operator.drivers.nursery import Nursery, NurseryGoneError
from tests.support.apiserver import free_port
from tests.support.local_runs import running, succeeded, write_program

WORKER = StartWorker(name="w-0", role="worker", index=0, incarnation="1-0")
GATEWAY = StartWorker(name="g-0", role="gateway", index=0, incarnation="1-0")
FACTS = """
import atexit, json, logging, os, random, signal, sys, threading

import mapreduce as mr


def kind(place):
    return os.path.splitext(place)[1] or place.split(":")[0]


def facts():
    import aiohttp.connector

    return {
        "arguments": len(sys.argv),
        "asks nothing of": [name for name in os.environ if name.startswith("MAPREDUCE_")],
        "descriptors": sorted(kind(os.readlink(f"/proc/self/fd/{fd}")) for fd in range(3, 64)
                              if os.path.exists(f"/proc/self/fd/{fd}")),
        "folder": os.getcwd(),
        "hash": hash("a word"),
        "leads its session": os.getsid(0) == os.getpid() == os.getpgid(0),
        "logging": [repr(logging.getLogger().handlers), logging.getLogger().level],
        "mask": [os.umask(0o22), os.umask(0o22)][0],
        "path": sys.path[:4],
        "seed": os.environ["PYTHONHASHSEED"],
        "signals": [repr(signal.getsignal(n)) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD, signal.SIGPIPE)],
        "streams": [[stream.fileno(), stream.encoding, stream.errors, stream.write_through]
                    for stream in (sys.stdin, sys.stdout, sys.stderr)[1:]],
        "threads": threading.active_count(),
        "threads of Polars": os.environ["POLARS_MAX_THREADS"],
        "trusts": aiohttp.connector._SSL_CONTEXT_VERIFIED.cert_store_stats(),
        "wakes": signal.set_wakeup_fd(-1),
    }


class Facts(mr.Job):
    def map(self, line):
        with open("/proc/self/comm") as comm:
            forked = comm.read().strip() == "mr-slot"
        # The process of the next line is another: this one leaves a child behind.
        if os.fork() == 0:
            signal.pause()
        yield line, json.dumps([forked, random.random(), facts()])

    reduce = mr.Each()
"""


def test_user_code_sees_no_difference_between_a_slot_that_was_forked_and_one_that_was_started(tmp_path: Path) -> None:
    write_program(tmp_path, FACTS)
    for name in ("a", "b"):
        (tmp_path / f"{name}.txt").write_text(f"{name}\n")
    options = ("--workers", "1", "--split-size", "1", "--output-format", "jsonl")
    succeeded(tmp_path, "job.py", "a.txt", "b.txt", "--output", "out", *options)
    rows = (tmp_path / "out" / "output.jsonl").read_text().splitlines()
    (forked, once, first), (then, other, second) = (json.loads(json.loads(row)["value"]) for row in rows)
    assert (forked, then) == (True, False)
    assert first == second
    assert first["trusts"] == ssl.create_default_context().cert_store_stats()
    assert once != other


class World:
    """A driver with a nursery, and what it has posted; its workers have nobody to register with."""

    def __init__(self, folder: Path) -> None:
        begun = beginning.begin()
        assert begun is not None
        self.nursery = begun
        self.posted: asyncio.Queue[Event] = asyncio.Queue()
        settings = LocalSettings(
            job_uid="uid-1",
            master=f"http://127.0.0.1:{free_port()}",
            folder=folder,
            root=Path("/"),
            slots=2,
            slot_memory=1 << 20,
        )
        self.client = Nursery(begun)
        self.driver = LocalDriver(settings, LocalAuthenticator(), self.posted.put_nowait, None, self.client)

    async def next(self) -> Event:
        return await asyncio.wait_for(self.posted.get(), 60)


@asynccontextmanager
async def world(folder: Path) -> AsyncIterator[World]:
    made = World(folder)
    try:
        yield made
    finally:
        await made.driver.close()


def fields(pid: int) -> list[str]:
    """Return what the system says of a process: its state, its parent, its group…"""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def called(pid: int) -> str:
    """Return the name under which the system lists a process."""
    return Path(f"/proc/{pid}/comm").read_text().strip()


def exists(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def test_worker_and_gateway_come_from_the_nursery_each_with_a_name_and_a_log(tmp_path: Path) -> None:
    async def scene() -> None:
        async with world(tmp_path) as made:
            for command, name in ((WORKER, "mr-worker"), (GATEWAY, "mr-gateway")):
                await made.driver.start(command)
                assert isinstance(await made.next(), WorkerChanged)
                pid = made.driver.pids[command.name]
                assert int(fields(pid)[1]) == made.nursery.process.pid
                async with asyncio.timeout(60):
                    while "cannot register" not in made.driver.log_of(command.name).read_text():
                        await asyncio.sleep(0.02)
                assert called(pid) == name
                assert int(fields(pid)[2]) == pid
            pids = [made.nursery.process.pid, *made.driver.pids.values()]
        assert not [pid for pid in pids if exists(pid)]

    asyncio.run(scene())


def test_the_end_of_a_process_of_the_nursery_is_told_with_its_cause(tmp_path: Path) -> None:
    async def scene() -> None:
        async with world(tmp_path) as made:
            await made.driver.start(WORKER)
            await made.next()
            os.kill(made.driver.pids["w-0"], signal.SIGKILL)
            assert await made.next() == WorkerClosed("w-0", "WorkerLost", "its process was killed by SIGKILL")
            await made.driver.start(WORKER)
            await made.next()
            await made.driver.stop(StopWorker(name="w-0", uid="", reason="Cancelled"))
            assert await made.next() == WorkerClosed("w-0", "WorkerLost", "it was stopped")

    asyncio.run(scene())


def test_without_its_nursery_a_run_loses_its_workers_and_starts_others(tmp_path: Path) -> None:
    async def scene() -> None:
        async with world(tmp_path) as made:
            await made.driver.start(WORKER)
            await made.next()
            made.nursery.process.kill()
            assert await made.next() == WorkerClosed("w-0", "WorkerLost", "its process was killed by SIGKILL")
            with pytest.raises(NurseryGoneError):
                await made.client.bear({}, 1, 1, 1)
            await made.driver.start(WORKER)
            assert isinstance(await made.next(), WorkerChanged)
            assert int(fields(made.driver.pids["w-0"])[1]) == os.getpid()

    asyncio.run(scene())


def test_a_run_whose_nursery_is_killed_ends_well(tmp_path: Path) -> None:
    go_on = tmp_path / "go"
    source = f"""
import os, time
import mapreduce as mr

class Waits(mr.Job):
    def map(self, line):
        while not os.path.exists({str(go_on)!r}):
            time.sleep(0.02)
        yield line, 1

    reduce = mr.Sum()
"""
    write_program(tmp_path, source)
    (tmp_path / "in.txt").write_text("a\na\n")
    with running(tmp_path, "job.py", "in.txt", "--output", "out", "--workers", "1") as run:
        worker = run.until(lambda: run.processes("slot") and run.processes("worker"))[0]
        os.kill(int(fields(worker.pid)[1]), signal.SIGKILL)
        run.until(lambda: [process for process in run.processes("worker") if process.pid != worker.pid])
        go_on.touch()
        assert run.wait() == 0, run.stderr
        assert run.processes() == []
    assert (tmp_path / "out" / "output.tsv").read_text() == "a\t2\n"


def test_what_is_asked_and_told_arrives_as_it_was() -> None:
    variables = {"A": "b=c", "D": "", "PATH": "\udcff/é"}
    assert nursery.variables(nursery.request(variables)) == variables
    told = nursery.Told(nursery.ENDED, 77, -9)
    assert nursery.Told.unpack(told.pack()) == told


def some_process() -> subprocess.Popen[bytes]:
    return subprocess.Popen(["/bin/true"])


@asynccontextmanager
async def asked_in_vain() -> AsyncIterator[tuple[Nursery, socket.socket]]:
    """A driver's side whose first request was taken in, and cancelled; and the nursery's end of the channel."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    client = Nursery(beginning.Begun(some_process(), ours))
    try:
        with theirs:
            asked = asyncio.create_task(client.bear({"MAPREDUCE_ROLE": "worker"}, 0, 1, 2))
            await asyncio.sleep(0)
            assert theirs.recv(nursery.MAX_REQUEST)
            asked.cancel()
            await asyncio.wait([asked])
            yield client, theirs
    finally:
        client.close()


def test_a_process_that_was_not_born_for_one_who_is_gone_kills_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    killed: list[int] = []

    async def scene() -> None:
        async with asked_in_vain() as (client, channel):
            channel.send(nursery.Told(nursery.UNBORN, 0, errno.EAGAIN).pack())
            channel.send(nursery.Told(nursery.UNBORN, 0, errno.ENOMEM).pack())
            with pytest.raises(OSError, match="allocate memory"):
                await client.bear({"MAPREDUCE_ROLE": "gateway"}, 0, 1, 2)

    # Zero is the process group of this process.
    monkeypatch.setattr(os, "kill", lambda pid, _: killed.append(pid))
    asyncio.run(scene())
    assert 0 not in killed


def test_a_process_that_was_born_for_one_who_is_gone_is_given_to_nobody_and_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    killed: list[int] = []

    async def scene() -> None:
        async with asked_in_vain() as (client, channel):
            channel.send(nursery.Told(nursery.BORN, 77, 0).pack())
            channel.send(nursery.Told(nursery.BORN, 78, 0).pack())
            born = await client.bear({"MAPREDUCE_ROLE": "gateway"}, 0, 1, 2)
            assert (born.pid, killed) == (78, [77])

    monkeypatch.setattr(os, "kill", lambda pid, _: killed.append(pid))
    asyncio.run(scene())


THREAD = "import threading; threading.Thread(target=threading.Event().wait, daemon=True).start()"
NO_PIDFD = """
import os


def refused(*_):
    raise PermissionError(1, "not here")


os.pidfd_open = refused
"""


@pytest.mark.parametrize("site", [THREAD, NO_PIDFD], ids=["a thread", "no pidfd"])
def test_a_nursery_whose_copies_would_be_worse_than_new_processes_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, site: str
) -> None:
    (tmp_path / "sitecustomize.py").write_text(site)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    begun = beginning.begin()
    assert begun is not None
    try:
        begun.channel.settimeout(60)
        assert begun.channel.recv(nursery.TOLD_BYTES) == b""
        assert begun.process.wait(60) == 0
    finally:
        begun.end()
