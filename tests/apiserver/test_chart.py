"""The chart: the rights that it gives, what it keeps, and what it refuses."""

import base64
import itertools
import subprocess
from urllib.parse import urlsplit

import pytest
import yaml

from tests.support.apiserver import PATH, ROOT, SYSTEM, program, render_chart

CHART = ROOT / "helm/mapreduce-operator"

JOBS = {
    "mapreduce.dev/mapreducejobs: delete get list patch watch",
    "mapreduce.dev/mapreducejobs/status: patch",
    "/pods: create delete get list watch",
    "/configmaps: create get",
    "/persistentvolumeclaims: get",
    "/events: create",
    "networking.k8s.io/networkpolicies: create",
}
REVIEWS = {"authentication.k8s.io/tokenreviews: create"}
LEASE = {"coordination.k8s.io/leases: create", "coordination.k8s.io/leases[mapreduce-operator]: get update"}
REMOVAL_JOBS = {"mapreduce.dev/mapreducejobs: list patch", "/pods: delete list"}
REMOVAL = {"apps/deployments/scale[mapreduce-operator]: patch"}


def rights(documents):
    """Return what each account may do where: (account, namespace or '*') -> lines."""
    rules = {
        (document["kind"], place(document), name(document)): document["rules"]
        for document in documents
        if "rules" in document
    }
    given: dict[tuple[str, str], set[str]] = {}
    for document in documents:
        if not document["kind"].endswith("RoleBinding"):
            continue
        reference = document["roleRef"]
        where = place(document)
        lines = rules[reference["kind"], where, reference["name"]]
        for subject in document["subjects"]:
            given.setdefault((subject["name"], where), set()).update(line for rule in lines for line in spelled(rule))
    return given


def place(document):
    return document["metadata"].get("namespace", "*")


def name(document):
    return document["metadata"]["name"]


def spelled(rule):
    names = f"[{' '.join(rule['resourceNames'])}]" if "resourceNames" in rule else ""
    for group in rule["apiGroups"]:
        for resource in rule["resources"]:
            yield f"{group}/{resource}{names}: {' '.join(sorted(rule['verbs']))}"


def test_the_rights_for_all_namespaces_are_these_and_no_others():
    assert rights(render_chart()) == {
        ("mapreduce-operator", "*"): JOBS | REVIEWS,
        ("mapreduce-operator", SYSTEM): LEASE,
        ("mapreduce-operator-uninstall", "*"): REMOVAL_JOBS,
        ("mapreduce-operator-uninstall", SYSTEM): REMOVAL | LEASE,
    }


def test_the_rights_for_two_namespaces_end_there():
    given = rights(render_chart("watchNamespaces={a,b}"))
    assert given == {
        ("mapreduce-operator", "*"): REVIEWS,
        ("mapreduce-operator", SYSTEM): LEASE,
        ("mapreduce-operator", "a"): JOBS,
        ("mapreduce-operator", "b"): JOBS,
        ("mapreduce-operator-uninstall", SYSTEM): REMOVAL | LEASE,
        ("mapreduce-operator-uninstall", "a"): REMOVAL_JOBS,
        ("mapreduce-operator-uninstall", "b"): REMOVAL_JOBS,
    }


def test_no_right_is_a_wildcard_or_reaches_secrets_or_exec():
    for lines in rights(render_chart()).values():
        for line in lines:
            assert "*" not in line
            assert "secrets" not in line
            assert "exec" not in line


def test_the_chart_carries_the_crd_as_it_is():
    for crd in (ROOT / "crds").iterdir():
        assert (CHART / "crds" / crd.name).read_bytes() == crd.read_bytes()


def test_every_value_has_a_line_above_it_that_says_what_it_is():
    lines = (CHART / "values.yaml").read_text().split("\n")
    undocumented = []
    for before, line in itertools.pairwise(lines):
        content = line.strip()
        is_value = ":" in content and not content.startswith("#")
        # A group of values, and the two lines inside `resources`, are told by their neighbours.
        is_group = content.endswith(":") or content.startswith(("requests:", "limits:"))
        if is_value and not is_group and not before.strip().startswith("#"):
            undocumented.append(content)
    assert undocumented == []


