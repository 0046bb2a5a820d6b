"""Which data files an output has, what they are called, and what the manifest says of them."""

import hashlib
import json

import pytest

from mapreduce import paths
from mapreduce.errors import CorruptionError
from mapreduce.ids import AttemptId
from mapreduce.spec import Compression, JobSpec, OutputFormat
from mapreduce_worker.gateway import data_files, durable, publishing, sealed, standing
from mapreduce_worker.gateway.data_files import OutputOptions, Written
from mapreduce_worker.gateway.storage import Output, PartToStage
from tests.support.crash_store import CrashStore, Disk
from tests.support.gateway_messages import SPEC
from tests.support.outputs import PATH, UID, attempt, facts, make_output, opened_epoch

PARTS = (b"a\t1\nc\t3\n", b"b\t2\nd\t4\n")


def stage(output: Output, kind: str, index: int, data: bytes) -> None:
    source: AttemptId = attempt(kind, index)  # type: ignore[arg-type]  # a str that is a kind
    part = PartToStage(attempt=attempt("stage", index), partition=index, source=source, facts=facts(data))
    temporary = output.incoming(part)
    output.receive(temporary, data)
    output.stage(part, temporary, 5.0)


def publish(options: OutputOptions, kind: str = "reduce", parts=PARTS, left_out=()):
    """Publish parts and return (summary, manifest, data files by name)."""
    disk = Disk()
    output = make_output(CrashStore(disk), partitions=len(parts), options=options)
    output.open({UID})
    output.append([opened_epoch()])
    for index, data in enumerate(parts):
        if index not in left_out:
            stage(output, kind, index, data)
    summary = output.publish(attempt("publish"), b"{}", 9.0, parts=len(parts), left_out=left_out)
    files = disk.below(PATH)
    manifest = json.loads(files.pop(paths.MANIFEST))
    assert {paths.SUCCESS, paths.EVENTS} <= set(files)
    return summary, manifest, {name: data for name, data in files.items() if not name.startswith("_")}


def test_reduced_parts_are_merged_by_key_into_one_file():
    summary, manifest, files = publish(OutputOptions())
    assert files == {"output.tsv": b"a\t1\nb\t2\nc\t3\nd\t4\n"}
    assert (summary.files, summary.records, summary.checksum) == (1, 4, manifest["files"][0]["checksum"])


def test_parts_of_maps_follow_each_other_in_one_file():
    assert publish(OutputOptions(), "map")[2] == {"output.tsv": PARTS[0] + PARTS[1]}


@pytest.mark.parametrize(("kind", "letter"), [("reduce", "r"), ("map", "m")])
def test_without_a_merge_every_part_is_a_file(kind, letter):
    summary, manifest, files = publish(OutputOptions(merge="none"), kind)
    names = [f"part-{letter}-00000.tsv", f"part-{letter}-00001.tsv"]
    assert files == dict(zip(names, PARTS, strict=True))
    assert [file["name"] for file in manifest["files"]] == names
    assert [file["records"] for file in manifest["files"]] == [2, 2]
    assert (summary.files, summary.records, summary.size) == (2, 4, 16)
    assert manifest["output"]["checksum"] == summary.checksum


def test_a_part_that_was_left_out_leaves_the_others_names_as_they_are():
    _, manifest, files = publish(OutputOptions(merge="none"), parts=(*PARTS, b"e\t5\n"), left_out=(1,))
    assert list(files) == ["part-r-00000.tsv", "part-r-00002.tsv"]
    assert [part["partition"] for part in manifest["parts"]] == [0, 2]


def test_no_parts_make_no_file_or_an_empty_one():
    summary, manifest, files = publish(OutputOptions(merge="none"), parts=())
    assert (summary.files, summary.records, manifest["files"], files) == (0, 0, [], {})
    assert summary.checksum == f"sha256:{hashlib.sha256(b'').hexdigest()}"
    assert publish(OutputOptions(), parts=())[2] == {"output.tsv": b""}


@pytest.mark.parametrize(
    ("output_format", "compression", "suffix"),
    [("tsv", "gzip", "tsv.gz"), ("jsonl", "none", "jsonl"), ("jsonl", "zstd", "jsonl.zst")],
)
def test_names_tell_format_and_compression(output_format: OutputFormat, compression: Compression, suffix):
    options = OutputOptions(format=output_format, compression=compression)
    assert list(publish(options)[2]) == [f"output.{suffix}"]
    in_parts = OutputOptions(format=output_format, compression=compression, merge="none")
    assert list(publish(in_parts)[2]) == [f"part-r-00000.{suffix}", f"part-r-00001.{suffix}"]


def test_the_checksum_of_several_files_is_that_of_what_sha256sum_prints():
    files = [
        Written(f"part-r-{n:05d}.tsv", 1, 2, f"sha256:{hashlib.sha256(data).hexdigest()}")
        for n, data in enumerate(PARTS)
    ]
    printed = "".join(f"{hashlib.sha256(data).hexdigest()}  part-r-{n:05d}.tsv\n" for n, data in enumerate(PARTS))
    assert data_files.summary("out", files).checksum == f"sha256:{hashlib.sha256(printed.encode()).hexdigest()}"


def test_options_are_those_of_the_job():
    spec: JobSpec = SPEC
    assert data_files.of_job(spec) == data_files.DEFAULTS


def test_a_damaged_manifest_costs_no_data_file():
    disk = Disk()
    store = CrashStore(disk)
    target = publishing.Target(uid=UID, path=PATH, staging=paths.staging(PATH, UID), options=OutputOptions())
    durable.make_directories(store, target.staging)
    manifest = sealed.seal({"uid": UID, "output": data_files.summary(PATH, ()), "files": [{"name": "output.tsv"}]})
    for name, data in (("output.tsv", b"a\t1\n"), (paths.SUCCESS, b"")):
        store.append(f"{target.staging}/{name}", data)
    store.append(f"{target.staging}/{paths.MANIFEST}", manifest.replace(b"output.tsv", b"output.tsw"))
    with pytest.raises(CorruptionError, match="damaged"):
        publishing.finish(store, target)
    assert disk.below(target.staging)["output.tsv"] == b"a\t1\n"
    assert standing.published_by(store, target.staging) is None
