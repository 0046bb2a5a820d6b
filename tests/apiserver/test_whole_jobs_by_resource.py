"""What a resource asks for beyond a word count, through the real API and in the published files."""

import gzip
import json

from tests.support.apiserver import eventually
from tests.support.whole_jobs import complete, prepare, submit

PROGRAM = """
import mapreduce as mr

class Other(mr.Job):
    def map(self, line):
        yield line, 1

    reduce = mr.Sum()

class Chosen(mr.Job):
    class Params:
        least: int

    def map(self, record):
        for word in record["text"].split():
            if len(word) < self.params.least:
                self.counters["left out"] += 1
            else:
                yield word.upper(), 1

    reduce = mr.Sum()
"""
MODULE = "STOP = {'alpha', 'beta'}\n"
WITH_FILES = """
import mapreduce as mr
import helper

class Kept(mr.Job):
    def map(self, line):
        also = self.file("also.txt").read_text().split()
        return (word for word in line.split() if word not in helper.STOP and word not in also)

    reduce = mr.Count()
"""
FAILING = """
import mapreduce as mr

class Fails(mr.Job):
    def map(self, line):
        raise ValueError(line)

    reduce = mr.Sum()
"""


def output(**fields):
    return {"path": "out", "volume": {"persistentVolumeClaim": {"claimName": "results"}}} | fields


def test_the_parameters_formats_and_counters_of_one_job(operator, kubelet, team):
    folder = kubelet.claim(team.name, "texts") / "in"
    folder.mkdir()
    for number, text in enumerate(("the quick fox", "the lazy dog", "a quick dog")):
        (folder / f"{number}.jsonl").write_text(json.dumps({"text": text}) + "\n\n")
    volume = {"persistentVolumeClaim": {"claimName": "texts"}}
    submit(
        team,
        program={"inline": PROGRAM, "class": "Chosen"},
        params={"least": "4"},
        input={"paths": ["in"], "volume": volume, "format": "Jsonl", "splitSize": "30"},
        output=output(format="Jsonl", merge="None", compression="Gzip"),
    )
    complete(team)
    out = kubelet.claim(team.name, "results") / "out"
    parts = sorted(path.name for path in out.iterdir() if not path.name.startswith("_"))
    assert parts == [f"part-r-0000{number}.jsonl.gz" for number in range(3)]
    lines = [line for part in parts for line in gzip.decompress((out / part).read_bytes()).split(b"\n") if line]
    assert sorted(lines) == [b'{"key":"LAZY","value":1}', b'{"key":"QUICK","value":2}']
    status = team.status()
    assert status["counters"] == {"left out": 6}
    assert status["output"]["files"] == 3
    assert json.loads((out / "_manifest.json").read_bytes())["counters"] == {"left out": 6}


def test_an_output_is_replaced_by_a_job_that_asks_for_it_and_by_no_other(operator, kubelet, team):
    expected = prepare(kubelet, team, files=2)
    old = kubelet.claim(team.name, "results") / "out"
    submit(team)
    complete(team)
    (old / "output.tsv").write_bytes(b"from an earlier job\n")
    team.server.kubectl("-n", team.name, "delete", "mrjob", "wordcount", "--timeout=70s")
    submit(team)
    failed = eventually("it is refused", lambda: team.condition("Failed"))
    assert failed["reason"] == "OutputExists"
    team.server.kubectl("-n", team.name, "delete", "mrjob", "wordcount", "--timeout=70s")
    submit(team, output=output(overwrite="Replace"))
    complete(team)
    assert (old / "output.tsv").read_bytes() == expected
    assert [path.name for path in old.parent.iterdir()] == ["out"]


def test_a_task_is_tried_as_often_as_the_resource_says(operator, kubelet, team):
    prepare(kubelet, team, files=1)
    submit(team, program={"inline": FAILING}, backoffLimitPerTask=0)
    failed = eventually("it failed", lambda: team.condition("Failed"))
    assert failed["reason"] == "UserCodeFailed"
    assert len(team.status()["lastFailures"]) == 1
    assert team.status()["retries"] == 0


def test_a_module_that_the_image_of_the_workers_lacks_is_named(operator, kubelet, team):
    prepare(kubelet, team, files=2)
    submit(team, program={"module": "shop.counting:WordCount"})
    failed = eventually("it failed", lambda: team.condition("Failed"))
    assert failed["reason"] == "ProgramInvalid"
    assert "no module shop.counting" in failed["message"]
    assert "image" in failed["message"]


def test_the_other_keys_of_the_program_s_config_map_lie_beside_it(operator, kubelet, team):
    folder = kubelet.claim(team.name, "texts") / "in"
    folder.mkdir()
    (folder / "a.txt").write_text("alpha beta gamma delta\ngamma epsilon\n")
    data = {"job.py": WITH_FILES, "helper.py": MODULE, "also.txt": "delta\n"}
    name = {"name": "code", "namespace": team.name}
    team.server.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": name, "data": data})
    submit(team, program={"configMap": {"name": "code", "key": "job.py"}})
    complete(team)
    out = kubelet.claim(team.name, "results") / "out"
    assert (out / "output.tsv").read_bytes() == b"epsilon\t1\ngamma\t2\n"


def test_a_task_that_is_left_out_is_named_in_the_status(operator, kubelet, team):
    prepare(kubelet, team, files=1)
    program = FAILING.replace("raise ValueError(line)", "assert '6' not in line\n        yield line, 1")
    volume = {"persistentVolumeClaim": {"claimName": "texts"}}
    submit(
        team,
        program={"inline": program},
        input={"paths": ["in/*.txt"], "volume": volume, "splitSize": "600"},
        backoffLimitPerTask=0,
        maxFailedTasks=10,
    )
    complete(team)
    assert team.status()["failedTasks"]
    assert team.status()["map"]["failed"] == len(team.status()["failedTasks"])
