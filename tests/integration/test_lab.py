"""The acceptance tests of the classic course system, in our words, with their exact assertions.

Eight texts, one map each, ten reduces; every output is compared with a sequential run of the same
program. What those tests miss (a task longer than the lease, SIGKILL in the middle of a write, a
frozen worker) is in `test_faults.py`; the death of the master in the tests of the cluster.
"""

from collections import Counter
from pathlib import Path

from mapreduce import keys
from mapreduce.partitioning import partition
from tests.support import history_checker
from tests.support.local_runs import Run, events, running, succeeded, write_program

MAPS, REDUCES = 8, 10

WORD_COUNT = """
import re
import mapreduce as mr

class WordCount(mr.Job):
    def map(self, line):
        for word in re.findall("[A-Za-z]+", line):
            yield word, 1

    def reduce(self, word, ones):
        yield word, len(list(ones))
"""

INDEXER = """
import re
import mapreduce as mr

class Indexer(mr.Job):
    def setup(self):
        self.told = set()

    def map(self, line):
        for word in re.findall("[A-Za-z]+", line):
            if (word, self.input.file) not in self.told:
                self.told.add((word, self.input.file))
                yield word, self.input.file

    def reduce(self, word, files):
        found = sorted(set(files))
        yield word, f"{len(found)} {','.join(found)}"
"""

ALIVE = """
import os, time
from pathlib import Path
import mapreduce as mr

MARKS = Path({marks!r})

def alive(phase):
    '''Register this process, wait until two have seen each other, and count those that are there.'''
    own = MARKS / f"{{phase}}-{{os.getpid()}}"
    own.touch()
    count, deadline = 1, time.monotonic() + 40
    while len(list(MARKS.glob(f"saw-{{phase}}-*"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
        count = max(count, len(list(MARKS.glob(f"{{phase}}-*"))))
        if count > 1:
            (MARKS / f"saw-{{phase}}-{{os.getpid()}}").touch()
    own.unlink()
    return count
"""

MAP_PARALLELISM = (
    ALIVE
    + """
class Parallel(mr.Job):
    def map(self, line):
        yield "alive", [os.getppid(), alive("map")]

    def reduce(self, key, values):
        for worker, count in sorted(values):
            yield worker, count
"""
)

REDUCE_PARALLELISM = (
    ALIVE
    + """
class Parallel(mr.Job):
    def map(self, line):
        for key in {keys!r}:
            yield key, 1

    def reduce(self, key, values):
        yield key, alive("reduce")
"""
)

JOB_COUNT = """
import os, random, time
from pathlib import Path
import mapreduce as mr

MARKS = Path({marks!r})

class Count(mr.Job):
    def map(self, line):
        (MARKS / f"ran-{{os.getpid()}}-{{time.monotonic_ns()}}").touch()
        time.sleep(random.uniform(0.1, 0.8))
        yield "a", 1

    def reduce(self, key, values):
        yield key, len(list(MARKS.glob("ran-*")))
"""

EARLY_EXIT = """
import time
import mapreduce as mr

class Early(mr.Job):
    def map(self, line):
        for word in line.split():
            yield word, 1

    def reduce(self, word, ones):
        if word in {slow!r}:
            time.sleep(3)
        yield word, sum(ones)
"""

CRASH = """
import os, random, signal, time
from pathlib import Path
import mapreduce as mr

MARKS = Path({marks!r})
SAFE = {safe!r}

def maybe():
    '''The first call and a third of the others kill their process or their worker, a third takes its time.'''
    if SAFE:
        return
    draw = random.SystemRandom().random()
    crashes = len(list(MARKS.glob("crash-*")))
    if crashes == 0:
        draw /= 3
    if draw < 1 / 3 and crashes < 15:
        (MARKS / f"crash-{{os.getpid()}}-{{time.monotonic_ns()}}").touch()
        os.kill(os.getppid() if draw < 1 / 6 else os.getpid(), signal.SIGKILL)
        time.sleep(60)
    elif draw < 2 / 3:
        time.sleep(random.SystemRandom().uniform(0, 0.5))

class Crash(mr.Job):
    def map(self, line):
        maybe()
        for word in line.split():
            yield word[0], 1

    def setup(self):
        self.called = False

    def reduce(self, letter, ones):
        if not self.called:
            maybe()
        self.called = True
        yield letter, sum(ones)
"""

