"""Nodes stop, wires are cut, containers are killed, the API server goes away: the same bytes a little later.

Each test proves by the history that its fault hit.
"""

import time

from tests.support import cluster, history_checker, node_faults
from tests.support.cluster_jobs import assert_right, prepare, slow_word_count, submit, texts

OPERATOR = "app.kubernetes.io/name=mapreduce-operator"
SPREAD = {
    "maxSkew": 1,
    "topologyKey": "kubernetes.io/hostname",
    "whenUnsatisfiable": "ScheduleAnyway",
    "labelSelector": {"matchLabels": {"mapreduce.dev/role": "worker"}},
}


def status(namespace, kind, field):
    return namespace.get("mrjob", "wordcount").get("status", {}).get(kind, {}).get(field, 0)


def operator_pod():
    (pod,) = cluster.kubectl_json("-n", cluster.SYSTEM, "get", "pods", "-l", OPERATOR)["items"]
    return pod


def other_than(node):
    return next(name for name in cluster.nodes() if name not in (node, node_faults.CONTROL_PLANE))


def prepare_on(namespace, files, node):
    """Bind both claims to one node, and load the input."""
    for claim, shell in (("texts", "load"), ("results", "read")):
        namespace.claim(claim)
        namespace.shell_pod(shell, claim, node)
    namespace.write_all("load", files)


def addresses(namespace, role):
    return {pod["metadata"]["name"]: pod["status"]["podIP"] for pod in namespace.pods(role)}


def running(namespace, count):
    """Wait until so many workers are registered and as many maps run."""
    cluster.eventually("workers are there", lambda: status(namespace, "workers", "ready") == count, timeout=120)
    cluster.eventually("maps run", lambda: status(namespace, "map", "active") == count, timeout=120)


def test_a_paused_node_costs_the_work_of_its_workers_only(namespace):
    here = operator_pod()["spec"]["nodeName"]
    away = other_than(here)
    files = texts(files=12)
    prepare_on(namespace, files, here)
    submit(namespace, slow_word_count(map_pause=1), workers={"replicas": 4, "topologySpreadConstraints": [SPREAD]})
    running(namespace, 4)
    victims = {pod["metadata"]["name"] for pod in namespace.pods("worker") if pod["spec"]["nodeName"] == away}
    assert victims
    with node_faults.paused(away):
        namespace.wait_complete("wordcount")
        events = assert_right(namespace, files)
    hit = {event["worker"] for event in history_checker.named(events, "Lost")}
    assert hit, f"the pause of {victims} hit nothing"
    assert hit | history_checker.holders_of_what_ran_again(events) <= victims


def test_while_the_gateways_node_is_paused_the_job_waits_and_says_why(namespace):
    away = other_than(operator_pod()["spec"]["nodeName"])
    files = texts(files=8)
    prepare_on(namespace, files, away)
    submit(namespace, slow_word_count(map_pause=0.5), workers={"replicas": 2})
    cluster.eventually("maps run", lambda: status(namespace, "map", "active") >= 1, timeout=120)

    def told():
        return "waiting for the gateway" in namespace.get("mrjob", "wordcount")["status"].get("message", "")

    with node_faults.paused(away):
        cluster.eventually("the job says that it waits for a gateway", told, timeout=120)
    namespace.wait_complete("wordcount")
    assert_right(namespace, files)


def test_a_container_that_is_killed_whole_is_replaced(namespace):
    files = texts(files=8)
    prepare(namespace, files)
    submit(namespace, slow_word_count(map_pause=0.5), workers={"replicas": 2})
    running(namespace, 2)
    victim = namespace.pods("worker")[0]
    node_faults.kill_container(victim)
    namespace.wait_complete("wordcount")
    events = assert_right(namespace, files)
    name = victim["metadata"]["name"]
    assert history_checker.lost_on(events, name), f"the end of {name} hit nothing"


def test_a_worker_that_is_cut_off_from_the_master_is_replaced(namespace):
    files = texts(files=10)
    prepare(namespace, files)
    submit(namespace, slow_word_count(map_pause=1), workers={"replicas": 2})
    running(namespace, 2)
    name, address = min(addresses(namespace, "worker").items())
    with node_faults.cut(address, operator_pod()["status"]["podIP"]):
        namespace.wait_complete("wordcount")
        events = assert_right(namespace, files)
    assert history_checker.lost_on(events, name), f"the cut of {name} hit nothing"


def test_what_no_reducer_can_read_from_a_worker_is_made_again(namespace):
    files = texts(files=10)
    prepare(namespace, files)
    submit(namespace, slow_word_count(map_pause=0.5, reduce_pause=0.2), workers={"replicas": 2})
    running(namespace, 2)
    first, second = sorted(addresses(namespace, "worker").values())
    with node_faults.cut(first, second):
        namespace.wait_complete("wordcount")
        events = assert_right(namespace, files)
    charged = [event for event in history_checker.named(events, "Charged") if event.get("budget") == "segments"]
    assert charged, "no reducer missed anything"
    assert history_checker.assigned_again_after_finishing(events), "no map was made again"


def test_two_minutes_without_an_api_server_cost_no_work(namespace):
    files = texts(files=14)
    prepare(namespace, files)
    submit(namespace, slow_word_count(map_pause=2), workers={"replicas": 2})
    running(namespace, 2)
    with node_faults.api_server_away():
        began = time.time()
        node_faults.on_wall(120)
        ended = time.time()
    namespace.wait_complete("wordcount")
    events = assert_right(namespace, files)
    finished = [event for event in history_checker.named(events, "Finished") if began < event["wall"] < ended]
    assert finished, "nothing went on meanwhile"
    assert history_checker.assigned_again_after_finishing(events) == []
