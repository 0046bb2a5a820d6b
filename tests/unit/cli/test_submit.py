"""`mapreduce submit`: the resource that it makes, and waiting for its end."""

import pytest
import yaml

from mapreduce_cli.cluster import following
from mapreduce_cli.cluster.problems import Forbidden, Invalid, Unreachable
from mapreduce_cli.cluster.refs import Ref, job
from tests.support.fake_cluster import make_job, over, run, run_json
from tests.support.submitted import WORD_COUNT

PLACES = ("--input", "pvc:data/texts", "--output", "pvc:data/counts")


@pytest.fixture
def program(tmp_path):
    path = tmp_path / "word_count.py"
    path.write_text(WORD_COUNT)
    return str(path)


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch):
    monkeypatch.setattr(following, "POLL", 0)


def submitted(cluster, name):
    return cluster.get(job("default", name))


def spec(*words):
    (made,) = run_json("submit", *words, "--dry-run")["documents"]
    return made["spec"]


def test_a_short_job_is_a_short_resource(program):
    done = run("submit", program, *PLACES, "--name", "wc", "--dry-run")
    assert yaml.safe_load(done.stdout) == {
        "apiVersion": "mapreduce.dev/v1alpha1",
        "kind": "MapReduceJob",
        "metadata": {"name": "wc"},
        "spec": {
            "program": {"inline": WORD_COUNT},
            "input": {"paths": ["texts"], "volume": {"persistentVolumeClaim": {"claimName": "data"}}},
            "output": {"path": "counts", "volume": {"persistentVolumeClaim": {"claimName": "data"}}},
        },
    }
    assert "    inline: |\n      import mapreduce as mr\n" in done.stdout, "the program can be read and edited"


def test_every_option_has_its_field(program):
    words = (
        *("--param", "least=3", "--reducers", "3", "--workers", "4", "--slots", "2", "--split-size", "1Mi"),
        *("--format", "jsonl", "--encoding-errors", "replace", "--max-record", "2Mi", "--max-failed-tasks", "1"),
        *("--skip-bad-records", "3"),
        *("--task-timeout", "30", "--no-speculation", "--shuffle-compression", "zstd"),
        *("--order", "total"),
        *("--output-format", "jsonl", "--merge", "none", "--compress", "zstd", "--overwrite"),
        *("--image", "mine:1", "--memory", "1Gi", "--cpu", "500m", "--env", "A=b=c", "--deadline", "60", "--ttl", "0"),
        "--suspend",
    )
    found = spec(f"{program}:WordCount", *PLACES, *words)
    assert found == {
        "program": {"inline": WORD_COUNT, "class": "WordCount"},
        "params": {"least": "3"},
        "image": "mine:1",
        "input": {
            "paths": ["texts"],
            "volume": {"persistentVolumeClaim": {"claimName": "data"}},
            "format": "Jsonl",
            "encodingErrors": "Replace",
            "maxRecordBytes": 2 << 20,
            "splitSize": 1 << 20,
        },
        "reducers": 3,
        "output": {
            "path": "counts",
            "volume": {"persistentVolumeClaim": {"claimName": "data"}},
            "format": "Jsonl",
            "merge": "None",
            "overwrite": "Replace",
            "compression": "Zstd",
        },
        "workers": {
            "replicas": 4,
            "slots": 2,
            "resources": {"requests": {"memory": 1 << 30, "cpu": "500m"}, "limits": {"memory": 1 << 30}},
            "env": [{"name": "A", "value": "b=c"}],
        },
        "maxFailedTasks": 1,
        "skipBadRecords": 3,
        "taskTimeoutSeconds": 30,
        "order": "Total",
        "shuffleCompression": "Zstd",
        "speculation": {"enabled": False},
        "activeDeadlineSeconds": 60,
        "ttlSecondsAfterFinished": 0,
        "suspend": True,
    }


def test_inputs_are_patterns_of_one_volume(program):
    words = ("--output", "pvc:data/", "--name", "wc", "--input", "configmap:texts/*.txt", "--input", "configmap:texts")
    found = spec(program, *words)
    assert found["input"] == {"paths": ["*.txt", "."], "volume": {"configMap": {"name": "texts"}}}
    assert found["output"]["path"] == "wc", "after a slash comes the job's name"


