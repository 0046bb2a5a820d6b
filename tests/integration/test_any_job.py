"""Random jobs on random text: every mode equals the naive reference, whatever the split size, reducers and workers."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from mapreduce.program import Program
from mapreduce.spec import JobSpec
from mapreduce_cli import local, localjobs, sequential
from mapreduce_cli.progress import Silent
from tests.support.any_job import AnyJob, expected, jobs

MODES = {"sequential": (sequential, 60), "local": (local, 12)}
"""The module that runs a job, and how many jobs are drawn for it."""


@pytest.mark.parametrize("mode", MODES)
def test_the_output_is_that_of_the_reference(mode: str) -> None:
    module, count = MODES[mode]

    @settings(max_examples=count, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(jobs())
    def check(job: AnyJob) -> None:
        with tempfile.TemporaryDirectory() as name:
            root = Path(name)
            module.run(spec(job, root), root, Silent())
            assert (root / "out" / "output.tsv").read_bytes() == expected(job)

    check()


def spec(job: AnyJob, root: Path) -> JobSpec:
    """Write the input below `root`, and return the job."""
    (root / "in").mkdir()
    for number, content in enumerate(job.files):
        (root / "in" / f"{number}.txt").write_bytes(content)
    return JobSpec(
        uid=localjobs.new_uid(),
        name="any",
        program=Program("job.py", job.program.encode()),
        inputs=("in",),
        output="out",
        split_size=job.split_size,
        reducers=job.reducers,
        workers=job.workers,
    )
