"""`--sequential` equals a naive computation, for every way to say what goes in and what comes out."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from mapreduce import jsonl, keys, partitioning, tsv
from mapreduce.plan import Suffix
from mapreduce.program import Program
from mapreduce.protocol import OutputSummary
from mapreduce.spec import JobSpec
from mapreduce_cli import sequential
from mapreduce_cli.failures import JobFailed
from mapreduce_cli.progress import Silent
from tests.support.compressed import compress, decompress

COUNT = b"""
import mapreduce as mr
class Count(mr.Job):
    def map(self, record):
        for word in (record.decode() if isinstance(record, bytes) else str(record)).split():
            yield word, 1
    reduce = mr.Sum()
"""
LAST = b"""
import mapreduce as mr
class Last(mr.Job):
    def map(self, row):
        yield row["name"], row["text"]
    def reduce(self, key, values):
        yield key, list(values)[-1]
"""
UPPER = b"""
import mapreduce as mr
class Upper(mr.Job):
    def map(self, line):
        yield line.upper(), len(line)
"""
TEXTS = {"a.txt": b"b a\r\na\n", "b.txt.gz": b"c c c\n" * 50, "c.txt": b"", "d.txt.zst": b"a", "e.txt": b"b\n\nc d"}
EXPECTED = Counter(b" ".join(TEXTS.values()).decode().split())
SUFFIXES: dict[str, Suffix] = {"b.txt.gz": ".gz", "d.txt.zst": ".zst"}


def write_texts(root: Path) -> None:
    (root / "in").mkdir()
    for name, text in TEXTS.items():
        suffix = SUFFIXES.get(name)
        (root / "in" / name).write_bytes(compress(suffix, text) if suffix else text)


def run(root: Path, source: bytes = COUNT, **fields: Any) -> tuple[OutputSummary, dict[str, bytes]]:
    """Run a job and return its summary and its data files."""
    job: dict[str, Any] = {"uid": "u1", "name": "job", "inputs": ("in",), "output": "out"}
    job |= {"reducers": 3, "split_size": 7} | fields
    summary = sequential.run(JobSpec(program=Program("job.py", source), **job), root, Silent())
    files = {path.name: path.read_bytes() for path in (root / job["output"]).iterdir() if path.is_file()}
    manifest = json.loads(files["_manifest.json"])
    data = {name: content for name, content in sorted(files.items()) if not name.startswith("_")}
    assert [(file["name"], file["size"]) for file in manifest["files"]] == [(n, len(c)) for n, c in data.items()]
    return summary, data


def test_text_plain_and_compressed_is_counted_in_one_file(tmp_path):
    write_texts(tmp_path)
    summary, files = run(tmp_path)
    assert files == {"output.tsv": b"".join(tsv.line(*pair) for pair in sorted(EXPECTED.items()))}
    assert (summary.files, summary.records) == (1, len(EXPECTED))


def test_lines_of_json_go_in_and_out(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jsonl").write_bytes(b'"a b"\n\n12\n"a"\n')
    files = run(tmp_path, format="jsonl", output_format="jsonl")[1]
    assert files == {"output.jsonl": b"".join(jsonl.line(*pair) for pair in [("12", 1), ("a", 2), ("b", 1)])}


@pytest.mark.parametrize("split_size", [1, 64, 1000])
def test_rows_of_csv_are_the_same_with_every_split_size(tmp_path, split_size):
    (tmp_path / "in").mkdir()
    rows = [f'"{"ab"[number % 2]}","{number}\n, {number}"' for number in range(40)]
    (tmp_path / "in" / "a.csv").write_text("\n".join(["name,text", *rows]))
    (tmp_path / "in" / "b.csv").write_text("text,more,name\n1,,c\n")
    files = run(tmp_path, LAST, format="csv", split_size=split_size)[1]
    assert files == {"output.tsv": b"a\t38\\n, 38\nb\t39\\n, 39\nc\t1\n"}


@pytest.mark.parametrize("encoding_errors", ["strict", "bytes"])
def test_whole_files_are_records(tmp_path, encoding_errors):
    write_texts(tmp_path)
    files = run(tmp_path, format="wholefile", encoding_errors=encoding_errors)[1]
    assert files == {"output.tsv": b"".join(tsv.line(*pair) for pair in sorted(EXPECTED.items()))}


def test_without_a_merge_each_partition_is_a_file(tmp_path):
    write_texts(tmp_path)
    summary, files = run(tmp_path, merge="none")
    shares: list[list[tuple[str, int]]] = [[], [], []]
    for word in sorted(EXPECTED):
        shares[partitioning.partition(keys.encode(word), 3)].append((word, EXPECTED[word]))
    assert files == {f"part-r-{number:05d}.tsv": tsv.lines(pairs) for number, pairs in enumerate(shares)}
    assert summary.files == 3


@pytest.mark.parametrize(("compression", "suffix"), [("gzip", ".gz"), ("zstd", ".zst")])
def test_compressed_output_says_the_same_in_the_same_bytes_every_time(tmp_path, compression, suffix: Suffix):
    write_texts(tmp_path)
    plain = run(tmp_path, output="plain")[1]["output.tsv"]
    first = run(tmp_path, output_compression=compression)[1]
    again = run(tmp_path, output="again", output_compression=compression, reducers=1)[1]
    assert list(first) == [f"output.tsv{suffix}"]
    assert decompress(suffix, first[f"output.tsv{suffix}"]) == plain
    assert again == first


@pytest.mark.parametrize("merge", ["sorted", "none"])
def test_a_job_without_reduce_keeps_the_order_of_the_input(tmp_path, merge):
    (tmp_path / "in").mkdir()
    lines = [f"line {number * 7919 % 100}" for number in range(40)]
    (tmp_path / "in" / "a.txt").write_text("\n".join(lines))
    files = run(tmp_path, UPPER, merge=merge, split_size=50)[1]
    assert b"".join(files.values()) == b"".join(tsv.line(line.upper(), len(line)) for line in lines)
    assert next(iter(files)) == ("output.tsv" if merge == "sorted" else "part-m-00000.tsv")
    assert merge == "sorted" or len(files) > 3


@pytest.mark.parametrize(
    ("name", "content", "fields", "reason", "where"),
    [
        ("a.gz", compress(".gz", b"word\n" * 99)[:-5], {}, "InputDamaged", "a.gz:"),
        ("a.zst", compress(".zst", b"word\n" * 99)[:-5], {}, "InputDamaged", "a.zst:"),
        ("a.gz", b"", {}, "InputDamaged", "a.gz:0"),
        ("a.jsonl", b'1\n{"a" 1}\n', {"format": "jsonl"}, "RecordMalformed", "a.jsonl:2"),
        ("a.csv", b"a,b\n1,2\n1,2,3\n", {"format": "csv"}, "RecordMalformed", "a.csv:8"),
        ("a.csv", b"a,b,a\n1,2,3\n", {"format": "csv", "skip_bad_records": 5}, "RecordMalformed", "a.csv:0"),
        (
            "a.csv",
            b'a,b\n1,2\n1,"' + b"2\n" * 99,
            {"format": "csv", "max_record_bytes": 20},
            "RecordTooLong",
            "a.csv:8",
        ),
        ("a.txt", b"ab\nabcdef\n", {"max_record_bytes": 5}, "RecordTooLong", "a.txt:3"),
        ("a.txt", b"a\xff", {"format": "wholefile"}, "RecordUndecodable", "a.txt:0"),
    ],
)
def test_bad_input_is_told_with_its_place_and_nothing_is_published(tmp_path, name, content, fields, reason, where):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / name).write_bytes(content)
    with pytest.raises(JobFailed) as caught:
        run(tmp_path, **fields)
    assert caught.value.reason == reason
    assert caught.value.where.startswith(where)
    assert name in str(caught.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("output", ["../out", "a/../../out", "link/out"])
def test_an_output_that_leaves_the_volume_is_refused(tmp_path, output):
    root = tmp_path / "volume"
    root.mkdir()
    write_texts(root)
    (root / "link").symlink_to(tmp_path)
    with pytest.raises(JobFailed, match=r"leaves the volume|not a path below") as caught:
        run(root, output=output)
    assert caught.value.reason == "InvalidSpec"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["volume"]
