"""User code that forks, crashes, floods, hangs, or changes its process: one attempt pays, the slot goes on."""

import asyncio
import logging
import os
import signal
import time
from pathlib import Path

import pytest

from mapreduce import paths
from mapreduce.protocol import ErrorInfo
from mapreduce_worker.core.attempts import death
from mapreduce_worker.core.events import Broke, Event, MapDone, MapInSlot, SlotDied
from mapreduce_worker.engine import map_output
from mapreduce_worker.slots import group
from tests.support.misbehaving import program
from tests.support.slot_bench import MIB, PATIENCE, Bench, attempt, run


def told_of(event: Event) -> ErrorInfo:
    """Return the failure that the master would hear of."""
    if isinstance(event, SlotDied):
        return death(event)
    assert isinstance(event, Broke), event
    return event.error


def child(folder: Path) -> int:
    """Return the process that user code noted."""
    return int((folder / "child").read_text())


async def gone(pid: int) -> None:
    """Wait until a process has ended; fails if it does not."""
    deadline = time.monotonic() + PATIENCE
    while not group.has_ended(pid):
        assert time.monotonic() < deadline, f"process {pid} lives on"
        await asyncio.sleep(0.02)


async def is_well(bench: Bench, number: int = 9) -> None:
    """Run a task that does nothing wrong, and look at its output."""
    done = await bench.do(bench.map(number, "fine\nfine\n"))
    assert isinstance(done, MapDone)
    assert done.output.rows == 1


CRASHES = {
    "SIGSEGV": ("ctypes.string_at(0)", "segmentation fault"),
    "SIGABRT": ("os.abort()", "aborted"),
    "SIGFPE": ("signal.raise_signal(signal.SIGFPE)", "arithmetic error"),
    "SIGILL": ("signal.raise_signal(signal.SIGILL)", "illegal instruction"),
    "SIGBUS": ("signal.raise_signal(signal.SIGBUS)", "bus error"),
}


@pytest.mark.parametrize("name", CRASHES)
def test_a_crash_is_the_programs_fault_and_tells_its_line_and_what_was_printed(tmp_path, name, caplog):
    caplog.set_level(logging.INFO, "mapreduce_worker")
    crash, called = CRASHES[name]

    async def story() -> None:
        bench = Bench(tmp_path, program(tmp_path, f"print('about to')\n{crash}"))
        async with bench.pool:
            error = told_of(await bench.do(bench.map(0, "bad\n")))
            await is_well(bench)
        assert (error.kind, error.reason) == ("user", "SlotKilled")
        assert f"{called} ({name})" in error.message
        assert 'File "job.py", line 27 in misbehave' in error.traceback
        assert "mapreduce_worker" not in error.traceback
        assert error.log_tail == "about to\n"
        assert "map-0.e1.0 printed:\n  about to" in caplog.text
        assert error.peak_memory > MIB

    run(story())


@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM", "SIGHUP"])
def test_a_signal_that_anybody_could_have_sent_is_a_disruption_that_is_named(tmp_path, name):
    async def story() -> None:
        bench = Bench(tmp_path, program(tmp_path, f"os.kill(os.getpid(), signal.{name}); time.sleep(600)"))
        async with bench.pool:
            error = told_of(await bench.do(bench.map(0, "bad\n")))
            await is_well(bench)
        assert (error.kind, error.reason) == ("disruption", "SlotKilled")
        assert f"signal {int(signal.Signals[name])} ({name})" in error.message

    run(story())


HANGS = {
    "sleeping": "time.sleep(600)",
    "in a lock": "lock = threading.Lock(); lock.acquire(); lock.acquire()",
    "computing": "all(True for _ in iter(int, 1))",
    "in C": "ctypes.PyDLL(None).read(os.pipe()[0], ctypes.create_string_buffer(1), 1)",
    "behind its own signal handlers": "time.sleep(600)",
}


@pytest.mark.parametrize("name", HANGS)
def test_code_that_hangs_says_where_before_it_is_killed(tmp_path, name):
    body = f"print('here I stay', flush=True)\n(HERE / 'entered').touch(); {HANGS[name]}"
    if "signal" in name:
        body = f"signal.signal(signal.SIGTERM, signal.SIG_IGN); {body}"

    async def story() -> None:
        bench = Bench(tmp_path, program(tmp_path, body))
        async with bench.pool:
            bench.pool.run(0, bench.map(0, "bad\n"))
            await bench.until_running()
            bench.pool.kill(0, attempt(0), ask=True)
            died = await bench.next()
            await is_well(bench)
        assert isinstance(died, SlotDied)
        assert 'File "job.py", line 27 in misbehave' in died.stack
        assert 'File "job.py", line 22 in map' in died.stack
        assert "mapreduce_worker" not in died.stack
        assert died.log_tail == "here I stay\n"

    run(story())


