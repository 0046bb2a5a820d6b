"""The operator's process: `python -m mapreduce_operator [uninstall]`.

The composition root. Two loops: this thread's serves RPC, runs every job's core and does all
writes; the other thread's watches (`kube.handlers`). Whichever dies, the process ends, and
Kubernetes starts it again: everything is rebuilt from the cluster and the journals.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import secrets
import signal
import ssl
import sys
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import mapreduce
from mapreduce import logs
from mapreduce.errors import MapReduceError, UsageError
from mapreduce.spec import JobSpec
from mapreduce_operator.core.book import MasterContext
from mapreduce_operator.core.master import Master
from mapreduce_operator.drivers.kubernetes import KubernetesDriver
from mapreduce_operator.kube import uninstall
from mapreduce_operator.kube.authenticate import TokenReviewAuthenticator
from mapreduce_operator.kube.client import Api, Ref, connect
from mapreduce_operator.kube.handlers import Watches
from mapreduce_operator.kube.health import API_SECONDS, LOOP_SECONDS, Health, Vital
from mapreduce_operator.kube.jobs import Jobs
from mapreduce_operator.kube.lease import Lease
from mapreduce_operator.kube.metrics import Endpoint
from mapreduce_operator.kube.observe import PodSeen
from mapreduce_operator.kube.pods import Platform
from mapreduce_operator.kube.resource import Defaults, ParsedJob
from mapreduce_operator.kube.running import Shared
from mapreduce_operator.kube.writer import Writer
from mapreduce_operator.rpc.server import make_app, serve
from mapreduce_operator.runtime.counts import Counts, watch_lag
from mapreduce_operator.runtime.registry import Registry
from mapreduce_operator.settings import Settings, read

_log = logging.getLogger("mapreduce_operator")
Result = TypeVar("Result")


class Tls:
    """The server's certificate, read once; a new one needs a new process."""

    def __init__(self, settings: Settings) -> None:
        try:
            self.ca = (settings.tls / "ca.crt").read_text(encoding="ascii")
            self._key = (settings.tls / "tls.key").read_bytes()
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(settings.tls / "tls.crt", settings.tls / "tls.key")
        except (OSError, ValueError) as error:
            raise UsageError(f"no certificate in {settings.tls}: {error}") from error

    def ticket_key(self, job_uid: str, epoch: int) -> bytes:
        """Return the key of a job's tickets in an epoch: the next epoch can tell it too."""
        return hmac.new(self._key, f"tickets\n{job_uid}\n{epoch}".encode(), hashlib.sha256).digest()

    def word(self, job_uid: str, name: str) -> str:
        """Return what only an operator can write onto a Pod of this name: the next one can tell it too."""
        return hmac.new(self._key, f"pod\n{job_uid}\n{name}".encode(), hashlib.sha256).hexdigest()[:32]


class Told:
    """What others are told of this process: the kubelet, and who scrapes it."""

    def __init__(self, health: Health, counts: Counts) -> None:
        self.health = health
        self.counts = counts
        self.endpoint = Endpoint(counts)


def main() -> int:
    """Run until told to stop; return the exit status."""
    try:
        settings = read()
        if sys.argv[1:] not in ([], ["uninstall"]):
            raise UsageError("usage: python -m mapreduce_operator [uninstall]")
    except UsageError as error:
        print(f"mapreduce-operator: {error}", file=sys.stderr)  # noqa: T201 - logging is not set up yet
        return 2
    logs.begin(settings.log_format, settings.log_level.upper())
    if settings.log_level != "debug":
        logging.getLogger("kopf").setLevel(logging.WARNING)
    try:
        return asyncio.run(_uninstall(settings) if sys.argv[1:] else run(settings))
    except MapReduceError as error:
        _log.error("%s", error)
        return 1


async def run(settings: Settings) -> int:
    """Run the operator; return 0 if it was told to stop."""
    ending = asyncio.Event()
    _on_signals(ending.set)
    tls = Tls(settings)
    told = Told(Health(), Counts())
    probes = [await serve(told.health.app(), settings.bind, settings.health_port)]
    if settings.metrics_port:
        probes.append(await serve(told.endpoint.app(), settings.bind, settings.metrics_port))
    api = await connect(told.counts.api_requests)
    lease = _lease(api, settings)
    told.health.vitals = (Vital("the API server answered about the Lease", lease.silence, API_SECONDS),)
    try:
        epoch = await _until(ending, lease.acquire())
        if epoch is None:
            return 0
        logs.always(epoch=epoch)
        return await _lead(settings, tls, api, lease, told, ending)
    finally:
        await lease.release()
        await api.close()
        for server in probes:
            await server.close()


