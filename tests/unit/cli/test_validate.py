"""`mapreduce validate`: what it finds, with a cluster and without."""

import json
import subprocess
import sys

import pytest
import yaml

from mapreduce_cli.cluster import connection
from mapreduce_cli.cluster.problems import Invalid, Unreachable
from mapreduce_cli.cluster.refs import job
from tests.support.fake_cluster import make_job, run, run_json

PROGRAM = "import mapreduce as mr\nclass A(mr.Job):\n    def map(self, r):\n        yield r, 1\n    reduce = mr.Sum()\n"


@pytest.fixture
def no_cluster(monkeypatch):
    def fail(target):
        raise Unreachable("the cluster at x cannot be reached: refused")

    monkeypatch.setattr(connection, "connect", fail)


def write(tmp_path, text, name="job.py"):
    path = tmp_path / name
    path.write_text(text)
    return str(path)


def resource(tmp_path, *beside, name="wc", **spec):
    made = make_job(name, None, **({"program": {"inline": PROGRAM}} | spec))
    return write(tmp_path, yaml.safe_dump_all([*beside, made]), "job.yaml")


def findings(*words):
    return [(finding["verdict"], finding["text"]) for finding in run_json("validate", *words)["findings"]]


def test_a_program_that_loads_is_told_with_its_shape(tmp_path):
    done = run("validate", write(tmp_path, PROGRAM))
    assert done.exit_code == 0
    assert done.stdout == "ok     the program loads: A, with reduce and combiner\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("def map(:\n", "line 1"),
        ("x = 1\n", "has no job"),
        ("import absent_module\n", "absent_module"),
        ("import os\nos._exit(7)\n", "ended the process with exit code 7"),
        ("print('noise')\nraise ValueError('broken')\n", "broken"),
    ],
)
def test_a_program_that_is_no_job_is_told_with_its_reason(tmp_path, text, expected):
    done = run("validate", write(tmp_path, text))
    assert done.exit_code == 2
    assert done.stdout.startswith("wrong  ")
    assert expected in done.stdout


def test_parameters_are_checked_as_a_run_would(tmp_path):
    program = write(tmp_path, PROGRAM + "    class Params:\n        least: int\n")
    assert run("validate", program, "--param", "least=3").exit_code == 0
    done = run("validate", program, "--param", "least=x")
    assert done.exit_code == 2
    assert "least" in done.stdout


def test_a_resource_is_checked_by_the_cluster_and_nothing_is_made(cluster, tmp_path):
    for name in ("texts", "results"):
        cluster.put("persistentvolumeclaims", {"metadata": {"name": name}})
    assert findings(resource(tmp_path)) == [
        ("ok", "the program loads: A, with reduce and combiner"),
        ("ok", "the cluster at https://cluster.invalid accepts the resource"),
    ]
    assert cluster.list_all(job("default")) == []


def test_what_the_cluster_refuses_is_wrong(cluster, tmp_path, monkeypatch):
    def refuse(ref, body, *, dry_run=False):
        assert dry_run
        raise Invalid('strict decoding error: unknown field "spec.reducer"')

    monkeypatch.setattr(cluster, "create", refuse)
    path = resource(tmp_path, reducer=3)
    assert ("wrong", 'strict decoding error: unknown field "spec.reducer"') in findings(path)
    assert run("validate", path).exit_code == 2


def test_claims_that_are_neither_there_nor_in_the_file_are_told_of(cluster, tmp_path):
    claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "texts"}, "spec": {}}
    told = findings(resource(tmp_path, claim))
    assert [text for verdict, text in told if verdict == "note"] == [
        "there is no PersistentVolumeClaim 'results' in namespace 'default' yet: the job would wait for it"
    ]


def test_without_a_cluster_the_rest_is_checked_all_the_same(no_cluster, tmp_path):
    told = findings(resource(tmp_path, program={"inline": "x = 1\n"}))
    assert told[0][0] == "wrong"
    assert told[-1] == ("note", "not checked by a cluster: the cluster at x cannot be reached: refused")
    assert run("validate", resource(tmp_path)).exit_code == 0


def test_names_and_paths_are_checked_here_too(no_cluster, tmp_path):
    volume = {"persistentVolumeClaim": {"claimName": "data"}}
    bad = resource(
        tmp_path, name="No_Name", input={"paths": ["/in", "../x"], "volume": volume}, output={"volume": volume}
    )
    wrong = [text for verdict, text in findings(bad) if verdict == "wrong"]
    assert len(wrong) == 4
    assert "'No_Name' cannot be the name of a job" in wrong[0]
    assert wrong[3] == "spec.output.path is missing"


def test_an_output_inside_the_input_is_wrong(no_cluster, tmp_path):
    volume = {"persistentVolumeClaim": {"claimName": "data"}}
    path = resource(tmp_path, input={"paths": ["in"], "volume": volume}, output={"path": "in/out", "volume": volume})
    assert ("wrong", "the output 'in/out' lies in the input 'in': the next run would read it") in findings(path)


@pytest.mark.parametrize(
    ("pattern", "said"), [("*/*/output.jsonl", True), ("*/*/output.tsv", False), ("*/*/data", False)]
)
def test_whether_a_pattern_takes_the_output_goes_by_the_files_that_the_job_makes(no_cluster, tmp_path, pattern, said):
    volume = {"persistentVolumeClaim": {"claimName": "data"}}
    output = {"path": "in/out", "volume": volume, "format": "Jsonl"}
    path = resource(tmp_path, input={"paths": [pattern], "volume": volume}, output=output)
    wrong = f"the output 'in/out' lies in the input '{pattern}': the next run would read it"
    assert (("wrong", wrong) in findings(path)) is said
    assert run("validate", path).exit_code == (2 if said else 0)


def test_a_program_in_a_config_map_of_the_file_is_loaded(no_cluster, tmp_path):
    data = {"job.py": PROGRAM, "stopwords.txt": "a\n"}
    source = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "source"}, "data": data}
    path = resource(tmp_path, source, program={"configMap": {"name": "source", "key": "job.py"}})
    assert findings(path)[0] == ("ok", "the program loads: A, with reduce and combiner")


def test_binary_data_that_is_no_base64_is_told_with_its_key(no_cluster, tmp_path):
    source = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "source"}, "data": {"job.py": PROGRAM}}
    path = resource(
        tmp_path, source | {"binaryData": {"b": "?"}}, program={"configMap": {"name": "source", "key": "job.py"}}
    )
    verdict, text = findings(path)[0]
    assert (verdict, "the key 'b'" in text) == ("wrong", True)


def test_parameters_are_read_as_submit_reads_them(no_cluster, tmp_path):
    program = tmp_path / "job.py"
    program.write_text(PROGRAM)
    for words in (["--param", "1x=2"], ["--param", "x=2", "--param", "x=3"]):
        found = run_json("validate", str(program), *words)
        assert found["error"]["reason"] == "Refused"


def test_a_module_of_an_image_cannot_be_checked_here(no_cluster, tmp_path):
    assert findings(resource(tmp_path, program={"module": "pkg.mod"}))[0][0] == "note"


def test_help_of_any_command_waits_for_no_kubernetes_client():
    program = (
        "import sys\nfrom mapreduce_cli.main import cli\n"
        "for name in cli.list_commands(None): cli.get_command(None, name)\n"
        "print([name for name in ('kubernetes', 'aiohttp', 'polars') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert json.loads(done.stdout.replace("'", '"')) == []
