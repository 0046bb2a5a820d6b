"""A `MapReduceJob` as the API server has it → what the core and the Pods need to know.

Pure. The rules of the CRD refuse most mistakes before they come here; whatever passed them, or
an older version of them, is refused with `InvalidSpec` and harms no other job.
Neighbours: `fields.py` (the resource as it is written), `choices.py` (fields of Pods),
`reconcile.py` (reads objects), `pods.py`.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from typing import Any, Final, Literal

import msgspec

from mapreduce import words
from mapreduce.program import MAX_SOURCE_BYTES, Program, SideFile
from mapreduce.spec import MIB, PARSED, JobSpec, Limits, Timing
from mapreduce.words import JOB_NAME_LIMIT
from mapreduce_operator.core import naming
from mapreduce_operator.core.events import SpecChanged
from mapreduce_operator.kube import fields, quantity
from mapreduce_operator.kube.choices import Quantity, Resources, Workers
from mapreduce_operator.kube.errors import InvalidSpec
from mapreduce_operator.kube.fields import ConfigMapKey

INLINE_FILE: Final = "job.py"
AGENT_MEMORY: Final = 192 * MIB
"""Bytes of a worker's memory limit that are kept for its agent."""
SLOT_MINIMUM: Final = 128 * MIB

# The second and third kinds are read by container runtimes, which give rights by them. As in the schema.
_RESERVED: Final = re.compile(
    r"(.+[.])?(mapreduce[.]dev|kubernetes[.]io|k8s[.]io)/.*"
    r"|(io[.]kubernetes|io[.]katacontainers|io[.]containerd|run[.]oci|org[.]systemd[.]property)[.].*"
    r"|(.+[.])?crio[.]io(/.*)?"
)
PARAMS_LIMIT: Final = 65_536
"""Characters of the values of all parameters together: every job that exists is in the operator's memory."""
RECORD_LIMIT: Final = 1024 * MIB
"""The largest `maxRecordBytes`: such a record fills a slot many times over."""


Files = Mapping[str, bytes]
"""What a ConfigMap holds, by key."""


class Owner(msgspec.Struct, frozen=True):
    """The resource that everything made for a job belongs to."""

    name: str
    namespace: str
    uid: str

    @property
    def prefix(self) -> str:
        """What the names of the job's objects begin with."""
        return naming.prefix(self.name, self.uid)


class Volume(msgspec.Struct, frozen=True):
    """A claim or a ConfigMap; one of the two is empty."""

    claim: str = ""
    config_map: str = ""


class Defaults(msgspec.Struct, frozen=True):
    """What the chart says where the resource says nothing."""

    worker_image: str
    worker: Resources = Resources()
    gateway: Resources = Resources()
    timing: Timing = Timing()


class ParsedJob(msgspec.Struct, frozen=True, kw_only=True):
    """One job, ready to run.

    gateway_image: the chart's, whatever the resource or its annotations say.
    """

    owner: Owner
    spec: JobSpec
    workers: Workers
    worker_resources: Resources
    gateway_resources: Resources
    gateway_image: str
    input: Volume
    output: Volume


def owner(body: Mapping[str, Any]) -> Owner:
    """Return whose resource this is; raises `InvalidSpec` for an object without identity."""
    metadata = body.get("metadata") or {}
    try:
        return Owner(str(metadata["name"]), str(metadata["namespace"]), str(metadata["uid"]))
    except (KeyError, TypeError) as error:
        raise InvalidSpec(f"the object has no {error}") from error


def finished(body: Mapping[str, Any]) -> Literal["", "Complete", "Failed"]:
    """Return the final condition of a job, or nothing while it has none."""
    for condition in (body.get("status") or {}).get("conditions") or ():
        if condition.get("status") == "True" and condition.get("type") in ("Complete", "Failed"):
            return "Complete" if condition["type"] == "Complete" else "Failed"
    return ""


