"""What the input gateway sends for a split: whole records, each once, or an error in their place."""

from pathlib import Path

import pytest

from mapreduce import protocol
from mapreduce.plan import FileRange, ListedFile, Split
from mapreduce.protocol import ErrorInfo, RangeHead
from mapreduce_worker.engine.ranges import list_files
from mapreduce_worker.gateway.input_server import frames, joined


def answer(root: Path, *ranges: FileRange) -> list[tuple[RangeHead, bytes] | ErrorInfo]:
    """Read the answer as `docs/protocol.md` tells."""
    data = b"".join(joined(frames(root, Split(0, ranges))))
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


@pytest.mark.parametrize("path", ["../secret", "link", "/etc/hostname"])
def test_a_file_outside_of_the_input_is_not_read(tmp_path, path):
    (tmp_path / "secret").write_bytes(b"secret\n")
    root = tmp_path / "input"
    root.mkdir()
    (root / "link").symlink_to(tmp_path / "secret")
    identity = f"mtime:{(tmp_path / 'secret').stat().st_mtime_ns}"
    (error,) = answer(root, FileRange(ListedFile(path, "a.txt", 7, identity), 0, 7))
    assert isinstance(error, ErrorInfo)
    assert error.reason == "InputUnreadable"
