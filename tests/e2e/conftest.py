"""The operator on the kind cluster, installed once a run as the README says, and one namespace a test."""

import pytest

from tests.support.cluster_fixtures import namespace, operator

__all__ = ["namespace", "operator"]

LIMIT = 420
"""Seconds a test: most of it is Pods starting, several processes a core."""


def pytest_collection_modifyitems(items):
    for item in items:
        if "tests/e2e/" in str(item.path):
            item.add_marker(pytest.mark.timeout(LIMIT))
