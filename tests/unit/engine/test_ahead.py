"""Items made ahead come in their order, few of them wait, and nothing is left of the thread that makes them."""

import threading
from collections.abc import Generator, Iterator
from contextlib import closing

import pytest

from mapreduce.errors import CorruptionError
from mapreduce_worker.engine.ahead import ahead


def size_of(item: int) -> int:
    return item


def test_items_come_in_their_order_from_another_thread() -> None:
    makers: set[threading.Thread] = set()

    def items() -> Iterator[int]:
        for number in range(2000):
            makers.add(threading.current_thread())
            yield number

    assert list(ahead(items(), size_of, most=100)) == list(range(2000))
    assert len(makers) == 1
    assert not makers & set(threading.enumerate())
    assert list(ahead((), size_of)) == []


@pytest.mark.parametrize(("most", "expected"), [(0, 1), (3, 4), (10, 11)])
def test_no_item_is_made_while_too_much_waits(most: int, expected: int) -> None:
    made = done = 0
    held: list[int] = []

    def items() -> Iterator[int]:
        nonlocal made
        for _ in range(50):
            made += 1
            held.append(made - done)
            yield 1

    for _ in ahead(items(), size_of, most):
        # It is done with when the next one is asked for.
        done += 1
    assert max(held) <= expected + 1
    assert made == 50


def test_while_a_large_item_is_looked_at_no_other_is_made() -> None:
    done: list[int] = []
    before: list[list[int]] = []

    def items() -> Iterator[int]:
        for size in (1, 1000, 2, 3):
            before.append(done.copy())
            yield size

    for size in ahead(items(), size_of, most=10):
        # Here it is looked at, and then the next one is asked for.
        done += [size]
    assert done == [1, 1000, 2, 3]
    assert 1000 in before[2]


def test_an_error_comes_in_its_place() -> None:
    def items() -> Iterator[int]:
        yield from (1, 2)
        raise CorruptionError("no more")

    found = ahead(items(), size_of)
    assert [next(found), next(found)] == [1, 2]
    with pytest.raises(CorruptionError, match="no more"):
        next(found)


def test_who_takes_no_more_waits_for_the_thread() -> None:
    ended: list[bool] = []

    def items() -> Generator[int]:
        try:
            while True:
                yield 1
        finally:
            ended.append(True)

    source = items()
    before = threading.active_count()
    with closing(ahead(source, size_of, most=100)) as found:
        assert next(found) == 1
        assert threading.active_count() == before + 1
    assert threading.active_count() == before
    # It stands still, and can be closed here.
    source.close()
    assert ended == [True]


def test_one_may_be_ahead_of_another() -> None:
    with (
        closing(ahead(range(500), size_of, 20)) as first,
        closing(ahead((2 * n for n in first), size_of, 20)) as second,
    ):
        assert list(second) == [2 * n for n in range(500)]
