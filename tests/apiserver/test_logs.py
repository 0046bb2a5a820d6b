"""What the processes of a cluster write down: an object a line that says whose it is."""

import json

from tests.support.whole_jobs import complete, prepare, submit

PROGRAM = """
import mapreduce as mr

class WordCount(mr.Job):
    def map(self, line):
        print("hello from a map\\n{\\"time\\": \\"forged\\"}")
        yield line, 1

    reduce = mr.Sum()
"""


def test_every_line_is_a_record_that_says_whose_it_is(operator, kubelet, team):
    prepare(kubelet, team)
    before = len(operator.log())
    submit(team, program={"inline": PROGRAM})
    complete(team)
    said: set[str] = set()
    for name, log in kubelet.logs("worker", team.name).items():
        for record in map(json.loads, log.splitlines()):
            assert (record["job"], record["namespace"], record["worker"]) == ("wordcount", team.name, name)
            if "hello from a map" in record["message"]:
                assert record["attempt"].startswith(f"{record['task']}.e{record['epoch']}.")
                assert '\n  {"time": "forged"}' in record["message"]
                said.add(record["task"])
    assert len(said) == team.status()["map"]["total"]
    for record in map(json.loads, operator.log()[before:].splitlines()):
        assert {"time", "level", "logger", "message", "epoch"} <= record.keys()
