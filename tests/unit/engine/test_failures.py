"""What the user reads when a job fails: the reason, the place, and a traceback of the user's own frames."""

import asyncio
import errno
import signal
from pathlib import Path
from typing import Any

import pytest

import mapreduce as mr
from mapreduce import protocol
from mapreduce.program import Program
from mapreduce_worker.engine import failure, map_output, program
from mapreduce_worker.engine.failure import EngineFault, UserTaskError, describe
from tests.support.engine_runs import (
    WordCount,
    add,
    collect,
    emitter,
    map_file,
    reduce_segments,
    run_pairs,
    write_input,
    write_segment,
)

RAISES = b"""
import mapreduce as mr

class Bad(mr.Job):
    def map(self, line):
        if line == "poison":
            helper(line)
        yield line, 1

    def reduce(self, key, values):
        raise KeyError(key)

def helper(line):
    raise ValueError(f"cannot read {line!r}")
"""


def told(call, *arguments, **options):
    with pytest.raises(mr.MapReduceError) as caught:
        call(*arguments, **options)
    return describe(caught.value)


def run(job, given):
    return run_pairs(job, given, splits=1)


def test_a_map_that_raises_is_told_with_file_offset_and_traceback(tmp_path):
    job = program.load(Program("job.py", RAISES), tmp_path)
    info = told(map_file, job, tmp_path, write_input(tmp_path, b"good\npoison\n"))
    assert (info.kind, info.reason, info.where) == ("user", "UserCodeFailed", "input.txt:5")
    assert info.message == "ValueError: cannot read 'poison'"
    assert 'File "job.py", line 7, in map\n    helper(line)' in info.traceback
    assert 'File "job.py", line 14, in helper' in info.traceback
    assert info.traceback.endswith("ValueError: cannot read 'poison'\n")
    assert "engine" not in info.traceback


def test_a_reduce_that_raises_is_told_with_key_and_partition(tmp_path):
    job = program.load(Program("job.py", RAISES), tmp_path)
    segment = write_segment(tmp_path / "m", [(b"some key", 1)])
    info = told(reduce_segments, job, [segment], tmp_path, key_type="str")
    assert (info.reason, info.where) == ("UserCodeFailed", "key 'some key', partition 3")
    assert 'File "job.py", line 11, in reduce' in info.traceback
    assert not (tmp_path / "part.out").exists()


def test_sys_exit_in_user_code_fails_the_attempt_only():
    def emit(record):
        raise SystemExit(3)

    assert told(run, emitter(mr.Sum(), emit=emit), ["x"]).message == "map called sys.exit(3)"


def test_sys_exit_outside_of_the_methods_is_told_with_the_line_that_called_it():
    try:
        raise SystemExit(3)
    except SystemExit as error:
        info = describe(error)
    assert (info.kind, info.reason) == ("user", "UserCodeFailed")
    assert info.message == "the program called sys.exit(3)"
    assert "raise SystemExit(3)" in info.traceback
    assert info.traceback.endswith("SystemExit: 3\n")


class Own(BaseException):
    pass


