"""What the API server refuses before any operator sees it, in the words of the rule that refuses it."""

import json

import pytest
import yaml

from tests.support.apiserver import ROOT
from tests.support.operator_process import job

LONG = "n" * 41
ONE_PROGRAM = "exactly one of program.inline, program.configMap and program.module must be given"
CONFIG_MAP = {"configMap": {"name": "a"}}
OUTPUT = {"path": "out", "volume": {"persistentVolumeClaim": {"claimName": "results"}}}
INPUT = {"paths": ["in"], "volume": {"persistentVolumeClaim": {"claimName": "texts"}}}
MUTABLE = {"suspend", "activeDeadlineSeconds", "ttlSecondsAfterFinished"}
"""Fields of the spec that may change; of workers: replicas."""
CHANGES = {
    "program": {"inline": "y"},
    "image": "another:1",
    "params": {"min": "3"},
    "input": INPUT | {"splitSize": "1Mi"},
    "reducers": 3,
    "output": OUTPUT | {"merge": "None"},
    "backoffLimitPerTask": 1,
    "maxFailedTasks": 1,
    "skipBadRecords": 1,
    "taskTimeoutSeconds": 9,
    "preRunningDeadlineSeconds": 9,
    "order": "Total",
    "shuffleCompression": "Zstd",
    "speculation": {"enabled": False},
}
WORKERS = {
    "slots": 2,
    "resources": {"limits": {"memory": "2Gi"}},
    "nodeSelector": {"a": "b"},
    "tolerations": [{"operator": "Exists"}],
    "affinity": {"nodeAffinity": {}},
    "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}],
    "priorityClassName": "high",
    "runtimeClassName": "sandboxed",
    "imagePullSecrets": [{"name": "registry"}],
    "env": [{"name": "A", "value": "b"}],
    "labels": {"a": "b"},
    "annotations": {"a": "b"},
}


def refused(server, resource):
    said = server.apply(resource, check=False)
    assert "created" not in said, said
    return said


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"program": {}}, ONE_PROGRAM),
        ({"program": {"inline": "x", "configMap": {"name": "a", "key": "b"}}}, ONE_PROGRAM),
        ({"program": {"inline": "x", "module": "pkg.mod"}}, ONE_PROGRAM),
        ({"program": {"module": "pkg/mod.py"}}, "spec.program.module"),
        ({"program": {"module": "pkg.mod:One", "class": "Two"}}, "the class must be given once"),
        ({"params": {"a-b": "x"}}, "the name of a parameter"),
        ({"params": {"n" * 101: "x"}}, "the name of a parameter"),
        ({"params": {"min": 3}}, "spec.params.min"),
        ({"params": {f"p{number}": "x" * 4096 for number in range(17)}}, "at most 65536 characters together"),
        (
            {"input": {"paths": ["in"], "volume": CONFIG_MAP, "format": "Jsonl", "encodingErrors": "Bytes"}},
            "encodingErrors Bytes cannot be used with the formats Jsonl, Csv and Parquet",
        ),
        (
            {"input": {"paths": ["in"], "volume": CONFIG_MAP, "format": "Csv", "encodingErrors": "Bytes"}},
            "encodingErrors Bytes cannot be used with the formats Jsonl, Csv and Parquet",
        ),
        ({"input": {"paths": ["in"], "volume": CONFIG_MAP, "format": "Avro"}}, "spec.input.format"),
        ({"input": {"paths": ["in"], "volume": CONFIG_MAP, "maxRecordBytes": "0"}}, "spec.input.maxRecordBytes"),
        ({"output": OUTPUT | {"format": "Csv"}}, "spec.output.format"),
        ({"output": OUTPUT | {"merge": "sorted"}}, "spec.output.merge"),
        ({"output": OUTPUT | {"overwrite": "Yes"}}, "spec.output.overwrite"),
        ({"output": OUTPUT | {"compression": "Bzip2"}}, "spec.output.compression"),
        (
            {"output": OUTPUT | {"format": "Parquet", "compression": "Gzip"}},
            "compression Gzip and Zstd cannot be used with the format Parquet",
        ),
        ({"backoffLimitPerTask": -1}, "spec.backoffLimitPerTask"),
        ({"maxFailedTasks": -1}, "spec.maxFailedTasks"),
        ({"skipBadRecords": 1001}, "spec.skipBadRecords"),
        ({"taskTimeoutSeconds": 0}, "spec.taskTimeoutSeconds"),
        ({"activeDeadlineSeconds": 0}, "spec.activeDeadlineSeconds"),
        ({"ttlSecondsAfterFinished": -1}, "spec.ttlSecondsAfterFinished"),
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
        *(
            ({"workers": {"annotations": {name: "x"}}}, "container runtimes act on are reserved")
            for name in (
                "io.kubernetes.cri-o.userns-mode",
                "io.katacontainers.config.x",
                "run.oci.handler",
                "a.crio.io",
            )
        ),
        ({"input": INPUT | {"splitSize": "9999999999999999Gi"}}, "spec.input.splitSize"),
        ({"input": INPUT | {"splitSize": "99999999999999999999"}}, "spec.input.splitSize"),
        (
            {"workers": {"env": [{"name": f"A{number}", "value": "x" * 32768} for number in range(3)]}},
            "at most 65536 characters together",
        ),
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


