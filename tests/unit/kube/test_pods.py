"""The manifests of a job's objects."""

from pathlib import Path

import msgspec
import pytest

from mapreduce import words
from mapreduce_operator.kube import pods, resource, restricted
from tests.support.kube_objects import DEFAULTS, PLATFORM, UID, body, parsed, start

ROOT = Path(__file__).resolve().parents[3]
CONFIG_MAP_INPUT = {"paths": ["*"], "volume": {"configMap": {"name": "texts"}}}
SAME_CLAIM = {"path": "out", "volume": {"persistentVolumeClaim": {"claimName": "texts"}}}


def made(role="worker", serves=(), **spec):
    command = start(role, serves_input="input" in serves, serves_output="output" in serves)
    return pods.pod(parsed(**spec), command, PLATFORM)


def environment(pod):
    return {variable["name"]: variable["value"] for variable in pod["spec"]["containers"][0]["env"]}


def image(pod):
    """Return the image and when it is pulled."""
    (container,) = pod["spec"]["containers"]
    return container["image"], container["imagePullPolicy"]


def mounts(pod):
    """Return what is mounted where: (source, read-only) by path."""
    sources = {volume.pop("name"): volume for volume in pod["spec"]["volumes"]}
    return {
        mount["mountPath"]: (sources[mount["name"]], mount.get("readOnly", False))
        for mount in pod["spec"]["containers"][0]["volumeMounts"]
        if mount["mountPath"].startswith("/mnt")
    }


def test_every_pod_meets_the_restricted_standard():
    for pod in (made(), made("gateway", ("input", "output"))):
        security = pod["spec"]["securityContext"]
        assert security["runAsNonRoot"] is True
        assert security["runAsUser"] == 65532
        assert security["fsGroup"] == 65532
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}
        (container,) = pod["spec"]["containers"]
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert pod["spec"]["automountServiceAccountToken"] is False
        assert pod["spec"]["restartPolicy"] == "Never"
        assert pod["spec"]["terminationGracePeriodSeconds"] == 10


def test_a_pod_has_one_token_and_it_is_for_us_alone():
    tokens = [
        source["serviceAccountToken"]
        for volume in made()["spec"]["volumes"]
        for source in volume.get("projected", {}).get("sources", [])
    ]
    assert tokens == [{"audience": "mapreduce.dev", "expirationSeconds": 3600, "path": "token"}]


def test_a_pod_belongs_to_its_job_and_says_so():
    metadata = made()["metadata"]
    assert metadata["ownerReferences"] == [
        {
            "apiVersion": "mapreduce.dev/v1alpha1",
            "kind": "MapReduceJob",
            "name": "wordcount",
            "uid": UID,
            "controller": True,
        }
    ]
    assert metadata["labels"] == {
        "app.kubernetes.io/managed-by": "mapreduce-operator",
        "app.kubernetes.io/name": "mapreduce-worker",
        "mapreduce.dev/job": "wordcount",
        "mapreduce.dev/job-uid": UID,
        "mapreduce.dev/role": "worker",
        "mapreduce.dev/index": "0",
        "mapreduce.dev/incarnation": "1-0",
    }


def test_a_user_s_label_cannot_replace_one_of_ours():
    job = parsed(workers={"labels": {"team": "a"}})
    assert pods.pod(job, start(), PLATFORM)["metadata"]["labels"]["team"] == "a"
    assert pods.pod(job, start(), PLATFORM)["metadata"]["labels"]["mapreduce.dev/role"] == "worker"


def test_requests_and_a_limit_of_memory_are_always_there():
    for pod in (made(), made("gateway", ("output",))):
        resources = pod["spec"]["containers"][0]["resources"]
        assert set(resources["requests"]) >= {"cpu", "memory"}
        assert set(resources["limits"]) == {"memory", "ephemeral-storage"}, "a limit on the CPU would delay beats"


