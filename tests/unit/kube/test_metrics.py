"""The operator's page of metrics: what it tells of jobs, for how long, and of how many."""

import asyncio

import msgspec
import pytest
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client.parser import text_string_to_metric_families

from mapreduce.metric_page import Counter, Histogram
from mapreduce_operator.core.events import Announce, Charges, JobStatus, PhaseCounts, SkewStatus
from mapreduce_operator.kube.event_pace import BURST
from mapreduce_operator.kube.job_series import KEPT_SECONDS, JobSeries
from mapreduce_operator.kube.metrics import Endpoint
from mapreduce_operator.kube.publish import Publisher
from mapreduce_operator.runtime.counts import LAG_EVERY, Counts, watch_lag
from tests.support.fake_api import FakeApi, writer
from tests.support.followed_job import World, following, settled
from tests.support.kube_objects import body, parsed

NOW = 1_790_000_000.0


class Clock:
    """Time that stands until it is moved; each look at it is far from the last."""

    def __init__(self):
        self.wall = NOW
        self.looks = 0.0

    def mono(self):
        self.looks += 100.0
        return self.looks


def endpoint(clock, *jobs, **options):
    made = Endpoint(Counts(), clock=clock.mono, wall=lambda: clock.wall, **options)
    made.jobs = lambda: list(jobs)
    return made


def samples(text):
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def scraped(made):
    return samples(asyncio.run(made.text()))


def job(name="wordcount", *statuses, phase="", ended=None, wall=NOW):
    series = JobSeries("team", name, phase, ended or Counter())
    for status in statuses:
        series.saw(status, wall)
    return series


def mapping(succeeded=1, **fields):
    maps = PhaseCounts(total=5, active=2, succeeded=succeeded, retried=3, speculative=1)
    status = JobStatus(phase="Mapping", maps=maps, reduces=PhaseCounts(total=2), start_wall=NOW - 60)
    return msgspec.structs.replace(status, **fields)


def test_a_job_that_runs_is_told_with_its_tasks_and_what_they_cost():
    charges = Charges(user=1, disruption=2)
    status = mapping(
        workers_desired=3, workers_ready=2, records=70, size=900, total_size=4000, bad_records=6, charges=charges
    )
    told = scraped(endpoint(Clock(), job("wordcount", status)))
    of = {(key[0].removeprefix("mapreduce_job_"), *key[3:]): value for key, value in told.items() if "team" in key}
    assert of == {
        ("phase", "Mapping"): 1,
        ("progress_timestamp_seconds",): NOW,
        ("start_timestamp_seconds",): NOW - 60,
        ("input_size_bytes",): 4000,
        ("workers", "desired"): 3,
        ("workers", "ready"): 2,
        ("tasks", "map", "waiting"): 2,
        ("tasks", "map", "active"): 2,
        ("tasks", "map", "succeeded"): 1,
        ("tasks", "map", "failed"): 0,
        ("tasks", "reduce", "waiting"): 2,
        ("tasks", "reduce", "active"): 0,
        ("tasks", "reduce", "succeeded"): 0,
        ("tasks", "reduce", "failed"): 0,
        ("input_records_total",): 70,
        ("input_bytes_total",): 900,
        ("bad_records_total",): 6,
        ("charges_total", "user"): 1,
        ("charges_total", "disruption"): 2,
        ("charges_total", "segments"): 0,
        ("retries_total", "map"): 3,
        ("retries_total", "reduce"): 0,
        ("backups_total", "map"): 1,
        ("backups_total", "reduce"): 0,
    }
    assert told["mapreduce_jobs", "Mapping"] == 1
    assert told["mapreduce_jobs", "Failed"] == 0


def test_the_sizes_of_partitions_are_told_once_they_are_known():
    told = scraped(endpoint(Clock(), job("wordcount", mapping(skew=SkewStatus(largest=90, median=10)))))
    assert told["mapreduce_job_partition_bytes", "team", "wordcount", "largest"] == 90
    assert told["mapreduce_job_partition_bytes", "team", "wordcount", "median"] == 10


def test_a_job_moves_when_a_task_ends_and_not_when_a_worker_comes():
    series = job("wordcount", mapping())
    series.saw(mapping(workers_ready=2), NOW + 50)
    moved = "mapreduce_job_progress_timestamp_seconds", "team", "wordcount"
    assert scraped(endpoint(Clock(), series))[moved] == NOW
    series.saw(mapping(succeeded=2), NOW + 70)
    assert scraped(endpoint(Clock(), series))[moved] == NOW + 70


def test_what_only_grows_does_not_fall_when_an_output_is_lost():
    series = job("wordcount", mapping(records=70))
    made = endpoint(Clock(), series)
    records = "mapreduce_job_input_records_total", "team", "wordcount"
    assert scraped(made)[records] == 70
    series.saw(mapping(succeeded=0, records=0), NOW)
    assert scraped(made)[records] == 70


