"""From PROGRAM and --files to a program."""

import os
from pathlib import Path

import pytest

from mapreduce.errors import ProgramError
from mapreduce.program import MAX_SOURCE_BYTES, Program, SideFile
from mapreduce_cli import programs


def write(folder: Path, name: str, content: bytes = b"pass\n") -> str:
    path = folder / name
    path.write_bytes(content)
    return str(path)


def test_a_file_is_a_program_with_its_class_and_its_side_files(tmp_path: Path):
    program, words = write(tmp_path, "job.py"), write(tmp_path, "words.txt", b"a b")
    expected = Program("job.py", b"pass\n", "Index", (SideFile("words.txt", b"a b"),))
    assert programs.read(f"{program}:Index", [words]) == expected


def test_a_colon_in_the_name_of_a_file_is_no_class(tmp_path: Path):
    assert programs.read(write(tmp_path, "a:b")).file == "a:b"


@pytest.mark.parametrize(("text", "class_name"), [("pkg.jobs", ""), ("pkg.jobs:Index", "Index"), ("jobs", "")])
def test_a_dotted_name_that_is_no_file_is_a_module(text: str, class_name: str):
    assert programs.read(text) == Program("", b"", class_name, module=text.partition(":")[0])


def test_a_missing_file_is_told_by_its_name(tmp_path: Path):
    with pytest.raises(ProgramError, match=r"the program .*absent\.py does not exist"):
        programs.read(str(tmp_path / "absent.py"))
    with pytest.raises(ProgramError, match=r"the side file .*absent\.txt does not exist"):
        programs.read(write(tmp_path, "job.py"), [str(tmp_path / "absent.txt")])


def test_two_files_of_one_name_are_refused(tmp_path: Path):
    (tmp_path / "deep").mkdir()
    with pytest.raises(ProgramError, match=r"two files of the program have the name job\.py"):
        programs.read(write(tmp_path, "job.py"), [write(tmp_path / "deep", "job.py")])


def test_a_program_that_no_config_map_could_hold_is_refused(tmp_path: Path):
    large = write(tmp_path, "large.txt", bytes(MAX_SOURCE_BYTES))
    with pytest.raises(ProgramError, match=r"at most \d+ bytes are accepted"):
        programs.read(write(tmp_path, "job.py"), [large])


def test_side_files_of_a_module_are_refused(tmp_path: Path):
    with pytest.raises(ProgramError, match="a module brings its own files"):
        programs.read("pkg.jobs", [write(tmp_path, "a.txt")])


@pytest.mark.parametrize("path", ["/dev/zero", "pipe", "folder"])
def test_what_is_no_regular_file_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str):
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    Path("folder").mkdir()
    with pytest.raises(ProgramError, match=f"the program {path} is no regular file"):
        programs.read(path)


def test_of_a_file_that_is_too_large_no_more_is_read_than_shows_that(tmp_path: Path):
    sparse = tmp_path / "job.py"
    with sparse.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(ProgramError, match="is too large"):
        programs.read(str(sparse))