CHILDREN = {
    "a copy": "pid = os.fork()\nif not pid: time.sleep(600)\nnote(pid)",
    "a copy in a session of its own": "pid = os.fork()\nif not pid: os.setsid(); time.sleep(600)\nnote(pid)",
    "a grandchild": "pid = os.fork()\nif not pid: note(os.fork() or os.getpid()); time.sleep(600)\n"
    "while not (HERE / 'child').exists(): time.sleep(0.01)",
    "a daemon": "pid = os.fork()\nif not pid:\n    os.setsid()\n    if os.fork(): os._exit(0)\n"
    "    note(os.getpid()); time.sleep(600)\nwhile not (HERE / 'child').exists(): time.sleep(0.01)",
    "another program": "note(subprocess.Popen(['sleep', '600'], start_new_session=True).pid)",
    "one of a thread": "t = threading.Thread(target=lambda: note(subprocess.Popen(['sleep', '600']).pid))\n"
    "t.start(); t.join()",
}


@pytest.mark.parametrize("name", CHILDREN)
def test_children_that_outlive_a_task_are_ended_and_its_output_stands(tmp_path, name):
    async def story() -> None:
        bench = Bench(tmp_path, program(tmp_path, CHILDREN[name]))
        async with bench.pool:
            done = await bench.do(bench.map(0, "bad\nfine\n"))
            assert isinstance(done, MapDone)
            assert map_output.read_index(bench.scratch / paths.map_output(attempt(0))).rows == 2
            await gone(child(tmp_path))
            await is_well(bench)

    run(story())


@pytest.mark.parametrize("name", ["a copy in a session of its own", "a daemon", "another program"])
def test_children_end_with_an_attempt_that_is_killed(tmp_path, name):
    async def story() -> None:
        bench = Bench(tmp_path, program(tmp_path, f"{CHILDREN[name]}\ntime.sleep(600)"))
        async with bench.pool:
            bench.pool.run(0, bench.map(0, "bad\n"))
            await bench.until_running("child")
            bench.pool.kill(0, attempt(0))
            assert isinstance(await bench.next(), SlotDied)
            await gone(child(tmp_path))

    run(story())


def test_a_slot_that_exits_with_a_copy_alive_does_not_wait_for_it(tmp_path):
    async def story() -> None:
        bench = Bench(tmp_path, program(tmp_path, f"{CHILDREN['a copy']}\nos._exit(3)"))
        async with bench.pool:
            error = told_of(await bench.do(bench.map(0, "bad\n")))
            await gone(child(tmp_path))
            await is_well(bench)
        assert (error.reason, "exit status 3" in error.message) == ("SlotExited", True)

    run(story())


@pytest.mark.parametrize("ending", ["return", "raise SystemExit(0)", "raise ValueError", "yield_"])
def test_a_copy_that_goes_on_with_the_task_is_ended_and_the_task_is_done_once(tmp_path, ending):
    source = program(tmp_path, "pid = os.fork()\nif pid: os.waitpid(pid, 0)\nelse: " + ending.replace("yield_", "pass"))
    text = "".join(f"word{number}\nbad\n" for number in range(20))

    async def story() -> None:
        bench = Bench(tmp_path, source)
        async with bench.pool:
            done = await bench.do(bench.map(0, text))
            assert isinstance(done, MapDone)
            assert (done.records, done.output.rows) == (40, 21)
            assert isinstance(await bench.do(bench.map(1, "fine\n")), MapDone)
        assert "os.fork returned" in (bench.scratch / "slots" / "0.log").read_text()

    run(story())


REACHING = {
    "a thread": "threading.Thread(target=time.sleep, args=(600,), daemon=True).start()",
    "a signal handler": "signal.signal(signal.SIGUSR1, signal.SIG_IGN)",
    "a timer": "signal.setitimer(signal.ITIMER_REAL, 600)",
}


@pytest.mark.parametrize("name", REACHING)
def test_what_reaches_into_the_next_task_costs_the_process_and_not_the_task(tmp_path, name):
    async def story() -> None:
        bench = Bench(tmp_path, program(tmp_path, REACHING[name]))
        async with bench.pool:
            await is_well(bench, 1)
            before = bench.pool.pids
            await is_well(bench, 2)
            assert bench.pool.pids == before
            assert isinstance(await bench.do(bench.map(3, "bad\n")), MapDone)
            await is_well(bench, 4)
            assert bench.pool.pids != before

    run(story())


def test_a_change_of_the_working_directory_ends_with_the_task(tmp_path):
    (tmp_path / "away").mkdir()
    body = "print(os.getcwd())\nos.chdir(HERE / 'away'); os.umask(0o777)\nsys.stdout = None"

    async def story() -> None:
        bench = Bench(tmp_path, program(tmp_path, body))
        async with bench.pool:
            for number in range(2):
                done = await bench.do(bench.map(number, "bad\n"))
                assert isinstance(done, MapDone), number
            (pid,) = bench.pool.pids
            assert os.readlink(f"/proc/{pid}/cwd") == os.getcwd()
        assert (bench.scratch / "slots" / "0.log").read_text().split() == [os.getcwd()] * 2

    run(story())


