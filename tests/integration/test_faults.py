"""Any process below a local run may die or freeze at any time; the output stays the same.

Each test proves by the history that its fault hit.
"""

import signal
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.support import history_checker
from tests.support.local_runs import (
    PATIENCE,
    WORD_COUNT,
    Process,
    Run,
    events,
    hidden,
    reference,
    running,
    slow_program,
    started,
    write_program,
    write_texts,
)

OPTIONS = ("--split-size", "1500", "--reducers", "4", "--workers", "2")


class Slow:
    """A program that stops, or takes its time, while faults fall; and what its output must be."""

    def __init__(self, folder: Path, *, hold: str = "", pause: float = 0.0) -> None:
        self.folder = folder
        self.program, self.marks = slow_program(folder, pause)
        self.texts = write_texts(folder, lines=20)
        self.output = folder / "out"
        if hold:
            (self.marks / f"hold-{hold}").touch()

    def arguments(self, *more: str) -> tuple[object, ...]:
        return (self.program, self.texts, "--output", "out", *OPTIONS, *more)

    def go_on(self) -> None:
        for held in self.marks.glob("hold-*"):
            held.unlink()

    def busy(self, run: Run, phase: str = "*") -> Process | None:
        """Return a slot that has entered the user's map or reduce, once one has."""
        return next(iter(self.all_busy(run, phase)), None)

    def all_busy(self, run: Run, phase: str) -> list[Process]:
        """Return the slots that have entered the user's map or reduce."""
        pids = {int(path.name.partition("-")[2]) for path in self.marks.glob(f"{phase}-[0-9]*")}
        return [slot for slot in run.processes("slot") if slot.pid in pids]

    def check(self, run: Run) -> list[dict[str, Any]]:
        """The run ends well, with the right bytes and a good history; return that."""
        assert run.wait() == 0, run.stderr
        # The reference counts the same words without pausing.
        plain = write_program(self.folder, WORD_COUNT, "plain.py")
        assert (self.output / "output.tsv").read_bytes() == reference(plain, *sorted(self.texts.iterdir()))
        told = events(self.output)
        maps = len({event["task"] for event in told if event.get("task", "").startswith("map-")})
        assert history_checker.check(told, maps=maps, reduces=4) == []
        assert run.processes() == []
        assert hidden(self.folder, "out") == []
        return told


@pytest.mark.parametrize("phase", ["map", "reduce"])
def test_all_workers_and_all_their_slots_are_busy_at_once(tmp_path: Path, phase: str) -> None:
    slow = Slow(tmp_path, hold=phase)
    with running(tmp_path, *slow.arguments("--slots", "2")) as run:
        busy = run.until(lambda: len(found := slow.all_busy(run, phase)) == 4 and found)
        assert len({slot.worker for slot in busy}) == 2
        slow.go_on()
        slow.check(run)


def parent(run: Run, slot: Process) -> Process:
    """Return the worker of a slot."""
    return next(worker for worker in run.processes("worker") if worker.worker == slot.worker)


def gateway(run: Run) -> Process:
    """Return the gateway."""
    (found,) = run.processes("gateway")
    return found


def killed_while(tmp_path: Path, phase: str, role: str) -> tuple[Process, list[dict[str, Any]]]:
    """Kill one process while user code is in a phase; return it and the history of the run."""
    slow = Slow(tmp_path, hold=phase)
    with running(tmp_path, *slow.arguments()) as run:
        slot = run.until(lambda: slow.busy(run, phase))
        victim = {"slot": lambda: slot, "worker": lambda: parent(run, slot), "gateway": lambda: gateway(run)}[role]()
        victim.send(signal.SIGKILL)
        slow.go_on()
        return victim, slow.check(run)


@pytest.mark.feature("a worker is lost", "local")
def test_a_worker_killed_in_map_costs_its_attempts_and_nothing_else(tmp_path: Path) -> None:
    worker, told = killed_while(tmp_path, "map", "worker")
    assert [event for event in history_checker.lost_on(told, worker.worker) if event["task"].startswith("map-")]


def test_a_worker_killed_in_reduce_makes_its_finished_maps_run_again(tmp_path: Path) -> None:
    worker, told = killed_while(tmp_path, "reduce", "worker")
    assert [event for event in history_checker.lost_on(told, worker.worker) if event["task"].startswith("reduce-")]
    assert history_checker.assigned_again_after_finishing(told)


@pytest.mark.parametrize("phase", ["map", "reduce"])
def test_a_slot_killed_is_no_failure_of_the_program(tmp_path: Path, phase: str) -> None:
    slot, told = killed_while(tmp_path, phase, "slot")
    hit = [event for event in told if event.get("reason") == "SlotKilled" and event["task"].startswith(phase)]
    assert {event["worker"] for event in hit if event.get("worker")} == {slot.worker}
    assert not [event for event in history_checker.named(told, "Charged") if event.get("budget") == "user"]


@pytest.mark.parametrize("phase", ["map", "reduce"])
def test_the_gateway_killed_is_replaced_and_no_finished_map_runs_again(tmp_path: Path, phase: str) -> None:
    killed, told = killed_while(tmp_path, phase, "gateway")
    assert [event for event in history_checker.named(told, "WorkerLost") if event["worker"] == killed.worker]
    assert history_checker.assigned_again_after_finishing(told) == []


def strike(run: Run, role: str, killed: list[Process]) -> Process | None:
    """Kill the oldest process of a role that was not killed yet, and return it; it may just have ended with another."""
    found = next((process for process in run.processes(role) if process not in killed), None)
    try:
        if found is not None:
            found.send(signal.SIGKILL)
    except ProcessLookupError:
        return None
    return found


