"""A cluster in memory for the commands that talk to one."""

import pytest

from mapreduce_cli.cluster import connection
from tests.support.fake_cluster import FakeCluster


@pytest.fixture
def cluster(monkeypatch):
    """The cluster that every command finds; the context's namespace is `default`."""
    made = FakeCluster()
    monkeypatch.setattr(connection, "connect", lambda target: (made, "default"))
    return made
