"""What a scraper gets of processes that run a whole job."""

from prometheus_client.parser import text_string_to_metric_families

from mapreduce import metrics
from tests.support.whole_jobs import complete, prepare, submit


def test_the_operator_tells_all_of_its_table_once_a_job_has_run(operator, kubelet, team):
    prepare(kubelet, team)
    submit(team)
    complete(team)
    families = {family.name: family for family in text_string_to_metric_families(operator.metrics_text())}
    told = {name if family.type != "counter" else f"{name}_total" for name, family in families.items()}
    assert told == {metric.name for metric in metrics.TABLE}
    phases = [sample.labels for sample in families["mapreduce_job_phase"].samples]
    assert {"namespace": team.name, "mrjob": "wordcount", "phase": "Succeeded"} in phases
