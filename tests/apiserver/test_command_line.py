"""The command line as a program of its own against a real API server: what its schema and rules say."""

import json
import os
import subprocess
import sys

import pytest
import yaml

from tests.support.apiserver import SYSTEM
from tests.support.submitted import WORD_COUNT

PLACES = ("--input", "pvc:texts/in", "--output", "pvc:results/counts")


class CommandLine:
    """`mapreduce` with the admin's kubeconfig, in a namespace where no operator works."""

    def __init__(self, server, namespace):
        self.server = server
        self.namespace = namespace
        server.kubectl("create", "namespace", namespace)

    def run(self, *words, stdin=None, kubeconfig=None):
        environment = os.environ | {"KUBECONFIG": str(kubeconfig or self.server.kubeconfig("admin"))}
        command = [sys.executable, "-m", "mapreduce_cli", *words, "-n", self.namespace]
        return subprocess.run(
            command, input=stdin, env=environment, capture_output=True, text=True, check=False, timeout=60
        )

    def json(self, *words):
        return json.loads(self.run(*words, "--json").stdout)

    def job(self, name):
        return self.server.get("-n", self.namespace, "mrjob", name)


@pytest.fixture
def line(server, request):
    return CommandLine(server, f"line-{abs(hash(request.node.name)) % 10**8}")


@pytest.fixture
def program(tmp_path):
    path = tmp_path / "job.py"
    path.write_text(WORD_COUNT)
    return str(path)


def test_every_field_that_an_option_sets_is_in_the_schema(line, program, tmp_path):
    (tmp_path / "stop.txt").write_text("a\n")
    options = (
        *("--param", "least=3", "--reducers", "3", "--workers", "4", "--slots", "2", "--split-size", "1Mi"),
        *("--format", "jsonl", "--encoding-errors", "replace", "--max-record", "2Mi", "--max-failed-tasks", "1"),
        *("--output-format", "jsonl", "--merge", "none", "--compress", "zstd", "--overwrite"),
        *("--image", "mine:1", "--memory", "1Gi", "--cpu", "500m", "--env", "A=b=c", "--deadline", "60", "--ttl", "0"),
        *("--suspend", "--files", str(tmp_path / "stop.txt")),
    )
    done = line.run("submit", f"{program}:WordCount", *PLACES, *options, "--name", "wc")
    assert (done.returncode, done.stderr) == (0, "")
    asked = json.loads(line.run("submit", program, *PLACES, *options, "--name", "wc", "--dry-run", "--json").stdout)
    stored = line.job("wc")
    for name, value in asked["documents"][1]["spec"].items():
        kept = stored["spec"][name]
        assert name == "program" or kept == (kept | value if isinstance(value, dict) else value)
    source = line.server.get("-n", line.namespace, "configmap", "wc-source")
    assert sorted(source["data"]) == ["job.py", "stop.txt"]
    assert source["metadata"]["ownerReferences"][0]["uid"] == stored["metadata"]["uid"]


def test_a_field_that_the_schema_does_not_know_is_refused_and_named(line, program):
    made = yaml.safe_load(line.run("submit", program, *PLACES, "--name", "wc", "--dry-run").stdout)
    made["spec"]["reducer"] = 3
    done = line.run("submit", "-", stdin=yaml.safe_dump(made))
    assert done.returncode == 2
    assert 'unknown field "spec.reducer"' in done.stderr


def test_validation_makes_nothing_and_tells_the_rules(line, program, tmp_path):
    path = tmp_path / "job.yaml"
    path.write_text(line.run("submit", program, *PLACES, "--name", "wc", "--dry-run").stdout)
    good = line.json("validate", str(path))
    assert good["valid"] is True
    assert [finding["verdict"] for finding in good["findings"]] == ["ok", "ok", "note", "note"]
    path.write_text(path.read_text() + "  reducers: 0\n")
    bad = line.json("validate", str(path))
    assert bad["valid"] is False
    assert any("reducers must be at least 1" in finding["text"] for finding in bad["findings"])
    assert line.json("get") == {"items": []}


def test_a_job_is_suspended_resumed_run_again_and_deleted(line, program):
    assert line.run("submit", program, *PLACES, "--name", "wc").stdout == "wc: submitted\n"
    assert line.run("suspend", "wc").stdout == "wc: suspended\n"
    assert line.job("wc")["spec"]["suspend"] is True
    assert line.run("resume", "wc").stdout == "wc: resumed\n"
    assert line.job("wc")["spec"].get("suspend", False) is False
    assert line.run("rerun", "wc", "--name", "wc-2", "--output", "counts-2").returncode == 0
    assert line.job("wc-2")["spec"] == line.job("wc")["spec"] | {
        "output": line.job("wc")["spec"]["output"] | {"path": "counts-2"}
    }
    assert [found["metadata"]["name"] for found in line.json("get")["items"]] == ["wc", "wc-2"]
    described = line.run("describe", "wc").stdout
    assert "claimName: texts" in described
    explained = line.json("explain", "wc")
    assert [reason["text"] for reason in explained["reasons"]][:2] == [
        "the claim 'results' does not exist in its namespace",
        "the claim 'texts' does not exist in its namespace",
    ]
    assert line.run("delete", "wc", "wc-2", "--wait").returncode == 0
    assert line.json("get") == {"items": []}


def test_the_pod_of_a_copy_is_admitted_where_restricted_is_enforced(line, tmp_path):
    line.server.kubectl("label", "namespace", line.namespace, "pod-security.kubernetes.io/enforce=restricted")
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    metadata = {"name": "data", "namespace": line.namespace}
    line.server.apply({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": claim})
    (tmp_path / "a.txt").write_text("x")
    done = line.run("cp", str(tmp_path / "a.txt"), "pvc:data/", "--timeout", "1")
    assert done.returncode == 1, "there is no node, so it never runs"
    assert "no Pod for the claim within 1 s" in done.stderr
    left = line.server.get("-n", line.namespace, "pods")["items"]
    assert [pod for pod in left if not pod["metadata"].get("deletionTimestamp")] == []


def test_what_a_user_may_not_do_is_told_in_the_clusters_words(line, program):
    """The operator's account may not create jobs."""
    done = line.run("submit", program, *PLACES, kubeconfig=line.server.kubeconfig("operator"))
    assert done.returncode == 2
    assert f"system:serviceaccount:{SYSTEM}:mapreduce-operator" in done.stderr
    assert "cannot create" in done.stderr
    assert "Traceback" not in done.stderr


def test_credentials_that_are_not_accepted_are_told_as_such(line, tmp_path):
    path = tmp_path / "kubeconfig"
    text = line.server.kubeconfig("admin").read_text().replace("token: admin", "token: nobody")
    path.write_text(text)
    done = line.run("get", kubeconfig=path)
    assert done.returncode == 3
    assert "does not accept your credentials" in done.stderr


def test_a_cluster_that_is_not_there_is_unreachable(line, tmp_path):
    path = tmp_path / "kubeconfig"
    path.write_text(line.server.kubeconfig("admin").read_text().replace(line.server.url, "https://127.0.0.1:1"))
    done = line.run("get", kubeconfig=path)
    assert done.returncode == 3
    assert "the cluster at https://127.0.0.1:1 cannot be reached: " in done.stderr
    assert len(done.stderr.split("\n")) == 3, "one line and a hint"
