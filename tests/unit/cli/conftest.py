"""A cluster in memory for the commands that talk to one."""

import contextlib

import pytest

from mapreduce_cli.cluster import connection, past_logs
from tests.support.fake_cluster import FakeCluster
from tests.support.transfer_pipe import LocalPipe


@pytest.fixture
def cluster(monkeypatch):
    """The cluster that every command finds; the context's namespace is `default`."""
    made = FakeCluster()
    monkeypatch.setattr(connection, "connect", lambda target: (made, "default"))
    return made


@pytest.fixture
def volume(cluster, monkeypatch, tmp_path):
    """The claim that the jobs write to, as a folder of this machine."""
    cluster.put("persistentvolumeclaims", {"metadata": {"name": "results"}, "spec": {}})

    @contextlib.contextmanager
    def pod(*_):
        yield type("Pod", (), {"start": staticmethod(lambda **task: LocalPipe(tmp_path, **task))})

    monkeypatch.setattr(past_logs, "helper_pod", pod)
    return tmp_path
