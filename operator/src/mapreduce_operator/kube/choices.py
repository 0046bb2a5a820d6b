"""What a user may choose about Pods: the allow-list, as types.

A field that is not named here never reaches a Pod, whatever the resource holds. The schema in
`crds/` says the same to users; a test compares the two and walks the whole PodSpec.
Neighbours: `resource.py` reads these, `pods.py` writes them into manifests.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from mapreduce.spec import MAX_SLOTS, MAX_WORKERS

Quantity = int | str
Weight = Annotated[int, msgspec.Meta(ge=1, le=100)]


class _Choice(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """Reads and writes the names of the Kubernetes API; what is absent is left out again."""


class Resources(_Choice, frozen=True):
    """Requests and limits of one container."""

    requests: dict[str, Quantity] = {}
    limits: dict[str, Quantity] = {}


class Toleration(_Choice, frozen=True):
    """A taint that the Pods put up with."""

    key: str | None = None
    operator: str | None = None
    value: str | None = None
    effect: str | None = None
    toleration_seconds: int | None = None


class Expression(_Choice, frozen=True):
    """One requirement on a label or a field."""

    key: str
    operator: str
    values: list[str] | None = None


class LabelSelector(_Choice, frozen=True):
    """Which Pods are meant."""

    match_labels: dict[str, str] | None = None
    match_expressions: list[Expression] | None = None


class NodeTerm(_Choice, frozen=True):
    """Which nodes are meant."""

    match_expressions: list[Expression] | None = None
    match_fields: list[Expression] | None = None


class NodeTerms(_Choice, frozen=True):
    """Any of these terms."""

    node_selector_terms: list[NodeTerm]


class PreferredNodes(_Choice, frozen=True):
    """A term with a weight."""

    weight: Weight
    preference: NodeTerm


class NodeAffinity(_Choice, frozen=True):
    """On which nodes the workers must or should run."""

    required_during_scheduling_ignored_during_execution: NodeTerms | None = None
    preferred_during_scheduling_ignored_during_execution: list[PreferredNodes] | None = None


class PodTerm(_Choice, frozen=True):
    """Pods of the job's own namespace, and the topology in which they are near or far."""

    topology_key: str
    label_selector: LabelSelector | None = None


class PreferredPods(_Choice, frozen=True):
    """A term with a weight."""

    weight: Weight
    pod_affinity_term: PodTerm


class PodAffinity(_Choice, frozen=True):
    """Near which Pods the workers must or should run, or far from which."""

    required_during_scheduling_ignored_during_execution: list[PodTerm] | None = None
    preferred_during_scheduling_ignored_during_execution: list[PreferredPods] | None = None


class Affinity(_Choice, frozen=True):
    """Where the workers must or should run."""

    node_affinity: NodeAffinity | None = None
    pod_affinity: PodAffinity | None = None
    pod_anti_affinity: PodAffinity | None = None


class SpreadConstraint(_Choice, frozen=True):
    """How evenly the workers are spread."""

    max_skew: Annotated[int, msgspec.Meta(ge=1)]
    topology_key: str
    when_unsatisfiable: str
    min_domains: Annotated[int, msgspec.Meta(ge=1)] | None = None
    label_selector: LabelSelector | None = None


class PullSecret(_Choice, frozen=True):
    """The name of a Secret that the kubelet, not the Pod, reads."""

    name: str


class EnvVar(_Choice, frozen=True):
    """A literal: never a reference to a Secret or a field."""

    name: str
    value: str


class Workers(_Choice, frozen=True):
    """`spec.workers`."""

    replicas: Annotated[int, msgspec.Meta(ge=1, le=MAX_WORKERS)] = 2
    slots: Annotated[int, msgspec.Meta(ge=1, le=MAX_SLOTS)] = 1
    resources: Resources = Resources()
    node_selector: dict[str, str] | None = None
    tolerations: list[Toleration] | None = None
    affinity: Affinity | None = None
    topology_spread_constraints: list[SpreadConstraint] | None = None
    priority_class_name: str | None = None
    runtime_class_name: str | None = None
    image_pull_secrets: list[PullSecret] | None = None
    env: list[EnvVar] = []
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


EVERY_POD = ("tolerations", "priority_class_name", "image_pull_secrets")
"""Fields of `Workers` that hold for gateways as well: their Pods must start in the same namespace,
under the same rules, from the same image."""
WORKERS_ONLY = ("node_selector", "affinity", "topology_spread_constraints", "runtime_class_name")
"""A gateway runs where its claim is, and runs no user code."""


def pod_fields(workers: Workers, names: tuple[str, ...]) -> dict[str, Any]:
    """Return these choices as fields of a PodSpec; those that were not made are absent."""
    chosen: dict[str, Any] = msgspec.to_builtins(workers)
    renamed = {_camel(name) for name in names}
    return {name: value for name, value in chosen.items() if name in renamed}


def _camel(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(word.capitalize() for word in tail)
