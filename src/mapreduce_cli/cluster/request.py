"""What the options of `submit` say → the resource, and the ConfigMap of a program that needs one. Pure.

Neighbours: `submit.py` (calls it), `options.py` and `programs.py` (the options that `run` has too).
"""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import Any, Final

import msgspec

from mapreduce import words
from mapreduce.program import Program
from mapreduce.words import JOB_NAME_LIMIT
from mapreduce_cli.cluster.manifests import API_VERSION, Manifests
from mapreduce_cli.cluster.problems import Refused
from mapreduce_cli.cluster.volumes import Place
from mapreduce_cli.options import JobOptions
from mapreduce_operator.kube import config_maps, fields

Json = dict[str, Any]

INLINE_LIMIT: Final = 131_072
"""Characters of a program that fit in the resource itself."""

_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_KEY: Final = re.compile(r"[-._a-zA-Z0-9]+")
_TABLES: Final = (
    fields.INPUT_FORMATS,
    fields.ENCODING_ERRORS,
    fields.OUTPUT_FORMATS,
    fields.MERGES,
    fields.COMPRESSIONS,
    fields.ORDERS,
    fields.SHUFFLE_COMPRESSIONS,
)
_SPELLED: Final[dict[str, str]] = {word: spelled for table in _TABLES for spelled, word in table.items()}
"""Enumerations are lower case on the command line, PascalCase in the resource."""


class ClusterOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What only a cluster has; zero and empty leave the operator's default."""

    workers: int = 0
    slots: int = 0
    image: str = ""
    memory: int = 0
    cpu: str = ""
    env: dict[str, str] = {}
    deadline: int = 0
    ttl: int | None = None
    suspend: bool = False


def check_name(name: str) -> str:
    """Return the name of a job; raises `Refused` if it cannot be one."""
    if len(name) > JOB_NAME_LIMIT or not _NAME.fullmatch(name):
        raise Refused(
            f"{name!r} cannot be the name of a job: at most {JOB_NAME_LIMIT} lower case letters, digits and hyphens,"
            " beginning and ending with a letter or digit"
        )
    return name


def fresh_name(stem: str, token: str) -> str:
    """Return a name for a job made from a program's or another job's: `wordcount-x7k2p`."""
    plain = re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-") or "job"
    return f"{plain[: JOB_NAME_LIMIT - len(token) - 1].rstrip('-')}-{token}"


def stem(program: Program) -> str:
    """Return what a job of this program is called if nobody says."""
    return program.module.rpartition(".")[2] if program.module else PurePath(program.file).stem


def build(
    name: str, program: Program, inputs: list[Place], output: Place, options: JobOptions, cluster: ClusterOptions
) -> Manifests:
    """Return the job; fields that say what is the default anyway are left out. Raises `Refused`."""
    spec: Json = {"program": _program(name, program)}
    spec |= {"params": dict(options.params)} if options.params else {}
    spec |= {"image": cluster.image} if cluster.image else {}
    spec["input"] = _input(inputs, options)
    spec |= {"reducers": options.reducers} if options.reducers != JobOptions().reducers else {}
    spec["output"] = _output(name, output, options)
    workers = _workers(cluster)
    spec |= {"workers": workers} if workers else {}
    spec |= {"maxFailedTasks": options.max_failed_tasks} if options.max_failed_tasks else {}
    spec |= {"skipBadRecords": options.skip_bad_records} if options.skip_bad_records else {}
    spec |= {"order": _SPELLED[options.order]} if options.order != JobOptions().order else {}
    if options.shuffle_compression != JobOptions().shuffle_compression:
        spec["shuffleCompression"] = _SPELLED[options.shuffle_compression]
    timeout = options.task_timeout
    spec |= {"taskTimeoutSeconds": timeout} if timeout != JobOptions().task_timeout else {}
    spec |= {} if options.speculation else {"speculation": {"enabled": False}}
    spec |= {"activeDeadlineSeconds": cluster.deadline} if cluster.deadline else {}
    spec |= {"ttlSecondsAfterFinished": cluster.ttl} if cluster.ttl is not None else {}
    spec |= {"suspend": True} if cluster.suspend else {}
    job = {"apiVersion": API_VERSION, "kind": words.KIND, "metadata": {"name": name}, "spec": spec}
    return Manifests(job, _beside(name, program))


