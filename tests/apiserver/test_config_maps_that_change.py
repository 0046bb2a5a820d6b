"""ConfigMaps that somebody edits while a job runs: the program is kept, a changed input is told."""

from tests.support.apiserver import eventually
from tests.support.whole_jobs import (
    LINES,
    PROGRAM,
    Gate,
    assert_right,
    complete,
    maps_succeed,
    prepare,
    reference,
    submit,
    submit_held,
)


def config_map(team, name, data):
    team.server.apply(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": team.name}, "data": data}
    )


def begin(kubelet, team):
    """Run a job whose program is a ConfigMap until two maps have succeeded; return the gate of the others."""
    gate = Gate(kubelet, team)
    config_map(team, "code", {"count.py": gate.program})
    submit(team, program={"configMap": {"name": "code", "key": "count.py"}})
    maps_succeed(team)
    return gate


def test_a_job_ends_with_the_program_that_it_began_with_though_the_operator_restarts(operator, kubelet, team):
    expected = prepare(kubelet, team)
    gate = begin(kubelet, team)
    another = gate.program.replace("word, 1", "word, 2")
    assert reference(PROGRAM.format(pause=0).replace("word, 1", "word, 2")) != expected
    config_map(team, "code", {"count.py": another})
    operator.kill()
    operator.start()
    gate.open()
    complete(team)
    assert_right(kubelet, team, expected)


def test_a_program_that_is_deleted_while_its_job_runs_is_not_missed(operator, kubelet, team):
    expected = prepare(kubelet, team)
    gate = begin(kubelet, team)
    team.server.kubectl("-n", team.name, "delete", "configmap", "code")
    operator.kill()
    operator.start()
    gate.open()
    complete(team)
    assert_right(kubelet, team, expected)


def test_an_input_that_changes_while_its_job_runs_fails_the_job_with_the_name_of_the_file(operator, kubelet, team):
    kubelet.claim(team.name, "results")
    texts = {f"{number}.txt": "".join(LINES[number::6]) for number in range(6)}
    config_map(team, "words", texts)
    volume = {"configMap": {"name": "words"}}
    workers = {"replicas": 1}
    given = {"paths": ["*.txt"], "volume": volume, "splitSize": "100"}
    gate = submit_held(kubelet, team, 1, input=given, workers=workers)
    config_map(team, "words", {name: text.upper() for name, text in texts.items()})
    (gateway,) = team.pods("gateway")
    kubelet.refresh(gateway["metadata"]["name"])
    gate.open()
    failed = eventually("it failed", lambda: team.condition("Failed"))
    assert failed["reason"] == "InputChanged", failed
    assert ".txt" in failed["message"]
