"""The bugs that `make mutants` plants fit the code as it is, and an edit that does not fit is refused."""

import subprocess
import sys

import pytest

from tests.support.planted import bugs, patching
from tests.support.planted.patching import Edit, EditFailed

SOURCE = """
def one():
    return 1


class Number:
    def one(self):
        return 1 + 1
"""


@pytest.mark.parametrize("bug", bugs.ALL, ids=lambda bug: bug.name)
def test_every_edit_of_every_bug_fits_the_code(bug):
    for module in {edit.module for edit in bug.edits}:
        patching.edited(module, bug.edits)


def test_no_two_bugs_have_one_name():
    names = [bug.name for bug in bugs.ALL]
    assert len(names) == len(set(names))


def test_an_edit_changes_its_function_and_nothing_else():
    changed = patching.apply(SOURCE, Edit("m", "one", "return 1", "return 2"))
    assert changed == SOURCE.replace("return 1\n\n", "return 2\n\n")
    assert "return 2 + 1" in patching.apply(SOURCE, Edit("m", "Number.one", "1 + 1", "2 + 1"))


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (Edit("m", "two", "return 1", ""), "m has no two"),
        (Edit("m", "Number.two", "return 1", ""), "m has no Number.two"),
        (Edit("m", "one", "return 3", ""), "m.one holds 0 times, not once: 'return 3'"),
        (Edit("m", "Number.one", "1", "2"), "m.Number.one holds 2 times, not once: '1'"),
    ],
)
def test_an_edit_that_does_not_fit_is_refused(edit, says):
    with pytest.raises(EditFailed, match=says):
        patching.apply(SOURCE, edit)


def test_a_module_that_is_imported_already_cannot_be_edited():
    with pytest.raises(EditFailed, match="imported before they could be edited"):
        patching.plant([Edit("tests.support.planted.bugs", "named", "ALL", "()")])


def test_an_edited_module_is_imported_with_its_edit_and_the_file_stays_as_it_is():
    code = (
        "from tests.support.planted import patching\n"
        "from tests.support.planted.patching import Edit\n"
        "patching.plant([Edit('mapreduce.partitioning', 'partition', 'return ', 'return -1 - ')])\n"
        "from mapreduce.partitioning import partition\n"
        "assert partition(b'key', 1) == -1\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    code = "from mapreduce.partitioning import partition\nassert partition(b'key', 1) == 0\n"
    subprocess.run([sys.executable, "-c", code], check=True)
