"""Keys of text that columns count: the same rows as a dictionary's, and every fault told with its own record."""

from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

import mapreduce as mr
from mapreduce.testing import reference
from mapreduce_worker.engine import fold_table, pump, text_counts
from mapreduce_worker.engine.failure import UserTaskError, describe
from mapreduce_worker.engine.text_counts import TextCounts
from tests.support import budget
from tests.support.engine_runs import canonical, map_file, run_pairs, write_input

TEXTS = st.text(st.sampled_from("ab\n\0é語😀 "), max_size=3)
NUMBERS = st.sampled_from([1, 1, 1, 0, 2, -5, True, 1.0, 0.1, 2**62, 2**63])
HALF = "\ud800"


@contextmanager
def at_once(most=text_counts.MOST):
    """Let columns count from the first key on, and small chunks be handed on."""
    with ExitStack() as stack:
        stack.enter_context(patch.object(fold_table, "MANY", 1))
        stack.enter_context(patch.multiple(pump, FIRST=2, ENOUGH=3, CHUNK=5))
        stack.enter_context(patch.object(text_counts, "MOST", most))
        yield


def yielding(give, reduce):
    return type("Yielding", (mr.Job,), {"map": lambda self, record: give(record), "reduce": reduce})


def each(record):
    yield from record


def pairs_of(record):
    return [(key, 1) for key in record]


@budget.examples(60)
@given(
    st.lists(st.lists(st.tuples(TEXTS, NUMBERS), max_size=9), max_size=9),
    st.sampled_from([1, 3000, 512 << 20]),
    st.sampled_from([1, 100, 16 << 20]),
)
def test_sums_are_those_of_the_reference(records, memory, most):
    job = yielding(each, mr.Sum())
    with at_once(most):
        found = run_pairs(job, records, memory=memory)
    assert canonical(found) == canonical(reference.run(job, records).pairs)


@budget.examples(40)
@given(st.lists(st.lists(TEXTS, max_size=9), max_size=9), st.sampled_from([1, 3000, 512 << 20]))
def test_keys_are_counted_as_the_reference_counts_them(records, memory):
    job = yielding(each, mr.Count())
    with at_once():
        found = run_pairs(job, records, memory=memory)
    assert canonical(found) == canonical(reference.run(job, records).pairs)


def test_many_words_leave_the_dictionary(tmp_path):
    words = [f"w{number * number % 9973}" for number in range(30_000)]
    lines = ["\t".join(words[at : at + 7]) for at in range(0, len(words), 7)]
    file = write_input(tmp_path, "\n".join(lines).encode())
    job = yielding(lambda line: pairs_of(line.split("\t")), mr.Sum())
    counted, _ = map_file(job, tmp_path, file, partitions=3)
    with patch.object(fold_table, "MANY", len(words)), patch.object(TextCounts, "add") as add:
        held, _ = map_file(job, tmp_path, file, partitions=3)
    add.assert_not_called()
    assert counted.rows == len(set(words))
    assert (counted.checksum, counted.rows, counted.key_at) == (held.checksum, held.rows, held.key_at)


def test_where_few_numbers_are_1_the_dictionary_adds_them_up():
    records = [[(f"w{number}", 2)] for number in range(40)] * 2
    with at_once(), patch.object(TextCounts, "take", autospec=True, side_effect=TextCounts.take) as take:
        found = dict(run_pairs(yielding(each, mr.Sum()), records, splits=1))
    assert take.call_count == 1
    assert found == {f"w{number}": 4 for number in range(40)}


def fault_of(job, records):
    with at_once(), pytest.raises(UserTaskError) as caught:
        run_pairs(job, records, splits=1)
    return describe(caught.value)


@pytest.mark.parametrize("bad", [(7, 1), (7, 2), (HALF, 1), (HALF, 2), ("w", "x"), ("w",), ("w", 1, 2), 5])
@pytest.mark.parametrize("place", [3, 4, 5, 6, 7, 8, 9, 38, 39])
@pytest.mark.parametrize("later", [False, True])
def test_a_bad_pair_is_laid_to_its_record(bad, place, later):
    records: list[Any] = [[("w", 1)] * (number % 3) + [(f"{number}", 1)] for number in range(40)]
    records[place] = [("w", 1), bad, ("w", 1)]
    if later:
        # The first of two faults is told; the second comes in a value or in `map` itself.
        records += [[("w", "late"), None]]
    info = fault_of(yielding(each, mr.Sum()), records)
    assert info.where == f"record:{place}"


@pytest.mark.parametrize("error", [ValueError("no"), StopIteration(), SystemExit(3)])
def test_what_map_raises_comes_after_a_bad_key_that_is_held(error):
    def give(record):
        if record == 20:
            raise error
        return [(7 if record == 19 else f"{record}", 1)] if record else [("w", 1)]

    assert fault_of(yielding(give, mr.Sum()), range(30)).where == "record:19"


@pytest.mark.parametrize("error", [ValueError("no"), StopIteration("stop"), SystemExit(3)])
def test_what_map_raises_is_told_as_it_is(error):
    def give(record):
        if record == 20:
            raise error
        return [(f"{record}", 1)]

    info = fault_of(yielding(give, mr.Sum()), range(30))
    assert info.where == "record:20"
    assert type(error).__name__ in info.message or type(error).__name__ in str(info)


@pytest.mark.parametrize("method", ["__iter__", "__len__"])
def test_a_stop_of_what_map_gave_ends_nothing_but_the_attempt(method):
    def stop(self):
        raise StopIteration("stop")

    stopping = type("Stopping", (), {"__iter__": lambda self: iter(()), method: stop})
    info = fault_of(yielding(lambda n: stopping() if n == 20 else [(f"{n}", 1)], mr.Sum()), range(30))
    assert info.where == "record:20"
    assert "StopIteration" in info.message or "StopIteration" in str(info)


def test_a_list_that_map_changes_while_it_yields_it_counts_as_it_was():
    def give(record):
        pair = ["", 1]
        for key in record:
            pair[0] = key
            yield pair

    records = [["a", "b", "c"], ["b", "c"], ["c"]] * 20
    with at_once():
        found = dict(run_pairs(yielding(give, mr.Sum()), records, splits=1))
    assert found == {"a": 20, "b": 40, "c": 60}
