"""`mapreduce cat ./DIR`: an output of `mapreduce run`, printed without a cluster."""

import gzip
import hashlib
import json

import pytest

from mapreduce_cli.cluster import connection
from mapreduce_cli.cluster.problems import Unreachable
from mapreduce_worker.gateway import sealed
from tests.support.fake_cluster import run, run_json


@pytest.fixture(autouse=True)
def nowhere(monkeypatch, tmp_path):
    """There is no cluster, and the folder is an empty one."""

    def connect(_target):
        raise Unreachable("no cluster is configured")

    monkeypatch.setattr(connection, "connect", connect)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def output(folder, files):
    folder.mkdir()
    known = []
    for name, content in files.items():
        (folder / name).write_bytes(content)
        checksum = f"sha256:{hashlib.sha256(content).hexdigest()}"
        known.append({"name": name, "size": len(content), "checksum": checksum})
    (folder / "_manifest.json").write_bytes(sealed.seal({"uid": "u1", "files": known}))


def test_the_files_are_printed_in_the_manifests_order_and_decompressed(tmp_path):
    output(tmp_path / "counts", {"part-1.tsv.gz": gzip.compress(b"b\t1\n", mtime=0), "part-0.tsv": b"a\t1\n"})
    (tmp_path / "counts" / "other.tsv").write_bytes(b"no")
    assert run("cat", "./counts").stdout_bytes == b"b\t1\na\t1\n"
    assert run("cat", "--raw", "counts/").stdout_bytes == gzip.compress(b"b\t1\n", mtime=0) + b"a\t1\n"


def test_one_file_of_parquet_is_written_as_it_is_and_several_are_refused(tmp_path):
    output(tmp_path / "one", {"output.parquet": b"PAR1\xff\nPAR1"})
    assert run("cat", "./one").stdout_bytes == b"PAR1\xff\nPAR1"
    output(tmp_path / "two", {"part-r-00000.parquet": b"PAR1", "part-r-00001.parquet": b"PAR1"})
    done = run("cat", "./two")
    assert (done.exit_code, "2 parquet files, which cannot be read" in done.stderr) == (2, True)
    assert not done.stdout_bytes


def test_with_json_the_manifest_is_told_and_no_data(tmp_path):
    output(tmp_path / "counts", {"output.tsv": b"a\t1\n"})
    told = run_json("cat", "./counts")
    assert [(known["name"], known["size"]) for known in told["files"]] == [("output.tsv", 4)]


def test_a_file_that_is_not_what_the_job_wrote_is_told_of(tmp_path):
    output(tmp_path / "counts", {"output.tsv": b"a\t1\n"})
    (tmp_path / "counts" / "output.tsv").write_bytes(b"a\t2\n")
    done = run("cat", "./counts")
    assert (done.exit_code, "output.tsv is not what the job wrote" in done.stderr) == (1, True)


@pytest.mark.parametrize("name", ["./texts", "./texts/a.txt", "./nothing"])
def test_what_is_no_output_is_refused(tmp_path, name):
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.txt").touch()
    done = run("cat", name)
    assert (done.exit_code, done.stdout) == (2, "")
    assert f"{name} is no output of a job: it has no _manifest.json" in done.stderr


def test_a_bare_word_is_a_job_and_who_meant_a_folder_is_told_so(tmp_path):
    output(tmp_path / "counts", {"output.tsv": b"a\t1\n"})
    done = run("cat", "counts")
    assert (done.exit_code, done.stdout) == (3, "")
    assert "hint: mapreduce cat ./counts prints the folder counts" in done.stderr
    assert "hint" not in json.dumps(run_json("cat", "others"))
