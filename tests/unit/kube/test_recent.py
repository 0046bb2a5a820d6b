"""What is remembered of tokens is good for a while, and bounded."""

from mapreduce_operator.kube import recent
from mapreduce_operator.kube.recent import Recent


def test_a_value_is_good_until_its_time_is_over():
    known: Recent[str] = Recent(600.0)
    known.put(b"a", "accepted", 100.0)
    assert known.get(b"a", 699.0) == "accepted"
    assert known.get(b"a", 700.0) is None
    assert known.get(b"b", 100.0) is None


def test_what_is_out_of_date_is_forgotten_when_another_comes():
    known: Recent[str] = Recent(600.0)
    for number in range(6):
        known.put(b"%d" % number, "accepted", 150.0 * number)
    assert len(known) == 4, "those of the last ten minutes"
    assert b"1" not in known
    assert b"2" in known


def test_of_too_many_the_oldest_is_forgotten_and_one_that_comes_again_is_new(monkeypatch):
    monkeypatch.setattr(recent, "REMEMBERED", 3)
    known: Recent[int] = Recent(600.0)
    for number, name in enumerate((b"a", b"b", b"c", b"a", b"d")):
        known.put(name, number, 0.0)
    assert [known.get(name, 0.0) for name in (b"a", b"b", b"c", b"d")] == [3, None, 2, 4]


def test_one_that_is_forgotten_is_good_no_more():
    known: Recent[str] = Recent(600.0)
    known.put(b"a", "accepted", 0.0)
    known.forget(b"a")
    known.forget(b"a")
    assert known.get(b"a", 0.0) is None