@pytest.mark.timeout(240)
def test_ten_kills_of_anything_leave_the_output_as_it_is(tmp_path: Path) -> None:
    slow = Slow(tmp_path, hold="map")
    (slow.marks / "hold-reduce").touch()
    killed: list[Process] = []
    with running(tmp_path, *slow.arguments("--workers", "3")) as run:
        for number in range(10):
            role = ("slot", "worker", "gateway", "worker", "slot")[number % 5]
            if number == 5:
                (slow.marks / "hold-map").unlink()
            # While user code runs somewhere, and never a process twice: that would prove nothing.
            run.until(partial(slow.busy, run, "map" if number < 5 else "reduce"))
            killed.append(run.until(partial(strike, run, role, killed)))
        slow.go_on()
        told = slow.check(run)
    workers = {process.worker for process in killed if process.role != "slot"}
    assert workers <= {event["worker"] for event in history_checker.named(told, "WorkerLost")}


SHORT_LEASE = """
import sys
from pathlib import Path
from mapreduce.program import Program
from mapreduce.spec import JobSpec, Timing
from mapreduce_cli import local, localjobs

program, texts, output = map(Path, sys.argv[1:4])
local.run(
    JobSpec(
        uid=localjobs.new_uid(),
        name="frozen",
        program=Program("job.py", program.read_bytes()),
        inputs=(str(texts).lstrip("/"),),
        output=str(output).lstrip("/"),
        reducers=4,
        workers=2,
        split_size=1500,
        timing=Timing(beat=0.5, lease=float(sys.argv[4])),
        speculation=False,
    ),
    Path("/"),
)
"""


def test_a_worker_frozen_for_longer_than_its_lease_is_lost_and_replaced(tmp_path: Path) -> None:
    slow = Slow(tmp_path, hold="map")
    with started(tmp_path, "-c", SHORT_LEASE, slow.program, slow.texts, slow.output, 2.5) as run:
        slot = run.until(lambda: slow.busy(run, "map"))
        worker = parent(run, slot)
        worker.send(signal.SIGSTOP)
        slot.send(signal.SIGSTOP)
        run.until(lambda: worker.worker not in {found.worker for found in run.processes("worker")})
        slow.go_on()
        told = slow.check(run)
    silent = [event for event in history_checker.lost_on(told, worker.worker) if event["reason"] == "WorkerSilent"]
    assert silent


def test_a_task_several_times_longer_than_the_lease_runs_once(tmp_path: Path) -> None:
    slow, lease = Slow(tmp_path, hold="map"), 4.0
    with started(tmp_path, "-c", SHORT_LEASE, slow.program, slow.texts, slow.output, lease) as run:
        run.until(lambda: slow.busy(run, "map"))
        began = time.monotonic()
        run.until(lambda: time.monotonic() > began + 3 * lease)
        slow.go_on()
        told = slow.check(run)
    assert history_checker.named(told, "Lost", "Failed", "Cancelled", "WorkerLost") == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_an_interrupt_ends_every_process_at_once_and_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    slow = Slow(tmp_path, hold="map")
    with running(tmp_path, *slow.arguments()) as run:
        run.until(lambda: slow.busy(run, "map"))
        run.send(number)
        assert run.wait() == 130
        assert run.processes() == []
        assert "interrupted" in run.stderr
        assert "Traceback" not in run.stderr
    assert not slow.output.exists()
    assert hidden(tmp_path, "out") == []
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("mapreduce-")] == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_sequential_run_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    slow = Slow(tmp_path, hold="map")
    with running(tmp_path, *slow.arguments("--sequential")) as run:
        run.until(lambda: list(slow.marks.glob("map-*")))
        run.send(number)
        assert run.wait() == 130
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("mapreduce-")] == []
    assert not slow.output.exists()
    assert hidden(tmp_path, "out") == []


def test_a_command_killed_takes_its_processes_along_and_the_next_run_sweeps_what_it_left(tmp_path: Path) -> None:
    slow = Slow(tmp_path, hold="map")
    with running(tmp_path, *slow.arguments()) as first:
        first.until(lambda: slow.busy(first, "map"))
        first.send(signal.SIGKILL)
        first.wait()
        slow.go_on()
        with running(tmp_path, *slow.arguments()) as second:
            slow.check(second)
        deadline = time.monotonic() + PATIENCE
        while left := first.processes():
            assert time.monotonic() < deadline, left
            time.sleep(0.05)
    assert list(tmp_path.glob("mapreduce-*")) == []


def test_two_runs_to_the_same_output_do_not_mix(tmp_path: Path) -> None:
    slow = Slow(tmp_path, hold="map")
    with running(tmp_path, *slow.arguments()) as first:
        first.until(lambda: slow.busy(first, "map"))
        with running(tmp_path, *slow.arguments()) as second:
            assert second.wait() == 2
            assert "OutputReserved" in second.stderr
        slow.go_on()
        slow.check(first)


@pytest.mark.parametrize("mode", [(), ("--sequential",)])
def test_of_two_runs_that_begin_in_the_same_moment_one_is_refused_at_once(
    tmp_path: Path, mode: tuple[str, ...]
) -> None:
    slow = Slow(tmp_path, hold="map")
    with running(tmp_path, *slow.arguments(*mode)) as first, running(tmp_path, *slow.arguments(*mode)) as second:
        deadline = time.monotonic() + PATIENCE
        while first.is_running() and second.is_running() and time.monotonic() < deadline:
            time.sleep(0.02)
        refused, other = (second, first) if first.is_running() else (first, second)
        assert refused.wait() == 2
        assert "OutputReserved" in refused.stderr
        slow.go_on()
        slow.check(other)