def test_scratch_is_as_large_as_the_limit_of_ephemeral_storage():
    job = {"resources": {"limits": {"ephemeral-storage": "2Gi"}}}
    volumes = {volume["name"]: volume for volume in made(workers=job)["spec"]["volumes"]}
    assert volumes["scratch"]["emptyDir"] == {"sizeLimit": str(2 << 30)}


def test_a_worker_mounts_no_volume_of_the_user():
    assert mounts(made()) == {}
    assert not any(name.startswith("MAPREDUCE_ROOT") for name in environment(made()))


def test_a_worker_is_told_its_master_its_slots_and_their_memory():
    told = environment(made(workers={"slots": 3}))
    assert told["MAPREDUCE_MASTER"] == PLATFORM.master
    assert told["MAPREDUCE_ROLE"] == "worker"
    assert told["MAPREDUCE_SLOTS"] == "3"
    assert int(told["MAPREDUCE_SLOT_MEMORY"]) > 0
    assert told["MAPREDUCE_DATA_PORT"] == "8444"
    assert told["PYTHONHASHSEED"] == "0"


def test_a_pod_is_told_how_long_it_may_serve_after_it_was_asked_to_end():
    for pod in (made(), made("gateway", ("output",))):
        assert environment(pod)["MAPREDUCE_GRACE"] == str(pod["spec"]["terminationGracePeriodSeconds"])


def test_a_user_s_variable_reaches_workers_only_and_cannot_replace_one_of_ours():
    workers = {"env": [{"name": "LANG", "value": "C"}, {"name": "HOME", "value": "/root"}]}
    assert environment(made(workers=workers))["LANG"] == "C"
    assert environment(made(workers=workers))["HOME"] == "/tmp"
    assert "LANG" not in environment(made("gateway", ("output",), workers=workers))


def test_an_annotation_of_the_user_s_reaches_workers_only():
    workers = {"annotations": {"example.org/note": "a"}}
    assert set(made(workers=workers)["metadata"]["annotations"]) == {"example.org/note", words.ANNOTATION_START}
    assert set(made("gateway", ("output",), workers=workers)["metadata"]["annotations"]) == {words.ANNOTATION_START}


def test_an_image_of_the_user_s_runs_in_workers_alone_and_never_where_a_claim_is_mounted():
    pinned = body(metadata={"annotations": {words.ANNOTATION_IMAGE: "mine:2"}})
    for job in (parsed(image="mine:2"), resource.parse(pinned, None, DEFAULTS)):
        assert image(pods.pod(job, start(), PLATFORM)) == ("mine:2", "IfNotPresent")
        for serves in ({"serves_output": True}, {"serves_input": True}):
            assert image(pods.pod(job, start("gateway", **serves), PLATFORM)) == ("worker:1", "IfNotPresent")


def test_two_claims_are_each_mounted_by_a_gateway_of_their_own():
    output, source = made("gateway", ("output",)), made("gateway", ("input",))
    assert mounts(output) == {"/mnt/output": ({"persistentVolumeClaim": {"claimName": "results"}}, False)}
    assert mounts(source) == {"/mnt/input": ({"persistentVolumeClaim": {"claimName": "texts"}}, True)}
    assert environment(output)["MAPREDUCE_ROOT_OUTPUT"] == "/mnt/output"
    assert environment(source)["MAPREDUCE_ROOT_INPUT"] == "/mnt/input"


def test_one_claim_for_both_is_mounted_once():
    pod = made("gateway", ("input", "output"), output=SAME_CLAIM)
    assert mounts(pod) == {"/mnt/output": ({"persistentVolumeClaim": {"claimName": "texts"}}, False)}
    assert environment(pod)["MAPREDUCE_ROOT_INPUT"] == "/mnt/output"