MORTAL = """
import os, signal, time
from pathlib import Path
import mapreduce as mr

MARKS = Path({marks!r})
MORTALS, TASKS = {mortals!r}, {tasks!r}

class Mortal(mr.Job):
    '''Some workers die at the end of their last task.'''

    def teardown(self):
        worker = os.getppid()
        own = MARKS / f"worker-{{worker}}"
        own.mkdir(exist_ok=True)
        if len(list(MARKS.glob("worker-*"))) > MORTALS and not (own / "mortal").exists():
            return
        (own / "mortal").touch()
        (own / f"task-{{time.monotonic_ns()}}").touch()
        if len(list(own.glob("task-*"))) == TASKS:
            os.kill(worker, signal.SIGKILL)
            time.sleep(60)

    def map(self, line):
        for word in line.split():
            yield word, 1

    def reduce(self, word, ones):
        yield word, sum(ones)
"""


class Lab:
    """Eight texts of one size, a folder for the marks of programs, and the sequential run to compare with."""

    def __init__(self, folder: Path, *, texts: int = MAPS, lines: int = 1) -> None:
        self.folder = folder
        self.marks = folder / "marks"
        self.marks.mkdir()
        self.texts = folder / "texts"
        self.texts.mkdir()
        row = " ".join(f"{letter}word{number}" for number, letter in enumerate("abcdefghijklmnopqrstuvwxyz"))
        for number in range(texts):
            self._size = (self.texts / f"{number}.txt").write_text(f"{row} in the {number:03} text.\n" * lines)

    def options(self, output: str, *, reducers: int = REDUCES, workers: int = 2) -> tuple[object, ...]:
        """Return what follows the program: one map a text."""
        return (
            *("texts", "--output", output, "--split-size", self._size),
            *("--reducers", reducers, "--workers", workers),
        )

    def program(self, source: str, name: str = "job.py", **names: object) -> Path:
        """Write a program that knows where its marks go."""
        return write_program(self.folder, source.format(marks=str(self.marks), **names), name)

    def sequential(self, program: Path, *, reducers: int = REDUCES) -> bytes:
        """Return the output of a sequential run."""
        succeeded(self.folder, program, *self.options("alone", reducers=reducers), "--sequential")
        return self.output("alone")

    def output(self, name: str) -> bytes:
        """Return a run's output."""
        return (self.folder / name / "output.tsv").read_bytes()

    def rows(self, name: str) -> list[list[str]]:
        """Return a run's output in fields."""
        return [row.split("\t") for row in self.output(name).decode().split("\n")[:-1]]


def test_word_count_is_complete_when_the_master_ends(tmp_path: Path) -> None:
    lab = Lab(tmp_path, lines=50)
    program = write_program(tmp_path, WORD_COUNT)
    succeeded(tmp_path, program, *lab.options("out"))
    assert lab.output("out") == lab.sequential(program)
    told = events(tmp_path / "out")
    assert history_checker.check(told, maps=MAPS, reduces=REDUCES) == []


def test_the_indexer_tells_in_which_files_each_word_is(tmp_path: Path) -> None:
    lab = Lab(tmp_path, lines=5)
    program = write_program(tmp_path, INDEXER)
    succeeded(tmp_path, program, *lab.options("out"))
    assert lab.output("out") == lab.sequential(program)
    assert ["text", "8 0.txt,1.txt,2.txt,3.txt,4.txt,5.txt,6.txt,7.txt"] in lab.rows("out")


