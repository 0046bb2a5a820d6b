"""The operator on the kind cluster, installed once a run as the README says, and one namespace a test."""

import subprocess

import pytest

from tests.support import cluster


@pytest.fixture(scope="session", autouse=True)
def operator():
    """Install the chart as it stands in this tree."""
    done = subprocess.run([cluster.ROOT / "hack/deploy"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}\n{cluster.operator_log()}"


@pytest.fixture
def namespace():
    """A namespace that enforces `restricted`."""
    with cluster.namespace() as made:
        yield made
