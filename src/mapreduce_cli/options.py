"""The options that describe a job, wherever it runs: `run` here, `submit` on a cluster.

`of_job` decorates a command with them; `JobOptions` is what they say, as one value. Neighbours:
`run.py` and `cluster/`, which turn them into a `JobSpec` or a resource; `programs.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, TypeVar

import click
import msgspec

from mapreduce import bad_records
from mapreduce.errors import UsageError
from mapreduce.spec import (
    DEFAULT_REDUCERS,
    MAX_RECORD_BYTES,
    MIB,
    PARSED,
    TASK_TIMEOUT,
    Compression,
    EncodingErrors,
    InputFormat,
    Merge,
    Order,
    OutputFormat,
    ShuffleCompression,
)
from mapreduce_cli import sizes

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])
LONGEST_TASK_TIMEOUT: Final = 604_800
"""Seconds: a week, as in the resource."""


class Size(click.ParamType[int]):
    """A number of bytes such as 16MiB."""

    name = "size"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the bytes; at least one."""
        try:
            size = sizes.parse(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)
        if size < 1:
            self.fail("at least one byte is needed", param, ctx)
        return size


class JobOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What the options say. `split_size` 0: from the input; sizes in bytes, times in seconds."""

    reducers: int = DEFAULT_REDUCERS
    split_size: int = 0
    format: InputFormat = "text"
    encoding_errors: EncodingErrors = "strict"
    max_record: int = MAX_RECORD_BYTES
    output_format: OutputFormat = "tsv"
    merge: Merge = "sorted"
    compress: Compression = "none"
    order: Order = "hash"
    shuffle_compression: ShuffleCompression = "lz4"
    overwrite: bool = False
    max_failed_tasks: int = 0
    skip_bad_records: int = 0
    task_timeout: int = TASK_TIMEOUT
    speculation: bool = True
    params: dict[str, str] = {}
    files: tuple[str, ...] = ()


_CHOICES: Final = (
    (
        "--format",
        ("text", "jsonl", "csv", "parquet", "wholefile"),
        "text",
        "What a record is: a line, its JSON value, a row, or a file.",
    ),
    (
        "--encoding-errors",
        ("strict", "replace", "bytes"),
        "strict",
        "Bytes that are not UTF-8; bytes: records as bytes.",
    ),
    ("--output-format", ("tsv", "jsonl", "parquet"), "tsv", "How the output is written."),
    ("--merge", ("sorted", "none"), "sorted", "One file in the order of the keys, or a file a reducer."),
    ("--compress", ("none", "gzip", "zstd"), "none", "Compression of the output."),
    (
        "--order",
        ("hash", "total"),
        "hash",
        "How keys are divided among reducers; total: by ranges in their order.",
    ),
    ("--shuffle-compression", ("none", "lz4", "zstd"), "lz4", "Compression of what goes from maps to reducers."),
)


_OPTIONS: Final[tuple[Callable[[Any], Any], ...]] = (
    click.option(
        "--reducers",
        metavar="N",
        type=int,
        default=DEFAULT_REDUCERS,
        show_default=True,
        help="Partitions of the keys.",
    ),
    click.option(
        "--split-size",
        metavar="SIZE",
        type=Size(),
        help="Input of one map task.  [default: from the input]",
    ),
    click.option(
        "--param",
        "params",
        metavar="NAME=VALUE",
        multiple=True,
        help="A parameter of the program; may be repeated.",
    ),
    click.option(
        "--files", metavar="PATH", multiple=True, help="A module or data file beside the program; may be repeated."
    ),
    *(
        click.option(name, type=click.Choice(words), default=default, show_default=True, help=text)
        for name, words, default, text in _CHOICES
    ),
    click.option(
        "--max-record",
        metavar="SIZE",
        type=Size(),
        default=f"{MAX_RECORD_BYTES // MIB}Mi",
        show_default=True,
        help="The longest record.",
    ),
    click.option("--overwrite", is_flag=True, help="Replace an output of an earlier job at the end."),
    click.option(
        "--max-failed-tasks",
        metavar="N",
        type=click.IntRange(min=0),
        default=0,
        show_default=True,
        help="Tasks that may fail for good and be left out.",
    ),
    click.option(
        "--skip-bad-records",
        metavar="N",
        type=click.IntRange(min=0, max=bad_records.MOST),
        default=0,
        show_default=True,
        help="Records that may be bad, and are left out.",
    ),
    click.option(
        "--task-timeout",
        metavar="SECONDS",
        type=click.IntRange(min=1, max=LONGEST_TASK_TIMEOUT),
        default=TASK_TIMEOUT,
        show_default=True,
        help="A task without progress for so long is ended and tried again.",
    ),
    click.option(
        "--no-speculation",
        "speculation",
        flag_value=False,
        default=True,
        help="Do not run a task a second time elsewhere where it is much slower than the others.",
    ),
)


def of_job(command: FunctionT) -> FunctionT:
    """Give a command the options of a job; it gets them as keywords, for `read`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def read(given: dict[str, Any]) -> JobOptions:
    """Return the options as one value; raises `UsageError` for what contradicts itself."""
    if given["reducers"] < 1:
        raise UsageError(
            f"--reducers {given['reducers']}: a job with a reduce needs at least one reducer; for a map-only job leave "
            "reduce out of the program instead"
        )
    if given["format"] in PARSED and given["encoding_errors"] == "bytes":
        raise UsageError(
            "--encoding-errors bytes gives records without decoding them, so it cannot be used with "
            f"--format {given['format']}"
        )
    if given["output_format"] == "parquet" and given["compress"] != "none":
        raise UsageError(
            f"--compress {given['compress']} cannot be used with --output-format parquet, which is compressed in itself"
        )
    read_on = {"params": named_params(given["params"]), "split_size": given["split_size"] or 0}
    return msgspec.convert(given | read_on, JobOptions)


def named_params(texts: Iterable[str]) -> dict[str, str]:
    """Return the values of --param by name; raises `UsageError` for one that is none, or is given twice."""
    params: dict[str, str] = {}
    for text in texts:
        name, separator, value = text.partition("=")
        if not separator or not name.isidentifier():
            raise UsageError(f"--param {text}: write NAME=VALUE, with a name like least or max_size")
        if name in params:
            raise UsageError(f"--param {name} is given twice")
        params[name] = value
    return params
