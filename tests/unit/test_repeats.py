"""The record of repeated stages counts what passed in a row, and forgets nothing that failed."""

from hack import repeats


def runs(*failed, stage="unit"):
    return [{"stage": stage, "failed": ["a::b"] if one else []} for one in failed]


def test_a_failure_begins_the_row_anew():
    assert repeats.table(runs(False, True, False, False)) == [
        "repeats: unit: passed 2 times in a row, of 4 runs: 18 to go"
    ]


def test_twenty_in_a_row_are_no_flake_and_nineteen_are_not_enough():
    assert repeats.table(runs(*[False] * 20))[0].endswith("passed 20 times in a row, of 20 runs: no flake")
    assert repeats.table(runs(*[False] * 19))[0].endswith("1 to go")
    assert repeats.table(runs(*[False] * 20, True))[0].endswith("passed 0 times in a row, of 21 runs: 20 to go")


def test_stages_are_counted_each_for_itself():
    table = repeats.table(runs(False, stage="smoke") + runs(True))
    assert table == [
        "repeats: unit: passed 0 times in a row, of 1 runs: 20 to go",
        "repeats: smoke: passed 1 times in a row, of 1 runs: 19 to go",
    ]


def test_a_report_tells_failures_and_errors_and_a_test_that_fails_twice_once(tmp_path):
    report = tmp_path / "report.xml"
    cases = [
        '<testcase classname="a" name="good"/>',
        '<testcase classname="a" name="bad"><failure/></testcase>',
        '<testcase classname="a" name="broken"><failure/><error/></testcase>',
    ]
    report.write_text(f"<testsuites><testsuite>{''.join(cases)}</testsuite></testsuites>")
    assert repeats.outcome(report) == (3, ["a::bad", "a::broken"])
