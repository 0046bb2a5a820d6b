"""Values that a reducer cannot compare: one error, wherever two of them meet, which memory and splits decide."""

from pathlib import Path

import pytest

from tests.support.local_runs import finished, write_program

MODES = pytest.mark.parametrize("mode", [("--workers", "1"), ("--sequential",)], ids=["local", "sequential"])

LARGEST = """
import mapreduce as mr

class Largest(mr.Job):
    def map(self, line):
        key, value = line.split()
        # Long enough that a table cannot hold many.
        yield key, int(value) if value.isdigit() else value * 2_000_000

    reduce = mr.Max()
"""
MEETINGS = {
    "table": (("k 1\nk x\n",), ("a0.txt:4",)),
    "spills": (("k 1\n" + "".join(f"{number} x\n" for number in range(60)) + "k x\n",), ("key 'k', map",)),
    "reduce": (("k 1\n", "k x\n"), ("key 'k', partition",)),
}


@MODES
@pytest.mark.parametrize("meeting", MEETINGS)
def test_values_that_cannot_be_compared_are_the_users_fault_wherever_they_meet(
    tmp_path: Path, mode: tuple[str, ...], meeting: str
) -> None:
    files, says = MEETINGS[meeting]
    (tmp_path / "in").mkdir()
    for number, content in enumerate(files):
        (tmp_path / "in" / f"a{number}.txt").write_text(content)
    program = write_program(tmp_path, LARGEST)
    options = ("--split-size", "1") if len(files) > 1 else ()
    status, stdout, stderr = finished(tmp_path, program, "in", "--output", "out", *mode, *options)
    assert (status, stdout) == (1, "")
    for text in ("UserCodeFailed", "key 'k': Max compares", "let all values of a key be of one kind", *says):
        assert text in stderr
    assert "mapreduce_worker" not in stderr
    assert not (tmp_path / "out").exists()
