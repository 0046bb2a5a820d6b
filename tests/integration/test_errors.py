"""What people read when a run cannot be done, and its exit status; nothing under the final name."""

import re
from pathlib import Path

import pytest

from tests.support.local_runs import WORD_COUNT, finished, hidden, succeeded, write_program, write_texts

MODES = pytest.mark.parametrize("mode", [(), ("--sequential",)], ids=["workers", "sequential"])

MAP_RAISES = """
import mapreduce as mr

class Job(mr.Job):
    def map(self, line):
        yield self.number(line), 1

    def number(self, line):
        return int(line)

    reduce = mr.Sum()
"""

REDUCE_RAISES = """
import mapreduce as mr

class Job(mr.Job):
    def map(self, line):
        yield line, 1

    def reduce(self, key, values):
        if key == "bad":
            raise ValueError("this key is bad")
        yield key, sum(values)
"""

MIXED_KEYS = """
import mapreduce as mr

class Job(mr.Job):
    def map(self, line):
        yield (line if line < "m" else len(line)), 1

    reduce = mr.Sum()
"""

UNSUPPORTED_KEY = """
import mapreduce as mr

class Job(mr.Job):
    def map(self, line):
        yield [line], 1

    reduce = mr.Sum()
"""

NO_MAP = """
import mapreduce as mr

class Job(mr.Job):
    reduce = mr.Sum()
"""


def fails(folder: Path, *arguments: object, status: int, says: tuple[str, ...]) -> str:
    """Run to the end: the status, every text on stderr, and no trace of an output. Return stderr."""
    # One worker is enough to fail.
    found, stdout, stderr = finished(folder, "--workers", "1", *arguments, "--output", "out")
    assert found == status, stderr
    for text in says:
        assert re.search(text, stderr), f"{text!r} is not in:\n{stderr}"
    assert "mapreduce_cli" not in stderr
    assert stdout == ""
    assert not (folder / "out").exists()
    if status == 2:
        assert hidden(folder, "out") == []
    return stderr


@MODES
@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("import mapreduce as mr\n\nclass Job(mr.Job:\n", ("job.py", "line 3")),
        ("x = 1\n", ("has no job",)),
        (WORD_COUNT + "\n\nclass Other(WordCount): pass\n", ("WordCount", "Other", r"job\.py:")),
        ("import no_such_module\n" + WORD_COUNT, ("no_such_module",)),
        (NO_MAP, ("Job has no map",)),
    ],
    ids=["syntax error", "no job", "two jobs", "import fails", "no map"],
)
def test_a_program_that_cannot_be_loaded_is_refused(
    tmp_path: Path, source: str, says: tuple[str, ...], mode: tuple[str, ...]
) -> None:
    program, texts = write_program(tmp_path, source), write_texts(tmp_path)
    fails(tmp_path, program, texts, *mode, status=2, says=says)


@pytest.mark.feature("one of several jobs in a program", "sequential")
@pytest.mark.feature("one of several jobs in a program", "local")
def test_one_of_two_jobs_is_chosen_by_its_name(tmp_path: Path) -> None:
    program = write_program(tmp_path, WORD_COUNT + "\n\nclass Other(WordCount): pass\n")
    texts = write_texts(tmp_path)
    for number, mode in enumerate([(), ("--sequential",)]):
        succeeded(tmp_path, f"{program}:Other", texts, "--output", f"out{number}", *mode)
    fails(tmp_path, f"{program}:Third", texts, status=2, says=("Third",))


@pytest.mark.feature("an error names file, offset and traceback", "sequential")
@pytest.mark.feature("an error names file, offset and traceback", "local")
@MODES
def test_a_map_that_raises_shows_file_offset_and_traceback(tmp_path: Path, mode: tuple[str, ...]) -> None:
    program, texts = write_program(tmp_path, MAP_RAISES), tmp_path / "texts"
    texts.mkdir()
    (texts / "a.txt").write_text("1\n2\n")
    (texts / "b.txt").write_text("30\nforty\n50\n")
    stderr = fails(
        tmp_path,
        program,
        texts,
        *mode,
        status=1,
        says=("UserCodeFailed", r"b\.txt:3\b", "invalid literal for int", r"line 9, in number", "history: "),
    )
    told = re.search(r"history: (.*)", stderr)
    assert told is not None
    assert Path(told[1]).is_file()


