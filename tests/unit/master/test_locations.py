"""Where map outputs are, as intervals of one holder, and only what changed."""

from mapreduce.ids import AttemptId, TaskId
from mapreduce.protocol import MapOutput
from mapreduce_operator.core.naming import Place
from mapreduce_operator.core.outputs import MapOutputs
from mapreduce_operator.core.workers import Registry


def output(index, number=0, checksum=""):
    attempt = AttemptId(TaskId(0, "map", index), 1, number)
    return MapOutput(attempt=attempt, checksum=checksum or f"c{index}", rows=1, size=1, key_type="str")


def registry(count=2):
    made = Registry()
    for index in range(count):
        made.add(f"w{index}", Place("worker", index, 1, 0)).address = f"w{index}:1"
    return made


def intervals(locations):
    return [(place.first, place.last, place.number, place.holder) for place in locations.outputs]


def test_maps_of_one_holder_come_in_one_interval():
    outputs = MapOutputs(4)
    for index in (2, 0, 1):
        outputs.put(output(index), 0)
    outputs.put(output(3), 1)
    told = outputs.since(0, registry())
    assert intervals(told) == [(0, 2, 0, 0), (3, 3, 0, 1)]
    assert told.outputs[0].checksums == ("c0", "c1", "c2")
    assert [(holder.number, holder.address) for holder in told.holders] == [(0, "w0:1"), (1, "w1:1")]
    assert told.version == 4


def test_only_changes_after_a_version_are_told():
    outputs = MapOutputs(3)
    for index in range(3):
        outputs.put(output(index), 0)
    outputs.lose(1)
    outputs.put(output(1, number=1), 1)
    assert intervals(outputs.since(3, registry())) == [(1, 1, 1, 1)]
    assert outputs.since(5, registry()).outputs == ()


def test_a_lost_output_has_no_holder():
    outputs = MapOutputs(1)
    outputs.put(output(0), 0)
    outputs.lose(0)
    told = outputs.since(1, registry())
    assert intervals(told) == [(0, 0, 0, -1)]
    assert told.holders == ()


def test_the_digest_of_all_outputs_changes_with_any_of_them():
    outputs = MapOutputs(2)
    outputs.put(output(0), 0)
    assert not outputs.all_known()
    outputs.put(output(1), 0)
    before = outputs.digest()
    outputs.put(output(1, number=1), 1)
    assert outputs.digest() == before
    outputs.put(output(1, number=2, checksum="other"), 1)
    assert outputs.digest() != before


def test_an_output_counts_only_from_the_attempt_and_holder_that_were_taken():
    outputs = MapOutputs(1)
    outputs.put(output(0, number=1), 1)
    assert outputs.is_current(output(0, number=1).attempt, 1)
    assert not outputs.is_current(output(0, number=0).attempt, 1)
    assert not outputs.is_current(output(0, number=1).attempt, 0)
    assert not outputs.is_current(output(7).attempt, 1)
