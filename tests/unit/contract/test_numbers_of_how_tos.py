"""Numbers that the how-tos name are those of the code and of the chart."""

import pytest
import yaml

from mapreduce_cli import run
from mapreduce_operator.core import policies
from mapreduce_operator.kube import resource
from tests.support import documents

CHART = yaml.safe_load((documents.ROOT / "helm/mapreduce-operator/values.yaml").read_text(encoding="utf-8"))
MIB = 1 << 20


def text(page: str) -> str:
    return " ".join((documents.ROOT / "docs/how-to" / page).read_text(encoding="utf-8").split())


@pytest.mark.parametrize(
    ("page", "words", "true"),
    [
        ("tune-memory.md", "keeps 192 MiB for itself", resource.AGENT_MEMORY == 192 * MIB),
        ("tune-memory.md", "none may have less than 128 MiB", resource.SLOT_MINIMUM == 128 * MIB),
        (
            "tune-memory.md",
            "default is 1 GiB for one slot: 832 MiB",
            CHART["worker"]["resources"]["limits"]["memory"] == "1Gi",
        ),
        ("tune-memory.md", "20 GiB unless", CHART["worker"]["resources"]["limits"]["ephemeral-storage"] == "20Gi"),
        ("tune-memory.md", "of the chart says, 1 GiB", CHART["gateway"]["resources"]["limits"]["memory"] == "1Gi"),
        ("tune-memory.md", "The operator** has 512 MiB", CHART["operator"]["resources"]["limits"]["memory"] == "512Mi"),
        ("tune-memory.md", "from 512 MiB to 4 GiB", run._slot_memory(10**6) == 512 * MIB),
        ("skewed-keys.md", "more than 64 MiB", policies.SKEWED_BYTES == 64 * MIB),
        ("skewed-keys.md", "more than four times the median", policies.SKEWED == 4),
        ("private-clusters.md", "of the chart is `IfNotPresent`", CHART["worker"]["imagePullPolicy"] == "IfNotPresent"),
    ],
)
def test_a_number_in_a_how_to_is_that_of_the_code(page: str, words: str, true: bool) -> None:
    assert words in text(page)
    assert true
