"""A slot runs what a program brings along: side files, parameters, a map without a reduce."""

import msgspec

from mapreduce import paths
from mapreduce.program import Program, Shape, SideFile
from mapreduce_worker.core.events import Broke, Loaded, MapPartDone
from mapreduce_worker.engine import merge, part
from mapreduce_worker.engine.options import TaskOptions
from tests.support.slot_bench import Bench, run

UPPER = """
import mapreduce as mr
import loud_words

class Upper(mr.Job):
    class Params:
        end: str

    def map(self, line):
        self.counters["lines"] += 1
        yield loud_words.loud(line) + self.params.end, self.file("loud_words.py").name
"""


def test_a_map_without_reduce_leaves_a_part_and_tells_what_it_counted(tmp_path):
    async def story() -> None:
        bench = Bench(tmp_path, UPPER)
        helper = SideFile("loud_words.py", b"def loud(line):\n    return line.upper()\n")
        given = Program("job.py", UPPER.encode(), files=(helper,))
        bench.prepare(given, TaskOptions(params={"end": "!"}))
        async with bench.pool:
            loaded = await bench.do(bench.load())
            task = msgspec.structs.replace(bench.map(0, "b\na\n"), makes_part=True)
            done = await bench.do(task)
        assert isinstance(loaded, Loaded)
        assert loaded.shape == Shape("Upper", has_reduce=False, has_combine=False)
        assert isinstance(done, MapPartDone)
        assert (done.records, done.rows, done.counters) == (2, 2, {"lines": 2})
        path = bench.scratch / paths.reduce_output(done.attempt)
        assert list(merge.pairs([path])) == [("B!", "loud_words.py"), ("A!", "loud_words.py")]
        assert part.verify(path).checksum == done.checksum

    run(story())


def test_parameters_that_do_not_fit_are_refused_by_the_slot(tmp_path):
    async def story() -> None:
        bench = Bench(tmp_path, UPPER.replace("import loud_words", ""))
        async with bench.pool:
            told = await bench.do(bench.load())
        assert isinstance(told, Broke)
        assert (told.error.kind, told.error.reason) == ("refused", "ProgramInvalid")
        assert "needs the parameter end: str" in told.error.message

    run(story())
