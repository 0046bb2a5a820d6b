"""What the input gateway sends for a split: whole records, each once, or an error in their place."""

import os
from pathlib import Path

import pytest

from mapreduce import protocol
from mapreduce.plan import FileRange, ListedFile, Split
from mapreduce.protocol import ErrorInfo, RangeHead
from mapreduce_worker.engine import ranges
from mapreduce_worker.engine.ranges import list_files
from mapreduce_worker.gateway.input_files import InputFiles
from mapreduce_worker.gateway.input_server import frames, joined
from tests.support.compressed import compress


def answer(files: Path | InputFiles, *asked: FileRange) -> list[tuple[RangeHead, bytes] | ErrorInfo]:
    """Read the answer as `docs/protocol.md` tells; of a folder, all is the job's input."""
    if isinstance(files, Path):
        files = InputFiles(files, [""])
    data = b"".join(joined(frames(files, Split(0, asked))))
    found: list[tuple[RangeHead, bytes] | ErrorInfo] = []
    at = 0

    def take(size: int) -> bytes:
        nonlocal at
        at += size
        return data[at - size : at]

    while at < len(data):
        length = int.from_bytes(take(4), "big")
        if length == 2**32 - 1:
            return [*found, protocol.decode(data[at:], ErrorInfo)]
        head = protocol.decode(take(length), RangeHead)
        content = b""
        while length := int.from_bytes(take(4), "big"):
            if length == 2**32 - 1:
                return [*found, protocol.decode(data[at:], ErrorInfo)]
            content += take(length)
        found.append((head, content))
    return found


def listed(root: Path, name: str, content: bytes) -> ListedFile:
    (root / name).write_bytes(content)
    return list_files(root, [name])[0]


def head(position: int, offset: int) -> RangeHead:
    return RangeHead(position=position, offset=offset)


def test_a_range_is_answered_with_the_records_that_begin_in_it(tmp_path):
    file = listed(tmp_path, "a.txt", b"one\ntwo\nthree\n")
    assert answer(tmp_path, FileRange(file, 2, 6)) == [(head(0, 4), b"two\n")]


def test_every_range_of_a_split_has_its_own_head_even_if_it_is_empty(tmp_path):
    a = listed(tmp_path, "a.txt", b"one\ntwo\n")
    b = listed(tmp_path, "b.txt", b"x" * 10)
    found = answer(tmp_path, FileRange(a, 0, 8), FileRange(b, 5, 10), FileRange(b, 0, 10))
    assert found == [(head(0, 0), b"one\ntwo\n"), (head(1, 10), b""), (head(2, 0), b"x" * 10)]


def test_a_large_range_comes_in_chunks_and_is_complete(tmp_path):
    content = b"".join(b"line %d\n" % number for number in range(400_000))
    file = listed(tmp_path, "a.txt", content)
    assert answer(tmp_path, FileRange(file, 0, file.size)) == [(head(0, 0), content)]


def test_a_file_that_changed_is_told_in_the_place_of_its_records(tmp_path):
    a = listed(tmp_path, "a.txt", b"one\n")
    b = listed(tmp_path, "b.txt", b"two\n")
    (tmp_path / "b.txt").write_bytes(b"other\n")
    first, error = answer(tmp_path, FileRange(a, 0, 4), FileRange(b, 0, 4))
    assert first == (head(0, 0), b"one\n")
    assert isinstance(error, ErrorInfo)
    assert (error.kind, error.reason) == ("refused", "InputChanged")


def whole(root: Path, path: str) -> FileRange:
    """Return the range that asks for a file by its true size and time."""
    status = (root / path).stat()
    return FileRange(ListedFile(path, "a.txt", status.st_size, f"mtime:{status.st_mtime_ns}"), 0, status.st_size)


def refused(found: list[tuple[RangeHead, bytes] | ErrorInfo]) -> str:
    """Return the reason of an answer that holds no byte."""
    (error,) = found
    assert isinstance(error, ErrorInfo)
    assert error.kind == "refused"
    return error.reason


def test_a_record_that_is_too_long_ends_the_job_and_is_told_with_file_and_offset(tmp_path, monkeypatch):
    monkeypatch.setattr(ranges, "CHUNK", 4)
    file = listed(tmp_path, "a.txt", b"ok\n" + b"x" * 30 + b"\n")
    error = answer(InputFiles(tmp_path, [""], 10), FileRange(file, 1, file.size))[-1]
    assert isinstance(error, ErrorInfo)
    assert (error.kind, error.reason, error.where) == ("refused", "RecordTooLong", "a.txt:3")


@pytest.mark.parametrize("name", ["a.txt", "a.gz"])
def test_a_file_that_shrinks_while_it_is_sent_is_told_in_the_place_of_the_rest(tmp_path, name):
    file = listed(tmp_path, name, bytes(3 * ranges.CHUNK))
    sent = frames(InputFiles(tmp_path, [""]), Split(0, (FileRange(file, 0, file.size),)))
    begun = next(sent) + next(sent)
    os.truncate(tmp_path / name, 2 * ranges.CHUNK)
    *rest, last = sent
    assert len(begun) + sum(map(len, rest)) < file.size
    assert last[:4] == b"\xff" * 4
    error = protocol.decode(last[4:], ErrorInfo)
    assert (error.kind, error.reason, error.where) == ("refused", "InputChanged", f"{name}:{2 * ranges.CHUNK}")


