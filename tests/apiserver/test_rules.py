"""What the API server refuses before any operator sees it, in the words of the rule that refuses it."""

import json

import pytest
import yaml

from tests.support.apiserver import ROOT
from tests.support.operator_process import job

LONG = "n" * 41


def refused(server, resource):
    said = server.apply(resource, check=False)
    assert "created" not in said, said
    return said


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"program": {}}, "exactly one of program.inline and program.configMap must be given"),
        (
            {"program": {"inline": "x", "configMap": {"name": "a", "key": "b"}}},
            "exactly one of program.inline and program.configMap must be given",
        ),
        (
            {"input": {"paths": ["in"], "volume": {}}},
            "exactly one of volume.persistentVolumeClaim and volume.configMap",
        ),
        (
            {
                "input": {
                    "paths": ["in"],
                    "volume": {"configMap": {"name": "a"}, "persistentVolumeClaim": {"claimName": "b"}},
                }
            },
            "exactly one of volume.persistentVolumeClaim and volume.configMap",
        ),
        (
            {"input": {"paths": ["../etc"], "volume": {"configMap": {"name": "a"}}}},
            "a path of the input must be relative to the root of its volume and must not contain '..'",
        ),
        ({"input": {"paths": [], "volume": {"configMap": {"name": "a"}}}}, "spec.input.paths"),
        ({"reducers": 0}, "reducers must be at least 1; leave it out for 8"),
        (
            {"output": {"path": "/out", "volume": {"persistentVolumeClaim": {"claimName": "a"}}}},
            "the output's path must be relative to the root of its volume",
        ),
        (
            {"output": {"path": "a/../b", "volume": {"persistentVolumeClaim": {"claimName": "a"}}}},
            "must not contain '.' or '..' as a folder",
        ),
        ({"workers": {"replicas": 0}}, "spec.workers.replicas"),
        ({"workers": {"env": [{"name": "MAPREDUCE_CA", "value": "x"}]}}, "are set by the operator"),
        ({"workers": {"labels": {"mapreduce.dev/job": "x"}}}, "are reserved"),
        ({"workers": {"labels": {"a.kubernetes.io/x": "x"}}}, "are reserved"),
        ({"workers": {"annotations": {"k8s.io/x": "x"}}}, "are reserved"),
        ({"workers": {"serviceAccountName": "admin"}}, "unknown field"),
        ({"workers": {"securityContext": {"runAsUser": 0}}}, "unknown field"),
        (
            {"workers": {"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]}},
            "unknown field",
        ),
        ({"preRunningDeadlineSeconds": 0}, "spec.preRunningDeadlineSeconds"),
    ],
)
def test_a_spec_against_a_rule_is_refused_with_the_rule_s_message(server, spec, said):
    assert said in refused(server, job("default", **spec))


def test_a_name_too_long_for_its_pods_is_refused(server):
    assert "at most 40 characters" in refused(server, job("default", LONG))


def test_a_name_with_a_dot_is_refused(server):
    assert "lower case letters, digits and hyphens" in refused(server, job("default", "a.b"))


def test_a_spec_cannot_be_changed(team):
    team.submit()
    assert "spec cannot be changed" in refused(team.server, job(team.name, reducers=3))
    unchanged = team.server.apply(job(team.name), check=False)
    assert "unchanged" in unchanged


def test_labels_outside_the_reserved_prefixes_are_taken(team):
    labels = {"team": "a", "kueue.x-k8s.io/queue-name": "q", "kubernetes.io": "x"}
    team.submit(workers={"labels": labels, "annotations": {"example.org/a": "b"}})


def test_defaults_come_from_the_schema(team):
    team.submit()
    spec = team.job()["spec"]
    assert spec["reducers"] == 8
    assert spec["workers"] == {"replicas": 2, "slots": 1}
    assert spec["preRunningDeadlineSeconds"] == 300
    assert spec["input"]["encodingErrors"] == "Strict"


def test_every_short_name_finds_it(team):
    team.submit()
    for name in ("mapreducejobs", "mapreducejob", "mrjob", "mrjobs", "mrj"):
        assert "wordcount" in team.server.kubectl("-n", team.name, "get", name)


def test_the_columns_are_those_of_the_design(team):
    team.submit()
    table = team.server.kubectl("-n", team.name, "get", "mrjobs")
    assert table.split("\n")[0].split() == ["NAME", "PHASE", "MAPS", "REDUCES", "WORKERS", "RETRIES", "AGE"]


def test_the_crd_is_small_enough_for_a_plain_apply():
    crd = yaml.safe_load((ROOT / "crds/mapreducejobs.yaml").read_text())
    assert len(json.dumps(crd)) < 60_000


def test_the_example_is_accepted(team):
    for name in ("wordcount-job.yaml", "read.yaml"):
        path = ROOT / "examples/01-wordcount" / name
        team.server.kubectl("-n", team.name, "apply", "-f", str(path))
