"""Slot processes under user code that works, fails, exits, crashes, leaks, hangs and floods."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import msgspec
import pytest

from mapreduce import paths
from mapreduce.program import Shape
from mapreduce_worker.core.events import (
    Broke,
    FetchedInput,
    FetchedRange,
    Loaded,
    MapDone,
    MapInSlot,
    ReduceDone,
    SegmentSpoiled,
    SlotDied,
)
from mapreduce_worker.engine import map_output
from mapreduce_worker.slots.messages import Ready, frame
from tests.support.slot_bench import MIB, PATIENCE, Bench, attempt, run

WORDS = """
import mapreduce as mr

class Words(mr.Job):
    def map(self, line):
        for word in line.split():
            yield word, 1

    reduce = mr.Sum()
"""

MISCHIEF = """
import os, sys, time, pathlib
import mapreduce as mr

HERE = pathlib.Path(r"{folder}")

class Mischief(mr.Job):
    def map(self, line):
        print("saw", line)
        if line == "exit":
            os._exit(7)
        if line == "sys.exit":
            sys.exit(3)
        if line == "raise":
            raise ValueError("no good")
        if line == "hang":
            (HERE / "entered").touch()
            time.sleep(600)
        if line == "leak":
            hoard = []
            while True:
                hoard.append(bytearray(4 << 20))
        if line == "flood":
            for _ in range(200):
                print("x" * 65536)
                time.sleep(0.005)
            raise ValueError("flooded")
        if line == "descriptors":
            os.closerange(0, 256)
        yield line, 1

    reduce = mr.Sum()
