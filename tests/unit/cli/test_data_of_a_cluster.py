"""What cp and cat refuse before any Pod is made, and the Pod that they make."""

import pytest

from mapreduce_cli.cluster import helper_pod, volumes
from mapreduce_cli.cluster.helper_pod import PodPlan
from mapreduce_cli.cluster.problems import Refused
from mapreduce_cli.cluster.refs import Ref
from tests.support.fake_cluster import over, run, run_json


def claim(cluster, name, mode="ReadWriteOnce"):
    cluster.put("persistentvolumeclaims", {"metadata": {"name": name}, "spec": {"accessModes": [mode]}})


def user_of(claim_name, node, phase="Running"):
    return {
        "metadata": {"name": "user"},
        "spec": {
            "nodeName": node,
            "tolerations": [{"key": "dedicated", "operator": "Exists"}],
            "volumes": [{"name": "d", "persistentVolumeClaim": {"claimName": claim_name}}],
        },
        "status": {"phase": phase},
    }


def place(cluster, name, image=""):
    return helper_pod.plan_for(cluster, "default", name, image=image, read_only=True)


@pytest.mark.parametrize("read_only", [True, False])
def test_the_pod_passes_the_restricted_standard(read_only):
    spec = helper_pod.manifest(PodPlan(claim="data", image="i", read_only=read_only), "p")["spec"]
    (container,) = spec["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert spec["securityContext"]["runAsNonRoot"]
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["automountServiceAccountToken"] is False
    assert container["resources"]["limits"]["memory"]
    assert container["volumeMounts"] == [{"name": "data", "mountPath": "/data", "readOnly": read_only}]


def test_a_claim_that_is_in_use_is_mounted_where_it_is_used(cluster):
    claim(cluster, "data")
    cluster.put("pods", user_of("data", "node-2"))
    found = place(cluster, "data")
    assert found.node == "node-2"
    spec = helper_pod.manifest(found, "p")["spec"]
    term = spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    assert term == [{"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["node-2"]}]}]
    assert spec["tolerations"] == [{"key": "dedicated", "operator": "Exists"}]


@pytest.mark.parametrize(("mode", "phase"), [("ReadWriteMany", "Running"), ("ReadWriteOnce", "Succeeded")])
def test_a_claim_that_is_free_is_mounted_anywhere(cluster, mode, phase):
    claim(cluster, "data", mode)
    cluster.put("pods", user_of("data", "node-2", phase))
    assert place(cluster, "data").node == ""


def test_the_image_is_the_users_or_that_of_a_job_here_or_this_versions(cluster):
    claim(cluster, "data")
    assert place(cluster, "data").image.startswith("mapreduce-worker:")
    annotations = {"mapreduce.dev/worker-image": "registry.invalid/worker:2"}
    cluster.job("wordcount")["metadata"]["annotations"] = annotations
    assert place(cluster, "data").image == "registry.invalid/worker:2"
    assert place(cluster, "data", "mine:1").image == "mine:1"


def test_a_claim_that_does_not_exist_is_told_before_a_pod_is_made(cluster, tmp_path):
    done = run("cp", str(tmp_path), "pvc:absent/in")
    assert done.exit_code == 2
    assert "no claim 'absent' in namespace 'default'" in done.stderr
    assert cluster.list_all(Ref("pods")) == []


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("absent.txt", "pvc:data/in"), "absent.txt does not exist"),
        (("pvc:data/a", "pvc:data/b"), "one side of a copy is on this machine"),
        (("a", "b"), "is no place on a volume"),
        (("pvc:data/a", "pvc:other/b", "here/"), "one copy reads one claim"),
        (("pvc:data/../b", "here"), "leaves the volume"),
        (("pvc:/b", "here"), "names no claim"),
    ],
)
def test_what_cannot_be_copied_is_refused(cluster, words, expected):
    done = run("cp", *words)
    assert done.exit_code == 2
    assert expected in done.stderr


@pytest.mark.parametrize(
    ("text", "name", "path"),
    [("pvc:data", "data", ""), ("pvc:data/", "data", ""), ("pvc:data/a//b/", "data", "a/b/"), ("pvc:d/./a", "d", "a")],
)
def test_a_place_is_read_as_it_is_written(text, name, path):
    found = volumes.parse(text)
    assert (found.name, found.path) == (name, path)


def test_a_file_of_this_machine_is_no_place():
    assert not volumes.is_place("./pvc")
    with pytest.raises(Refused):
        volumes.parse("configmap:texts/x", ("pvc",))


def test_a_job_that_runs_has_no_output_yet(cluster):
    cluster.job("wordcount", {"phase": "Mapping"})
    done = run("cat", "wordcount")
    assert done.exit_code == 2
    assert "wordcount is Mapping: its output appears when it is complete" in done.stderr


def test_a_job_that_failed_has_no_output_and_cat_says_why(cluster):
    cluster.job("wordcount", over("Failed", "UserCodeFailed", "map-0 failed"))
    done = run("cat", "wordcount")
    assert done.exit_code == 1
    assert "wordcount failed and has no output: UserCodeFailed: map-0 failed" in done.stderr
    assert run_json("cat", "wordcount")["error"]["message"].startswith("wordcount failed")
