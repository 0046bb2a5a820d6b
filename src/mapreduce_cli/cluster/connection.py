"""From --kubeconfig, --context and --namespace to a connected `Api`.

Neighbours: `api.py` (requests), `commands.py` (the options).
"""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from mapreduce_cli.cluster.problems import Refused, Unreachable

if TYPE_CHECKING:
    from mapreduce_cli.cluster.api import Api

_ACCOUNT_NAMESPACE: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


class Target(msgspec.Struct, frozen=True):
    """Which cluster and namespace the user means; empty says: what kubectl would take."""

    kubeconfig: str = ""
    context: str = ""
    namespace: str = ""


class Connection:
    """One command's way to the cluster, made when it is first needed: importing the client takes a second."""

    def __init__(self, target: Target) -> None:
        self._target = target

    @cached_property
    def _connected(self) -> tuple[Api, str]:
        return connect(self._target)

    @property
    def api(self) -> Api:
        """Requests to the API server; raises `Unreachable` or `Refused`."""
        return self._connected[0]

    @property
    def namespace(self) -> str:
        """The namespace that the user chose, or that of the context."""
        return self._target.namespace or self._connected[1]


def connect(target: Target) -> tuple[Api, str]:
    """Return the API and the namespace that the context names.

    Raises `Unreachable` where no cluster is configured, `Refused` for a context that does not exist.
    """
    import urllib3  # noqa: PLC0415 - as below
    from kubernetes import config  # noqa: PLC0415 - a second of imports that only these commands need
    from kubernetes.client import ApiClient, Configuration  # noqa: PLC0415 - as above

    from mapreduce_cli.cluster.api import Api  # noqa: PLC0415 - as above

    # Who writes insecure-skip-tls-verify into a kubeconfig knows it; kubectl does not repeat it either.
    urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    configuration = Configuration()
    # A cluster that is not there must be told of at once, and not after three more tries.
    configuration.retries = 0
    files = target.kubeconfig or os.environ.get("KUBECONFIG") or os.path.expanduser("~/.kube/config")
    there = [name for name in files.split(os.pathsep) if name and os.path.exists(name)]
    try:
        if not there and not target.kubeconfig and os.environ.get("KUBERNETES_SERVICE_HOST"):
            config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]  # the library's
            return Api(ApiClient(configuration)), _own_namespace()
        if not there:
            raise Unreachable(
                f"no cluster is configured: {files} does not exist",
                hint="name a kubeconfig file with --kubeconfig or KUBECONFIG",
            )
        namespace = _context_namespace(files, target.context)
        config.load_kube_config(  # type: ignore[no-untyped-call]  # the library's
            files, target.context or None, configuration, persist_config=False
        )
    except config.ConfigException as error:
        raise Unreachable(f"the kubeconfig {files} cannot be used: {error}") from error
    except (OSError, ValueError, AttributeError, TypeError, KeyError) as error:
        # What the loader says of a file that is no kubeconfig at all.
        raise Unreachable(f"{files} is no kubeconfig: {type(error).__name__}: {error}") from error
    return Api(ApiClient(configuration)), namespace


def _context_namespace(files: str, wanted: str) -> str:
    from kubernetes import config  # noqa: PLC0415 - a second of imports that only these commands need

    contexts, active = config.list_kube_config_contexts(files)  # type: ignore[no-untyped-call]  # the library's
    chosen = active
    if wanted:
        named = {known["name"]: known for known in contexts}
        if wanted not in named:
            raise Refused(f"{files} has no context {wanted!r}", hint=f"it has {', '.join(sorted(named))}")
        chosen = named[wanted]
    return str((chosen or {}).get("context", {}).get("namespace") or "default")


def _own_namespace() -> str:
    try:
        return _ACCOUNT_NAMESPACE.read_text().strip() or "default"
    except OSError:
        return "default"
