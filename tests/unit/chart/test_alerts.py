"""The chart's alerts: each fires for what it is for, is silent otherwise, and has a page that says what to do."""

import re

import pytest
import yaml

from mapreduce import metrics
from tests.support.documents import ROOT
from tests.support.promtool import promtool

ALERTS = ROOT / "helm/mapreduce-operator/files/alerts.yaml"
RUNBOOKS = ROOT / "docs/runbooks"
GROUPS = yaml.safe_load(ALERTS.read_text())["groups"]
RULES = {rule["alert"].removeprefix("MapReduce"): rule for group in GROUPS for rule in group["rules"]}
SECTIONS = ["## Meaning", "## Impact", "## Diagnosis", "## What to do"]

JOB = 'namespace="team",mrjob="words"'
POD = 'namespace="team",pod="words-0"'


def lag(late):
    """Return the series of a loop that wakes 0.5 s too late in so many of its 60 looks a minute."""
    return {
        'mapreduce_loop_lag_seconds_bucket{instance="o",loop="master",le="0.005"}': f"0+{60 - late}x60",
        'mapreduce_loop_lag_seconds_bucket{instance="o",loop="master",le="0.5"}': "0+60x60",
        'mapreduce_loop_lag_seconds_bucket{instance="o",loop="master",le="+Inf"}': "0+60x60",
    }


def of_job(phase, **values):
    """Return a job's phase, and more of its metrics."""
    told = {name.replace("__", "{" + JOB + ",") + "}": value for name, value in values.items()}
    return {f'mapreduce_job_phase{{{JOB},phase="{phase}"}}': "1x60"} | told


def workers(desired, ready):
    name = "mapreduce_job_workers{" + JOB + ',state="'
    return {f'{name}desired"}}': f"{desired}x60", f'{name}ready"}}': f"{ready}x60"}


def tasks(count, retries):
    return {
        f'mapreduce_job_tasks{{{JOB},kind="map",state="active"}}': f"{count}x60",
        f'mapreduce_job_retries_total{{{JOB},kind="map"}}': f"0+{retries}x60",
    }


def partitions(largest, median):
    name = "mapreduce_job_partition_bytes{" + JOB + ',stat="'
    return {f'{name}largest"}}': f"{largest << 20}x60", f'{name}median"}}': f"{median << 20}x60"}


def moved(values):
    return {f"mapreduce_job_progress_timestamp_seconds{{{JOB}}}": values}


def answers(good, bad):
    name = 'mapreduce_api_requests_total{instance="o",method="GET",code="'
    return {f'{name}200"}}': f"0+{good}x60", f'{name}503"}}': f"0+{bad}x60"}


def pair(of, limit, used, room, label=""):
    return {f"{of}{{{POD}{label}}}": f"{used}x60", f"{limit}{{{POD}{label}}}": f"{room}x60"}


def charges(count, budget):
    return {f'mapreduce_job_charges_total{{{JOB},budget="{budget}"}}': f"0+{count}x60"}


def journal(values):
    return {f'mapreduce_gateway_store_errors_total{{{POD},operation="journal"}}': values}


FREE, SIZE = "mapreduce_gateway_volume_free_bytes", "mapreduce_gateway_volume_size_bytes"
SCRATCH, ROOM = "mapreduce_worker_scratch_bytes", "mapreduce_worker_scratch_limit_bytes"
MEMORY, LIMIT = "mapreduce_worker_memory_bytes", "mapreduce_worker_memory_limit_bytes"
OUTPUT = ',volume="output"'