def test_a_program_of_the_image_is_a_module():
    assert spec("pkg.jobs:Indexer", *PLACES)["program"] == {"module": "pkg.jobs", "class": "Indexer"}


def test_side_files_travel_in_a_config_map_that_goes_with_the_job(cluster, program, tmp_path):
    (tmp_path / "stop.bin").write_bytes(b"\xff\0")
    done = run("submit", program, *PLACES, "--name", "wc", "--files", str(tmp_path / "stop.bin"))
    assert done.stdout == "wc: submitted\n"
    made = submitted(cluster, "wc")
    assert made["spec"]["program"] == {"configMap": {"name": "wc-source", "key": "word_count.py"}}
    source = cluster.get(Ref("configmaps", "default", "wc-source"))
    assert source["data"] == {"word_count.py": WORD_COUNT}
    assert source["binaryData"] == {"stop.bin": "/wA="}
    assert [owner["uid"] for owner in source["metadata"]["ownerReferences"]] == [made["metadata"]["uid"]]


def test_a_program_that_is_too_long_for_the_resource_travels_in_a_config_map(tmp_path):
    path = tmp_path / "long.py"
    path.write_text(WORD_COUNT + "#" * 140_000)
    beside, made = run_json("submit", str(path), *PLACES, "--name", "wc", "--dry-run")["documents"]
    assert (beside["kind"], made["spec"]["program"]["configMap"]["key"]) == ("ConfigMap", "long.py")


def test_what_was_made_for_a_job_that_is_refused_is_taken_back(cluster, program, monkeypatch):
    create = cluster.create

    def refuse(ref, body, *, dry_run=False):
        if ref.resource == "mapreducejobs":
            raise Invalid("spec.reducers: Invalid value: 0")
        return create(ref, body, dry_run=dry_run)

    monkeypatch.setattr(cluster, "create", refuse)
    done = run("submit", program, *PLACES, "--name", "wc", "--files", __file__)
    assert (done.exit_code, "spec.reducers" in done.stderr) == (2, True)
    assert cluster.list_all(Ref("configmaps", "default")) == []


def test_names_are_made_of_the_programs(cluster, program):
    for _ in range(2):
        assert run("submit", program, *PLACES).exit_code == 0
    names = [found["metadata"]["name"] for found in cluster.list_all(job("default"))]
    assert len(set(names)) == 2
    assert all(name.startswith("word-count-") for name in names)


def test_a_name_that_is_taken_is_told_of(cluster, program):
    cluster.job("wc")
    done = run("submit", program, *PLACES, "--name", "wc")
    assert done.exit_code == 2
    assert "there is a job 'wc' in namespace 'default' already" in done.stderr


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("absent.py", *PLACES), "the program absent.py does not exist"),
        (("job.py",), "needs --input and --output"),
        (("pkg.mod", "--input", "texts", "--output", "pvc:d/x"), "'texts' is no place on a volume"),
        (
            ("pkg.mod", "--input", "pvc:d/x", "--output", "configmap:d/x"),
            "is no place on a volume: write pvc:NAME/path",
        ),
        (("pkg.mod", *PLACES, "--input", "pvc:other/x"), "all inputs of a job are on one volume"),
        (("pkg.mod", *PLACES, "--name", "No_Name"), "cannot be the name of a job"),
        (("pkg.mod", *PLACES, "--param", "x"), "write NAME=VALUE"),
        (("absent.yaml",), "absent.yaml does not exist"),
    ],
)
def test_what_cannot_be_submitted_is_refused_before_a_cluster_is_asked(words, expected):
    done = run("submit", *words)
    assert done.exit_code == 2
    assert expected in done.stderr
    assert "Traceback" not in done.stderr


# --- resources ------------------------------------------------------------------------------------


def write(tmp_path, *documents):
    path = tmp_path / "job.yaml"
    path.write_text(yaml.safe_dump_all(documents))
    return str(path)