def test_a_config_map_is_mounted_by_the_gateway_of_the_output():
    pod = made("gateway", ("input", "output"), input=CONFIG_MAP_INPUT)
    assert mounts(pod) == {
        "/mnt/output": ({"persistentVolumeClaim": {"claimName": "results"}}, False),
        "/mnt/input": ({"configMap": {"name": "texts"}}, True),
    }
    assert environment(pod)["MAPREDUCE_INPUT_IDENTITY"] == "content"
    assert "MAPREDUCE_INPUT_IDENTITY" not in environment(made("gateway", ("input",)))


def test_where_workers_run_does_not_move_gateways_which_run_where_their_claim_is():
    workers = {"nodeSelector": {"a": "b"}, "tolerations": [{"operator": "Exists"}], "imagePullSecrets": [{"name": "s"}]}
    worker, gateway = made(workers=workers), made("gateway", ("output",), workers=workers)
    assert worker["spec"]["nodeSelector"] == {"a": "b"}
    assert "nodeSelector" not in gateway["spec"]
    for pod in (worker, gateway):
        assert pod["spec"]["tolerations"] == [{"operator": "Exists"}]
        assert pod["spec"]["imagePullSecrets"] == [{"name": "s"}]


def test_the_ca_comes_by_a_config_map_whose_name_changes_with_it():
    owner = parsed().owner
    config_map = pods.ca_config_map(owner, PLATFORM)
    assert config_map["data"] == {"ca.crt": PLATFORM.ca}
    mounted = [volume["configMap"]["name"] for volume in made()["spec"]["volumes"] if "configMap" in volume]
    assert mounted == [config_map["metadata"]["name"]]
    renewed = pods.Platform(master=PLATFORM.master, ca="another", word=PLATFORM.word)
    assert pods.ca_name(owner, renewed) != pods.ca_name(owner, PLATFORM)


def test_only_pods_of_the_same_job_reach_a_job_s_pods():
    spec = pods.network_policy(parsed().owner, PLATFORM)["spec"]
    same = {"matchLabels": {"mapreduce.dev/job-uid": UID}}
    assert spec == {
        "podSelector": same,
        "policyTypes": ["Ingress"],
        "ingress": [{"from": [{"podSelector": same}], "ports": [{"port": 8444, "protocol": "TCP"}]}],
    }


def test_scrapers_reach_the_metrics_of_a_job_s_pods_and_nothing_else():
    peer = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
    platform = msgspec.structs.replace(PLATFORM, metrics=True, scrapers=(peer,))
    data, scrape = pods.network_policy(parsed().owner, platform)["spec"]["ingress"]
    assert [data] == pods.network_policy(parsed().owner, PLATFORM)["spec"]["ingress"]
    assert scrape == {"from": [peer], "ports": [{"port": 9090, "protocol": "TCP"}]}
    nobody = msgspec.structs.replace(platform, scrapers=())
    assert pods.network_policy(parsed().owner, nobody)["spec"]["ingress"] == [data]


@pytest.mark.parametrize("role", ["worker", "gateway"])
def test_a_pod_serves_metrics_where_the_platform_has_them(role):
    platform = msgspec.structs.replace(PLATFORM, metrics=True)
    with_metrics = pods.pod(parsed(), start(role), platform)
    assert [port["name"] for port in with_metrics["spec"]["containers"][0]["ports"]] == ["data", "metrics"]
    told = environment(with_metrics)
    assert told["MAPREDUCE_METRICS_PORT"] == "9090"
    assert told["MAPREDUCE_SCRATCH_LIMIT"] == str((20 if role == "worker" else 4) << 30)
    without = made(role)
    assert [port["name"] for port in without["spec"]["containers"][0]["ports"]] == ["data"]
    assert environment(without).keys() == told.keys() - {"MAPREDUCE_METRICS_PORT", "MAPREDUCE_SCRATCH_LIMIT"}


@pytest.mark.parametrize("of", ["worker", "operator"])
def test_the_user_of_the_pods_is_that_of_the_images(of):
    lines = (ROOT / of / "Dockerfile").read_text().splitlines()
    assert f"USER {restricted.USER}:{restricted.USER}" in lines
