"""Patterns become a list of files: which, under what names, in which order."""

import os
from pathlib import Path

import pytest

from mapreduce.errors import InputError
from mapreduce_worker.engine import ranges
from mapreduce_worker.engine.failure import InputNotFound, InputUnreadable, describe


def make(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.fsencode(name))


def listed(root, *patterns):
    return [(file.path, file.name) for file in ranges.list_files(root, patterns)]


def test_names_are_relative_to_what_stands_before_the_first_wildcard(tmp_path):
    make(tmp_path, "in/a.txt", "in/b.txt", "in/sub/c.txt", "in/d.log")
    assert listed(tmp_path, "in/*.txt") == [("in/a.txt", "a.txt"), ("in/b.txt", "b.txt")]
    assert listed(tmp_path, "in/*/c.txt") == [("in/sub/c.txt", "sub/c.txt")]
    assert listed(tmp_path, "in/a.txt") == [("in/a.txt", "a.txt")]
    assert listed(tmp_path, "i*/**/*.txt") == [
        ("in/a.txt", "in/a.txt"),
        ("in/b.txt", "in/b.txt"),
        ("in/sub/c.txt", "in/sub/c.txt"),
    ]


def test_any_depth_is_walked_as_a_shell_does(tmp_path):
    make(tmp_path, "in/a.txt", "in/x/a.txt", "in/x/y/a.txt", "in/x/y/b.log", "in/.h/a.txt", "in/x/.a.txt")
    assert [name for _, name in listed(tmp_path, "in/**/a.txt")] == ["a.txt", "x/a.txt", "x/y/a.txt"]
    assert [name for _, name in listed(tmp_path, "in/**/y/*")] == ["x/y/a.txt", "x/y/b.log"]
    assert [name for _, name in listed(tmp_path, "in/**")] == ["a.txt", "x/a.txt", "x/y/a.txt", "x/y/b.log"]
    assert [path for path, _ in listed(tmp_path, "**/*.log")] == ["in/x/y/b.log"]
    assert [path for path, _ in listed(tmp_path, "in/.h/**/*.txt")] == ["in/.h/a.txt"]


@pytest.mark.parametrize("pattern", ["in/**/*.txt", "in/**", "in/**/*", "**/f.txt", "in/**/*/*.txt"])
def test_any_depth_goes_into_no_linked_folder(tmp_path, pattern):
    make(tmp_path, "in/f.txt", "in/sub/f.txt")
    for number in range(2):
        (tmp_path / f"in/{number}").symlink_to(".")
        (tmp_path / f"in/sub/{number}.txt").symlink_to("..")
    found = [path for path, _ in listed(tmp_path, pattern)]
    assert found == (["in/sub/f.txt"] if pattern == "in/**/*/*.txt" else ["in/f.txt", "in/sub/f.txt"])


def test_a_linked_folder_that_is_named_is_followed(tmp_path):
    make(tmp_path, "data/1/f.txt")
    (tmp_path / "data/current").symlink_to("1")
    assert listed(tmp_path, "data/current/**/*.txt") == [("data/current/f.txt", "f.txt")]
    assert [path for path, _ in listed(tmp_path, "data/**/current/*.txt")] == ["data/current/f.txt"]
    assert [path for path, _ in listed(tmp_path, "data/*/f.txt")] == ["data/1/f.txt", "data/current/f.txt"]


def test_a_folder_stands_for_everything_in_it_but_hidden_names(tmp_path):
    make(tmp_path, "in/b", "in/a/x", "in/.hidden", "in/.out.uid/part", "in/_private", "in/_history/x")
    expected = [("in/a/x", "a/x"), ("in/b", "b")]
    assert listed(tmp_path, "in") == expected
    assert listed(tmp_path, "/in/") == expected
    assert [name for _, name in listed(tmp_path, "")] == ["in/a/x", "in/b"]


