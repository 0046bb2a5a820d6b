"""The arithmetic of `make bench`, and the lines and tables that it prints."""

import pytest

from bench import report
from bench.measure import Measured
from bench.report import Result
from bench.verdicts import MIB, Verdict


def runs(*walls, cpu=1.0, peak=MIB):
    return [Measured(float(wall), cpu, peak) for wall in walls]


RATIO = Verdict("ours / theirs", "ratio", "ours", ("theirs",), must=1.1, aim=1.0)


def test_a_ratio_is_the_median_of_the_rounds_not_of_the_runs():
    # Both sides slow down together in the second round, which says nothing about either.
    rounds = {"ours": runs(2, 40, 3), "theirs": runs(1, 20, 3)}
    assert RATIO.value(rounds) == 2.0


def test_the_ratio_by_processor_time_is_another_one():
    rounds = {"ours": runs(10, cpu=3.0), "theirs": runs(1, cpu=2.0)}
    assert RATIO.value(rounds, "cpu") == 1.5


def test_of_several_peers_the_best_one_counts():
    rounds = {"ours": runs(6), "fast": runs(2), "slow": runs(3)}
    assert RATIO._replace(peers=("slow", "fast")).value(rounds) == 3.0
    assert RATIO._replace(kind="times", peers=("slow", "fast")).value(rounds) == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("kind", "wanted"), [("ratio", 4.0), ("times", 0.25), ("share", 0.75), ("seconds", 8.0), ("memory", 300.0)]
)
def test_each_kind_of_verdict_says_what_its_name_says(kind, wanted):
    rounds = {"ours": runs(8, peak=300 * MIB), "theirs": runs(2, peak=900 * MIB)}
    assert RATIO._replace(kind=kind).value(rounds) == wanted


def test_memory_is_the_most_of_all_rounds():
    rounds = {"ours": [*runs(1, peak=5 * MIB), *runs(1, peak=9 * MIB), *runs(1, peak=5 * MIB)]}
    assert Verdict("peak", "memory", "ours").value(rounds) == 9


def test_a_limit_is_a_most_except_for_times():
    assert [RATIO.meets(value, 1.1) for value in (1.0, 1.1, 1.2)] == [True, True, False]
    assert [RATIO._replace(kind="times").meets(value, 3) for value in (2.9, 3, 5)] == [False, True, True]
    assert RATIO.meets(9.0, None) is None


def test_the_line_of_a_peer_has_the_ratio_of_its_round_with_must_and_aim():
    [ours], [theirs] = runs(3, cpu=2.0), runs(2, cpu=4.0)
    so_far = {"ours": [ours], "theirs": [theirs]}
    assert report.of_run("theirs", theirs, (RATIO,), so_far) == {
        "who": "theirs",
        "wall": 2.0,
        "cpu": 4.0,
        "peak": MIB,
        "ok": True,
        "verdict": "ours / theirs",
        "ratio": 1.5,
        "cpu_ratio": 0.5,
        "must": 1.1,
        "aim": 1.0,
    }
    assert "ratio" not in report.of_run("ours", ours, (RATIO,), {"ours": [ours]})


def test_a_verdict_about_a_side_that_has_not_run_yet_is_none_of_the_peers_line():
    (ours,), (theirs,) = runs(8), runs(2)
    later = RATIO._replace(name="later / theirs", ours="later")
    line = report.of_run("theirs", theirs, (RATIO, later), {"ours": [ours], "theirs": [theirs]})
    assert (line["verdict"], line["ratio"]) == ("ours / theirs", 4.0)


def test_the_line_of_a_verdict_without_a_peer_is_that_of_our_run():
    [ours] = runs(3)
    line = report.of_run("ours", ours, (Verdict("s", "seconds", "ours", must=1.5),), {"ours": [ours]})
    assert (line["ratio"], line["must"], line["aim"]) == (3.0, 1.5, None)


def test_the_line_of_a_verdict_says_what_it_meets():
    line = report.of_verdict(RATIO, {"ours": runs(105, 105), "theirs": runs(100, 100)})
    assert (line["ratio"], line["cpu_ratio"], line["rounds"]) == (1.05, 1.0, 2)
    assert line["met"] == {"must": True, "aim": False}


def test_the_tables_have_a_line_a_verdict_and_a_line_a_contender():
    result = Result("words", 20_000_000, (RATIO,), {"ours": runs(1, 3, 2, cpu=4.0), "theirs": runs(1, 3, 2)})
    assert report.tables([result]) == (
        "| row   | size  | verdict       | by wall | by cpu | must  | aim | met |\n"
        "| ----- | ----- | ------------- | ------- | ------ | ----- | --- | --- |\n"
        "| words | 20 MB | ours / theirs | 1.000   | 4.000  | ≤ 1.1 | ≤ 1 | aim |\n"
        "\n"
        "| row   | who    | wall s | min  | max  | cpu s | peak MiB |\n"
        "| ----- | ------ | ------ | ---- | ---- | ----- | -------- |\n"
        "| words | ours   | 2.00   | 1.00 | 3.00 | 4.00  | 1        |\n"
        "| words | theirs | 2.00   | 1.00 | 3.00 | 1.00  | 1        |"
    )


def test_a_missed_target_is_told_and_one_without_a_limit_is_not_judged():
    rounds = {"ours": runs(3), "theirs": runs(2)}
    met = [report.tables([Result("r", 1, (one,), rounds)]) for one in (RATIO, RATIO._replace(must=None, aim=None))]
    assert "| no  |" in met[0].split("\n")[2]
    assert "| no  |" not in met[1]
