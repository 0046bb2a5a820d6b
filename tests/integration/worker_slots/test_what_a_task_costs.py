"""Each end of a task in a slot comes with what it has cost: processor time, memory, and what it printed at the end."""

from pathlib import Path

from mapreduce_worker.core.events import Broke, MapDone, SlotDied
from tests.support.slot_bench import MIB, Bench, attempt, run

PROGRAM = """
import mapreduce as mr, os, time

class J(mr.Job):
    def map(self, line):
        what, _, much = line.partition(" ")
        if what == "burn":
            until = time.process_time() + float(much)
            while time.process_time() < until:
                pass
        elif what == "hold":
            held = bytearray(int(much) << 20)
            time.sleep(0.8)
        elif what == "print":
            print("x" * int(much) + "end")
        elif what == "fork":
            if os.fork() == 0:
                until = time.process_time() + float(much)
                while time.process_time() < until:
                    pass
                os._exit(0)
            os.wait()
        elif what == "fail":
            raise ValueError(much)
        elif what == "die":
            os._exit(3)
        yield what, 1
    reduce = mr.Sum()
"""


def after(folder: Path, line: str, ends: type, index: int = 0):
    """Run one map over a line; return what it has cost."""

    async def scene():
        async with (bench := Bench(folder, PROGRAM)).pool:
            assert isinstance(await bench.do(bench.map(index, line + "\n")), ends)
            return bench.spent[attempt(index)]

    return run(scene())


def test_processor_time_is_that_of_the_task(tmp_path):
    assert 250 <= after(tmp_path, "burn 0.3", MapDone).cpu_ms < 3000


def test_processor_time_of_what_it_started_counts(tmp_path):
    assert 250 <= after(tmp_path, "fork 0.3", MapDone).cpu_ms < 3000


def test_a_task_does_not_pay_for_the_one_before(tmp_path):
    async def scene():
        async with (bench := Bench(tmp_path, PROGRAM)).pool:
            await bench.do(bench.map(0, "burn 1.5\n"))
            await bench.do(bench.map(1, "print 1\n"))
            return bench.spent

    spent = run(scene())
    assert spent[attempt(0)].cpu_ms >= 1400
    assert spent[attempt(1)].cpu_ms < 1000


def test_the_most_memory_that_was_seen_is_told(tmp_path):
    assert 100 * MIB < after(tmp_path, "hold 100", MapDone).peak_memory < 1000 * MIB


def test_of_a_success_the_end_of_what_it_printed_is_told(tmp_path):
    printed = after(tmp_path, "print 5000", MapDone).printed
    assert printed.endswith("xend\n")
    assert len(printed) == 1024


def test_failures_tell_more_of_that_themselves(tmp_path):
    spent = after(tmp_path, "fail no", Broke)
    assert (spent.printed, spent.peak_memory > 0) == ("", True)


def test_what_a_slot_that_died_had_cost_is_told(tmp_path):
    assert after(tmp_path, "die", SlotDied).peak_memory > 0