async def _lead(settings: Settings, tls: Tls, api: Api, lease: Lease, told: Told, ending: asyncio.Event) -> int:
    """Run all jobs while the Lease is held."""
    health, counts = told.health, told.counts
    failed = asyncio.Event()

    def fail() -> None:
        failed.set()
        ending.set()

    def deposed(message: str) -> None:
        _log.error("another operator has this one's place, so this process ends: %s", message)
        fail()

    shared, jobs = _compose(settings, tls, api, lease, deposed, counts)
    keeper = _guarded(lease.keep(), "the Lease", fail)
    lag = _guarded(watch_lag(counts.lag["master"]), "the lag of this loop", fail)
    authenticator = TokenReviewAuthenticator(api, jobs.namespace_of, shared.platform.made)
    watches = Watches(jobs, settings.watch, fail, lag=counts.lag["watches"])
    app = make_app(shared.registry, authenticator, counts=counts)
    server = await serve(app, settings.bind, settings.rpc_port, tls.context)
    lister: asyncio.Task[None] | None = None
    try:
        health.failed, health.trouble = failed.is_set, jobs.trouble
        watches.start()
        health.vitals += (
            Vital("the watches' loop ran", watches.age, LOOP_SECONDS),
            Vital("all jobs and Pods were listed", jobs.age, API_SECONDS),
        )
        told.endpoint.lead(lease, jobs)
        await _until(ending, jobs.list_at_start())
        lister = _guarded(jobs.keep_listing(), "the LIST", fail)
        health.ready = not ending.is_set()
        await ending.wait()
    finally:
        health.ready = False
        for task in (keeper, lag, lister):
            if task is not None:
                task.cancel()
        await jobs.close()
        # Before the rest ends: a successor may wait for it.
        await lease.release()
        await server.close()
        await watches.stop()
    return 1 if failed.is_set() else 0


def _compose(
    settings: Settings, tls: Tls, api: Api, lease: Lease, deposed: Callable[[str], None], counts: Counts
) -> tuple[Shared, Jobs]:
    writer = Writer(api, lease)
    platform = Platform(
        settings.master,
        tls.ca,
        tls.word,
        settings.worker_pull_policy,
        metrics=settings.metrics_port > 0,
        scrapers=settings.scrapers,
        log_format=settings.log_format,
    )
    epoch = lease.epoch
    judge = lease.judge(settings.watch)

    def make_core(spec: JobSpec, resumed: bool, first_incarnation: int) -> Master:
        context = MasterContext(
            ticket_key=tls.ticket_key(spec.uid, epoch),
            previous_ticket_key=tls.ticket_key(spec.uid, epoch - 1),
            engine_version=mapreduce.__version__,
            resumed=resumed,
            first_incarnation=first_incarnation,
            judge=judge,
        )
        return Master(spec, context, epoch)

    def make_driver(job: ParsedJob, tell: Callable[[PodSeen], None]) -> KubernetesDriver:
        return KubernetesDriver(job, platform, api, writer, tell)

    shared = Shared(
        api=api,
        writer=writer,
        registry=Registry(),
        platform=platform,
        defaults=Defaults(
            settings.worker_image, settings.worker_resources, settings.gateway_resources, settings.timing
        ),
        make_core=make_core,
        make_driver=make_driver,
        latest_epoch=lease.latest,
        deposed=deposed,
        counts=counts,
    )
    return shared, Jobs(shared, settings.watch)


def _lease(api: Api, settings: Settings) -> Lease:
    ref = Ref("leases", settings.namespace, settings.lease_name)
    return Lease(api, ref, pod_uid=settings.pod_uid, nonce=secrets.token_hex(8))


async def _uninstall(settings: Settings) -> int:
    api = await connect()
    lease = _lease(api, settings)
    try:
        await uninstall.run(api, lease, settings.watch, (settings.namespace, settings.deployment))
    finally:
        await lease.release()
        await api.close()
    return 0


def _on_signals(stop: Callable[[], None]) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)


def _guarded(work: Coroutine[Any, Any, None], what: str, fail: Callable[[], None]) -> asyncio.Task[None]:
    """Run something for ever: its end ends the process."""

    async def guard() -> None:
        try:
            await work
        except MapReduceError as error:
            _log.error("%s: %s", what, error)
        except Exception:  # noqa: BLE001 - the boundary of a task that must not end: its end ends the process
            _log.exception("%s: a defect", what)
        fail()

    return asyncio.get_running_loop().create_task(guard())


async def _until(ending: asyncio.Event, work: Coroutine[Any, Any, Result]) -> Result | None:
    """Return what `work` returns, or None if the process is told to stop before."""
    task = asyncio.get_running_loop().create_task(work)
    stop = asyncio.get_running_loop().create_task(ending.wait())
    await asyncio.wait([task, stop], return_when=asyncio.FIRST_COMPLETED)
    stop.cancel()
    if task.done():
        return task.result()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return None


if __name__ == "__main__":
    sys.exit(main())
