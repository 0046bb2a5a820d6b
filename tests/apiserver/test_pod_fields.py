"""Which fields of a Pod a user can set: every one that Kubernetes has is tried."""

import json
import re

import msgspec
import pytest
import yaml

from mapreduce_operator.core.events import StartWorker
from mapreduce_operator.kube import fields, pods, resource
from mapreduce_operator.kube.choices import Resources, Workers
from mapreduce_operator.kube.pods import Platform
from mapreduce_operator.kube.resource import Defaults
from tests.support.apiserver import ROOT
from tests.support.operator_process import job

MARK = "set-by-the-user"
ALLOWED = {
    "nodeSelector",
    "tolerations",
    "affinity",
    "topologySpreadConstraints",
    "priorityClassName",
    "runtimeClassName",
    "imagePullSecrets",
}
"""Fields of a PodSpec. Of a container: resources and env, as literals, and the image."""
FULL = {
    "replicas": 1,
    "resources": {"requests": {"cpu": "200m"}, "limits": {"memory": "2Gi"}},
    "nodeSelector": {"disk": "fast"},
    "tolerations": [{"key": "gpu", "operator": "Equal", "value": "yes", "effect": "NoExecute", "tolerationSeconds": 5}],
    "affinity": {
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [
                    {
                        "matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}],
                        "matchFields": [{"key": "metadata.name", "operator": "NotIn", "values": ["n1"]}],
                    }
                ]
            },
            "preferredDuringSchedulingIgnoredDuringExecution": [
                {"weight": 3, "preference": {"matchExpressions": [{"key": "arch", "operator": "Exists"}]}}
            ],
        },
        "podAntiAffinity": {
            "preferredDuringSchedulingIgnoredDuringExecution": [
                {
                    "weight": 1,
                    "podAffinityTerm": {
                        "topologyKey": "kubernetes.io/hostname",
                        "labelSelector": {
                            "matchLabels": {"a": "b"},
                            "matchExpressions": [{"key": "c", "operator": "DoesNotExist"}],
                        },
                    },
                }
            ]
        },
        "podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": "zone"}]},
    },
    "topologySpreadConstraints": [
        {
            "maxSkew": 1,
            "topologyKey": "zone",
            "whenUnsatisfiable": "DoNotSchedule",
            "minDomains": 2,
            "labelSelector": {"matchLabels": {"a": "b"}},
        }
    ],
    "priorityClassName": "system-cluster-critical",
    "runtimeClassName": "sandboxed",
    "imagePullSecrets": [{"name": "registry"}],
    "env": [{"name": "LANG", "value": "C.UTF-8"}],
    "labels": {"team": "a"},
    "annotations": {"note": "b"},
}


def manifest(body, role="worker"):
    defaults = Defaults("worker:1", Resources({}, {"memory": "1Gi"}), Resources({}, {"memory": "1Gi"}))
    body["metadata"]["uid"] = "0f0f0f0f-0000"
    parsed = resource.parse(body, None, defaults)
    command = StartWorker(name="a", role=role, index=0, incarnation="1-0", serves_output=role == "gateway")
    return pods.pod(parsed, command, Platform("https://operator:8443", "CA", lambda uid, name: "word"))


def fields_of(server, kind):
    document = json.loads(server.kubectl("get", "--raw", "/openapi/v3/api/v1"))
    return sorted(document["components"]["schemas"][f"io.k8s.api.core.v1.{kind}"]["properties"])


def test_no_field_of_a_podspec_but_the_allowed_reaches_a_pod(server):
    names = fields_of(server, "PodSpec")
    assert len(names) > 35
    for name in names:
        if name in ALLOWED or name == "resources":
            # workers.resources is ours, for the container; the Pod's own is not in the allow-list.
            continue
        for value in (MARK, {MARK: MARK}, [{"name": MARK}], True):
            body = job("a", workers={name: value})
            if name != "activeDeadlineSeconds":
                # Also a field of the job's own, with another meaning.
                body["spec"][name] = value
            assert MARK not in json.dumps(manifest(body)["spec"]), name
            assert manifest(body) == manifest(job("a", workers={})), name