def _finished_at(body: Mapping[str, Any]) -> float | None:
    if not finished(body):
        return None
    return _seconds((body.get("status") or {}).get("completionTime"))


def _resumed_at(body: Mapping[str, Any]) -> float | None:
    for condition in (body.get("status") or {}).get("conditions") or ():
        if (condition.get("type"), condition.get("status")) == ("Suspended", "False"):
            return _seconds(condition.get("lastTransitionTime"))
    return None


def _seconds(written: object) -> float | None:
    try:
        return datetime.datetime.fromisoformat(str(written)).timestamp()
    except ValueError:
        return None


def is_shown_suspended(body: Mapping[str, Any]) -> bool:
    """Tell whether people were told last that the job is suspended."""
    return (body.get("status") or {}).get("phase") == "Suspended"


def touched(body: Mapping[str, Any]) -> bool:
    """Tell whether some operator may have begun to run this job already."""
    finalizers = (body.get("metadata") or {}).get("finalizers") or ()
    return words.FINALIZER in finalizers or bool(body.get("status"))


def program_at(body: Mapping[str, Any]) -> ConfigMapKey | None:
    """Return where the program is, or None if it is inline; raises `InvalidSpec`."""
    program = fields.read(body).program
    if [program.inline, program.config_map, program.module].count(None) != 2:
        raise InvalidSpec("exactly one of program.inline, program.configMap and program.module must be given")
    return program.config_map


def parse(body: Mapping[str, Any], files: Files | None, defaults: Defaults) -> ParsedJob:
    """Return the job; `files` is what the program's ConfigMap holds, if it names one. Raises `InvalidSpec`."""
    whose = owner(body)
    spec = fields.read(body)
    if len(whose.name) > JOB_NAME_LIMIT:
        raise InvalidSpec(f"the name {whose.name!r} has more than {JOB_NAME_LIMIT} characters")
    _check_values(spec)
    _check_paths(spec)
    _check_choices(spec.workers)
    source_volume = _volume(spec.input.volume, "input.volume")
    target = _target(spec.output.volume)
    resources = _worker_resources(spec.workers, defaults.worker)
    return ParsedJob(
        owner=whose,
        workers=spec.workers,
        worker_resources=resources,
        gateway_resources=defaults.gateway,
        gateway_image=defaults.worker_image,
        input=source_volume,
        output=target,
        spec=JobSpec(
            uid=whose.uid,
            name=whose.name,
            namespace=whose.namespace,
            program=_program(body, spec.program, files),
            params=dict(spec.params),
            inputs=tuple(spec.input.paths),
            output=spec.output.path,
            reducers=spec.reducers,
            workers=spec.workers.replicas,
            slots=spec.workers.slots,
            split_size=_split_size(spec.input.split_size),
            encoding_errors=fields.ENCODING_ERRORS[spec.input.encoding_errors],
            format=fields.INPUT_FORMATS[spec.input.format],
            max_record_bytes=_max_record(spec.input.max_record_bytes),
            skip_bad_records=spec.skip_bad_records,
            output_format=fields.OUTPUT_FORMATS[spec.output.format],
            merge=fields.MERGES[spec.output.merge],
            overwrite=fields.OVERWRITES[spec.output.overwrite],
            output_compression=fields.COMPRESSIONS[spec.output.compression],
            order=fields.ORDERS[spec.order],
            shuffle_compression=fields.SHUFFLE_COMPRESSIONS[spec.shuffle_compression],
            separate_input=bool(source_volume.claim) and source_volume.claim != target.claim,
            worker_image=image(body, defaults),
            speculation=spec.speculation.enabled,
            limits=_limits(spec, resources),
            timing=defaults.timing,
        ),
    )


def _target(volume: fields.Claim) -> Volume:
    if volume.persistent_volume_claim is None:
        raise InvalidSpec("output.volume.persistentVolumeClaim must be given")
    return Volume(claim=volume.persistent_volume_claim.claim_name)