@pytest.mark.parametrize("closing", ["os.close(1)", "os.close(2)", "os.dup2(os.open(HERE / 'x', 66), 1)"])
def test_closed_standard_output_fails_the_attempt_since_prints_might_go_into_its_files(tmp_path, closing):
    async def story() -> None:
        bench = Bench(tmp_path, program(tmp_path, closing))
        async with bench.pool:
            error = told_of(await bench.do(bench.map(0, "bad\n")))
            await is_well(bench)
        assert (error.kind, error.reason) == ("user", "SlotDamaged")
        assert "standard " in error.message

    run(story())


def test_a_flood_at_full_speed_is_cut_while_it_runs_and_its_end_is_told(tmp_path):
    body = """
line = b"x" * 99 + b"\\n"
for _ in range(400):
    os.write(1, line * 10_000)
    time.sleep(0.002)
os.write(2, b"the last words\\n")
raise ValueError("flooded")
"""

    async def story() -> None:
        bench = Bench(tmp_path, program(tmp_path, body))
        async with bench.pool:
            error = told_of(await bench.do(bench.map(0, "bad\n")))
        assert error.log_tail.endswith("x\nthe last words\n")
        assert set(map(len, error.log_tail.split("\n")[:-2])) == {99}
        assert len(error.log_tail) <= 4096

    run(story())


def test_a_leak_costs_its_slot_while_the_task_beside_it_goes_on(tmp_path):
    hoard = "hoard = []\nwhile True: hoard.append(bytearray(4 << 20)); time.sleep(0.002)"

    async def story() -> None:
        bench = Bench(
            tmp_path, program(tmp_path, hoard) + STEADY.format(folder=str(tmp_path)), slots=2, limit=300 * MIB
        )
        async with bench.pool:
            bench.pool.run(1, bench.map(1, "steady\n", slot=1))
            await bench.until_running("steady")
            error = told_of(await bench.do(bench.map(0, "bad\n")))
            (tmp_path / "go").touch()
            assert isinstance(await bench.next(), MapDone)
        assert (error.kind, error.reason) == ("user", "SlotOverMemory")
        assert "more memory than it may, 300 MiB" in error.message
        assert error.peak_memory > 300 * MIB

    run(story())


STEADY = """
plain = Bad.map

def patient(self, line):
    if line == "steady":
        (HERE / "steady").touch()
        while not (HERE / "go").exists():
            time.sleep(0.01)
    yield from plain(self, line)

Bad.map = patient
"""


def test_a_child_of_a_thread_counts_as_memory_of_its_slot(tmp_path):
    code = "import time; x = bytearray(400 << 20); time.sleep(600)"
    body = f"t = threading.Thread(target=lambda: subprocess.run([sys.executable, '-c', {code!r}]))\nt.start(); t.join()"

    async def story() -> None:
        bench = Bench(tmp_path, program(tmp_path, body), limit=350 * MIB)
        async with bench.pool:
            error = told_of(await bench.do(bench.map(0, "bad\n")))
        assert error.reason == "SlotOverMemory"

    run(story())


def _alone(bench: Bench, number: int, text: str) -> MapInSlot:
    task = bench.map(number, text)
    return MapInSlot(slot=0, attempt=task.attempt, split=task.split, input=None, alone=True)


def test_a_task_that_is_alone_may_use_the_memory_of_all_slots(tmp_path):
    body = "x = bytearray(400 << 20); time.sleep(0.6 if (HERE / 'alone').exists() else 600)"

    async def story() -> None:
        bench = Bench(tmp_path, program(tmp_path, body), slots=3, limit=300 * MIB)
        async with bench.pool:
            assert told_of(await bench.do(bench.map(0, "bad\n"))).reason == "SlotOverMemory"
            (tmp_path / "alone").touch()
            assert isinstance(await bench.do(_alone(bench, 1, "bad\n")), MapDone)

    run(story())


def test_a_task_that_is_alone_has_a_limit_too(tmp_path):
    hoard = "hoard = []\nwhile True: hoard.append(bytearray(4 << 20)); time.sleep(0.001)"

    async def story() -> None:
        bench = Bench(tmp_path, program(tmp_path, hoard), slots=2, limit=200 * MIB)
        async with bench.pool:
            died = await bench.do(_alone(bench, 0, "bad\n"))
        assert isinstance(died, SlotDied)
        assert 200 * MIB < died.limit <= 400 * MIB
        assert died.over_memory > died.limit

    run(story())
