"""One job from its first worker to its manifest: the whole history in its order."""

from mapreduce import history
from tests.support.history_checker import check
from tests.support.master_builder import JobUnderTest


def test_a_job_runs_from_start_to_end():
    job = JobUnderTest(maps=5, reducers=3)
    assert job.run_to_the_end() == "Succeeded"
    assert job.phase == "Succeeded"
    assert job.store.published
    assert job.store.staged_times == {0: 1, 1: 1, 2: 1}
    events = history.parse(b"".join(history.render(job.store.frames)))
    assert check(events, maps=5, reduces=3) == []
