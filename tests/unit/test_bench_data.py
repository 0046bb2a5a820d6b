"""The input that `make bench` measures with is the same everywhere, and is what it claims to be."""

import hashlib
import io
from collections import Counter

import pytest

from bench.data import files, records, zipf


def digest(content):
    return hashlib.sha256(content).hexdigest()[:16]


@pytest.fixture
def small(monkeypatch):
    """Make blocks small, for tests that need no more."""
    monkeypatch.setattr(zipf, "BLOCK_LINES", 1000)
    monkeypatch.setattr(records, "BLOCK_RECORDS", 1000)


@pytest.mark.parametrize(
    ("block", "wanted"),
    [
        (zipf.block, "73f4145183a20032"),
        (records.block, "d5e290a00bafc756"),
        (records.uniform_block, "ad58821cedd9c227"),
        (records.skewed_block, "c55e1428896d114f"),
    ],
)
def test_a_seed_and_a_number_always_give_the_same_block(small, block, wanted):
    assert digest(block(6, 0)) == digest(block(6, 0)) == wanted
    assert len({block(6, 0), block(6, 1), block(7, 0)}) == 3


def test_every_rank_has_a_word_of_its_own_and_frequent_ones_are_short():
    words = [zipf.word(rank) for rank in range(zipf.WORDS)]
    assert len(set(words)) == zipf.WORDS
    assert [len(words[rank]) for rank in (0, 99, 100, 10_099, 10_100)] == [2, 2, 4, 4, 6]


def test_words_are_as_frequent_as_their_rank_says():
    table = Counter(zipf._table())
    assert table.total() == 2**zipf._BITS
    assert len(table) == zipf.WORDS
    assert table[zipf.word(0)] / table[zipf.word(10)] == pytest.approx(2, rel=0.01)


def test_text_has_lines_of_twelve_words(small):
    lines = zipf.block(6, 0).decode("ascii").split("\n")
    assert lines.pop() == ""
    assert [len(line.split(" ")) for line in lines] == [zipf.LINE_WORDS] * 1000


@pytest.mark.parametrize("block", [records.block, records.uniform_block, records.skewed_block])
def test_a_record_has_100_printable_bytes_with_one_tab(small, block):
    made = block(6, 0)
    lines = made.split(b"\n")
    assert lines.pop() == b""
    assert {len(line) + 1 for line in lines} == {records.RECORD_BYTES}
    assert {line.index(b"\t") for line in lines} == {records.KEY_BYTES}
    assert all(byte > 32 for line in lines for byte in line.replace(b"\t", b""))
    # Nothing that tsv would escape, so that a pair is written as the line that it came from.
    assert b"\\" not in made


def test_three_of_ten_records_have_the_hot_key(monkeypatch):
    monkeypatch.setattr(records, "BLOCK_RECORDS", 20_000)
    keys = [line.partition(b"\t")[0] for line in records.skewed_block(6, 0).split(b"\n")]
    hot = Counter(keys).most_common(2)
    assert hot[0][1] / records.BLOCK_RECORDS == pytest.approx(records.HOT_SHARE, abs=0.01)
    assert hot[1][1] / records.BLOCK_RECORDS < 0.01


def test_a_file_has_whole_lines_up_to_its_size_and_is_made_once(tmp_path):
    path = files.ensure("records", 12_345, tmp_path)
    assert path.read_bytes() == records.block(files.SEED, 0)[:12_300]
    path.write_bytes(b"kept")
    assert files.ensure("records", 12_345, tmp_path) == path
    assert path.read_bytes() == b"kept"


def test_a_file_of_several_blocks_ends_with_the_last_whole_line_that_fits():
    out = io.BytesIO()
    files.write(out, [b"aaa\n" * 5, b"bbb\n" * 5, b"ccc\n" * 5], 31)
    assert out.getvalue() == b"aaa\n" * 5 + b"bbb\n" * 2


def test_pieces_are_the_same_bytes_cut_at_the_ends_of_lines(tmp_path):
    text = b"one\ntwo\nthree\nfour\nfive"
    source, folder = tmp_path / "text", tmp_path / "pieces"
    source.write_bytes(text)
    with source.open("rb") as lines:
        files.divide(lines, folder, 6)
    assert [path.read_bytes() for path in sorted(folder.iterdir())] == [b"one\ntwo\n", b"three\nfour\n", b"five"]
