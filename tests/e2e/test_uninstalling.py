"""`helm uninstall` with finished jobs leaves nothing stuck; what was published stays."""

import pytest

from tests.support import cluster
from tests.support.cluster_jobs import expected, prepare, slow_word_count, submit, texts


@pytest.fixture
def installed_again(operator):
    """Install the chart again after the test."""
    yield
    cluster.deploy()


def being_deleted():
    """Return what has a deletion timestamp, of all that the operator makes or watches."""
    kinds = "mapreducejobs,pods,configmaps,persistentvolumeclaims"
    found = cluster.kubectl_json("get", kinds, "--all-namespaces")["items"]
    return [item["metadata"]["name"] for item in found if "deletionTimestamp" in item["metadata"]]


def test_no_object_waits_for_an_operator_that_is_gone(namespace, installed_again):
    files = texts(files=2)
    prepare(namespace, files)
    submit(namespace, slow_word_count())
    namespace.wait_complete("wordcount", timeout=240)
    cluster.undeploy()
    cluster.eventually("nothing is being deleted", lambda: being_deleted() == [], timeout=120, interval=1.0)
    namespace.kubectl("delete", "mrjob", "wordcount", "--timeout=30s")
    assert namespace.read("read", "out/output.tsv") == expected(files)
