"""The examples on the cluster: one `kubectl apply -f`, and `mapreduce cat` prints the expected output."""

import os
import subprocess
import sys

import pytest
import yaml

from tests.support import cluster

EXAMPLES = sorted(path for path in (cluster.ROOT / "examples").glob("0*") if path.name != "01-wordcount")
OWN_IMAGE = "07-own-image"


@pytest.mark.parametrize("example", [path for path in EXAMPLES if path.name != OWN_IMAGE], ids=lambda path: path.name)
def test_the_example_gives_its_expected_output(namespace, example):
    assert printed(namespace, example) == expected(example)


@pytest.mark.feature("a module as the program", "cluster")
def test_a_job_with_its_own_image_runs_the_module_in_it(namespace):
    example = cluster.ROOT / "examples" / OWN_IMAGE
    build(example, "wordtools:1")
    assert printed(namespace, example) == expected(example)


@pytest.mark.feature("a worker of another version is refused", "cluster")
def test_a_worker_of_another_version_is_refused_and_both_versions_are_named(namespace, tmp_path):
    # An image that was built from an older release, as one that was forgotten would be.
    (tmp_path / "Dockerfile").write_text(
        f"FROM {cluster.chart_values()['worker']['image']}\n"
        "USER root\n"
        "RUN sed -i 's/^__version__ = .*/__version__ = \"0.0.9\"/' "
        "/opt/mapreduce/lib/python3*/site-packages/mapreduce/__init__.py\n"
        "USER 65532:65532\n"
    )
    build(tmp_path, "wordtools:old")
    manifest = list(yaml.safe_load_all((cluster.ROOT / "examples" / OWN_IMAGE / "job.yaml").read_text()))
    manifest[-1]["spec"]["image"] = "wordtools:old"
    namespace.apply(*manifest)
    events = cluster.eventually("the versions are told", lambda: versions(namespace), timeout=60)
    assert "0.0.9" in events


def versions(namespace):
    """Return the messages of the job that name a version."""
    status = namespace.get("mrjob", "longest").get("status", {})
    told = [str(condition["message"]) for condition in status.get("conditions", [])]
    told += [event.get("message", "") for event in namespace.get("events")]
    return " ".join(text for text in [*told, status.get("message", "")] if "0.0.9" in text)


def build(folder, image):
    """Build an image and load it into the nodes that take Pods."""
    path = f"{cluster.STATE / 'bin'}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"DOCKER_BUILDKIT": "0", "PATH": path, "KUBECONFIG": str(cluster.KUBECONFIG)}
    workers = ",".join(name for name in cluster.nodes() if "control-plane" not in name)
    for command in (
        ["docker", "build", "--quiet", "--tag", image, str(folder)],
        ["kind", "load", "docker-image", "--name", "mapreduce", "--nodes", workers, image],
    ):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)
        assert done.returncode == 0, done.stderr


def printed(namespace, example):
    """Apply the example, wait for it, and return what `mapreduce cat` prints."""
    namespace.kubectl("apply", "-f", str(example / "job.yaml"))
    name = yaml.safe_load((example / "job.yaml").read_text().split("---")[-1])["metadata"]["name"]
    namespace.wait_complete(name, timeout=240)
    command = [sys.executable, "-m", "mapreduce_cli", "cat", name, "-n", namespace.name]
    environment = os.environ | {"KUBECONFIG": str(cluster.KUBECONFIG)}
    done = subprocess.run(command, env=environment, capture_output=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def expected(example):
    """Return what the example must print."""
    (path,) = example.glob("expected.*")
    return path.read_bytes()
