"""Deletion leaves nothing behind; two jobs do not disturb one another."""

from tests.support import cluster
from tests.support.cluster_jobs import assert_right, prepare, slow_word_count, submit, texts


def test_two_jobs_in_two_namespaces_run_at_once(namespace):
    files, other_files = texts(files=6, seed=1), texts(files=6, seed=2)
    with cluster.namespace() as other:
        for place, content in ((namespace, files), (other, other_files)):
            prepare(place, content)
        for place in (namespace, other):
            submit(place, slow_word_count(map_pause=0.3), workers={"replicas": 1})
        cluster.eventually(
            "both run at once",
            lambda: namespace.phase("wordcount") == other.phase("wordcount") == "Mapping",
            timeout=120,
        )
        namespace.wait_complete("wordcount")
        other.wait_complete("wordcount")
        assert_right(namespace, files)
        assert_right(other, other_files)


def test_a_job_deleted_mid_run_leaves_no_object_and_no_file(namespace):
    files = texts(files=8)
    prepare(namespace, files)
    before = namespace.files("read")
    submit(namespace, slow_word_count(map_pause=0.5))
    cluster.eventually("maps run", lambda: namespace.phase("wordcount") == "Mapping", timeout=90)
    assert namespace.files("read") != before
    namespace.kubectl("delete", "mrjob", "wordcount", "--timeout=90s")
    cluster.eventually("no Pod is left", lambda: namespace.pods() == [], timeout=60)
    maps = [item["metadata"]["name"] for item in namespace.get("configmaps")]
    assert [name for name in maps if name != "kube-root-ca.crt"] == []
    assert namespace.files("read") == before
