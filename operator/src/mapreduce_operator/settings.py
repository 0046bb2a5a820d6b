"""What the operator is told by its environment: the chart's values, as a frozen value.

Neighbours: `helm/mapreduce-operator/templates/deployment.yaml` sets these variables,
`__main__.py` reads them once.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from mapreduce import logs
from mapreduce.errors import UsageError
from mapreduce.spec import Timing
from mapreduce_operator.kube.choices import Resources

_peers_of: Final = msgspec.json.Decoder(tuple[dict[str, Any], ...]).decode
_resources_of: Final = msgspec.json.Decoder(Resources).decode


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """One operator process.

    namespace: its own, where the Lease is. pod_uid: names this Pod in the Lease. master: the URL
    by which Pods reach it. tls: the folder with tls.crt, tls.key and ca.crt. watch: the
    namespaces whose jobs are run, all of them if empty.
    """

    namespace: str
    pod_uid: str
    lease_name: str = "mapreduce-operator"
    watch: tuple[str, ...] = ()
    log_level: str = "info"
    log_format: str = "text"
    """Of this process and of the Pods that it makes: text, or json."""
    master: str = ""
    tls: Path = Path("/var/run/mapreduce/tls")
    # A Pod's own network; NetworkPolicy says who may come.
    bind: str = "0.0.0.0"  # noqa: S104 - see above
    rpc_port: int = 8443
    health_port: int = 8080
    metrics_port: int = 0
    """Where /metrics is served, also by Pods of jobs; nowhere if 0."""
    scrapers: tuple[dict[str, Any], ...] = ()
    """Who may read them: peers of a NetworkPolicy."""
    worker_image: str = ""
    worker_pull_policy: str = "IfNotPresent"
    worker_resources: Resources = Resources()
    gateway_resources: Resources = Resources()
    timing: Timing = Timing()
    deployment: str = ""
    """The Deployment that the uninstall hook ends."""


def read(environment: Mapping[str, str] = os.environ) -> Settings:
    """Return the settings; raises `UsageError` that names the variable at fault."""
    defaults = {field.name: field.default for field in msgspec.structs.fields(Settings)}

    def text(name: str, default: str) -> str:
        return environment.get(name) or default

    def number(name: str, default: float) -> float:
        try:
            return float(text(name, str(default)))
        except ValueError as error:
            raise UsageError(f"{name}: {environment[name]!r} is no number") from error

    def resources(name: str) -> Resources:
        try:
            return _resources_of(text(name, "{}"))
        except msgspec.DecodeError as error:
            raise UsageError(f"{name}: {error}") from error

    def peers(name: str) -> tuple[dict[str, Any], ...]:
        try:
            return _peers_of(text(name, "[]"))
        except msgspec.DecodeError as error:
            raise UsageError(f"{name}: {error}") from error

    namespace = environment.get("MAPREDUCE_NAMESPACE")
    if not namespace:
        raise UsageError("MAPREDUCE_NAMESPACE is not set: the namespace of the operator's Lease")
    return Settings(
        namespace=namespace,
        pod_uid=text("MAPREDUCE_POD_UID", platform.node() or "operator"),
        lease_name=text("MAPREDUCE_LEASE_NAME", str(defaults["lease_name"])),
        watch=tuple(name.strip() for name in text("MAPREDUCE_WATCH_NAMESPACES", "").split(",") if name.strip()),
        log_level=text("MAPREDUCE_LOG_LEVEL", str(defaults["log_level"])),
        log_format=_log_format(text("MAPREDUCE_LOG_FORMAT", str(defaults["log_format"]))),
        master=text("MAPREDUCE_MASTER_URL", ""),
        tls=Path(text("MAPREDUCE_TLS", str(defaults["tls"]))),
        bind=text("MAPREDUCE_BIND", str(defaults["bind"])),
        rpc_port=int(number("MAPREDUCE_RPC_PORT", 8443)),
        health_port=int(number("MAPREDUCE_HEALTH_PORT", 8080)),
        metrics_port=int(number("MAPREDUCE_METRICS_PORT", 0)),
        scrapers=peers("MAPREDUCE_METRICS_FROM"),
        worker_image=text("MAPREDUCE_WORKER_IMAGE", ""),
        worker_pull_policy=text("MAPREDUCE_WORKER_PULL_POLICY", str(defaults["worker_pull_policy"])),
        worker_resources=resources("MAPREDUCE_WORKER_RESOURCES"),
        gateway_resources=resources("MAPREDUCE_GATEWAY_RESOURCES"),
        timing=Timing(lease=number("MAPREDUCE_LEASE_SECONDS", 15.0), beat=number("MAPREDUCE_BEAT_SECONDS", 3.0)),
        deployment=text("MAPREDUCE_DEPLOYMENT", ""),
    )


def _log_format(name: str) -> str:
    if name not in logs.FORMATS:
        raise UsageError(f"MAPREDUCE_LOG_FORMAT: {name!r} is none of {', '.join(logs.FORMATS)}")
    return name