def test_a_resource_is_submitted_with_what_stands_beside_it(cluster, tmp_path):
    texts = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "texts"}, "data": {"a": "b"}}
    claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "results"}, "spec": {}}
    path = write(tmp_path, texts, claim, make_job("wc"))
    assert run("submit", path).exit_code == 0
    assert run("submit", path, "--name", "wc-2").exit_code == 0, "what says the same serves again"
    assert cluster.get(Ref("configmaps", "default", "texts"))["data"] == {"a": "b"}
    assert "ownerReferences" not in cluster.get(Ref("configmaps", "default", "texts"))["metadata"]
    assert [found["metadata"]["name"] for found in cluster.list_all(job("default"))] == ["wc", "wc-2"]


def test_a_config_map_that_says_something_else_is_not_touched(cluster, tmp_path):
    cluster.put("configmaps", {"metadata": {"name": "texts"}, "data": {"a": "old"}})
    texts = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "texts"}, "data": {"a": "new"}}
    done = run("submit", write(tmp_path, texts, make_job("wc")))
    assert (done.exit_code, "with other content" in done.stderr) == (2, True)
    assert cluster.list_all(job("default")) == []


def test_a_resource_from_stdin_is_read_and_named(cluster):
    body = make_job("x")
    body["metadata"] = {"generateName": "daily-"}
    assert run("submit", "-", input_text=yaml.safe_dump(body)).exit_code == 0
    (found,) = cluster.list_all(job("default"))
    assert found["metadata"]["name"].startswith("daily-")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: [1", "line 1, column 6: not YAML"),
        ("just text", "is no Kubernetes object"),
        ("kind: Pod\nmetadata: {name: x}\n", "has 0 MapReduceJob documents"),
        ("kind: MapReduceJob\napiVersion: mapreduce.dev/v2\nmetadata: {name: x}\n", "apiVersion must be"),
        ("kind: MapReduceJob\napiVersion: mapreduce.dev/v1alpha1\nmetadata: {name: x}\n", "has no spec"),
    ],
)
def test_what_is_no_resource_is_told_with_its_place(tmp_path, text, expected):
    path = tmp_path / "job.yaml"
    path.write_text(text)
    done = run("submit", str(path))
    assert done.exit_code == 2
    assert expected in done.stderr


def test_options_of_a_program_are_refused_with_a_resource(tmp_path):
    done = run("submit", write(tmp_path, make_job("wc")), "--reducers", "3")
    assert done.exit_code == 2
    assert "--reducers: a resource says that itself" in done.stderr


# --- waiting --------------------------------------------------------------------------------------


def in_turn(cluster, monkeypatch, *statuses):
    """Let each look at the job find the next of these; an exception is raised."""
    left = list(statuses)
    get = cluster.get

    def answer(ref):
        found = get(ref)
        if ref.resource == "mapreducejobs":
            status = left.pop(0) if len(left) > 1 else left[0]
            if isinstance(status, Exception):
                raise status
            found["status"] = status
        return found

    monkeypatch.setattr(cluster, "get", answer)


DONE = over("Complete") | {"output": {"path": "counts", "files": 1, "records": 3, "bytes": 20, "checksum": "sha256:x"}}


def test_waiting_shows_progress_and_ends_with_the_job(cluster, program, monkeypatch):
    in_turn(cluster, monkeypatch, {}, {"phase": "Mapping", "map": {"succeeded": 1, "total": 4}}, DONE)
    done = run("submit", program, *PLACES, "--name", "wc", "--wait")
    assert done.exit_code == 0
    assert "mapping  maps 1/4" in done.stderr
    assert done.stdout.startswith("pvc:data/counts: 3 records, 20 B, in ")


@pytest.mark.parametrize("seconds", [0, 9])
def test_the_end_of_a_job_that_is_deleted_at_once_cannot_be_waited_for(cluster, program, seconds):
    done = run("submit", program, *PLACES, "--name", "wc", "--wait", "--ttl", str(seconds))
    assert done.exit_code == 2
    assert f"deleted {seconds} s after it" in done.stderr
    assert not any(body["kind"] == "MapReduceJob" for body in cluster.objects.values())


def test_a_program_with_any_line_end_comes_back_as_it_was(tmp_path):
    path = tmp_path / "odd.py"
    path.write_text(WORD_COUNT + "ODD = 'a\x85b\u2028c'  # \x85\n", newline="")
    done = run("submit", str(path), *PLACES, "--name", "wc", "--dry-run")
    assert yaml.safe_load(done.stdout)["spec"]["program"]["inline"] == path.read_text()


