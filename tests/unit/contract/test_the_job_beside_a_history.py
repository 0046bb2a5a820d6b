"""What is kept beside a history is read back as it was, and nothing that was changed is believed."""

import io
import json
import zlib

import pytest

from mapreduce import history, kept_job
from mapreduce.errors import CorruptionError
from mapreduce.history import Frame, HistoryEvent, PlanMade, PlanPage
from mapreduce.plan import FileRange, ListedFile, PlanHeader, Split
from mapreduce.program import Program, SideFile
from mapreduce.spec import JobSpec, Limits
from tests.support import hostile

SPEC = JobSpec(
    uid="u-1",
    name="wc",
    program=Program("job.py", b"x = 1\n\xff", "Job", (SideFile("words.txt", b"\0\xff"),)),
    inputs=("texts/*.txt",),
    output="counts",
    params={f"p{number}": text for number, text in enumerate(hostile.ALL.values())},
    limits=Limits(task_timeout=3.5),
)
HEADER = PlanHeader(3, 30, 3, 8, 10, 64, "digest", "0.1.0")
FILES = [ListedFile(f"texts/{name}", name, 10, "mtime:17") for name in ("a.txt", *hostile.ALL.values())]
SPLITS = [
    Split(0, (FileRange(FILES[0], 0, 10),)),
    Split(1, tuple(FileRange(file, 0, 5) for file in FILES)),
    Split(2, (FileRange(FILES[0], 4, 8, "a,b\n", exact=True, tail=9),)),
]


def frames(*entries):
    return [Frame(1, number, entry) for number, entry in enumerate(entries, 1)]


PLAN = frames(
    HistoryEvent(event="EpochOpened", wall=1.0),
    PlanPage(0, tuple(SPLITS[:2])),
    PlanPage(1, tuple(SPLITS[2:])),
    PlanMade(HEADER, 2),
)


def plan(*lines):
    return io.BytesIO(b"".join(lines))


@pytest.mark.parametrize("split", SPLITS)
def test_the_ranges_of_a_map_are_read_back(split):
    assert kept_job.read_plan(plan(*kept_job.render_plan(PLAN)), split.index) == (HEADER, split)


def test_of_two_plans_the_last_counts_and_half_a_plan_is_none():
    again = frames(PlanPage(0, (SPLITS[0],)), PlanMade(HEADER, 1))
    assert len(list(kept_job.render_plan([*PLAN, *again]))) == 2
    assert list(kept_job.render_plan(PLAN[:-1])) == []
    assert list(kept_job.render_plan([*PLAN[:2], PLAN[-1]])) == []


def test_a_map_that_is_not_in_the_plan_is_told_with_those_that_are():
    with pytest.raises(LookupError, match="the plan has 3 maps, from map-0 on"):
        kept_job.read_plan(plan(*kept_job.render_plan(PLAN)), 3)


def test_the_job_is_read_back_with_its_program_and_parameters():
    kept = kept_job.read_job(io.BytesIO(kept_job.render_job(SPEC, "0.1.0")))
    assert (kept.spec, kept.engine_version, kept.digest) == (SPEC, "0.1.0", SPEC.program.digest)


def changed(line, change):
    (fields,) = history.parse(line)
    body = json.dumps(change(fields)).encode()
    return history.checked(body)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{}\n",
        kept_job.render_job(SPEC, "1")[:-1],
        kept_job.render_job(SPEC, "1").replace(b'"wc"', b'"we"'),
        changed(kept_job.render_job(SPEC, "1"), lambda fields: fields | {"digest": "another"}),
        changed(kept_job.render_job(SPEC, "1"), lambda fields: fields | {"spec": {"uid": 1}}),
        changed(kept_job.render_job(SPEC, "1"), lambda f: f | {"spec": f["spec"] | {"reducers": 1 << 40}}),
    ],
    ids=["empty", "no crc", "cut", "changed", "another program", "another type", "no such number"],
)
def test_a_job_that_was_changed_is_refused(line):
    with pytest.raises(CorruptionError):
        kept_job.read_job(io.BytesIO(line))


def test_a_plan_that_was_changed_is_refused():
    header, first, *rest = kept_job.render_plan(PLAN)
    other = first.replace(b"a.txt", b"b.txt")
    for lines in ((), (first,), (header[:-9], first), (header, other), (header, first[:-1])):
        with pytest.raises(CorruptionError):
            kept_job.read_plan(plan(*lines), 0)
    body = b'{"index":0,"ranges":[{"name":"a"}]}'
    with pytest.raises(CorruptionError):
        kept_job.read_plan(plan(header, history.checked(body)), 0)
    # A line of another map is not looked at.
    assert kept_job.read_plan(plan(header, first.replace(b"a.txt", b"b.txt"), *rest), 2)[1] == SPLITS[2]


def test_a_line_says_a_crc_of_the_rest():
    line = history.checked(b'{"a":1}')
    assert line == b'{"a":1,"crc":%d}\n' % zlib.crc32(b'{"a":1}')
