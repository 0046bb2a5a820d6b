"""The options that describe a job, as one value."""

import click
import pytest
from click.testing import CliRunner

from mapreduce.errors import UsageError
from mapreduce_cli import options
from mapreduce_cli.options import JobOptions


def read(*words: str) -> JobOptions:
    """Return what a command with these options is told."""
    found: list[JobOptions] = []

    @click.command()
    @options.of_job
    def command(**given):
        found.append(options.read(given))

    result = CliRunner().invoke(command, words, standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    return found[0]


def test_nothing_given_means_the_defaults():
    assert read() == JobOptions()


def test_every_option_has_its_place():
    words = ["--reducers", "3", "--split-size", "2KiB", "--format", "jsonl", "--encoding-errors", "replace"]
    words += ["--output-format", "jsonl", "--merge", "none", "--compress", "zstd", "--max-record", "1Ki", "--overwrite"]
    words += ["--max-failed-tasks", "2", "--skip-bad-records", "5", "--task-timeout", "7", "--no-speculation"]
    words += ["--shuffle-compression", "none", "--order", "total"]
    words += ["--param", "least=3", "--param", "sign=a=b", "--files", "x.py"]
    assert read(*words) == JobOptions(
        reducers=3,
        split_size=2048,
        format="jsonl",
        encoding_errors="replace",
        max_record=1024,
        output_format="jsonl",
        merge="none",
        compress="zstd",
        overwrite=True,
        max_failed_tasks=2,
        skip_bad_records=5,
        task_timeout=7,
        speculation=False,
        shuffle_compression="none",
        order="total",
        params={"least": "3", "sign": "a=b"},
        files=("x.py",),
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--param", "least"], "NAME=VALUE"),
        (["--param", "=3"], "NAME=VALUE"),
        (["--param", "a=1", "--param", "a=2"], "a is given twice"),
        (["--reducers", "0"], "leave reduce out of the program"),
        (["--format", "jsonl", "--encoding-errors", "bytes"], "cannot be used with --format jsonl"),
        (["--format", "csv", "--encoding-errors", "bytes"], "cannot be used with --format csv"),
        (["--output-format", "parquet", "--compress", "gzip"], "cannot be used with --output-format parquet"),
    ],
)
def test_what_contradicts_itself_is_refused(words: list[str], message: str):
    with pytest.raises(UsageError, match=message):
        read(*words)


@pytest.mark.parametrize("words", [["--split-size", "0"], ["--max-record", "much"], ["--format", "avro"]])
def test_a_value_that_is_none_is_bad_usage(words: list[str]):
    with pytest.raises(click.UsageError):
        read(*words)
