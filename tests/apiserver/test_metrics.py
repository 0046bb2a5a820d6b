"""What a scraper gets of processes that run a whole job."""

import urllib.request

from prometheus_client.parser import text_string_to_metric_families

from mapreduce import metrics
from tests.support.apiserver import PATIENCE, eventually
from tests.support.operator_process import Team
from tests.support.promtool import promtool
from tests.support.whole_jobs import complete, prepare, submit_held


def scraped(pod):
    """Return the page of one Pod's process."""
    (port,) = (port for port in pod["spec"]["containers"][0]["ports"] if port["name"] == "metrics")
    url = f"http://{pod['status']['podIP']}:{port['containerPort']}/metrics"
    with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
        return bytes(answer.read()).decode()


def series(text):
    """Return every series of a page, without its value."""
    return {
        (sample.name, *sorted(sample.labels.items()))
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def names(text):
    """Return the names of the metrics of a page, as the table has them."""
    families = text_string_to_metric_families(text)
    return {f"{family.name}_total" if family.type == "counter" else family.name for family in families}


def of_table(*who):
    return {metric.name for metric in metrics.TABLE if metric.who in ("every", *who)}


def run(operator, kubelet, team, split_size):
    """Run a job; return the pages of operator, worker and gateway while it is held, and of the operator after it."""
    prepare(kubelet, team)
    volume = {"persistentVolumeClaim": {"claimName": "texts"}}
    gate = submit_held(kubelet, team, input={"paths": ["in/*.txt"], "volume": volume, "splitSize": split_size})
    held = {role: scraped(team.pods(role)[0]) for role in ("worker", "gateway")}
    held["operator"] = operator.metrics_text()
    gate.open()
    complete(team)
    over = f'mapreduce_job_phase{{namespace="{team.name}",mrjob="wordcount",phase="Succeeded"}} 1\n'
    ended = eventually("a new page is made", lambda: text if over in (text := operator.metrics_text()) else "")
    return held, ended


def test_every_process_tells_its_part_of_the_table(operator, kubelet, team):
    held, ended = run(operator, kubelet, team, "160")
    assert names(held["worker"]) == of_table("worker")
    assert names(held["gateway"]) == of_table("gateway")
    # How large the partitions are is known once every map has ended.
    assert names(held["operator"]) | {"mapreduce_job_partition_bytes"} == of_table("operator")
    assert names(ended) == of_table("operator")


def test_prometheus_own_judge_takes_every_page(operator, kubelet, team):
    held, ended = run(operator, kubelet, team, "160")
    for page in (*held.values(), ended):
        promtool("check", "metrics", text=page)


def test_series_do_not_grow_with_tasks(operator, kubelet, team):
    other = Team(team.server, f"{team.name}-more")
    few, few_ended = run(operator, kubelet, team, "160")
    many, many_ended = run(operator, kubelet, other, "8")
    counts = [one.status()["map"]["total"] for one in (team, other)]
    assert counts[0] <= 15
    assert counts[1] >= 200
    for role in ("worker", "gateway"):
        assert series(few[role]) == series(many[role]), role
    assert of(few_ended, team) == of(many_ended, other) != set()
    whole = len(series(few_ended)) - len(of(few_ended, team))
    # What is not of one job may have another status of a request, and no more.
    assert len(series(many_ended)) - len(of(many_ended, team)) - len(of(many_ended, other)) <= whole + 5


def of(text, team):
    """Return the series of a team's jobs, without its name."""
    mine = ("namespace", team.name)
    return {tuple(part for part in one if part != mine) for one in series(text) if mine in one}