def schema_of_spec():
    crd = yaml.safe_load((ROOT / "crds/mapreducejobs.yaml").read_text())
    return crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]


def change(team, **spec):
    """Return what the API server says to a merge patch of the spec."""
    patch = json.dumps({"spec": spec})
    return team.server.kubectl("-n", team.name, "patch", "mrjob", "wordcount", "--type=merge", "-p", patch, check=False)


def test_every_field_but_the_four_is_tried_below():
    assert set(CHANGES) | {"workers"} | MUTABLE == set(schema_of_spec())
    assert set(WORKERS) | {"replicas"} == set(schema_of_spec()["workers"]["properties"])


@pytest.mark.parametrize("field", CHANGES)
def test_a_field_of_the_spec_cannot_be_changed(team, field):
    team.submit()
    assert f"{field} cannot be changed" in change(team, **{field: CHANGES[field]})


@pytest.mark.parametrize("field", WORKERS)
def test_a_field_of_the_workers_cannot_be_changed(team, field):
    team.submit()
    assert f"workers.{field} cannot be changed" in change(team, workers={field: WORKERS[field]})


def test_a_field_that_was_given_cannot_be_taken_away(team):
    team.submit(params={"min": "3"}, image="mine:1", workers={"labels": {"a": "b"}})
    for field in ("params", "image"):
        assert f"{field} cannot be changed" in change(team, **{field: None})
    assert "workers.labels cannot be changed" in change(team, workers={"labels": None})
    assert "workers.labels cannot be changed" in change(team, workers=None)


def test_four_fields_may_be_changed_and_taken_away_again(team):
    team.submit()
    assert "patched" in change(
        team, suspend=True, activeDeadlineSeconds=60, ttlSecondsAfterFinished=0, workers={"replicas": 5}
    )
    assert "patched" in change(team, suspend=None, activeDeadlineSeconds=None, ttlSecondsAfterFinished=None)
    unchanged = team.server.apply(job(team.name), check=False)
    assert "configured" in unchanged or "unchanged" in unchanged


def test_scale_sets_the_replicas_of_a_job_that_named_none(team):
    team.submit()
    team.server.kubectl("-n", team.name, "scale", "mrjob/wordcount", "--replicas=4")
    assert team.job()["spec"]["workers"] == {"replicas": 4, "slots": 1}


def test_labels_outside_the_reserved_prefixes_are_taken(team):
    labels = {"team": "a", "kueue.x-k8s.io/queue-name": "q", "kubernetes.io": "x"}
    team.submit(workers={"labels": labels, "annotations": {"example.org/a": "b"}})


def test_defaults_come_from_the_schema(team):
    team.submit()
    spec = team.job()["spec"]
    assert spec["reducers"] == 8
    assert spec["workers"] == {"replicas": 2, "slots": 1}
    assert spec["preRunningDeadlineSeconds"] == 300
    assert {name: spec["input"][name] for name in ("format", "encodingErrors", "maxRecordBytes")} == {
        "format": "Text",
        "encodingErrors": "Strict",
        "maxRecordBytes": "64Mi",
    }
    assert spec["output"] == OUTPUT | {"format": "Tsv", "merge": "Sorted", "overwrite": "Refuse", "compression": "None"}
    assert (spec["suspend"], spec["backoffLimitPerTask"], spec["maxFailedTasks"]) == (False, 3, 0)
    assert spec["skipBadRecords"] == 0


def test_every_short_name_finds_it(team):
    team.submit()
    for name in ("mapreducejobs", "mapreducejob", "mrjob", "mrjobs", "mrj"):
        assert "wordcount" in team.server.kubectl("-n", team.name, "get", name)


def test_the_columns_are_those_of_the_design(team):
    team.submit()
    table = team.server.kubectl("-n", team.name, "get", "mrjobs")
    assert table.split("\n")[0].split() == ["NAME", "PHASE", "MAPS", "REDUCES", "WORKERS", "RETRIES", "REASON", "AGE"]


def test_a_failed_job_shows_its_reason_and_a_wide_table_its_message(team):
    team.submit()
    condition = {"type": "Failed", "status": "True", "reason": "OutputExists", "message": "out is there already"}
    status = {
        "message": "out is there already",
        "conditions": [condition | {"lastTransitionTime": "2026-01-01T00:00:00Z"}],
    }
    patch = json.dumps({"status": status})
    team.server.kubectl(
        "-n", team.name, "patch", "mrjob", "wordcount", "--subresource=status", "--type=merge", "-p", patch
    )
    assert "OutputExists" in team.server.kubectl("-n", team.name, "get", "mrjobs")
    assert "out is there already" in team.server.kubectl("-n", team.name, "get", "mrjobs", "-o", "wide")


def test_the_crd_is_small_enough_for_a_plain_apply():
    crd = yaml.safe_load((ROOT / "crds/mapreducejobs.yaml").read_text())
    assert len(json.dumps(crd)) < 60_000


def test_the_example_is_accepted(team):
    for name in ("wordcount-job.yaml", "read.yaml"):
        path = ROOT / "examples/01-wordcount" / name
        team.server.kubectl("-n", team.name, "apply", "-f", str(path))