def test_a_compressed_file_is_sent_as_it_stands(tmp_path):
    content = compress(".gz", b"one\ntwo\n") + b"not\nlooked at"
    file = listed(tmp_path, "a.gz", content)
    assert answer(InputFiles(tmp_path, [""], 3), FileRange(file, 0, file.size)) == [(head(0, 0), content)]


@pytest.mark.parametrize("path", ["other/b.txt", "secret.txt", "in/.hidden", "in/later.txt", "in/../secret.txt"])
def test_a_file_of_the_volume_that_is_not_in_the_plan_is_not_read(tmp_path, path):
    for name in ("in/a.txt", "in/.hidden", "other/b.txt", "secret.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"text\n")
    files = InputFiles(tmp_path, ["in"])
    (planned,) = files.list(by_content=False)
    (tmp_path / "in/later.txt").write_bytes(b"text\n")
    assert answer(files, FileRange(planned, 0, 5)) == [(head(0, 0), b"text\n")]
    assert refused(answer(files, whole(tmp_path, path))) == "InputUnreadable"


def test_a_gateway_that_did_not_plan_serves_what_the_jobs_patterns_match_and_nothing_else(tmp_path):
    planned = listed(tmp_path, "a.txt", b"one\n")
    (tmp_path / "secret").write_bytes(b"secret\n")
    files = InputFiles(tmp_path, ["*.txt", "gone/*"])
    assert answer(files, FileRange(planned, 0, 4)) == [(head(0, 0), b"one\n")]
    assert refused(answer(files, whole(tmp_path, "secret"))) == "InputChanged"


@pytest.mark.parametrize("path", ["../secret", "link", "folder/secret", "/etc/hostname", "a\0b"])
def test_a_file_outside_of_the_volume_is_not_read_even_if_a_pattern_matches_it(tmp_path, monkeypatch, path):
    (tmp_path / "secret").write_bytes(b"secret\n")
    root = tmp_path / "input"
    root.mkdir()
    (root / "link").symlink_to(tmp_path / "secret")
    (root / "folder").symlink_to(tmp_path)
    files = InputFiles(root, ["*"])
    monkeypatch.setattr(files, "_planned", frozenset([path]))
    identity = f"mtime:{(tmp_path / 'secret').stat().st_mtime_ns}"
    assert refused(answer(files, FileRange(ListedFile(path, "a.txt", 7, identity), 0, 7))) == "InputUnreadable"


def test_the_links_of_a_config_map_are_followed_inside_the_volume(tmp_path):
    (tmp_path / "..2026").mkdir()
    (tmp_path / "..2026/a.txt").write_bytes(b"one\n")
    (tmp_path / "..data").symlink_to("..2026")
    (tmp_path / "a.txt").symlink_to("..data/a.txt")
    files = InputFiles(tmp_path, ["a.txt"])
    (planned,) = files.list(by_content=True)
    assert answer(files, FileRange(planned, 0, 4)) == [(head(0, 0), b"one\n")]
    (tmp_path / "..2027").mkdir()
    (tmp_path / "..2027/a.txt").write_bytes(b"two\n")
    (tmp_path / "..data").unlink()
    (tmp_path / "..data").symlink_to("..2027")
    assert refused(answer(files, FileRange(planned, 0, 4))) == "InputChanged"


@pytest.mark.parametrize("swapped", ["folder", "folder/a.txt"])
def test_a_link_put_in_place_after_the_look_is_not_followed(tmp_path, monkeypatch, swapped):
    outside, root = tmp_path / "outside", tmp_path / "input"
    for folder in (outside, root / "folder"):
        folder.mkdir(parents=True)
        (folder / "a.txt").write_bytes(b"text\n")
    # Only where there is a link already does anybody look.
    (root / "link").symlink_to("folder")
    files = InputFiles(root, ["link"])
    files.list(by_content=False)
    asked = whole(outside, "a.txt")
    asked = FileRange(ListedFile("link/a.txt", "a.txt", 5, asked.file.identity), 0, 5)
    look = os.path.realpath

    def looked_at_then_swapped(path, **options):
        real = look(path, **options)
        if str(path).endswith("a.txt"):
            (root / swapped).rename(tmp_path / "away")
            (root / swapped).symlink_to(tmp_path / swapped.replace("folder", "outside"))
        return real

    monkeypatch.setattr(os.path, "realpath", looked_at_then_swapped)
    assert refused(answer(files, asked)) == "InputUnreadable"


def test_a_file_below_no_link_is_opened_without_a_look_at_each_folder_above_it(tmp_path, monkeypatch):
    (tmp_path / "deep/down").mkdir(parents=True)
    planned = listed(tmp_path, "deep/down/a.txt", b"one\n")
    monkeypatch.setattr(os.path, "realpath", None)
    with ranges.opened(tmp_path, planned) as file:
        assert file.read() == b"one\n"


def test_a_pipe_in_the_place_of_a_file_does_not_hold_the_gateway(tmp_path):
    planned = listed(tmp_path, "a.txt", b"one\n")
    (tmp_path / "a.txt").unlink()
    os.mkfifo(tmp_path / "a.txt")
    assert refused(answer(InputFiles(tmp_path, ["a.txt"]), FileRange(planned, 0, 4))) == "InputUnreadable"
