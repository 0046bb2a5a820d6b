"""What one job asks for, as every part of the system sees it: a frozen value.

The command line and the Kubernetes resource are two ways to write one down.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from mapreduce import bad_records
from mapreduce.errors import UsageError
from mapreduce.program import Program

EncodingErrors = Literal["strict", "replace", "bytes"]
"""bytes: records are not decoded at all."""
InputFormat = Literal["text", "jsonl", "csv", "parquet", "wholefile"]
OutputFormat = Literal["tsv", "jsonl", "parquet"]
Merge = Literal["sorted", "none"]
Overwrite = Literal["refuse", "replace"]
Compression = Literal["none", "gzip", "zstd"]
ShuffleCompression = Literal["none", "lz4", "zstd"]
Order = Literal["hash", "total"]
"""How keys are divided among reduces: by their hash (or the program's `partition`), or by ranges in their order."""

PARSED: Final[frozenset[InputFormat]] = frozenset({"jsonl", "csv", "parquet"})
"""Formats whose records are values and never bytes, whatever is asked for."""

MIB = 1 << 20
LARGEST: Final = (1 << 63) - 1
"""The largest number that a message can carry."""
MAX_REDUCERS: Final = 10_000
MAX_WORKERS: Final = 2000
MAX_SLOTS: Final = 64
DEFAULT_REDUCERS: Final = 8
MAX_RECORD_BYTES: Final = 64 * MIB
"""The longest record, unless the job says otherwise."""
TASK_TIMEOUT: Final = 600
"""Seconds for which a task may be without progress, unless the job says otherwise."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Numbers that bound work; times in seconds, sizes in bytes."""

    attempts_per_task: int = 4
    disruptions_in_a_row: int = 20
    task_timeout: float = float(TASK_TIMEOUT)
    pre_running_deadline: float = 300.0
    slot_memory: int = 512 * MIB
    flush_bytes: int = 64 * MIB
    """Bytes of encoded pairs after which a map attempt combines and sorts what it holds. Part
    of the plan: combine boundaries must not depend on the memory that happens to be free."""
    max_failed_tasks: int = 0
    """Tasks that may spend their budget and be left out before the job fails."""
    active_deadline: float = 0.0
    """Seconds that the job may be active for; 0 for no limit."""
    max_splits: int = 200_000
    max_cells: int = 2_000_000_000
    """The cap on maps x reduces."""


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """The clockwork of one master, in seconds; see `docs/protocol.md`."""

    beat: float = 3.0
    lease: float = 15.0
    worker_without_master: float = 600.0


class JobSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One job. `inputs` are patterns and `output` a path, relative to the root of their store.

    Raises `UsageError` for numbers that no job can have.
    """

    uid: str
    name: str
    namespace: str = ""
    program: Program
    inputs: tuple[str, ...]
    output: str
    reducers: int = DEFAULT_REDUCERS
    workers: int = 2
    slots: int = 1
    split_size: int = 0
    """Bytes a split; 0 lets the planner choose from the input alone."""
    encoding_errors: EncodingErrors = "strict"
    format: InputFormat = "text"
    max_record_bytes: int = MAX_RECORD_BYTES
    """A longer record is an error: it would not fit in a slot."""
    skip_bad_records: int = 0
    """Records that may be bad, and are left out of the output, before the job fails."""
    params: dict[str, str] = {}
    """The parameters as they were given; the program says what types they have."""
    output_format: OutputFormat = "tsv"
    merge: Merge = "sorted"
    overwrite: Overwrite = "refuse"
    output_compression: Compression = "none"
    order: Order = "hash"
    shuffle_compression: ShuffleCompression = "lz4"
    """Of what goes from maps to reduces; the output is the same in any case."""
    separate_input: bool = False
    """The input is on another store than the output: two gateways instead of one."""
    worker_image: str = ""
    speculation: bool = True
    """A task that is much slower than the others of its phase gets a second attempt elsewhere."""
    limits: Limits = Limits()
    timing: Timing = Timing()

    def __post_init__(self) -> None:
        """Refuse what could not be told to a worker, or would have no end."""
        most = {
            "reducers": MAX_REDUCERS,
            "workers": MAX_WORKERS,
            "slots": MAX_SLOTS,
            "skip_bad_records": bad_records.MOST,
        }
        for values in (self, self.limits):
            for name in values.__struct_fields__:
                number = getattr(values, name)
                if isinstance(number, int) and number > most.get(name, LARGEST):
                    raise UsageError(
                        f"{name.replace('_', ' ')}: {number!s:.40} is more than {most.get(name, LARGEST)}, "
                        "the most that is possible"
                    )
