"""What a worker or gateway process is told by its environment; see `read`.

Neighbours: `__main__` reads them once; the drivers of the operator set them.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from mapreduce.errors import UsageError
from mapreduce.protocol import Role

MAX_TOKEN = 64 << 10
GRACE_SECONDS = 10.0
"""How long a process has after SIGTERM, unless it is told otherwise."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """One process's settings; sizes in bytes.

    master: URL of the master. ca: its CA certificate, for https. token_file is read anew for each
    registration, token_fd once. data_host and data_port: where the data server listens (0: any
    port). root_input and root_output: where the stores are mounted. slot_memory: 0 takes the job's
    own limit. parent_fd: a pipe whose end is the end of this process. shared_disk: readers may
    open this worker's files by path. input_by_content: an input file is known by a hash of its
    content, since its time of modification differs from Pod to Pod (a ConfigMap). grace: seconds
    between SIGTERM and the end of the process. sharing: how many workers share the
    cores that this one sees. metrics_port: where /metrics is served, nowhere if 0. scratch_limit: bytes
    that may be on the scratch disk, 0 for all of it.
    """

    master: str
    role: Role
    scratch: Path
    ca: Path | None = None
    token_file: Path | None = None
    token_fd: int | None = None
    data_host: str = "127.0.0.1"
    data_port: int = 0
    root_input: Path = Path("/")
    root_output: Path = Path("/")
    slots: int = 1
    slot_memory: int = 0
    parent_fd: int | None = None
    shared_disk: bool = False
    input_by_content: bool = False
    grace: float = GRACE_SECONDS
    sharing: int = 1
    metrics_port: int = 0
    scratch_limit: int = 0


def read(environment: Mapping[str, str]) -> Settings:
    """Return the settings in `MAPREDUCE_*`; raises `UsageError` that names the variable."""
    role = _required(environment, "MAPREDUCE_ROLE")
    if role not in ("worker", "gateway"):
        raise UsageError(f"MAPREDUCE_ROLE is {role!r}; it must be worker or gateway")
    settings = Settings(
        master=_master(_required(environment, "MAPREDUCE_MASTER")),
        role="worker" if role == "worker" else "gateway",
        scratch=Path(_required(environment, "MAPREDUCE_SCRATCH")),
        ca=_path(environment, "MAPREDUCE_CA"),
        token_file=_path(environment, "MAPREDUCE_TOKEN_FILE"),
        token_fd=_number(environment, "MAPREDUCE_TOKEN_FD"),
        data_host=environment.get("MAPREDUCE_DATA_HOST") or "127.0.0.1",
        data_port=_number(environment, "MAPREDUCE_DATA_PORT") or 0,
        root_input=_path(environment, "MAPREDUCE_ROOT_INPUT") or Path("/"),
        root_output=_path(environment, "MAPREDUCE_ROOT_OUTPUT") or Path("/"),
        slots=_number(environment, "MAPREDUCE_SLOTS") or 1,
        slot_memory=_number(environment, "MAPREDUCE_SLOT_MEMORY") or 0,
        parent_fd=_number(environment, "MAPREDUCE_PARENT_FD"),
        shared_disk=environment.get("MAPREDUCE_SHARED_DISK", "") == "1",
        grace=float(_number(environment, "MAPREDUCE_GRACE") or GRACE_SECONDS),
        sharing=_number(environment, "MAPREDUCE_SHARING") or 1,
        metrics_port=_number(environment, "MAPREDUCE_METRICS_PORT") or 0,
        scratch_limit=_number(environment, "MAPREDUCE_SCRATCH_LIMIT") or 0,
        input_by_content=environment.get("MAPREDUCE_INPUT_IDENTITY", "") == "content",
    )
    if settings.token_file is None and settings.token_fd is None:
        raise UsageError("set MAPREDUCE_TOKEN_FILE or MAPREDUCE_TOKEN_FD: a worker must prove who it is")
    return settings


def token_source(settings: Settings) -> Callable[[], str]:
    """Return what gives the token for a registration.

    A projected token is renewed by the platform, so its file is read each time; an inherited
    descriptor is read to its end now and closed. The source raises `OSError`.
    """
    if settings.token_fd is not None:
        with os.fdopen(settings.token_fd, "rb") as pipe:
            token = pipe.read(MAX_TOKEN).decode().strip()
        return lambda: token
    file = settings.token_file
    if file is None:
        raise UsageError("there is no source of a token")
    return lambda: file.read_text().strip()


def _required(environment: Mapping[str, str], name: str) -> str:
    value = environment.get(name, "")
    if not value:
        raise UsageError(f"{name} is not set")
    return value


def _master(url: str) -> str:
    """Check that the URL keeps the token secret: TLS, or a master on this machine."""
    parts = urlsplit(url)
    if parts.scheme == "https" and parts.hostname:
        return url.rstrip("/")
    if parts.scheme == "http" and parts.hostname and _is_loopback(parts.hostname):
        return url.rstrip("/")
    raise UsageError(f"MAPREDUCE_MASTER is {url!r}; it must be https://HOST:PORT, or http:// on a loopback address")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _path(environment: Mapping[str, str], name: str) -> Path | None:
    value = environment.get(name, "")
    return Path(value) if value else None


def _number(environment: Mapping[str, str], name: str) -> int | None:
    value = environment.get(name, "")
    if not value:
        return None
    if not (value.isascii() and value.isdigit()):
        raise UsageError(f"{name} is {value!r}; it must be a number")
    return int(value)
