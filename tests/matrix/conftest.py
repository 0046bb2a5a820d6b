"""The cells of the fault matrix that need nodes, their network and the API server: `make e2e-matrix`."""

import pytest

from tests.support.cluster_fixtures import namespace, operator

__all__ = ["namespace", "operator"]

LIMIT = 900
"""Seconds a test: a node is found lost, and found again, in minutes."""


def pytest_collection_modifyitems(items):
    for item in items:
        if "tests/matrix/" in str(item.path):
            item.add_marker(pytest.mark.timeout(LIMIT))