def test_a_job_is_told_for_ten_minutes_after_its_end_and_counted_for_ever():
    counts = Counts()
    series = job("wordcount", mapping(), JobStatus(phase="Failed"), JobStatus(phase="Failed"), ended=counts.jobs_ended)
    clock = Clock()
    made = Endpoint(counts, clock=clock.mono, wall=lambda: clock.wall)
    made.jobs = lambda: [series]
    failed = "mapreduce_job_phase", "team", "wordcount", "Failed"
    clock.wall = NOW + KEPT_SECONDS - 1
    assert scraped(made)[failed] == 1
    clock.wall = NOW + KEPT_SECONDS
    told = scraped(made)
    assert not any("wordcount" in key for key in told)
    assert told["mapreduce_jobs", "Failed"] == 1
    assert told["mapreduce_jobs_ended_total", "Failed"] == 1
    assert told["mapreduce_jobs_ended_total", "Succeeded"] == 0


def test_a_job_that_was_over_before_this_process_began_is_counted_among_the_jobs_alone():
    ended = Counter(("Succeeded",), ("Failed",))
    told = scraped(endpoint(Clock(), job(phase="Succeeded", ended=ended)))
    assert told["mapreduce_jobs", "Succeeded"] == 1
    assert not any("wordcount" in key for key in told)
    assert dict(ended) == {("Succeeded",): 0, ("Failed",): 0}


def test_of_too_many_jobs_the_last_are_summed_and_the_sum_does_not_fall_when_one_goes():
    jobs = [job(f"job-{number}", mapping(records=10 * number)) for number in range(4)]
    clock = Clock()
    made = Endpoint(Counts(), most_jobs=2, clock=clock.mono, wall=lambda: clock.wall)
    made.jobs = lambda: jobs
    records = "mapreduce_job_input_records_total"
    told = scraped(made)
    assert (told[records, "team", "job-1"], told[records, "", ""]) == (10, 50)
    assert told["mapreduce_job_tasks", "", "", "map", "active"] == 4
    assert not any("job-2" in key for key in told)
    jobs[3].saw(mapping(records=31), NOW)
    # The first one goes, and the third one is told by its own name.
    del jobs[0]
    told = scraped(made)
    assert (told[records, "team", "job-2"], told[records, "", ""]) == (20, 51)
    assert told["mapreduce_job_tasks", "", "", "map", "active"] == 2


def test_the_series_of_a_job_do_not_grow_with_its_tasks():
    def names(tasks):
        maps = PhaseCounts(total=tasks, active=tasks // 2, succeeded=tasks // 2)
        return set(scraped(endpoint(Clock(), job("wordcount", mapping(maps=maps)))))

    assert names(10) == names(100_000)


def test_who_scrapes_twice_at_once_gets_one_page():
    made = Endpoint(Counts(), clock=lambda: 5.0, wall=lambda: NOW)
    asked = []

    def jobs():
        asked.append("jobs")
        return ()

    made.jobs = jobs

    async def go():
        async with TestClient(TestServer(made.app())) as client:
            answers = await asyncio.gather(*(client.get("/metrics") for _ in range(3)))
            return {answer.headers["Content-Type"] for answer in answers}, {await one.text() for one in answers}

    types, texts = asyncio.run(go())
    assert types == {"text/plain; version=0.0.4; charset=utf-8"}
    assert (len(texts), asked) == (1, ["jobs"])


def test_a_defect_is_counted_once_a_job():
    async def go():
        world = World(body())
        shared = world.shared()
        async with following(world, shared) as followed:
            followed.broken("uid", ValueError("one"))
            followed.broken("uid", ValueError("two"))
            await settled()
        return dict(shared.counts.job_defects), dict(shared.counts.jobs_ended)

    defects, ended = asyncio.run(go())
    assert defects == {(): 1}
    assert ended == {("Succeeded",): 0, ("Failed",): 1}


def test_events_that_are_left_out_are_counted():
    counts = Counts()

    async def go():
        publisher = Publisher(writer(FakeApi()), parsed().owner, 1, {}, counts=counts, clock=lambda: 0.0)
        for number in range(BURST + 4):
            publisher.announce(Announce(kind="Warning", reason="UserCodeFailed", message=str(number)))
        await publisher.close()

    asyncio.run(go())
    # The newest for which there was no room is sent later.
    assert dict(counts.events_left_out) == {(): 3}


def test_the_lag_of_a_loop_is_what_it_woke_too_late():
    histogram = Histogram((0.1, 1.0))
    times = iter([10.0, 10.0 + LAG_EVERY + 0.2, 20.0, 20.0 + LAG_EVERY])

    async def no_time(seconds):
        assert seconds == LAG_EVERY

    with pytest.raises(RuntimeError, match="StopIteration"):
        asyncio.run(watch_lag(histogram, lambda: next(times), no_time))
    assert (histogram.counts, round(histogram.sum, 9)) == ([1, 1, 0], 0.2)