def test_no_field_of_a_container_but_the_allowed_reaches_a_pod(server):
    names = fields_of(server, "Container")
    assert len(names) > 20
    for name in set(names) - {"resources", "env", "image"}:
        body = job("a", workers={name: MARK, "containers": [{name: MARK}], "podTemplate": {"spec": {name: MARK}}})
        assert manifest(body) == manifest(job("a", workers={})), name


def test_an_environment_variable_is_a_literal():
    body = job("a", workers={"env": [{"name": "A", "value": "b", "valueFrom": {"secretKeyRef": {"name": MARK}}}]})
    assert MARK not in json.dumps(manifest(body))


def test_every_allowed_field_reaches_the_worker_s_pod(server, team):
    server.apply(
        {"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": {"name": "sandboxed"}, "handler": "runsc"}
    )
    team.submit(name="full", workers=FULL)
    stored = team.job("full")["spec"]["workers"]
    assert stored == FULL | {"slots": 1}, "the schema dropped something"
    worker = manifest(team.job("full"))
    for name in ALLOWED:
        assert worker["spec"][name] == FULL[name]
    (container,) = worker["spec"]["containers"]
    assert container["resources"] == {"requests": {"cpu": "200m"}, "limits": {"memory": "2Gi"}}
    assert {"name": "LANG", "value": "C.UTF-8"} in container["env"]
    assert worker["metadata"]["labels"]["team"] == "a"
    assert worker["metadata"]["annotations"] == {"note": "b", "mapreduce.dev/start": "word"}


@pytest.mark.parametrize("role", ["worker", "gateway"])
def test_the_api_server_takes_a_pod_with_every_choice_where_restricted_is_enforced(server, team, role):
    body = job(team.name, workers=FULL | {"runtimeClassName": None, "priorityClassName": None})
    made = manifest(body, role)
    made["metadata"]["name"] = f"full-{role}"
    del made["metadata"]["ownerReferences"]
    server.kubectl("create", "-f", "-", "--validate=strict", stdin=json.dumps(made).encode())


def test_schema_and_allow_list_name_the_same_fields():
    crd = yaml.safe_load((ROOT / "crds/mapreducejobs.yaml").read_text())
    spec = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    assert shape_of_schema(spec["properties"]["workers"]) == shape_of_type(Workers)
    assert shape_of_schema(spec) == shape_of_type(fields.Spec)


def shape_of_schema(schema):
    """Return the nested names of fields."""
    if "properties" in schema:
        return {name: shape_of_schema(value) for name, value in schema["properties"].items()}
    if "items" in schema:
        return [shape_of_schema(schema["items"])]
    return "map" if "additionalProperties" in schema else "leaf"


def shape_of_type(kind):
    described = msgspec.inspect.type_info(kind)
    return shape_of_info(described)


def shape_of_info(info):
    match info:
        case msgspec.inspect.StructType():
            return {field.encode_name: shape_of_info(field.type) for field in info.fields}
        case msgspec.inspect.ListType():
            return [shape_of_info(info.item_type)]
        case msgspec.inspect.DictType():
            return "map"
        case msgspec.inspect.UnionType():
            parts = [shape_of_info(part) for part in info.types if not isinstance(part, msgspec.inspect.NoneType)]
            return parts[0]
    return "leaf"


def test_no_rule_of_the_schema_can_be_met_by_an_unbounded_value():
    text = (ROOT / "crds/mapreducejobs.yaml").read_text()
    crd = yaml.safe_load(text)
    spec = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    assert list(unbounded(spec, "spec")) == []
    assert re.search(r"preserve-unknown-fields", text) is None


def unbounded(schema, path):
    """Yield the paths of strings, lists and maps without a limit."""
    kind = schema.get("type")
    limits = {"string": ("maxLength", "enum"), "array": ("maxItems",)}.get(kind, ())
    if limits and not any(limit in schema for limit in limits):
        yield path
    if "additionalProperties" in schema:
        if "maxProperties" not in schema:
            yield path
        yield from unbounded(schema["additionalProperties"], f"{path}.*")
    for name, value in schema.get("properties", {}).items():
        yield from unbounded(value, f"{path}.{name}")
    if "items" in schema:
        yield from unbounded(schema["items"], f"{path}[]")
