"""The chart's Grafana dashboard: it parses, its expressions are PromQL, and its metrics are ours."""

import json
import re

import pytest
import yaml

from mapreduce import metrics
from tests.support.documents import ROOT
from tests.support.promtool import promtool

DASHBOARD = json.loads((ROOT / "helm/mapreduce-operator/files/dashboard.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
EXPRESSIONS = [target["expr"] for panel in PANELS for target in panel["targets"]]
VARIABLES = {variable["name"] for variable in DASHBOARD["templating"]["list"]}
GRAFANAS = {"__range": "3h", "__rate_interval": "5m"}


def filled(expression):
    """Return an expression as Grafana would send it."""
    return re.sub(r"\$(\w+)", lambda found: GRAFANAS.get(found[1], ".*"), expression)


def test_promtool_takes_every_expression(tmp_path):
    rules = [{"record": f"panel:{number}", "expr": filled(text)} for number, text in enumerate(EXPRESSIONS)]
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    assert f"{len(EXPRESSIONS)} rules found" in promtool("check", "rules", str(path))


def test_every_metric_of_the_table_but_a_few_has_a_panel_and_no_other():
    named = {name for text in EXPRESSIONS for name in re.findall(r"\b(?:mapreduce|process)_\w+", text)}
    shown = {re.sub(r"_(bucket|sum|count)$", "", name) for name in named}
    assert shown <= set(metrics.BY_NAME)
    assert set(metrics.BY_NAME) - shown == {
        "mapreduce_build_info",
        "mapreduce_gateway_journal_frames_total",
        "mapreduce_gateway_served_bytes_total",
        "mapreduce_gateway_staged_parts_total",
        "mapreduce_job_start_timestamp_seconds",
        "mapreduce_worker_master_silence_seconds",
        "mapreduce_worker_records_total",
        "mapreduce_worker_served_bytes_total",
        "mapreduce_worker_spills_total",
        "process_start_time_seconds",
    }


def test_labels_in_expressions_are_those_of_the_table():
    known = {label for metric in metrics.TABLE for label in metric.labels} | {"le", "instance", "pod", "namespace"}
    for text in EXPRESSIONS:
        matched = set(re.findall(r"(\w+)=~?\"", text))
        grouped = {word for part in re.findall(r"(?:by|on) \(([^)]*)\)", text) for word in part.split(", ")}
        assert matched | grouped <= known, text


def test_variables_that_are_used_are_there():
    used = set(re.findall(r"\$\{?(\w+)", json.dumps(PANELS)))
    assert used <= VARIABLES | set(GRAFANAS)


def test_panels_have_their_own_number_and_place():
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert place["x"] + place["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_a_panel_asks_the_chosen_prometheus(panel):
    assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["targets"]
