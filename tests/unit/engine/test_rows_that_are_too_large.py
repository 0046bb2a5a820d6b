"""A row that no block can hold is told with its key, wherever it is found."""

import pytest

import mapreduce as mr
from mapreduce_worker.engine import blocks
from mapreduce_worker.engine.failure import UserTaskError, describe
from tests.support.engine_runs import collect, job_with, map_file, reduce_segments, write_input, write_segment

SAYS = r"a key and its value take \d{4} bytes; 1000 are the most that can be carried: yield it in pieces"


def job(**members):
    """A job whose map yields each line under the length of its first word."""
    made = job_with(collect)
    made.map = lambda self, line: [(len(line.split()[0]), line)]
    return type("Lines", (made,), members)


JOBS = {
    "pairs": job(),
    "sorted": job(sort_values=True),
    "descending": job(descending=True, sort_values="descending"),
    "folded": job(reduce=mr.Max()),
    "combined": job(combine=collect),
}


@pytest.mark.parametrize("name", JOBS)
@pytest.mark.parametrize("memory", [1 << 30, 6000], ids=["held to the end", "spilled"])
def test_a_map_names_the_key(tmp_path, monkeypatch, name, memory):
    monkeypatch.setattr(blocks, "MAX_RAW", 1000)
    file = write_input(tmp_path, b"a 1\nbb 2\nccc " + b"x" * 2000 + b"\nbb 3\n")
    with pytest.raises(UserTaskError, match=SAYS) as told:
        map_file(JOBS[name], tmp_path, file, memory=memory)
    assert (told.value.where, describe(told.value).reason) == ("key 3, map", "ValueNotEncodable")


@pytest.mark.parametrize("reduce", [collect, mr.Each(), mr.Max()], ids=["reduce", "Each", "Max"])
def test_a_reduce_names_the_key(tmp_path, monkeypatch, reduce):
    rows = [(b"a", "1"), (b"b", "2"), (b"c", "x" * 2000), (b"d", "3")]
    segment = write_segment(tmp_path / "m", rows)
    monkeypatch.setattr(blocks, "MAX_RAW", 1000)
    with pytest.raises(UserTaskError, match=SAYS) as told:
        reduce_segments(job_with(reduce), [segment], tmp_path)
    assert (told.value.where, describe(told.value).reason) == ("key b'c', partition 3", "ValueNotEncodable")