def test_the_schema_knows_every_value_and_refuses_any_other():
    done = helm("template", "mapreduce", str(CHART), "--set", "operator.imagee=x")
    assert done.returncode != 0
    assert "imagee" in done.stderr
    done = helm("template", "mapreduce", str(CHART), "--set", "worker.resources.limits.memory=null")
    assert done.returncode != 0


def test_only_namespaces_whose_jobs_are_run_reach_the_operator():
    def admitted(*settings):
        policy = next(document for document in render_chart(*settings) if document["kind"] == "NetworkPolicy")
        (peer,) = policy["spec"]["ingress"][0]["from"]
        assert peer["podSelector"] == {"matchLabels": {"app.kubernetes.io/managed-by": "mapreduce-operator"}}
        return peer["namespaceSelector"]

    assert admitted() == {}
    named = {"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["a", "b"]}
    assert admitted("watchNamespaces={a,b}") == {"matchExpressions": [named]}


def ports(documents, kind):
    document = next(document for document in documents if document["kind"] == kind)
    spec = document["spec"]
    found = spec["ports"] if kind == "Service" else spec["template"]["spec"]["containers"][0]["ports"]
    return [port["name"] for port in found]


def scrapers(documents):
    """Return the peers that reach the port of the metrics."""
    policy = next(document for document in documents if document["kind"] == "NetworkPolicy")
    return [
        rule.get("from")
        for rule in policy["spec"]["ingress"]
        if {"port": "metrics", "protocol": "TCP"} in rule["ports"]
    ]


def test_metrics_are_for_one_namespace_until_somebody_says_otherwise():
    documents = render_chart()
    monitoring = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
    assert scrapers(documents) == [[monitoring]]
    assert ports(documents, "Service") == ["rpc", "metrics"]
    assert ports(documents, "Deployment") == ["rpc", "health", "metrics"]
    assert scrapers(render_chart("metrics.from[0].podSelector.matchLabels.app=prometheus")) == [
        [{"podSelector": {"matchLabels": {"app": "prometheus"}}}]
    ]


def test_an_empty_list_of_scrapers_lets_in_nobody():
    assert scrapers(render_chart("metrics.from=null")) == []


def test_without_metrics_nothing_of_them_is_there():
    documents = render_chart("metrics.enabled=false")
    assert scrapers(documents) == []
    assert ports(documents, "Service") == ["rpc"]
    assert ports(documents, "Deployment") == ["rpc", "health"]
    assert "MAPREDUCE_METRICS" not in str(documents)


def monitoring(*settings):
    """Return what the chart makes for a Prometheus Operator and a Grafana, by kind and name."""
    kinds = {"PodMonitor", "ServiceMonitor", "PrometheusRule", "ConfigMap"}
    return {(made["kind"], name(made)): made for made in render_chart(*settings) if made["kind"] in kinds}


def test_what_others_resources_are_needed_for_is_made_on_request_alone():
    assert monitoring() == {}
    asked = [f"metrics.{part}.enabled=true" for part in ("podMonitor", "rules", "dashboard")]
    assert set(monitoring(*asked)) == {
        ("PodMonitor", "mapreduce-operator"),
        ("PodMonitor", "mapreduce-operator-jobs"),
        ("PrometheusRule", "mapreduce-operator"),
        ("ConfigMap", "mapreduce-operator-dashboard"),
    }
    assert monitoring(*asked, "metrics.enabled=false") == {}


def test_the_rules_are_those_of_the_file_with_the_pages_where_they_can_be_read():
    told = ("metrics.rules.enabled=true", "metrics.rules.runbooks=https://wiki.example/runbooks/")
    (made,) = monitoring(*told, "metrics.rules.labels.release=prometheus").values()
    assert made["metadata"]["labels"]["release"] == "prometheus"
    text = (CHART / "files/alerts.yaml").read_text()
    assert made["spec"] == yaml.safe_load(text.replace("docs/runbooks/", "https://wiki.example/runbooks/"))


def test_the_dashboard_is_the_file_for_grafana_s_sidecar():
    (made,) = monitoring("metrics.dashboard.enabled=true").values()
    assert made["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert made["data"] == {"mapreduce.json": (CHART / "files/dashboard.json").read_text()}


def test_pods_of_jobs_are_scraped_where_jobs_are_run_under_their_jobs_name():
    made = monitoring("metrics.podMonitor.enabled=true")["PodMonitor", "mapreduce-operator-jobs"]["spec"]
    assert made["namespaceSelector"] == {"any": True}
    (endpoint,) = made["podMetricsEndpoints"]
    assert endpoint["relabelings"] == [
        {"sourceLabels": ["__meta_kubernetes_pod_label_mapreduce_dev_job"], "targetLabel": "mrjob"}
    ]
    both = monitoring("metrics.podMonitor.enabled=true", "watchNamespaces={a,b}")
    assert both["PodMonitor", "mapreduce-operator-jobs"]["spec"]["namespaceSelector"] == {"matchNames": ["a", "b"]}
    (own,) = both["PodMonitor", "mapreduce-operator"]["spec"]["podMetricsEndpoints"]
    assert own == {"port": "metrics", "honorLabels": True}


@pytest.mark.parametrize("kind", ["Deployment", "Job"])
def test_our_own_pods_meet_the_restricted_standard(server, kind):
    document = next(document for document in render_chart() if document["kind"] == kind)
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": f"as-{kind.lower()}", "namespace": "restricted"},
        "spec": document["spec"]["template"]["spec"],
    }
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "restricted", "labels": labels}}
    server.apply(namespace, pod)


