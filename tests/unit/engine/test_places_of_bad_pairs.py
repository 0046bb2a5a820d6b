"""A fault in what `map` gave is told with its own record, however many pairs and keys are looked at together."""

from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

import mapreduce as mr
from mapreduce.testing import reference
from mapreduce_worker.engine import pump
from mapreduce_worker.engine.failure import UserTaskError, describe
from tests.support import budget
from tests.support.engine_runs import canonical, collect, emitter, run_pairs
from tests.support.kinds_of_keys import FEW

# Around the ends of slices, and of chunks of keys: 1024, 512 and 4096 of them, 32 at first.
PLACES = [0, 1, 31, 32, 511, 512, 1022, 1023, 4095, 4096, 4097]
REDUCERS = {"sum": mr.Sum(), "mean": mr.Mean(), "unique": mr.Unique(), "first": mr.First(), "own": collect}


def counting(give):
    return type("Counting", (mr.Job,), {"map": lambda self, record: give(record), "reduce": mr.Count()})


def as_list(record):
    return list(record)


def as_generator(record):
    yield from record


def as_tuple(record):
    return tuple(record)


def lazily(record):
    """Give None for a record without keys, a list for every other one, a generator for the rest."""
    return None if not record else as_list(record) if len(record) % 2 else as_generator(record)


def fault_of(job, records):
    with pytest.raises(UserTaskError) as caught:
        run_pairs(job, records, splits=1)
    return describe(caught.value)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("give", [as_list, as_generator, as_tuple, lazily])
def test_a_bad_key_is_laid_to_its_record(give, place):
    records: list[Any] = [["w"] * (number % 3) for number in range(max(PLACES) + 40)]
    records[0] = ["w"]
    records[place] = ["w", 7]
    info = fault_of(counting(give), records)
    assert (info.reason, info.where) == ("MixedKeys", f"record:{place}")
    assert "key 7 is int, but the first key, at record:0, is str" in info.message


@pytest.mark.parametrize("kind", FEW)
@budget.examples(25)
@given(data=st.data(), memory=st.sampled_from([1, 3000, 512 << 20]))
def test_keys_are_counted_wherever_a_chunk_of_them_ends(kind, data, memory):
    records = data.draw(st.lists(st.lists(FEW[kind], max_size=9), max_size=9))
    job = counting(lazily)
    with patch.multiple(pump, FIRST=2, ENOUGH=3, CHUNK=5):
        found = run_pairs(job, records, memory=memory)
    assert canonical(found) == canonical(reference.run(job, records).pairs)


@budget.examples(100)
@given(st.lists(st.lists(st.sampled_from(["a", "b", "c", "d", 1]), max_size=7), max_size=9))
def test_of_all_bad_keys_the_first_is_told_wherever_a_chunk_ends(records):
    kinds = [(type(key), at) for at, record in enumerate(records) for key in record]
    bad = [at for kind, at in kinds if kind is not kinds[0][0]]
    with patch.multiple(pump, FIRST=2, ENOUGH=3, CHUNK=5):
        if bad:
            assert fault_of(counting(lazily), records).where == f"record:{bad[0]}"
        else:
            assert dict(run_pairs(counting(lazily), records)).keys() == {key for record in records for key in record}


@pytest.mark.parametrize("bad", ["\ud800", 2**63])
def test_a_key_without_an_encoding_is_laid_to_its_record(bad):
    good = "w" if isinstance(bad, str) else 1
    records = [[good]] * 300 + [[good, bad]] + [[good]] * 300
    info = fault_of(counting(as_list), records)
    assert (info.reason, info.where) == ("UnsupportedKey", "record:300")


@pytest.mark.parametrize("place", [1, 31, 32, 33, 4095, 4096, 4097, 9000])
@pytest.mark.parametrize("give", [as_list, as_generator])
def test_a_bad_key_far_within_a_record_is_found(give, place):
    keys: list[Any] = ["w"] * 10_000
    keys[place] = b"w"
    info = fault_of(counting(give), [["w"]] * 40 + [keys, ["w"]])
    assert (info.reason, info.where) == ("MixedKeys", "record:40")