def _program(name: str, program: Program) -> Json:
    chosen: Json = {"class": program.class_name} if program.class_name else {}
    if program.module:
        return {"module": program.module} | chosen
    if _needs_config_map(program):
        return {"configMap": {"name": source_name(name), "key": program.file}} | chosen
    return {"inline": program.source.decode()} | chosen


def _needs_config_map(program: Program) -> bool:
    if program.files or not program.source:
        return True
    try:
        return len(program.source.decode()) > INLINE_LIMIT
    except UnicodeDecodeError:
        return True


def source_name(name: str) -> str:
    """Return the name of the ConfigMap with a job's program."""
    return f"{name}-source"


def _beside(name: str, program: Program) -> tuple[Json, ...]:
    if program.module or not _needs_config_map(program):
        return ()
    files = {program.file: program.source} | {file.name: file.content for file in program.files}
    for key in files:
        if not _KEY.fullmatch(key):
            raise Refused(f"a ConfigMap cannot hold a file named {key!r}", hint="use letters, digits, '-', '_' and '.'")
    return (source_map(name, files),)


def source_map(name: str, files: dict[str, bytes]) -> Json:
    """Return the ConfigMap with a job's program and its side files."""
    labels = {words.LABEL_MANAGED_BY: words.MANAGED_BY_CLI, words.LABEL_JOB: name}
    held = {field: entries for field, entries in config_maps.data_of(files).items() if entries}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": source_name(name), "labels": labels},
    } | held


def _input(inputs: list[Place], options: JobOptions) -> Json:
    volumes = {(place.kind, place.name) for place in inputs}
    if len(volumes) > 1:
        raise Refused("all inputs of a job are on one volume", hint="copy them to one claim with mapreduce cp")
    default = JobOptions()
    made: Json = {
        "paths": [place.path.rstrip("/") or "." for place in inputs],
        "volume": _volume(inputs[0]),
    }
    made |= {"format": _SPELLED[options.format]} if options.format != default.format else {}
    if options.encoding_errors != default.encoding_errors:
        made["encodingErrors"] = _SPELLED[options.encoding_errors]
    made |= {"maxRecordBytes": options.max_record} if options.max_record != default.max_record else {}
    made |= {"splitSize": options.split_size} if options.split_size else {}
    return made


def _output(name: str, output: Place, options: JobOptions) -> Json:
    path = f"{output.path}{name}" if output.path.endswith("/") or not output.path else output.path
    default = JobOptions()
    made: Json = {"path": path, "volume": _volume(output)}
    made |= {"format": _SPELLED[options.output_format]} if options.output_format != default.output_format else {}
    made |= {"merge": _SPELLED[options.merge]} if options.merge != default.merge else {}
    made |= {"overwrite": "Replace"} if options.overwrite else {}
    made |= {"compression": _SPELLED[options.compress]} if options.compress != default.compress else {}
    return made


def _volume(place: Place) -> Json:
    if place.kind == "configmap":
        return {"configMap": {"name": place.name}}
    return {"persistentVolumeClaim": {"claimName": place.name}}


def _workers(cluster: ClusterOptions) -> Json:
    made: Json = {"replicas": cluster.workers} if cluster.workers else {}
    made |= {"slots": cluster.slots} if cluster.slots else {}
    resources: Json = {}
    if cluster.memory:
        resources = {"requests": {"memory": cluster.memory}, "limits": {"memory": cluster.memory}}
    if cluster.cpu:
        resources["requests"] = resources.get("requests", {}) | {"cpu": cluster.cpu}
    made |= {"resources": resources} if resources else {}
    made |= {"env": [{"name": key, "value": value} for key, value in cluster.env.items()]} if cluster.env else {}
    return made
