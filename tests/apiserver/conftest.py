"""One API server and one operator a run; one namespace a test."""

import itertools
import sys

import pytest

from tests.support.apiserver import serving
from tests.support.kubelet import Kubelet
from tests.support.operator_process import OperatorProcess, Team

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """A kube-apiserver that has the CRD by plain `kubectl apply`."""
    with serving(tmp_path_factory.mktemp("apiserver")) as made:
        yield made


@pytest.fixture(scope="session")
def running_operator(server):
    """An operator with the chart's rights and settings."""
    made = OperatorProcess(server)
    made.install()
    made.start()
    yield made
    made.kill()


@pytest.fixture
def operator(running_operator):
    """The operator; what it said is shown where the test fails."""
    before = len(running_operator.log())
    yield running_operator
    sys.stdout.write(running_operator.log()[before:])


@pytest.fixture
def team(server):
    """A namespace of its own."""
    return Team(server, f"team-{next(_numbers)}")


@pytest.fixture(scope="module")
def kubelet(server, running_operator, tmp_path_factory):
    """What runs Pods of the namespaces in which a test asks for a claim's folder."""
    made = Kubelet(server, tmp_path_factory.mktemp("kubelet"))
    yield made
    made.close()