def raising(record):
    yield from record
    if "last" in record:
        raise RuntimeError("mine")


@pytest.mark.parametrize("before", [0, 1, 31, 700])
def test_of_two_faults_the_first_is_told(before):
    records = [["w"]] * 700 + [[7]] + [["w"]] * before + [["w", "last"]]
    info = fault_of(counting(raising), records)
    assert (info.reason, info.where) == ("MixedKeys", "record:700")
    info = fault_of(counting(raising), records[:700] + records[701:])
    assert (info.message, info.where) == ("RuntimeError: mine", f"record:{700 + before}")


def test_sys_exit_after_a_bad_key_does_not_hide_it():
    def give(record):
        if record == ["exit"]:
            raise SystemExit(3)
        return record

    info = fault_of(counting(give), [["w"]] * 700 + [[7], ["w"], ["exit"]])
    assert (info.reason, info.where) == ("MixedKeys", "record:700")


@pytest.mark.parametrize("name", REDUCERS)
@pytest.mark.parametrize("place", [0, 1, 31, 511, 1023, 1100])
def test_a_bad_pair_is_laid_to_its_record(name, place):
    records: list[Any] = [[("w", 1)] * (number % 3) for number in range(1200)]
    records[0] = [("w", 1)]
    bad = [((7, 1), "MixedKeys"), (("w",), "UserCodeFailed"), (("v", object()), None)]
    for pair, reason in bad:
        records[place] = [("w", 1), pair]
        info = fault_of(emitter(REDUCERS[name]), records)
        assert info.where == f"record:{place}"
        assert reason is None or info.reason == reason


@pytest.mark.parametrize("place", [1, 512, 1023])
def test_a_generator_that_raises_after_some_pairs_is_told_with_its_record(place):
    records = [["w"]] * place + [["w", "last"]] + [["w"]] * 9
    job = emitter(mr.Sum(), emit=lambda record: ((word, 1) for word in raising(record)))
    info = fault_of(job, records)
    assert (info.message, info.where) == ("RuntimeError: mine", f"record:{place}")


def test_what_map_asks_for_is_its_own_record_while_keys_are_held():
    class Places(mr.Job):
        def map(self, record):
            assert self.input.file == "record"
            return [f"{self.input.offset}={record}"] * 2

        reduce = mr.Count()

    found = run_pairs(Places, list(range(3000)), splits=2)
    assert sorted(found) == sorted((f"{number}={number}", 2) for number in range(3000))


CHANGED = REDUCERS | {"collect": mr.Collect(), "top": mr.Top(3), "min": mr.Min(), "max": mr.Max()}


@pytest.mark.parametrize("name", sorted(CHANGED.keys() - {"sum", "mean"}))
def test_a_list_that_is_changed_after_it_was_yielded_arrives_as_it_was(name):
    class Changing(mr.Job):
        def map(self, record):
            held = []
            for number in range(record):
                held.append(number)
                yield f"k{number % 2}", held
            held.clear()

        reduce = CHANGED[name] if name != "own" else collect

    found = dict(run_pairs(Changing, [3, 4], splits=1))
    first, last = [0], [0, 1, 2, 3]
    expected = {
        "first": first,
        "min": first,
        "max": [0, 1, 2],
        "top": [[0, 1, 2], [0, 1, 2], first],
        "unique": [first, [0, 1, 2]],
        "collect": [first, [0, 1, 2], first, [0, 1, 2]],
        "own": [first, [0, 1, 2], first, [0, 1, 2]],
    }
    assert found["k0"] == expected[name]
    assert last not in found["k0"]


def test_a_list_of_keys_that_is_emptied_later_was_counted():
    class Reusing(mr.Job):
        def setup(self):
            self.held = []

        def map(self, record):
            self.held.clear()
            self.held += [record, "all"]
            return self.held

        reduce = mr.Count()

    assert run_pairs(Reusing, ["a", "b", "a"] * 300, splits=1) == [("a", 600), ("all", 900), ("b", 300)]
