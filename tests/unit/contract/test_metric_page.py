"""Pages of metrics: Prometheus' text format, and nothing that is not in the table."""

import math
import re

import pytest
from prometheus_client.parser import text_string_to_metric_families

from mapreduce import metrics
from mapreduce.metric_page import Counter, Histogram, Page

BASE_UNITS = ("_seconds", "_bytes", "_total", "_info")
PLAIN = {
    "mapreduce_epoch",
    "mapreduce_jobs",
    "mapreduce_job_phase",
    "mapreduce_job_tasks",
    "mapreduce_job_workers",
    "mapreduce_worker_slots",
}
"""What counts things has no unit."""


def parsed(page):
    """Return every sample of a page by Prometheus' own parser."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(page.text())
        for sample in family.samples
    }


def test_names_kinds_and_labels_go_by_prometheus_conventions():
    for metric in metrics.TABLE:
        assert re.fullmatch(r"(mapreduce|process)_[a-z_]+", metric.name), metric
        assert metric.name.endswith("_total") == (metric.kind == "counter"), metric
        assert metric.name.endswith(BASE_UNITS) or metric.name in PLAIN, metric
        assert metric.help.endswith("."), metric
        # `job` and `instance` are Prometheus' own; `le` is a histogram's.
        assert not set(metric.labels) & {"job", "instance", "le", "pod", "task", "attempt"}, metric
    assert len(metrics.BY_NAME) == len(metrics.TABLE)


def test_hostile_labels_come_back_as_they_were():
    page = Page()
    hostile = 'a"b\\c\nd} 1\n# TYPE x gauge'
    page.put("mapreduce_job_tasks", 3, "team", hostile, "map", "active")
    labels = (("kind", "map"), ("mrjob", hostile), ("namespace", "team"), ("state", "active"))
    assert parsed(page) == {("mapreduce_job_tasks", labels): 3}


def test_a_histogram_counts_what_is_at_most_its_bound():
    histogram = Histogram((0.1, 1.0))
    for value in (0.1, 0.5, 7.0):
        histogram.observe(value)
    page = Page()
    page.put_histogram("mapreduce_loop_lag_seconds", histogram, "master")
    name = "mapreduce_loop_lag_seconds"
    loop = ("loop", "master")
    assert parsed(page) == {
        (f"{name}_bucket", (("le", "0.1"), loop)): 1,
        (f"{name}_bucket", (("le", "1"), loop)): 2,
        (f"{name}_bucket", (("le", "+Inf"), loop)): 3,
        (f"{name}_sum", (loop,)): 7.6,
        (f"{name}_count", (loop,)): 3,
    }


def test_a_counter_tells_what_has_not_happened_yet():
    counter = Counter(("Succeeded",), ("Failed",))
    counter.add("Failed")
    counter.add("Failed", by=2)
    page = Page()
    page.put_counter("mapreduce_jobs_ended_total", counter)
    assert parsed(page) == {
        ("mapreduce_jobs_ended_total", (("result", "Failed"),)): 3,
        ("mapreduce_jobs_ended_total", (("result", "Succeeded"),)): 0,
    }


@pytest.mark.parametrize("value", [0, 0.25, 1e300, 2**60, math.inf, -math.inf])
def test_a_number_comes_back_as_it_was(value):
    page = Page()
    page.put("mapreduce_epoch", value)
    assert parsed(page) == {("mapreduce_epoch", ()): value}


def test_nan_is_told_as_such():
    page = Page()
    page.put("mapreduce_epoch", math.nan)
    (value,) = parsed(page).values()
    assert math.isnan(value)


def test_what_is_not_in_the_table_cannot_be_told():
    page = Page()
    with pytest.raises(KeyError):
        page.put("mapreduce_surprise", 1)
    with pytest.raises(ValueError, match="zip"):
        page.put("mapreduce_epoch", 1, "one label too many")


def test_every_process_tells_its_version_its_processor_time_and_its_memory():
    page = Page()
    page.put_process("1.2.3")
    told = parsed(page)
    assert told["mapreduce_build_info", (("version", "1.2.3"),)] == 1
    assert {name for name, _ in told} == {metric.name for metric in metrics.TABLE if metric.who == "every"}
    assert told["process_resident_memory_bytes", ()] > 1 << 20
    assert told["process_start_time_seconds", ()] > 1_700_000_000
