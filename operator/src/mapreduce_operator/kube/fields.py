"""The spec of a `MapReduceJob` as it is written, field by field.

The schema in `crds/` says the same to users; tests compare the names and the bounds. Neighbours: `choices.py`
(`spec.workers`), `resource.py` (makes a job of it).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

import msgspec

from mapreduce import bad_records
from mapreduce.spec import (
    DEFAULT_REDUCERS,
    MAX_RECORD_BYTES,
    MAX_REDUCERS,
    TASK_TIMEOUT,
    Compression,
    EncodingErrors,
    InputFormat,
    Merge,
    Order,
    OutputFormat,
    Overwrite,
    ShuffleCompression,
)
from mapreduce_operator.kube.choices import Quantity, Workers
from mapreduce_operator.kube.errors import InvalidSpec

ENCODING_ERRORS: Final[dict[str, EncodingErrors]] = {"Strict": "strict", "Replace": "replace", "Bytes": "bytes"}
INPUT_FORMATS: Final[dict[str, InputFormat]] = {
    "Text": "text",
    "Jsonl": "jsonl",
    "Csv": "csv",
    "Parquet": "parquet",
    "WholeFile": "wholefile",
}
OUTPUT_FORMATS: Final[dict[str, OutputFormat]] = {"Tsv": "tsv", "Jsonl": "jsonl", "Parquet": "parquet"}
MERGES: Final[dict[str, Merge]] = {"Sorted": "sorted", "None": "none"}
OVERWRITES: Final[dict[str, Overwrite]] = {"Refuse": "refuse", "Replace": "replace"}
COMPRESSIONS: Final[dict[str, Compression]] = {"None": "none", "Gzip": "gzip", "Zstd": "zstd"}
ORDERS: Final[dict[str, Order]] = {"Hash": "hash", "Total": "total"}
SHUFFLE_COMPRESSIONS: Final[dict[str, ShuffleCompression]] = {"None": "none", "Lz4": "lz4", "Zstd": "zstd"}


# The schema's bounds hold here too: nothing else stands between a number and the operator's memory.
WithinAWeek = Annotated[int, msgspec.Meta(ge=1, le=604_800)]
"""Seconds that a job may do nothing for: at least one, so that not everything is late at once."""
WithinAYear = Annotated[int, msgspec.Meta(ge=1, le=31_536_000)]
FromNowToAYear = Annotated[int, msgspec.Meta(ge=0, le=31_536_000)]


class Field(msgspec.Struct, frozen=True, rename="camel"):
    """Reads camelCase; unknown fields were pruned by the API server."""


class ConfigMapKey(Field, frozen=True):
    """Where a program is that is not in the resource itself."""

    name: str
    key: str


class Program(Field, frozen=True):
    """`spec.program`: exactly one of the first three."""

    inline: str | None = None
    config_map: ConfigMapKey | None = None
    module: str | None = None
    class_name: str = msgspec.field(default="", name="class")


class ClaimRef(Field, frozen=True):
    """A claim of the job's namespace."""

    claim_name: str


class ConfigMapRef(Field, frozen=True):
    """A ConfigMap of the job's namespace."""

    name: str


class Volume(Field, frozen=True):
    """Exactly one of the two."""

    persistent_volume_claim: ClaimRef | None = None
    config_map: ConfigMapRef | None = None


class Claim(Field, frozen=True):
    """Where something can be written."""

    persistent_volume_claim: ClaimRef | None = None


class Input(Field, frozen=True):
    """`spec.input`."""

    paths: list[str]
    volume: Volume
    format: Literal["Text", "Jsonl", "Csv", "Parquet", "WholeFile"] = "Text"
    encoding_errors: Literal["Strict", "Replace", "Bytes"] = "Strict"
    max_record_bytes: Quantity = MAX_RECORD_BYTES
    split_size: Quantity | None = None


class Output(Field, frozen=True):
    """`spec.output`."""

    path: str
    volume: Claim
    format: Literal["Tsv", "Jsonl", "Parquet"] = "Tsv"
    merge: Literal["Sorted", "None"] = "Sorted"
    overwrite: Literal["Refuse", "Replace"] = "Refuse"
    compression: Literal["None", "Gzip", "Zstd"] = "None"


class Speculation(Field, frozen=True):
    """`spec.speculation`."""

    enabled: bool = True


class Spec(Field, frozen=True):
    """`spec`; times in seconds."""

    program: Program
    input: Input
    output: Output
    image: str = ""
    params: dict[str, str] = {}
    reducers: Annotated[int, msgspec.Meta(le=MAX_REDUCERS)] = DEFAULT_REDUCERS
    workers: Workers = Workers()
    order: Literal["Hash", "Total"] = "Hash"
    shuffle_compression: Literal["None", "Lz4", "Zstd"] = "Lz4"
    speculation: Speculation = Speculation()
    suspend: bool = False
    backoff_limit_per_task: Annotated[int, msgspec.Meta(ge=0, le=100)] = 3
    max_failed_tasks: Annotated[int, msgspec.Meta(ge=0, le=100_000)] = 0
    skip_bad_records: Annotated[int, msgspec.Meta(ge=0, le=bad_records.MOST)] = 0
    task_timeout_seconds: WithinAWeek = TASK_TIMEOUT
    active_deadline_seconds: WithinAYear | None = None
    ttl_seconds_after_finished: FromNowToAYear | None = None
    pre_running_deadline_seconds: WithinAWeek = 300


# Kopf and the runtime have a thread each: msgspec has to know a type before both may meet it.
msgspec.json.Decoder(Spec)


def read(body: Mapping[str, Any]) -> Spec:
    """Return the spec of a resource; raises `InvalidSpec`."""
    try:
        return msgspec.convert(body.get("spec"), Spec)
    except (msgspec.ValidationError, TypeError) as error:
        raise InvalidSpec(f"spec: {error}") from error