@pytest.mark.parametrize("pattern", ["out", "", "out/*", "out/**", "**", "out/**/*", "*/*", "out/[!a]*", "out/**/*n*"])
def test_of_an_output_only_the_data_is_input(tmp_path, pattern):
    make(tmp_path, "out/part-r-00000.tsv.n", "out/_manifest.json", "out/_SUCCESS", "out/_history/events.ndjson")
    assert [path for path, _ in listed(tmp_path, pattern)] == ["out/part-r-00000.tsv.n"]


@pytest.mark.parametrize("pattern", ["in/_a", "in/_*", "in/_d", "in/_d/*", "in/_d/**", "in/[_]a"])
def test_a_name_with_an_underscore_that_is_written_out_is_taken(tmp_path, pattern):
    make(tmp_path, "in/_a", "in/_d/b", "in/c")
    expected = {"in/_a": ["in/_a"], "in/_*": ["in/_a", "in/_d/b"]}
    if pattern == "in/[_]a":
        with pytest.raises(InputNotFound):
            listed(tmp_path, pattern)
    else:
        assert [path for path, _ in listed(tmp_path, pattern)] == expected.get(pattern, ["in/_d/b"])


def test_files_are_ordered_by_pattern_then_by_the_bytes_of_their_names_and_listed_once(tmp_path):
    make(tmp_path, "b", "a", "ä", "Z", "\U0001f600", "\uffee")
    assert [path for path, _ in listed(tmp_path, "b", "*")] == ["b", "Z", "a", "ä", "\uffee", "\U0001f600"]


def test_a_pattern_that_matches_no_file_is_named(tmp_path):
    make(tmp_path, "a")
    (tmp_path / "empty").mkdir()
    for pattern in ("*.csv", "nowhere/x", "empty"):
        with pytest.raises(InputNotFound, match="no file matches") as caught:
            listed(tmp_path, "a", pattern)
        assert pattern in str(caught.value)
        assert describe(caught.value).reason == "InputNotFound"


def test_a_link_that_leaves_the_root_is_refused_and_one_that_stays_is_followed(tmp_path):
    root = tmp_path / "root"
    make(tmp_path, "secret", "root/..data/key")
    (root / "key").symlink_to("..data/key")
    assert listed(root, "") == [("key", "key")]
    (root / "out").symlink_to(tmp_path / "secret")
    with pytest.raises(InputUnreadable, match="leaves the input's root"):
        listed(root, "*")
    with pytest.raises(InputUnreadable, match="must not leave"):
        listed(root, "../secret")


def test_what_is_no_regular_file_is_refused_by_name_and_passed_over_in_a_folder(tmp_path):
    make(tmp_path, "in/a")
    os.mkfifo(tmp_path / "in/pipe")
    assert [path for path, _ in listed(tmp_path, "in")] == ["in/a"]
    with pytest.raises(InputUnreadable, match="no regular file"):
        listed(tmp_path, "in/*")


def test_a_name_that_is_no_utf8_is_refused(tmp_path):
    make(tmp_path, os.fsdecode(b"in/\xff"))
    with pytest.raises(InputError, match="not valid UTF-8"):
        listed(tmp_path, "in")


def test_identity_is_the_time_of_change_or_the_content(tmp_path):
    make(tmp_path, "a")
    (by_time,) = ranges.list_files(tmp_path, ["a"])
    (by_content,) = ranges.list_files(tmp_path, ["a"], by_content=True)
    assert by_time.identity == f"mtime:{(tmp_path / 'a').stat().st_mtime_ns}"
    assert by_content.identity.startswith("sha256:")
    os.utime(tmp_path / "a", ns=(1, 1))
    assert ranges.list_files(tmp_path, ["a"], by_content=True) == [by_content]
    assert ranges.list_files(tmp_path, ["a"]) != [by_time]


def test_a_file_that_says_it_is_empty_and_is_not_is_refused_and_an_empty_one_is_listed(tmp_path):
    make(tmp_path, "in/b.txt")
    (tmp_path / "in" / "a.txt").touch()
    assert [name for _, name in listed(tmp_path, "in")] == ["a.txt", "b.txt"]
    with pytest.raises(InputUnreadable, match="does not tell its size"):
        listed(Path("/proc"), "self/status")
