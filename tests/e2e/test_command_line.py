"""The command line on the cluster, as a program of its own: data in, a job, data out."""

import os
import pathlib
import re
import signal
import subprocess
import sys

import pytest

from tests.support import cluster
from tests.support.cluster_jobs import expected, slow_word_count, texts

COMMAND = (sys.executable, "-m", "mapreduce_cli")


class User:
    """Somebody with a terminal, in one namespace."""

    def __init__(self, namespace, folder):
        self.namespace = namespace
        self.folder = folder
        self.environment = os.environ | {"KUBECONFIG": str(cluster.KUBECONFIG)}

    def words(self, *words):
        return [*COMMAND, *words, "-n", self.namespace.name]

    def run(self, *words, status=0):
        done = subprocess.run(
            self.words(*words), cwd=self.folder, env=self.environment, capture_output=True, check=False, timeout=200
        )
        assert done.returncode == status, f"{words}: exit {done.returncode}\n{done.stderr.decode()}"
        return done


@pytest.fixture
def user(namespace, tmp_path):
    return User(namespace, tmp_path)


def copying(namespace):
    """The Pods of copies that are not being deleted."""
    pods = [pod for pod in namespace.get("pods") if pod["metadata"]["name"].startswith("mapreduce-copy-")]
    return [pod for pod in pods if not pod["metadata"].get("deletionTimestamp")]


def write(folder, files):
    for name, content in files.items():
        path = pathlib.Path(folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


@pytest.mark.feature("rerun", "cluster")
@pytest.mark.feature("submit, cp and cat", "cluster")
def test_data_goes_in_a_job_runs_and_its_output_comes_out(user, namespace):
    files = texts(files=3)
    write(user.folder, files | {"job.py": slow_word_count().encode()})
    namespace.claim("data")
    user.run("cp", "in", "pvc:data/texts")
    places = ("--input", "pvc:data/texts", "--output", "pvc:data/counts")
    done = user.run("submit", "job.py", *places, "--name", "wc", "--wait")
    assert b"pvc:data/counts: " in done.stdout
    assert user.run("cat", "wc").stdout == expected(files)
    user.run("cp", "pvc:data/counts", "counts")
    assert pathlib.Path(user.folder, "counts", "output.tsv").read_bytes() == expected(files)
    user.run("rerun", "wc", "--name", "wc-again", "--output", "counts-again", "--wait")
    assert user.run("cat", "wc-again").stdout == expected(files)
    again = user.run("submit", "job.py", *places, "--name", "wc-2", "--wait", status=2)
    assert b"OutputExists" in again.stderr
    assert copying(namespace) == []


@pytest.mark.feature("submit, cp and cat", "cluster")
def test_an_interrupted_copy_leaves_neither_a_pod_nor_half_a_file(user, namespace):
    write(user.folder, {"large": os.urandom(1 << 20) * 400, "small": b"x"})
    namespace.claim("data")
    user.run("cp", "small", "pvc:data/small")
    copy = subprocess.Popen(user.words("cp", "large", "pvc:data/large"), cwd=user.folder, env=user.environment)
    try:
        pod = cluster.eventually("its Pod runs", lambda: [p for p in copying(namespace) if _runs(p)])[0]
        name = pod["metadata"]["name"]
        cluster.eventually("some of it is there", lambda: b".large." in _listing(namespace, name))
        copy.send_signal(signal.SIGINT)
        assert copy.wait(30) == 130
    finally:
        copy.kill()
        copy.wait()
    assert copying(namespace) == []
    user.run("cp", "pvc:data/", "back")
    assert os.listdir(user.folder / "back") == ["small"]
    namespace.shell_pod("look", "data")
    assert [name for name in namespace.files("look") if not re.fullmatch("small", name)] == []


def _runs(pod):
    return pod["status"].get("phase") == "Running"


def _listing(namespace, pod):
    return namespace.kubectl("exec", pod, "--", "ls", "-a", "/data", check=False)


@pytest.mark.feature("explain", "cluster")
def test_a_job_that_cannot_begin_is_explained(user, namespace):
    write(user.folder, {"job.py": slow_word_count().encode()})
    namespace.claim("results")
    places = ("--input", "pvc:absent/in", "--output", "pvc:results/out")
    user.run("submit", "job.py", *places, "--name", "wc")
    cluster.eventually(
        "its cause is told", lambda: b"the claim 'absent' does not exist" in user.run("explain", "wc").stdout
    )
    user.run("delete", "wc", "--wait")
    assert namespace.get("mrjobs") == []


@pytest.mark.feature("get, describe and logs", "cluster")
def test_a_job_that_runs_is_seen_held_and_let_go_on(user, namespace):
    files = texts(files=6)
    write(user.folder, files | {"job.py": slow_word_count(map_pause=0.5).encode()})
    namespace.claim("data")
    user.run("cp", "in", "pvc:data/texts")
    places = ("--input", "pvc:data/texts", "--output", "pvc:data/counts", "--split-size", "1Ki")
    user.run("submit", "job.py", *places, "--name", "wc")
    cluster.eventually("it maps", lambda: re.search(rb"wc +Mapping +[1-9]/6", user.run("get").stdout), timeout=120)
    assert b"registered as" in user.run("logs", "wc").stdout
    user.run("suspend", "wc")
    cluster.eventually("it is held", lambda: b"Suspended" in user.run("describe", "wc").stdout, timeout=90)
    user.run("resume", "wc")
    namespace.wait_complete("wc", timeout=200)
    assert user.run("cat", "wc").stdout == expected(files)