"""


def _mischief(folder: Path, **options: int) -> Bench:
    return Bench(folder, MISCHIEF.format(folder=folder), **options)


def test_a_slot_tells_the_shape_of_the_program(tmp_path):
    async def story() -> None:
        bench = Bench(tmp_path, WORDS)
        async with bench.pool:
            told = await bench.do(bench.load())
        assert told == Loaded(attempt(0, "load"), Shape("Words", has_reduce=True, has_combine=True))

    run(story())


def test_a_program_that_cannot_be_loaded_is_refused_and_the_slot_lives(tmp_path):
    async def story() -> None:
        bench = Bench(tmp_path, "def map(:\n")
        async with bench.pool:
            told = await bench.do(bench.load())
            (pid,) = bench.pool.pids
            os.kill(pid, 0)
        assert isinstance(told, Broke)
        assert (told.error.kind, told.error.reason) == ("refused", "ProgramInvalid")
        assert "line 1" in told.error.message

    run(story())


def test_a_map_leaves_its_output_under_its_final_name(tmp_path):
    async def story() -> None:
        bench = Bench(tmp_path, WORDS)
        async with bench.pool:
            done = await bench.do(bench.map(0, "a b a\nc\n"))
        assert isinstance(done, MapDone)
        assert (done.records, done.output.rows) == (2, 3)
        index = map_output.read_index(bench.scratch / paths.map_output(attempt(0)))
        assert index.checksum == done.output.checksum

    run(story())


def test_a_reduce_leaves_its_part_under_its_final_name(tmp_path):
    async def story() -> None:
        bench = Bench(tmp_path, WORDS)
        async with bench.pool:
            for number in range(2):
                await bench.do(bench.map(number, "a b c d e f g\n" * 3))
            done = await bench.do(bench.reduce(0, 0, 1))
        assert isinstance(done, ReduceDone)
        assert 0 < done.rows < 7
        assert (bench.scratch / paths.reduce_output(done.attempt)).stat().st_size == done.size

    run(story())


def test_a_segment_that_is_damaged_is_named_and_the_slot_lives(tmp_path):
    async def story() -> None:
        bench = Bench(tmp_path, WORDS)
        async with bench.pool:
            for number in range(2):
                await bench.do(bench.map(number, "a b c d e f g\n" * 3))
            task = bench.reduce(0, 0, 1)
            path = bench.scratch / paths.map_output(attempt(1))
            content = bytearray(path.read_bytes())
            content[task.segments[1].offset + task.segments[1].length // 2] ^= 0xFF
            path.write_bytes(content)
            told = await bench.do(task)
            assert isinstance(told, SegmentSpoiled)
            assert told.source == attempt(1)
            path.unlink()
            gone = await bench.do(task)
            assert isinstance(gone, SegmentSpoiled)
            assert gone.source == attempt(1)
            assert isinstance(await bench.do(bench.map(2, "a\n")), MapDone)

    run(story())


def test_fetched_input_gives_the_same_output_as_the_file_itself(tmp_path):
    async def story() -> None:
        bench = Bench(tmp_path, WORDS)
        async with bench.pool:
            direct = await bench.do(bench.map(0, "a b a\nc\n"))
            scratch = tmp_path / "fetched"
            scratch.write_bytes(b"".join(len(chunk).to_bytes(4, "big") + chunk for chunk in (b"a b ", b"a\nc\n")))
            fetched = FetchedInput(str(scratch), (FetchedRange(0, 0, scratch.stat().st_size),))
            split = bench.map(1, "a b a\nc\n").split
            second = await bench.do(MapInSlot(slot=0, attempt=attempt(1), split=split, input=fetched))
        assert isinstance(direct, MapDone)
        assert isinstance(second, MapDone)
        assert direct.output.checksum == second.output.checksum

    run(story())


def test_an_exception_tells_where_it_happened_and_what_was_printed(tmp_path):
    async def story() -> None:
        bench = _mischief(tmp_path)
        async with bench.pool:
            await bench.do(bench.map(0, "before\n"))
            told = await bench.do(bench.map(1, "fine\nraise\n"))
        assert isinstance(told, Broke)
        assert (told.error.kind, told.error.where) == ("user", "input-1.txt:5")
        assert "no good" in told.error.traceback
        assert told.error.log_tail == "saw fine\nsaw raise\n"

    run(story())


def test_a_program_that_exits_is_at_fault_and_the_next_task_runs(tmp_path):
    async def story() -> None:
        bench = _mischief(tmp_path)
        async with bench.pool:
            died = await bench.do(bench.map(0, "exit\n"))
            assert isinstance(died, SlotDied)
            assert (died.code, died.log_tail) == (7, "saw exit\n")
            assert isinstance(await bench.do(bench.map(1, "fine\n")), MapDone)
            told = await bench.do(bench.map(2, "sys.exit\n"))
            assert isinstance(told, Broke)
            assert told.error.kind == "user"
            assert "sys.exit(3)" in told.error.message

    run(story())


def test_a_program_that_closes_every_descriptor_loses_its_slot_only(tmp_path):
    async def story() -> None:
        bench = _mischief(tmp_path)
        async with bench.pool:
            told = await bench.do(bench.map(0, "descriptors\n"))
            assert isinstance(told, Broke)
            assert (told.error.kind, told.error.reason) == ("user", "SlotDamaged")
            assert "was closed" in told.error.message
            assert isinstance(await bench.do(bench.map(1, "fine\n")), MapDone)

    run(story())


def _framed(body: bytes) -> bytes:
    return len(body).to_bytes(4, "big") + body


DAMAGE = {
    "an endless message": b"\xff" * 64,
    "no msgpack": _framed(b"\xc1\xc1\xc1\xc1"),
    "text that is no UTF-8": _framed(b"\x81\xa4type\xa1\xff"),
    "a second start": frame(Ready()),
    "a depth without bottom": _framed(b"\x82\xa4type\xa5Ready\xa1x" + b"\x91" * 60_000 + b"\0"),
    "an end of another task": frame(Loaded(attempt(0), Shape("X", has_reduce=True, has_combine=True))),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_program_that_writes_to_its_control_channel_costs_one_attempt(tmp_path, name):
    source = WORDS.replace(
        "for word", f"import os, sys; os.write(int(sys.argv[1]), {DAMAGE[name]!r})\n        for word"
    )

    async def story() -> None:
        bench = Bench(tmp_path, source)
        async with bench.pool:
            for number in range(2):
                told = await bench.do(bench.map(0, "a\n"))
                assert isinstance(told, Broke), number
                assert (told.error.kind, told.error.reason) == ("user", "SlotDamaged")
                assert "control channel was damaged" in told.error.message

    run(story())


def test_an_exception_with_half_a_surrogate_pair_is_told_and_the_slot_lives(tmp_path):
    source = MISCHIEF.format(folder=tmp_path).replace('"no good"', 'chr(0xD800) + "no good"')

    async def story() -> None:
        bench = Bench(tmp_path, source)
        async with bench.pool:
            told = await bench.do(bench.map(0, "raise\n"))
            (pid,) = bench.pool.pids
            assert isinstance(await bench.do(bench.map(1, "fine\n")), MapDone)
            assert bench.pool.pids == (pid,)
        assert isinstance(told, Broke)
        assert told.error.message == "ValueError: \\ud800no good"
        assert msgspec.msgpack.encode(told.error)

    run(story())


def test_a_cancelled_attempt_is_killed_and_the_slot_replaced(tmp_path):
    async def story() -> None:
        bench = _mischief(tmp_path)
        async with bench.pool:
            bench.pool.run(0, bench.map(0, "hang\n"))
            await bench.until_running()
            bench.pool.kill(0, attempt(99))
            bench.pool.kill(0, attempt(0))
            died = await bench.next()
            assert isinstance(died, SlotDied)
            assert (died.attempt, died.code, died.log_tail) == (attempt(0), -signal.SIGKILL, "saw hang\n")
            assert isinstance(await bench.do(bench.map(1, "fine\n")), MapDone)

    run(story())


def test_a_task_that_is_cancelled_before_its_slot_has_started_never_runs(tmp_path):
    async def story() -> None:
        bench = _mischief(tmp_path)
        async with bench.pool:
            bench.pool.run(0, bench.map(0, "hang\n"))
            bench.pool.kill(0, attempt(0))
            assert isinstance(await bench.next(), SlotDied)
            assert isinstance(await bench.do(bench.map(1, "fine\n")), MapDone)
        assert not (tmp_path / "entered").exists()

    run(story())


def test_a_slot_killed_from_outside_is_told_with_its_signal(tmp_path):
    async def story() -> None:
        bench = _mischief(tmp_path)
        async with bench.pool:
            bench.pool.run(0, bench.map(0, "hang\n"))
            await bench.until_running()
            os.kill(bench.pool.pids[0], signal.SIGKILL)
            died = await bench.next()
            assert isinstance(died, SlotDied)
            assert (died.code, died.over_memory, died.out_of_memory) == (-signal.SIGKILL, 0, False)

    run(story())


def test_a_leak_costs_one_attempt(tmp_path):
    async def story() -> None:
        bench = _mischief(tmp_path, limit=400 * MIB)
        async with bench.pool:
            died = await bench.do(bench.map(0, "leak\n"))
            assert isinstance(died, SlotDied)
            assert died.over_memory > 400 * MIB
            assert isinstance(await bench.do(bench.map(1, "fine\n")), MapDone)

    run(story())


def test_a_flood_of_output_leaves_a_short_log_with_its_end(tmp_path):
    async def story() -> None:
        bench = _mischief(tmp_path)
        async with bench.pool:
            told = await bench.do(bench.map(0, "flood\n"))
        assert isinstance(told, Broke)
        assert told.error.log_tail.endswith("x\n")
        assert (bench.scratch / "slots" / "0.log").stat().st_size < 8 * MIB

    run(story())


def test_two_slots_run_two_tasks_at_once(tmp_path):
    async def story() -> None:
        bench = _mischief(tmp_path, slots=2)
        async with bench.pool:
            bench.pool.run(0, bench.map(0, "hang\n"))
            await bench.until_running()
            assert isinstance(await bench.do(bench.map(1, "fine\n", slot=1), slot=1), MapDone)

    run(story())


def test_a_slot_ends_when_its_agent_is_killed(tmp_path):
    agent = textwrap.dedent(
        """
        import asyncio, sys
        from pathlib import Path
        from mapreduce_worker.slots.pool import SlotPool

        async def main():
            async with SlotPool(1, Path(sys.argv[1]), lambda event: None) as pool:
                while not pool.pids:
                    await asyncio.sleep(0.01)
                print(pool.pids[0], flush=True)
                await asyncio.sleep(600)

        asyncio.run(main())
        """
    )
    with subprocess.Popen([sys.executable, "-c", agent, str(tmp_path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        slot = int(process.stdout.readline())
        process.kill()
    deadline = time.monotonic() + PATIENCE
    while _lives(slot):
        assert time.monotonic() < deadline, "the slot outlives its agent"
        time.sleep(0.02)


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_progress_is_told_while_user_code_runs(tmp_path):
    slow = WORDS.replace("for word", "import time; time.sleep(0.3)\n        for word")

    async def story() -> None:
        bench = Bench(tmp_path, slow)
        async with bench.pool:
            await bench.do(bench.map(0, "a\nb\nc\nd\n"))
            await asyncio.sleep(0)
        assert bench.progress
        assert bench.progress[-1].records >= 1

    run(story())
