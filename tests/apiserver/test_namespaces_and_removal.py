"""An operator with rights in one namespace alone, and the hook that runs before the chart is removed."""

import os
import subprocess
import sys

import pytest

from tests.support.apiserver import SYSTEM, eventually, serving
from tests.support.operator_process import OperatorProcess, Team


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """An API server of its own: rights for all namespaces must not be there."""
    with serving(tmp_path_factory.mktemp("namespaced")) as made:
        yield made


@pytest.fixture(scope="module")
def namespaced(place):
    """An operator for the namespace `watched`."""
    team = Team(place, "watched")
    made = OperatorProcess(place, "watchNamespaces={watched}")
    made.install()
    made.start()
    yield made, team
    made.kill()


def test_it_runs_the_jobs_of_its_namespaces_and_no_others(place, namespaced):
    _, watched = namespaced
    other = Team(place, "other")
    other.submit()
    watched.submit()
    eventually("Pods", lambda: len(watched.pods()) == 4)
    assert other.pods() == []
    assert "finalizers" not in other.job()["metadata"]


def hook(place):
    """Run what `helm uninstall` runs first."""
    environment = os.environ | {
        "KUBECONFIG": str(place.kubeconfig("admin")),
        "MAPREDUCE_NAMESPACE": SYSTEM,
        "MAPREDUCE_DEPLOYMENT": "mapreduce-operator",
        "MAPREDUCE_WATCH_NAMESPACES": "watched",
    }
    done = subprocess.run(
        [sys.executable, "-m", "mapreduce_operator", "uninstall"],
        env=environment,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()


def test_the_hook_ends_what_runs_and_lets_every_job_go(place, namespaced):
    operator, watched = namespaced
    watched.submit("running")
    eventually("its Pods", lambda: len([pod for pod in watched.pods() if "running" in pod["metadata"]["name"]]) == 4)
    # On a cluster the hook scales the Deployment to 0; there is none here, so the test does as it would.
    assert operator.stop() == 0
    hook(place)
    assert watched.pods() == []
    assert "finalizers" not in watched.job("running")["metadata"]
    before = place.get("-n", SYSTEM, "lease", "mapreduce-operator")["spec"]["leaseTransitions"]
    operator.start("installed-again")
    eventually("what ran is run again", lambda: [pod for pod in watched.pods() if "running" in pod["metadata"]["name"]])
    epochs = {pod["metadata"]["labels"]["mapreduce.dev/incarnation"].split("-")[0] for pod in watched.pods()}
    assert epochs == {str(before + 1)}
    place.kubectl("-n", "watched", "delete", "mrjob", "--all", "--wait=false")
    operator.stop()
    hook(place)
    assert place.get("-n", "watched", "mrjob")["items"] == []
    assert place.get("-n", SYSTEM, "lease", "mapreduce-operator")["spec"]["leaseTransitions"] >= 2, "epochs go on"