# What makes each alert fire within half an hour, a value a minute; and what is near it and does not.
CASES = {
    "OperatorDown": ({"mapreduce_epoch": "1x5 _x60"}, {"mapreduce_epoch": "1x60"}),
    "LoopLagging": (lag(10), lag(0)),
    "LeaseStale": ({"mapreduce_lease_age_seconds": "40x60"}, {"mapreduce_lease_age_seconds": "12x60"}),
    "ListStale": ({"mapreduce_list_age_seconds": "0+60x60"}, {"mapreduce_list_age_seconds": "35x60"}),
    "ApiErrors": (answers(80, 20), answers(97, 3)),
    "JobDefect": ({"mapreduce_job_defects_total": "0x20 1x40"}, {"mapreduce_job_defects_total": "1x60"}),
    "JobFailed": (of_job("Failed"), of_job("Succeeded")),
    # Time begins at 0 in these tests.
    "JobStalled": (of_job("Mapping") | moved("0x60"), of_job("Mapping") | moved("0+60x60")),
    "WorkersMissing": (of_job("Mapping") | workers(4, 3), of_job("Mapping") | workers(4, 4)),
    "RetriesHigh": (tasks(100, 3), tasks(1000, 3)),
    "DisruptionsOften": (charges(2, "disruption"), charges(2, "user")),
    "PartitionSkewed": (of_job("Reducing") | partitions(500, 100), of_job("Reducing") | partitions(500, 200)),
    "JournalTrouble": (journal("0x28 1x32"), journal("1x60")),
    "VolumeNearlyFull": (pair(FREE, SIZE, 5, 100, OUTPUT), pair(FREE, SIZE, 5, 100, ',volume="input"')),
    "ScratchNearlyFull": (pair(SCRATCH, ROOM, 90, 100), pair(SCRATCH, ROOM, 70, 100)),
    "WorkerMemoryHigh": (pair(MEMORY, LIMIT, 95, 100), pair(MEMORY, LIMIT, 85, 100)),
    "MasterSilent": (
        {f"mapreduce_worker_master_silence_seconds{{{POD}}}": "0+60x60"},
        {f"mapreduce_worker_master_silence_seconds{{{POD}}}": "20x60"},
    ),
}
SUSPENDED = of_job("Suspended") | moved("0x60") | workers(4, 0)


def firing(name, series, count):
    """Return promtool's test that so many of an alert fire after half an hour."""
    expression = f'count(ALERTS{{alertname="MapReduce{name}",alertstate="firing"}})'
    expected = [{"labels": "{}", "value": count}] if count else []
    return {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [{"expr": expression, "eval_time": "30m", "exp_samples": expected}],
    }


def judged(tmp_path, *tests):
    path = tmp_path / "tests.yaml"
    path.write_text(yaml.safe_dump({"rule_files": [str(ALERTS)], "tests": list(tests)}))
    return promtool("test", "rules", str(path))


def test_promtool_takes_the_rules():
    assert f"{len(RULES)} rules found" in promtool("check", "rules", str(ALERTS))


def test_every_alert_has_a_case_in_which_it_fires_and_one_in_which_it_is_silent():
    assert set(CASES) == set(RULES)


@pytest.mark.parametrize("name", sorted(CASES))
def test_an_alert_fires_for_what_it_is_for_and_is_silent_otherwise(name, tmp_path):
    fires, silent = CASES[name]
    judged(tmp_path, firing(name, fires, 1), firing(name, silent, 0))


@pytest.mark.parametrize("name", ["JobStalled", "WorkersMissing"])
def test_a_job_that_is_suspended_stands_by_wish(name, tmp_path):
    judged(tmp_path, firing(name, SUSPENDED, 0))


def test_an_alert_says_whose_job_it_is(tmp_path):
    rule = RULES["JobFailed"]
    told = rule["annotations"] | {"summary": "Job team/words failed"}
    labels = {"namespace": "team", "mrjob": "words", "phase": "Failed", "severity": "info"}
    test = firing("JobFailed", of_job("Failed"), 1) | {
        "alert_rule_test": [
            {
                "alertname": "MapReduceJobFailed",
                "eval_time": "30m",
                "exp_alerts": [{"exp_labels": labels, "exp_annotations": told}],
            }
        ]
    }
    judged(tmp_path, test)


def test_every_alert_has_a_severity_and_a_page_and_every_page_an_alert():
    for name, rule in RULES.items():
        assert rule["alert"].startswith("MapReduce")
        assert rule["labels"]["severity"] in ("info", "warning", "critical"), name
        assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}, name
        assert rule["annotations"]["runbook_url"] == f"docs/runbooks/{name}.md"
    pages = {path.stem for path in RUNBOOKS.glob("*.md")} - {"README"}
    assert pages == set(RULES)


@pytest.mark.parametrize("name", sorted(RULES))
def test_a_page_says_what_it_means_what_it_costs_how_to_look_and_what_to_do(name):
    text = (RUNBOOKS / f"{name}.md").read_text()
    assert text.startswith(f"# MapReduce{name}\n")
    assert re.findall(r"^## .*$", text, re.MULTILINE) == SECTIONS
    diagnosis = text.partition("## Diagnosis")[2].partition("## What to do")[0]
    assert "```sh\n" in diagnosis, "a page has commands"
    assert name in (RUNBOOKS / "README.md").read_text()


def test_rules_name_only_metrics_of_the_table():
    named = {found for rule in RULES.values() for found in re.findall(r"\b(?:mapreduce|process)_\w+", rule["expr"])}
    assert {re.sub(r"_(bucket|sum|count)$", "", name) for name in named} <= set(metrics.BY_NAME)
