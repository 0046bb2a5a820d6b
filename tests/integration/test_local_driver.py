import asyncio
import json
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from mapreduce_operator.core.events import Event, StartWorker, StopWorker, WorkerChanged, WorkerClosed, WorkerSeen
from mapreduce_operator.drivers import local
from mapreduce_operator.drivers.local import LocalAuthenticator, LocalDriver, LocalSettings
from mapreduce_operator.rpc.authentication import Identity, TokenRejected

FAKE_WORKER = """
import json, os, sys
from pathlib import Path

token = os.read(int(os.environ["MAPREDUCE_TOKEN_FD"]), 1000).decode()
told = {name: value for name, value in os.environ.items() if name.startswith(("MAPREDUCE_", "PYTHONHASHSEED"))}
path = Path(os.environ["MAPREDUCE_SCRATCH"]) / "told.json"
path.with_suffix(".new").write_text(json.dumps(told | {"token": token, "group": os.getpgid(0)}))
print("ready", flush=True)
path.with_suffix(".new").rename(path)
if token_end := os.read(int(os.environ["MAPREDUCE_TOKEN_FD"]), 1):
    sys.exit("the token goes on")
os.read(int(os.environ["MAPREDUCE_PARENT_FD"]), 1)
sys.exit("the parent is gone")
"""
START = StartWorker(name="w-0", role="worker", index=3, incarnation="1-0")


class World:
    """A driver whose workers only tell what they were given, and what it has posted."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.posted: asyncio.Queue[Event] = asyncio.Queue()
        self.authenticator = LocalAuthenticator()
        settings = LocalSettings(
            job_uid="uid-1",
            master="http://127.0.0.1:1",
            folder=folder,
            root=Path("/"),
            slots=2,
            slot_memory=1 << 20,
            workers=3,
        )
        self.driver = LocalDriver(settings, self.authenticator, self.posted.put_nowait)

    async def next(self) -> Event:
        return await asyncio.wait_for(self.posted.get(), 60)

    async def told(self, name: str = "w-0") -> dict[str, Any]:
        path = self.folder / name / "told.json"
        async with asyncio.timeout(60):
            while not path.exists():
                await asyncio.sleep(0.01)
        content: dict[str, Any] = json.loads(path.read_text())
        return content

    async def identity(self) -> Identity:
        return await self.authenticator.authenticate((await self.told())["token"], "127.0.0.1")


Scene = Callable[[World], Awaitable[None]]


@pytest.fixture
def play(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Scene], None]:
    """Run a scene with a driver that starts the fake worker."""
    (tmp_path / "fake_worker.py").write_text(FAKE_WORKER)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(local, "WORKER_MODULE", "fake_worker")

    async def run(scene: Scene) -> None:
        world = World(tmp_path)
        try:
            await scene(world)
        finally:
            await world.driver.close()

    return lambda scene: asyncio.run(run(scene))


def test_a_process_gets_its_settings_its_token_and_a_group_of_its_own(play: Callable[[Scene], None]) -> None:
    async def scene(world: World) -> None:
        await world.driver.start(START)
        told = await world.told()
        identity = await world.identity()
        assert (identity.job_uid, identity.worker, identity.host) == ("uid-1", "w-0", "127.0.0.1")
        assert told["group"] == world.driver.pids["w-0"]
        expected = {
            "PYTHONHASHSEED": "0",
            "MAPREDUCE_MASTER": "http://127.0.0.1:1",
            "MAPREDUCE_ROLE": "worker",
            "MAPREDUCE_SCRATCH": str(world.folder / "w-0"),
            "MAPREDUCE_SLOTS": "2",
            "MAPREDUCE_SHARING": "3",
            "MAPREDUCE_SLOT_MEMORY": str(1 << 20),
            "MAPREDUCE_DATA_HOST": "127.0.0.1",
            "MAPREDUCE_DATA_PORT": "0",
            "MAPREDUCE_SHARED_DISK": "1",
            "MAPREDUCE_ROOT_INPUT": "/",
            "MAPREDUCE_ROOT_OUTPUT": "/",
        }
        assert {name: told[name] for name in expected} == expected
        seen = WorkerSeen(
            name="w-0", uid=identity.uid, role="worker", index=3, incarnation="1-0", state="running", node="127.0.0.1"
        )
        assert await world.next() == WorkerChanged(seen)

    play(scene)


def test_the_end_of_a_process_is_told_with_its_cause_and_its_token_is_void(play: Callable[[Scene], None]) -> None:
    async def scene(world: World) -> None:
        await world.driver.start(START)
        token = (await world.told())["token"]
        os.kill(world.driver.pids["w-0"], signal.SIGKILL)
        assert isinstance(await world.next(), WorkerChanged)
        assert await world.next() == WorkerClosed("w-0", "WorkerLost", "its process was killed by SIGKILL")
        with pytest.raises(TokenRejected):
            await world.authenticator.authenticate(token, "127.0.0.1")

    play(scene)


def test_a_process_that_ends_by_itself_is_told_with_its_last_words(
    play: Callable[[Scene], None], tmp_path: Path
) -> None:
    (tmp_path / "fake_worker.py").write_text("import sys; print('begun', flush=True); sys.exit('cannot go on')")

    async def scene(world: World) -> None:
        await world.driver.start(START)
        assert isinstance(await world.next(), WorkerChanged)
        message = "its process ended with exit status 1: cannot go on"
        assert await world.next() == WorkerClosed("w-0", "WorkerLost", message)

    play(scene)


def test_starting_twice_starts_one_process(play: Callable[[Scene], None]) -> None:
    async def scene(world: World) -> None:
        await world.driver.start(START)
        pids = world.driver.pids
        await world.driver.start(START)
        assert world.driver.pids == pids

    play(scene)


def test_stopping_ends_the_process_that_was_meant_and_no_other(play: Callable[[Scene], None]) -> None:
    async def scene(world: World) -> None:
        await world.driver.start(START)
        identity = await world.identity()
        await world.driver.stop(StopWorker(name="w-0", uid="another", reason="Cancelled"))
        assert "w-0" in world.driver.pids
        await world.driver.stop(StopWorker(name="w-0", uid=identity.uid, reason="Cancelled"))
        assert world.driver.pids == {}
        await world.driver.stop(StopWorker(name="w-0", uid=identity.uid, reason="Cancelled"))
        assert [await world.next(), await world.next()][1] == WorkerClosed("w-0", "WorkerLost", "it was stopped")

    play(scene)


def test_closing_ends_every_process_and_keeps_only_the_logs(play: Callable[[Scene], None]) -> None:
    async def scene(world: World) -> None:
        await world.driver.start(START)
        await world.driver.start(StartWorker(name="g-0", role="gateway", index=0, incarnation="1-0"))
        await world.told()
        pids = list(world.driver.pids.values())
        await world.driver.close()
        for pid in pids:
            with pytest.raises(ProcessLookupError):
                os.kill(pid, 0)
        assert not (world.folder / "w-0").exists()
        assert world.driver.log_of("w-0").read_text() == "ready\n"
        await world.driver.start(START)
        assert world.driver.pids == {}

    play(scene)