def test_waiting_with_json_prints_the_output(cluster, program, monkeypatch):
    in_turn(cluster, monkeypatch, DONE)
    found = run_json("submit", program, *PLACES, "--name", "wc", "--wait")
    assert found["output"] == DONE["output"] | {"place": "pvc:data/counts"}
    assert found["job"] == {"name": "wc", "namespace": "default"}


INCOMPLETE = DONE | {"failedTasks": ["map-3", "reduce-0"], "map": {"failed": 2}, "reduce": {"failed": 1}}


def test_waiting_names_the_tasks_that_were_left_out(cluster, program, monkeypatch):
    in_turn(cluster, monkeypatch, INCOMPLETE)
    options = ("--max-failed-tasks", "3", "--wait")
    assert (
        "not everything is in the output: 3 tasks (map-3, reduce-0…)"
        in run("submit", program, *PLACES, *options).stderr
    )
    assert run_json("submit", program, *PLACES, *options)["left_out"] == ["map-3", "reduce-0"]


def test_a_job_that_left_nothing_out_says_nothing_of_it(cluster, program, monkeypatch):
    in_turn(cluster, monkeypatch, DONE)
    options = ("--max-failed-tasks", "3", "--wait")
    assert "not everything" not in run("submit", program, *PLACES, *options).stderr
    assert "left_out" not in run_json("submit", program, *PLACES, *options)


def test_what_to_do_about_a_failed_job_is_told_in_fields_of_the_resource(cluster, program, monkeypatch):
    in_turn(cluster, monkeypatch, over("Failed", "RecordTooLong", "a record is too long"))
    assert "hint: a larger spec.input.maxRecordBytes (--max-record)" in run("submit", program, *PLACES, "--wait").stderr
    assert "maxRecordBytes" in run_json("submit", program, *PLACES, "--wait")["error"]["hint"]


@pytest.mark.parametrize(("reason", "status"), [("UserCodeFailed", 1), ("OutputExists", 2)])
def test_a_job_that_fails_gives_its_reason_traceback_and_exit_status(cluster, program, monkeypatch, reason, status):
    failure = {"reason": reason, "where": "a.txt:3", "traceback": "Traceback:\n  \x1b[31mline 7"}
    in_turn(cluster, monkeypatch, over("Failed", reason, "map-0 failed") | {"lastFailures": [failure]})
    done = run("submit", program, *PLACES, "--wait")
    assert done.exit_code == status
    assert f"{reason}: map-0 failed" in done.stderr
    assert "at a.txt:3" in done.stderr
    assert r"\x1b[31mline 7" in done.stderr
    told = run_json("submit", program, *PLACES, "--wait")
    assert told["error"]["reason"] == reason


def test_an_api_server_that_is_away_for_a_while_is_asked_again(cluster, program, monkeypatch):
    in_turn(cluster, monkeypatch, Unreachable("the cluster cannot be reached"), DONE)
    done = run("submit", program, *PLACES, "--wait")
    assert done.exit_code == 0
    assert "asking again" in done.stderr


def test_an_api_server_that_stays_away_is_given_up(cluster, program, monkeypatch):
    monkeypatch.setattr(following, "OUTAGE", -1)
    in_turn(cluster, monkeypatch, Unreachable("the cluster cannot be reached"))
    assert run("submit", program, *PLACES, "--wait").exit_code == 3


def test_a_right_that_is_missing_is_told_in_the_clusters_words(cluster, program, monkeypatch):
    def refuse(ref, body, *, dry_run=False):
        raise Forbidden('mapreducejobs.mapreduce.dev is forbidden: User "eve" cannot create')

    monkeypatch.setattr(cluster, "create", refuse)
    done = run("submit", program, *PLACES)
    assert (done.exit_code, 'User "eve" cannot create' in done.stderr) == (2, True)


def test_interrupted_waiting_says_that_the_job_goes_on(cluster, program, monkeypatch):
    monkeypatch.setattr(following, "until_over", _interrupted)
    done = run("submit", program, *PLACES, "--name", "wc", "--wait")
    assert done.exit_code == 130
    assert "wc goes on" in done.stderr
    assert cluster.list_all(job("default"))


def _interrupted(api, created, show):
    raise KeyboardInterrupt