@MODES
def test_a_reduce_that_raises_shows_key_partition_and_traceback(tmp_path: Path, mode: tuple[str, ...]) -> None:
    program, texts = write_program(tmp_path, REDUCE_RAISES), tmp_path / "texts"
    texts.mkdir()
    (texts / "a.txt").write_text("good\nbad\n")
    fails(
        tmp_path,
        program,
        texts,
        *mode,
        status=1,
        says=("UserCodeFailed", "this key is bad", "key .?bad", r"partition \d", r"line 10, in reduce"),
    )


@MODES
@pytest.mark.parametrize(
    ("source", "says"),
    [
        (MIXED_KEYS, ("MixedKeys: keys must all have one type, but there are (str|int) .*; convert them",)),
        (UNSUPPORTED_KEY, ("UnsupportedKey", "list", r"a\.txt:0")),
    ],
    ids=["mixed", "unsupported"],
)
def test_keys_of_a_wrong_type_say_where(
    tmp_path: Path, source: str, says: tuple[str, ...], mode: tuple[str, ...]
) -> None:
    program, texts = write_program(tmp_path, source), tmp_path / "texts"
    texts.mkdir()
    (texts / "a.txt").write_text("abc\n" * 400)
    (texts / "b.txt").write_text("xyz\n" * 400)
    fails(tmp_path, program, texts, "--split-size", "1kB", *mode, status=1, says=says)


@pytest.mark.feature("encoding errors strict", "sequential")
@pytest.mark.feature("encoding errors strict", "local")
@MODES
def test_bytes_that_are_no_text_are_an_error_with_file_and_offset(tmp_path: Path, mode: tuple[str, ...]) -> None:
    program, texts = write_program(tmp_path, WORD_COUNT), tmp_path / "texts"
    texts.mkdir()
    (texts / "a.txt").write_bytes(b"fine\nbad \xff\n")
    says = ("RecordUndecodable", r"a\.txt:5\b", "--encoding-errors replace")
    fails(tmp_path, program, texts, *mode, status=1, says=says)


@MODES
def test_an_input_that_matches_nothing_is_refused(tmp_path: Path, mode: tuple[str, ...]) -> None:
    program, texts = write_program(tmp_path, WORD_COUNT), write_texts(tmp_path)
    fails(tmp_path, program, texts, "texts/*.csv", *mode, status=2, says=(r"texts/\*\.csv",))


@MODES
def test_an_output_that_exists_is_refused_and_untouched(tmp_path: Path, mode: tuple[str, ...]) -> None:
    program, texts = write_program(tmp_path, WORD_COUNT), write_texts(tmp_path)
    (tmp_path / "taken").mkdir()
    status, _, stderr = finished(tmp_path, program, texts, "--output", "taken", *mode)
    assert (status, list((tmp_path / "taken").iterdir())) == (2, [])
    assert "exists" in stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--reducers", "0"), ("--reducers 0", "map-only")),
        (("--reducers", "-1"), ("--reducers -1",)),
        (("--workers", "0"), ("--workers",)),
        (("--split-size", "big"), ("is not a size", "MiB")),
        (("--split-size", "0"), ("--split-size",)),
        (("--encoding-errors", "ignore"), ("strict", "replace")),
        (("--unknown",), ("--unknown",)),
    ],
)
def test_bad_usage_is_refused(tmp_path: Path, arguments: tuple[str, ...], says: tuple[str, ...]) -> None:
    program, texts = write_program(tmp_path, WORD_COUNT), write_texts(tmp_path)
    fails(tmp_path, program, texts, *arguments, status=2, says=says)


def test_a_program_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    fails(tmp_path, "missing.py", write_texts(tmp_path), status=2, says=("missing.py", "does not exist"))
