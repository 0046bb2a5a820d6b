"""`helm uninstall`, whatever the jobs do, leaves nothing stuck; what was published or staged stays."""

import pytest

from tests.support import cluster
from tests.support.cluster_jobs import assert_right, expected, prepare, slow_word_count, submit, texts


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


def test_a_job_that_runs_is_let_go_and_the_next_installation_ends_it(namespace, installed_again):
    files = texts(files=8)
    prepare(namespace, files)
    submit(namespace, slow_word_count(map_pause=0.05, reduce_pause=3), workers={"replicas": 2})
    cluster.eventually("it reduces", lambda: namespace.phase("wordcount") == "Reducing", timeout=240)
    cluster.undeploy()
    assert all("deletionTimestamp" in pod["metadata"] for pod in namespace.pods())
    cluster.eventually("nothing is being deleted", lambda: being_deleted() == [], timeout=120, interval=1.0)
    left = namespace.get("mrjob", "wordcount")
    assert "finalizers" not in left["metadata"]
    assert namespace.condition("wordcount", "Complete") is None
    cluster.deploy()
    namespace.wait_complete("wordcount", timeout=240)
    assert_right(namespace, files)


def test_a_job_that_runs_can_be_deleted_without_an_operator(namespace, installed_again):
    files = texts(files=8)
    prepare(namespace, files)
    submit(namespace, slow_word_count(map_pause=0.2), workers={"replicas": 2})
    cluster.eventually("it maps", lambda: namespace.phase("wordcount") == "Mapping", timeout=240)
    cluster.undeploy()
    namespace.kubectl("delete", "mrjob", "wordcount", "--timeout=30s")
    cluster.eventually("no Pod is left", lambda: namespace.pods() == [], timeout=60)