def image(body: Mapping[str, Any], defaults: Defaults) -> str:
    """Return the image of the job's workers: its own, the one that it began with, or today's default."""
    return fields.read(body).image or _pinned_image(body) or defaults.worker_image


def wanted(body: Mapping[str, Any]) -> SpecChanged:
    """Return what may change of a job while it lives, as it stands now; raises `InvalidSpec`."""
    spec = fields.read(body)
    return SpecChanged(
        workers=spec.workers.replicas,
        suspend=spec.suspend,
        active_deadline=float(spec.active_deadline_seconds or 0),
        resumed_wall=_resumed_at(body) or 0.0,
    )


def expires_at(body: Mapping[str, Any]) -> float | None:
    """Return the Unix time after which a finished job is to be deleted, or None if it is kept."""
    # Read as it stands: a job that failed for its spec's sake expires as any other.
    spec = body.get("spec")
    ttl = spec.get("ttlSecondsAfterFinished") if isinstance(spec, Mapping) else None
    end = _finished_at(body)
    return end + ttl if isinstance(ttl, int) and end is not None else None


def pre_running_deadline(body: Mapping[str, Any]) -> float:
    """Return the seconds within which the job must begin to run."""
    return float(fields.read(body).pre_running_deadline_seconds)


def _pinned_image(body: Mapping[str, Any]) -> str:
    annotations = (body.get("metadata") or {}).get("annotations") or {}
    return str(annotations.get(words.ANNOTATION_IMAGE) or "")


def _program(body: Mapping[str, Any], program: fields.Program, files: Files | None) -> Program:
    place = program_at(body)
    made = _module(program) if program.module is not None else _source(program, place, files)
    if made.size > MAX_SOURCE_BYTES:
        raise InvalidSpec(f"the program and its files have {made.size} bytes, more than {MAX_SOURCE_BYTES}")
    return made


def _module(program: fields.Program) -> Program:
    name, _, class_name = (program.module or "").partition(":")
    if class_name and program.class_name:
        raise InvalidSpec("the class must be given once, by program.class or after the colon of program.module")
    return Program("", b"", class_name or program.class_name, module=name)


def _source(program: fields.Program, place: ConfigMapKey | None, files: Files | None) -> Program:
    if place is None:
        return Program(INLINE_FILE, (program.inline or "").encode(), program.class_name)
    if files is None:
        raise InvalidSpec("the program's ConfigMap was not read")
    # In the order of their names: the digest must not depend on that of a mapping.
    beside = tuple(SideFile(name, content) for name, content in sorted(files.items()) if name != place.key)
    return Program(place.key, files.get(place.key, b""), program.class_name, beside)


def _limits(spec: fields.Spec, resources: Resources) -> Limits:
    return Limits(
        pre_running_deadline=float(spec.pre_running_deadline_seconds),
        slot_memory=_slot_memory(resources, spec.workers.slots),
        task_timeout=float(spec.task_timeout_seconds),
        attempts_per_task=spec.backoff_limit_per_task + 1,
        max_failed_tasks=spec.max_failed_tasks,
        active_deadline=float(spec.active_deadline_seconds or 0),
    )


def _check_values(spec: fields.Spec) -> None:
    # Not a bound of the field: the schema has a rule for it too, which says what to do.
    if spec.reducers < 1:
        raise InvalidSpec(
            "reducers must be at least 1; leave it out for 8. A program without reduce makes a job without that phase"
        )
    if sum(map(len, spec.params.values())) > PARAMS_LIMIT:
        raise InvalidSpec(
            f"the values of params must have at most {PARAMS_LIMIT} characters together; more belongs into a side file"
        )
    if fields.INPUT_FORMATS[spec.input.format] in PARSED and spec.input.encoding_errors == "Bytes":
        raise InvalidSpec(f"input: encodingErrors Bytes cannot be used with the format {spec.input.format}")
    if spec.output.format == "Parquet" and spec.output.compression != "None":
        raise InvalidSpec(
            "output: compression Gzip and Zstd cannot be used with the format Parquet, which is compressed in itself"
        )


