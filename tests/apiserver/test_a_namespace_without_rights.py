"""Of two watched namespaces, one whose rights somebody takes away: a new operator runs the other one's jobs."""

import pytest

from tests.support.apiserver import eventually, serving
from tests.support.operator_process import OperatorProcess, Team


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """An API server of its own: rights for all namespaces must not be there."""
    with serving(tmp_path_factory.mktemp("refused")) as made:
        yield made


def test_a_namespace_without_its_rights_stops_nothing_in_the_others_and_is_served_again_with_them(place):
    shut, one = Team(place, "shut"), Team(place, "one")
    operator = OperatorProcess(place, "watchNamespaces={shut,one}")
    operator.install()
    place.kubectl("-n", "shut", "delete", "rolebinding", "--all")
    try:
        operator.start()
        one.submit()
        shut.submit()
        eventually("Pods of the one", one.pods, timeout=60)
        assert "namespace shut could not be listed" in operator.health_text()
        assert shut.pods() == []
        operator.install()
        eventually("Pods of the other", shut.pods, timeout=120)
        eventually("nothing is wrong any more", lambda: "could not" not in operator.health_text(), timeout=120)
    finally:
        operator.kill()
