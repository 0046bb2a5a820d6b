"""What every test on the kind cluster stands on: the operator of this tree, and a namespace of its own.

Imported by the conftest of each folder of such tests.
"""

from collections.abc import Iterator

import pytest

from tests.support import cluster
from tests.support.cluster import Namespace


@pytest.fixture(scope="session", autouse=True)
def operator() -> None:
    """Install the chart as it stands in this tree, as the README says."""
    cluster.deploy()


@pytest.fixture
def namespace() -> Iterator[Namespace]:
    """A namespace that enforces `restricted`."""
    with cluster.namespace() as made:
        yield made
