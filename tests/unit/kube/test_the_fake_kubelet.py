"""The kubelet of the tests lets go of every Pod that is bound, as the real one does."""

import itertools
import urllib.error
from email.message import Message
from typing import Any

import pytest

from tests.support.kubelet import Kubelet


class Server:
    """Answers what the kubelet asks for as `Bystander` says."""

    url = ""

    def __init__(self, request):
        self.request = request


class Bystander(Kubelet):
    """Looks when it is told to, at Pods in a list; `faults` are what calls are answered with, by their end."""

    def __init__(self, folder, *pods):
        self.called = []
        self.faults = {}
        self.pods = list(pods)
        server: Any = Server(self.answered)
        super().__init__(server, folder)
        self._namespaces.add("team")

    def _run(self):
        pass

    def answered(self, method, path, body=None):
        if method == "GET":
            return {"items": self.pods}
        self.called.append((method, path.rpartition("/")[2]))
        for end in [end for end in self.faults if path.endswith(end)]:
            raise urllib.error.HTTPError(path, self.faults.pop(end), "no", Message(), None)
        return {}


def pod(*, bound, deleted=False):
    gone = {"deletionTimestamp": "2026-11-22T10:00:00Z"} if deleted else {}
    labels = {"mapreduce.dev/role": "worker"}
    metadata = {"name": "w-0", "namespace": "team", "uid": "uid", "labels": labels} | gone
    spec = {"volumes": [], "containers": [{"name": "worker", "env": [], "volumeMounts": []}]}
    return {"metadata": metadata, "spec": spec | ({"nodeName": "here"} if bound else {})}


def test_a_pod_that_was_bound_and_never_ran_goes_when_it_is_deleted(tmp_path):
    kubelet = Bystander(tmp_path, pod(bound=True, deleted=True))
    kubelet._look()
    assert kubelet.called == [("DELETE", "w-0?gracePeriodSeconds=0")]


def test_a_deletion_that_met_another_write_is_made_again(tmp_path):
    kubelet = Bystander(tmp_path, pod(bound=True, deleted=True))
    kubelet.faults = {"w-0?gracePeriodSeconds=0": 409}
    kubelet._look()
    kubelet._look()
    assert kubelet.called == [("DELETE", "w-0?gracePeriodSeconds=0")] * 2


@pytest.mark.parametrize("lost", ["binding", "status"])
def test_a_pod_whose_binding_or_status_was_not_answered_runs_all_the_same(tmp_path, lost):
    kubelet = Bystander(tmp_path, pod(bound=False))
    kubelet.faults = {lost: 504}
    kubelet._numbers = itertools.count(2)
    kubelet._look()
    assert not kubelet._pods
    kubelet.pods = [pod(bound=True)]
    kubelet._look()
    assert [running.pod["metadata"]["name"] for running in kubelet._pods.values()] == ["w-0"]
    assert [called for called in kubelet.called if called == ("POST", "binding")] == [("POST", "binding")]
    kubelet.close()


def test_a_kubelet_that_ends_lets_its_bound_pods_go_as_no_other_would(tmp_path):
    kubelet = Bystander(tmp_path, pod(bound=True))
    kubelet.close()
    assert kubelet.called == [("DELETE", "w-0?gracePeriodSeconds=0")]