def test_an_installation_keeps_its_certificate_when_it_is_upgraded(server):
    config = str(server.kubeconfig("admin"))
    where = ["--namespace", "charted", "--kubeconfig", config]
    # Another namespace than the operator of the other tests, whose rights are its own.
    secrets = []
    for words in (["install", "--create-namespace"], ["upgrade", "--set", "operator.logLevel=debug"]):
        done = helm(words[0], "mapreduce", str(CHART), "--skip-crds", *words[1:], *where)
        assert done.returncode == 0, done.stderr
        secrets.append(server.get("-n", "charted", "secret", "mapreduce-operator-tls")["data"])
    assert secrets[0] == secrets[1]
    deployment = server.get("-n", "charted", "deployment", "mapreduce-operator")
    environment = deployment["spec"]["template"]["spec"]["containers"][0]["env"]
    assert {"name": "MAPREDUCE_LOG_LEVEL", "value": "debug"} in environment
    assert helm("uninstall", "mapreduce", "--no-hooks", *where).returncode == 0


def helm(*words):
    return subprocess.run(
        [program("helm"), *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
        env={"PATH": PATH, "HOME": "/nonexistent"},
    )


def test_the_certificate_is_for_the_service_and_passes_strict_checks(tmp_path):
    secret = next(document for document in render_chart() if document["kind"] == "Secret")
    for part in ("ca.crt", "tls.crt"):
        (tmp_path / part).write_bytes(base64.b64decode(secret["data"][part]))
    deployment = next(document for document in render_chart() if document["kind"] == "Deployment")
    environment = deployment["spec"]["template"]["spec"]["containers"][0]["env"]
    url = next(variable["value"] for variable in environment if variable["name"] == "MAPREDUCE_MASTER_URL")
    host = urlsplit(url).hostname
    # Python checks as strictly as this since 3.13.
    words = ["openssl", "verify", "-x509_strict", "-verify_hostname", host, "-CAfile", "ca.crt", "tls.crt"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_images_and_version_are_those_of_the_distributions():
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    assert values["operator"]["image"] == f"mapreduce-operator:{chart['appVersion']}"
    assert values["worker"]["image"] == f"mapreduce-worker:{chart['appVersion']}"
    assert f'\nversion = "{chart["appVersion"]}"\n' in (ROOT / "operator/pyproject.toml").read_text()
