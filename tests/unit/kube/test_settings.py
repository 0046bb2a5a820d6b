"""The operator's environment as a value."""

import pytest

from mapreduce.errors import UsageError
from mapreduce.spec import Timing
from mapreduce_operator import settings
from mapreduce_operator.kube.choices import Resources


def test_only_the_namespace_must_be_there():
    read = settings.read({"MAPREDUCE_NAMESPACE": "system"})
    assert (read.namespace, read.watch, read.rpc_port, read.timing) == ("system", (), 8443, Timing())


def test_every_variable_is_read():
    read = settings.read(
        {
            "MAPREDUCE_NAMESPACE": "system",
            "MAPREDUCE_POD_UID": "u",
            "MAPREDUCE_WATCH_NAMESPACES": "a, b",
            "MAPREDUCE_WORKER_RESOURCES": '{"limits": {"memory": "1Gi"}}',
            "MAPREDUCE_LEASE_SECONDS": "600",
            "MAPREDUCE_BEAT_SECONDS": "1.5",
            "MAPREDUCE_METRICS_PORT": "9090",
            "MAPREDUCE_METRICS_FROM": '[{"podSelector": {}}]',
        }
    )
    assert read.watch == ("a", "b")
    assert read.worker_resources == Resources({}, {"memory": "1Gi"})
    assert read.timing == Timing(lease=600.0, beat=1.5)
    assert (read.metrics_port, read.scrapers) == (9090, ({"podSelector": {}},))


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("MAPREDUCE_LEASE_SECONDS", "soon"),
        ("MAPREDUCE_WORKER_RESOURCES", "{"),
        ("MAPREDUCE_METRICS_FROM", "x"),
        ("MAPREDUCE_LOG_FORMAT", "xml"),
        ("MAPREDUCE_NAMESPACE", ""),
    ],
)
def test_a_value_that_makes_no_sense_names_its_variable(variable, value):
    with pytest.raises(UsageError, match=variable):
        settings.read({"MAPREDUCE_NAMESPACE": "system", variable: value})