def _check_paths(spec: fields.Spec) -> None:
    if not spec.input.paths:
        raise InvalidSpec("input.paths must name at least one file, folder or pattern")
    for field, path in [*(("input.paths", path) for path in spec.input.paths), ("output.path", spec.output.path)]:
        if not path or path.startswith("/") or ".." in path.split("/") or "\0" in path:
            raise InvalidSpec(f"{field}: {path!r} must be relative to the root of its volume, without '..'")


def _check_choices(workers: Workers) -> None:
    for field, names in (("labels", workers.labels), ("annotations", workers.annotations)):
        for name in names:
            if _RESERVED.fullmatch(name):
                raise InvalidSpec(
                    f"workers.{field}: {name!r} is below mapreduce.dev, kubernetes.io, k8s.io or a prefix of a "
                    "container runtime, which are reserved"
                )
    for variable in workers.env:
        if variable.name.startswith("MAPREDUCE_") or variable.name == "PYTHONHASHSEED":
            raise InvalidSpec(f"workers.env: {variable.name} is set by the operator")


def _volume(volume: fields.Volume, field: str) -> Volume:
    claim, config_map = volume.persistent_volume_claim, volume.config_map
    if claim is not None and config_map is None:
        return Volume(claim=claim.claim_name)
    if config_map is not None and claim is None:
        return Volume(config_map=config_map.name)
    raise InvalidSpec(f"{field}: exactly one of persistentVolumeClaim and configMap must be given")


def _split_size(value: Quantity | None) -> int:
    if value is None:
        return 0
    size = quantity.whole(value, "input.splitSize")
    if size < 1:
        raise InvalidSpec("input.splitSize must be at least 1")
    return size


def _max_record(value: Quantity) -> int:
    size = quantity.whole(value, "input.maxRecordBytes")
    if not 1 <= size <= RECORD_LIMIT:
        raise InvalidSpec(f"input.maxRecordBytes must be from 1 to {RECORD_LIMIT // MIB}Mi")
    return size


def _worker_resources(workers: Workers, defaults: Resources) -> Resources:
    """Merge the user's numbers over the defaults, which are for one slot, so that limit ≥ request holds."""
    chosen = workers.resources
    requests = dict(defaults.requests) | chosen.requests
    limits = dict(defaults.limits) | chosen.limits
    # Native threads and map outputs grow with the slots; so must a default that nobody chose.
    for amounts, own in ((requests, chosen.requests), (limits, chosen.limits)):
        if "memory" in amounts and "memory" not in own:
            one = quantity.whole(amounts["memory"], "memory")
            amounts["memory"] = one + (workers.slots - 1) * max(0, one - AGENT_MEMORY)
    for name in requests.keys() & limits.keys():
        request = quantity.parse(requests[name], f"workers.resources.requests.{name}")
        limit = quantity.parse(limits[name], f"workers.resources.limits.{name}")
        if request <= limit:
            continue
        if name in chosen.requests and name in chosen.limits:
            raise InvalidSpec(f"workers.resources: the request of {name} is greater than its limit")
        if name in chosen.limits:
            requests[name] = limits[name]
        else:
            limits[name] = requests[name]
    return Resources(requests, limits)


def _slot_memory(resources: Resources, slots: int) -> int:
    if "memory" not in resources.limits:
        raise InvalidSpec("workers.resources.limits.memory must be given")
    limit = quantity.whole(resources.limits["memory"], "workers.resources.limits.memory")
    share = (limit - AGENT_MEMORY) // slots
    if share < SLOT_MINIMUM:
        least = (AGENT_MEMORY + slots * SLOT_MINIMUM) // MIB
        raise InvalidSpec(f"workers.resources.limits.memory must be at least {least}Mi for {slots} slots")
    return share