def test_maps_of_two_workers_run_at_once(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    succeeded(tmp_path, lab.program(MAP_PARALLELISM), *lab.options("out"))
    rows = lab.rows("out")
    assert len(rows) == MAPS
    assert len({worker for worker, _ in rows}) == 2
    assert max(int(count) for _, count in rows) == 2


def test_reduces_of_two_workers_run_at_once(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    program = lab.program(REDUCE_PARALLELISM, keys=one_key_a_partition())
    succeeded(tmp_path, program, *lab.options("out"))
    rows = lab.rows("out")
    assert len(rows) == REDUCES
    assert len([count for _, count in rows if int(count) == 2]) >= 2
    assert max(int(count) for _, count in rows) == 2


def one_key_a_partition() -> list[str]:
    """Return ten keys in ten partitions."""
    found: dict[int, str] = {}
    for number in range(1000):
        found.setdefault(partition(keys.encode(f"key{number}"), REDUCES), f"key{number}")
    return [found[index] for index in range(REDUCES)]


def test_nothing_runs_twice_when_nothing_fails(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    succeeded(tmp_path, lab.program(JOB_COUNT), *lab.options("out", workers=4), "--no-speculation")
    assert lab.rows("out") == [["a", str(MAPS)]]
    assert history_checker.finished_more_than_once(events(tmp_path / "out")) == []


def test_no_worker_leaves_before_all_output_is_there(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    program = lab.program(EARLY_EXIT, slow=["aword0", "bword1"])
    with running(tmp_path, program, *lab.options("out")) as run:
        workers = run.until(lambda: len(found := pids(run)) == 2 and found)
        # The first exit, or the end of the run, whatever comes first.
        run.until(lambda: not workers <= pids(run) or (tmp_path / "out" / "_SUCCESS").exists())
        early = lab.output("out")
        assert run.wait() == 0, run.stderr
    assert early == lab.output("out") == lab.sequential(program)


def pids(run: Run) -> set[int]:
    """Return the worker processes."""
    return {process.pid for process in run.processes("worker")}


def test_a_third_of_all_calls_crashes_and_a_third_is_slow(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    program = lab.program(CRASH, safe=False)
    succeeded(tmp_path, program, *lab.options("out", workers=3))
    assert list(lab.marks.glob("crash-*"))
    told = events(tmp_path / "out")
    assert history_checker.check(told, maps=MAPS, reduces=REDUCES) == []
    assert lab.output("out") == lab.sequential(lab.program(CRASH, "safe.py", safe=True))


def test_one_text_and_one_reduce(tmp_path: Path) -> None:
    lab = Lab(tmp_path, texts=1, lines=20)
    program = write_program(tmp_path, WORD_COUNT)
    succeeded(tmp_path, program, *lab.options("out", reducers=1))
    assert lab.output("out") == lab.sequential(program, reducers=1)


def test_many_workers_for_five_texts_and_three_reduces(tmp_path: Path) -> None:
    lab = Lab(tmp_path, texts=5, lines=20)
    program = write_program(tmp_path, WORD_COUNT)
    succeeded(tmp_path, program, *lab.options("out", reducers=3, workers=6))
    assert lab.output("out") == lab.sequential(program, reducers=3)


def test_one_worker_dies_after_ten_tasks(tmp_path: Path) -> None:
    lab = Lab(tmp_path, texts=24)
    deaths = dying(lab, lab.program(MORTAL, mortals=1, tasks=10))
    assert max(deaths.values()) == 1
    assert len(deaths) == 1


def test_many_workers_die_after_a_few_tasks_each_and_new_ones_come(tmp_path: Path) -> None:
    # Map outputs die with their worker here, so workers that are all mortal would never have enough of them.
    lab = Lab(tmp_path)
    deaths = dying(lab, lab.program(MORTAL, mortals=6, tasks=5), workers=3)
    # Three workers that end four tasks each have not done eighteen.
    assert len(deaths) >= 3


def dying(lab: Lab, program: Path, *, workers: int = 2) -> Counter[str]:
    """Run a program whose workers die; check the output; return how often each worker was lost."""
    succeeded(lab.folder, program, *lab.options("out", workers=workers))
    told = events(lab.folder / "out")
    assert history_checker.check(told, maps=len(list(lab.texts.iterdir())), reduces=REDUCES) == []
    assert lab.output("out") == lab.sequential(lab.program(MORTAL, "immortal.py", mortals=0, tasks=10))
    return Counter(str(event["worker"]) for event in told if event["event"] == "WorkerLost")