@pytest.fixture
def as_in_a_slot():
    """A slot ignores SIGINT, so that only user code can raise KeyboardInterrupt there."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("kind", [KeyboardInterrupt, GeneratorExit, asyncio.CancelledError, Own])
@pytest.mark.parametrize("method", ["map", "combine", "reduce", "setup"])
def test_whatever_user_code_raises_is_its_own_failure(as_in_a_slot, kind, method):
    def fails(self, *given):
        raise kind("mine")

    job = type("Job", (mr.Job,), {"map": emits, "combine": adds, "reduce": adds, method: fails})
    info = told(run, job, ["x"])
    assert (info.kind, info.reason, info.message) == ("user", "UserCodeFailed", f"{kind.__name__}: mine")
    assert "in fails" in info.traceback
    assert info.where


def emits(self, record):
    yield record, 1


def adds(self, key, group):
    yield key, sum(group)


@pytest.mark.parametrize("kind", [KeyboardInterrupt, GeneratorExit, Own])
def test_a_program_that_raises_whatever_while_it_is_imported_cannot_be_loaded(as_in_a_slot, tmp_path, kind):
    source = f"class Own(BaseException): pass\nraise {kind.__name__}".encode()
    assert told(program.load, Program("job.py", source), tmp_path).reason == "ProgramInvalid"


def test_a_signal_that_comes_while_user_code_runs_is_not_its_failure():
    def emit(record):
        raise failure.Interrupted

    with pytest.raises(failure.Interrupted):
        run(emitter(mr.Sum(), emit=emit), ["x"])


def test_where_anybody_may_press_ctrl_c_nobody_is_blamed_for_it():
    def emit(record):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(emitter(mr.Sum(), emit=emit), ["x"])


@pytest.mark.parametrize("pair", [1, ("a",), ("a", 1, 2), None])
def test_what_is_no_pair_is_told_so(pair):
    info = told(run, emitter(mr.Sum()), [[pair]])
    assert info.message.startswith("map must yield pairs (key, value): ")
    assert (info.reason, info.where) == ("UserCodeFailed", "record:0")


@pytest.mark.parametrize("text", ["ab", b"ab", "a"])
@pytest.mark.parametrize("members", [{"reduce": mr.Sum()}, {"reduce": mr.Max()}, {"reduce": collect}, {"reduce": None}])
@pytest.mark.parametrize("sort_values", [False, True])
def test_a_word_of_two_letters_is_no_pair(text, members, sort_values):
    if sort_values and not callable(members["reduce"]):
        members = {"reduce": collect}
    job = type("Words", (mr.Job,), {"map": lambda self, record: record, "sort_values": sort_values} | members)
    for records in ([[text]], [[], None, [("a", 1), text]]):
        info = told(run, job, records)
        assert info.message.startswith("map must yield pairs (key, value): ")
        assert repr(text) in info.message
        assert "reduce = mr.Count()" in info.message
        assert info.where == f"record:{len(records) - 1}"


def test_a_word_of_two_letters_is_no_pair_for_reduce():
    def words(self, key, group):
        yield from (("a", 1), "ab")

    message = told(run, emitter(words), [[("a", 1)]]).message
    assert message.startswith("reduce must yield pairs (key, value): 'ab' is a str, and no pair")


def test_what_is_no_pair_is_told_so_for_reduce_and_combine():
    def nonsense(self, key, group):
        yield 5

    assert told(run, emitter(nonsense), [[("a", 1)]]).message.startswith("reduce must yield pairs")
    assert told(run, emitter(add, combine=nonsense), [[("a", 1)]]).message.startswith("combine must yield pairs")


def test_a_method_that_takes_other_arguments_is_told_what_it_is_called_with(tmp_path):
    source = b"import mapreduce as mr\nclass Two(mr.Job):\n    def map(self, key, line):\n        yield line, 1\n"
    job = program.load(Program("job.py", source), tmp_path)
    info = told(map_file, job, tmp_path, write_input(tmp_path, b"a\n"))
    assert info.message.startswith("map is called with a record: ")
    assert "missing 1 required positional argument: 'line'" in info.message

    def reduce(self, key):
        yield key, 1

    called = "is called with a key and its values: "
    assert told(run, emitter(reduce), [[("a", 1)]]).message.startswith(f"reduce {called}")
    assert told(run, emitter(add, combine=reduce), [[("a", 1)]]).message.startswith(f"combine {called}")


def test_a_value_that_cannot_be_carried_is_told_where_it_is_emitted():
    info = told(run, emitter(collect), [[("a", 1)], [("a", object())]])
    assert (info.reason, info.where) == ("ValueNotEncodable", "record:1")


def test_a_result_that_cannot_be_carried_or_written_as_text_is_told_with_its_key():
    for value in (object(), {1: "a", "1": "b"}, "\ud800"):

        def reduce(self, key, group, value=value):
            yield key, value

        info = told(run, emitter(reduce), [[("a", 1)]])
        assert (info.reason, info.where[:8]) == ("ValueNotEncodable", "key 'a',")


def test_a_sum_of_what_is_no_number_names_record_and_key():
    info = told(run, emitter(mr.Sum()), [[("a", 1)], [("a", "1")]])
    assert (info.reason, info.where) == ("UserCodeFailed", "record:1")
    assert info.message == "key 'a': Sum adds numbers, not str: '1'"


@pytest.mark.parametrize("new_key", ["b", 1, None, b"a"])
def test_a_combiner_must_keep_the_key(new_key):
    def combine(self, key, group):
        yield new_key, 1

    info = told(run, emitter(add, combine=combine), [[("a", 1)]])
    assert (info.kind, info.reason) == ("user", "CombinerChangedKey")
    assert "'a'" in info.message


@pytest.mark.parametrize("method", ["__init__", "setup", "teardown"])
def test_failures_around_the_records_name_the_method(method):
    def fail(self):
        raise RuntimeError("no licence")

    job = type("Job", (WordCount,), {method: fail})
    info = told(run, job, ["a"])
    assert (info.kind, info.reason, info.message) == ("user", "UserCodeFailed", "RuntimeError: no licence")


def test_an_error_of_ours_that_user_code_raises_is_the_users():
    def emit(record):
        raise mr.errors.CorruptionError("not really")

    assert told(run, emitter(mr.Sum(), emit=emit), ["x"]).kind == "user"


def test_a_record_error_that_user_code_raises_itself_is_tried_again():
    def emit(record):
        raise mr.errors.RecordError("today not")

    info = told(run, emitter(mr.Sum(), emit=emit), ["x"])
    assert (info.kind, info.reason) == ("user", "RecordUndecodable")


def test_a_full_disk_in_the_middle_of_a_map_is_no_fault_of_the_user(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(map_output, "Writer", full)
    file = write_input(tmp_path, b"a b c\n")
    info = told(map_file, WordCount, tmp_path, file, flush_bytes=1)
    assert (info.kind, info.reason) == ("disruption", "StorageFailed")
    assert "disk is full" in info.message
    assert [path.name for path in tmp_path.iterdir()] == ["input.txt"]


def test_a_long_traceback_is_cut_in_the_middle():
    def deep(levels):
        if not levels:
            raise RuntimeError("bottom")
        deep(levels - 1)

    def emit(record):
        deep(100)
        return []

    info = told(run, emitter(mr.Sum(), emit=emit), ["x"])
    assert info.message == "RuntimeError: bottom"
    assert "83 frames left out" in info.traceback
    assert len(info.traceback) < failure.MAX_TEXT + 10


def test_what_an_exception_says_never_displaces_where_it_was_raised():
    def raises(_: Any) -> None:
        raise ValueError("beginning" + "z" * 100_000)

    with pytest.raises(ValueError, match="beginning") as caught:
        raises(None)
    text = failure.trace(caught.value)
    assert "in raises" in text
    assert "ValueError: beginningz" in text
    assert len(text) < failure.MAX_TEXT


def test_memory_and_defects_are_told_apart():
    assert (describe(MemoryError()).kind, describe(MemoryError()).reason) == ("user", "SlotOverMemory")
    info = describe(ZeroDivisionError("x"))
    assert (info.kind, info.reason, info.message) == ("disruption", "InternalError", "ZeroDivisionError: x")
    assert describe(EngineFault("x")).reason == "InternalError"
    assert describe(UserTaskError("f:1", "m")).where == "f:1"
    assert describe(failure.InputNotFound("x")).kind == "refused"
    assert describe(mr.errors.InputError("x")).reason == "InputUnreadable"


def test_a_memory_error_in_user_code_is_the_users_with_its_place():
    def emit(record):
        raise MemoryError

    info = told(run, emitter(mr.Sum(), emit=emit), ["x"])
    assert (info.kind, info.reason, info.where) == ("user", "UserCodeFailed", "record:0")


def test_half_a_surrogate_pair_is_escaped_wherever_user_code_puts_it():
    def emit(record):
        raise ValueError("\ud800 and \udfff")

    info = told(run, emitter(mr.Sum(), emit=emit), ["x"])
    assert info.message == "ValueError: \\ud800 and \\udfff"
    assert "\\ud800" in info.traceback
    told_place = describe(UserTaskError("key '\ud800', partition 0", "\ud800"))
    assert told_place.where == "key '\\ud800', partition 0"
    for error in (info, told_place, describe(ZeroDivisionError("\udcff")), describe(OSError("\udcff"))):
        assert protocol.decode(protocol.encode(error), protocol.ErrorInfo) == error


def test_a_program_that_exits_while_it_is_loaded_is_at_fault():
    info = describe(SystemExit("\ud800"))
    assert (info.kind, info.reason) == ("user", "UserCodeFailed")
    assert protocol.encode(info)


def test_a_package_of_the_users_whose_name_begins_as_ours_is_not_ours():
    for place in (Path(str(mr.__file__)).parent, Path(str(failure.__file__)).parent.parent):
        source = "def map(self, record):\n    return len(5)\n"
        members: dict[str, Any] = {}
        exec(compile(source, f"{place}_jobs/wc.py", "exec"), members)  # noqa: S102 - a file that cannot be written there
        info = told(run, type("Job", (mr.Job,), {"map": members["map"], "reduce": mr.Sum()}), ["x"])
        assert info.message == "TypeError: object of type 'int' has no len()"
        assert "wc.py" in info.traceback
