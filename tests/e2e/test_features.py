"""Each feature gives the same bytes on the cluster as on one machine: the same cases, as resources."""

import json
from collections.abc import Iterator

import msgspec
import pytest

from tests.support import cluster
from tests.support.cluster import Namespace
from tests.support.features import formats
from tests.support.features.case import Case, resource
from tests.support.features.cases import CASES

AT_ONCE = 4
"""Jobs that run at the same time: more of them only wait for each other on a small machine."""


@pytest.fixture(scope="module")
def features() -> Iterator[Namespace]:
    """A namespace with the input of every case on one claim."""
    with cluster.namespace() as namespace:
        namespace.claim("data")
        namespace.shell_pod("shell", "data")
        inputs = {f"{case.name}/in/{name}": content for case in CASES for name, content in case.files.items()}
        namespace.write_all("shell", inputs)
        yield namespace


class Submitted(msgspec.Struct):
    """The cases that were submitted so far: a few ahead of the test that runs."""

    count: int = 0


@pytest.fixture(scope="module")
def submitted() -> Submitted:
    return Submitted()


@pytest.mark.parametrize(
    ("number", "case"),
    [
        pytest.param(number, case, marks=pytest.mark.feature(case.feature, "cluster"), id=case.name)
        for number, case in enumerate(CASES)
    ],
)
def test_the_feature_gives_the_bytes_that_it_must(
    features: Namespace, submitted: Submitted, number: int, case: Case
) -> None:
    # Started in the middle, as for one test alone, those before it are not wanted.
    submitted.count = max(submitted.count, number)
    while submitted.count < min(number + AT_ONCE, len(CASES)):
        submit(features, CASES[submitted.count])
        submitted.count += 1
    features.wait_complete(case.name, timeout=240)
    found = features.read_all("shell", f"out/{case.name}")
    data = {name: formats.plain(name, content) for name, content in found.items() if not name.startswith("_")}
    assert data == case.output
    assert found.get("_bad_records.jsonl", b"") == case.bad_records
    assert json.loads(found["_manifest.json"]).get("counters", {}) == case.counters
    status = features.get("mrjob", case.name)["status"]
    assert status.get("counters", {}) == case.counters
    assert status.get("badRecords", 0) == case.bad_records.count(b"\n")


def submit(namespace: Namespace, case: Case) -> None:
    """Apply a case's program and job."""
    files = {"job.py": case.program} | {name: content.decode() for name, content in case.side_files.items()}
    namespace.apply(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": case.name}, "data": files},
        {
            "apiVersion": "mapreduce.dev/v1alpha1",
            "kind": "MapReduceJob",
            "metadata": {"name": case.name},
            "spec": resource(case),
        },
    )
