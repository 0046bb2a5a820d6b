"""What every task of one job needs to know of the job, as one frozen value.

Made once from the job (`of_job`), it travels to the slots as it is; `map_run`, `map_part`, `reduce_task`
and `records` take it whole, so that a new option changes no signature between here and there.
"""

from __future__ import annotations

from typing import Final

import msgspec

from mapreduce.spec import MAX_RECORD_BYTES, MIB, EncodingErrors, InputFormat, JobSpec, Merge, Order
from mapreduce_worker.engine.blocks import Codec
from mapreduce_worker.engine.part import LineFormat

SLOT_SHARE: Final = 2
"""The part of a slot's memory that is for data, one in so many: the rest is for the interpreter, for user code, and for
what is not counted."""
PROCESS_SHARE: Final = 4
"""The same where everything runs in one process, and with it what the gateway holds of an output."""


class TaskOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Sizes are in bytes.

    memory: what an attempt may hold in data; what does not fit goes to files. flush_bytes: encoded
    pairs after which a map attempt combines. params: as they were given, before they have types.
    files: where the program's side files are, by name; whoever loaded the program knows. codec: how a map's
    output is compressed; its checksum is the same in any case. samples: how many keys a map attempt tells,
    where keys have a total order; that is said of each attempt. lines: what lines the output has; None where it has
    columns, or where parts are read back as rows. merge: whether its parts become one file.
    """

    partitions: int = 2
    params: dict[str, str] = {}
    files: dict[str, str] = {}
    format: InputFormat = "text"
    encoding_errors: EncodingErrors = "strict"
    max_record_bytes: int = MAX_RECORD_BYTES
    skip_bad_records: int = 0
    flush_bytes: int = 64 * MIB
    memory: int = 512 * MIB
    codec: Codec = "lz4"
    order: Order = "hash"
    samples: int = 0
    lines: LineFormat | None = None
    merge: Merge = "sorted"


def of_job(spec: JobSpec, flush_bytes: int, memory: int) -> TaskOptions:
    """Return the options of a job's tasks; `flush_bytes` is the plan's, `memory` the machine's."""
    return TaskOptions(
        partitions=spec.reducers,
        params=spec.params,
        format=spec.format,
        encoding_errors=spec.encoding_errors,
        max_record_bytes=spec.max_record_bytes,
        skip_bad_records=spec.skip_bad_records,
        flush_bytes=flush_bytes,
        memory=memory,
        codec=spec.shuffle_compression,
        order=spec.order,
        lines=None if spec.output_format == "parquet" else spec.output_format,
        merge=spec.merge,
    )
