"""Map outputs and parts: what was written is read, and a single flipped bit is noticed."""

import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mapreduce import values
from mapreduce.errors import CorruptionError
from mapreduce_worker.engine import blocks, columns, durable, map_output, part
from mapreduce_worker.engine.blocks import Block
from mapreduce_worker.engine.failure import describe
from mapreduce_worker.engine.framing import Digest, Framer
from tests.support import budget
from tests.support.engine_runs import as_many

NUMBERS = st.floats(allow_nan=False)
TEXT = st.text(max_size=4)
KINDS = [st.integers(-(2**63), 2**63 - 1), NUMBERS, TEXT, st.booleans(), st.binary(max_size=4)]
OBJECTS = st.integers(-(2**65), 2**65) | st.text(max_size=4) | st.lists(NUMBERS, max_size=2)
ROWS = st.sampled_from([*KINDS, OBJECTS]).flatmap(
    lambda values: st.lists(st.tuples(st.binary(max_size=5), values), max_size=20).map(
        lambda rows: sorted(rows, key=lambda row: row[0])
    )
)


def block_of(rows):
    return blocks.of_objects([key for key, _ in rows], [value for _, value in rows])


def write_output(path, segments, codec="lz4", pieces=None):
    with path.open("wb") as file:
        writer = map_output.Writer(file, codec)
        for rows in segments:
            cut = len(rows) if pieces is None else max(1, pieces)
            writer.segment(block_of(rows[at : at + cut]) for at in range(0, len(rows), cut or 1))
        return writer.finish("bytes", "f:0")


def read_output(path):
    segments = map_output.segments_of(path, map_output.read_index(path))
    return [
        [row for block in map_output.read(segment) for row in zip(block.keys, block.unpacked(), strict=True)]
        for segment in segments
    ]


@budget.examples(15)
@given(
    st.lists(ROWS, min_size=1, max_size=3), st.sampled_from(["none", "lz4", "zstd"]), st.integers(1, 7), st.booleans()
)
def test_a_map_output_gives_back_its_rows_and_its_checksum_knows_only_rows(segments, codec, pieces, arrow):
    with TemporaryDirectory() as folder, as_many() if arrow else nullcontext():
        path = Path(folder) / "x.mapout"
        whole = write_output(path, segments, codec)
        assert read_output(path) == segments
        assert map_output.read_index(path) == whole
        assert [segment.rows for segment in whole.segments] == [len(rows) for rows in segments]
        in_pieces = write_output(path, segments, "lz4", pieces)
        assert read_output(path) == segments
        assert in_pieces.checksum == whole.checksum
    with TemporaryDirectory() as folder:
        assert write_output(Path(folder) / "x", segments).checksum == whole.checksum


def test_a_checksum_tells_rows_and_partitions_apart(tmp_path):
    rows = [(b"a", 1), (b"b", 2)]
    different = [
        [rows, []],
        [[], rows],
        [rows[:1], rows[1:]],
        [[(b"ab", 1), (b"", 2)], []],
        [[(b"a", 2), (b"b", 1)], []],
        [[(b"a", "1"), (b"b", "2")], []],
        [rows[:1], []],
    ]
    found = {write_output(tmp_path / "x", segments).checksum for segments in different}
    assert len(found) == len(different)


@pytest.mark.usefixtures("body_kind")
def test_the_checksum_is_the_same_in_every_version(tmp_path):
    index = write_output(
        tmp_path / "x", [[(b"a", 1), (b"b", [2.5, "x"])], [(b"c", 2**70), (b"d", "y" * 99), (b"e", b"")]]
    )
    assert index.checksum == "xxh3:02ff395a7941fac79684b4b1c7654ede"


@budget.examples(20)
@given(ROWS.filter(bool))
def test_the_checksum_is_the_same_however_rows_are_held(rows):
    keys, objects = [key for key, _ in rows], [value for _, value in rows]
    packed = [values.encode(value) for value in objects]
    held = [Block(keys, packed), columns.of_packed(keys, packed), columns.of_lists(keys, objects), block_of(rows)]
    found = set()
    for one in held:
        digest = Digest()
        digest.update(one)
        framer = Framer("lz4")
        framer.frame(one)
        found |= {digest.hexdigest(), framer.digest.hexdigest()}
    assert len(found) == 1


@pytest.mark.parametrize("codec", ["lz4", "zstd"])
def test_rows_that_compress_are_compressed_and_others_stay_as_they_are(tmp_path, codec):
    draw = Random(6)
    for name, value in {"random": lambda: draw.randbytes(500), "alike": lambda: b"x" * 500}.items():
        rows = [(b"%06d" % number, value()) for number in range(9000)]
        with (tmp_path / name).open("wb") as file:
            writer = map_output.Writer(file, codec)
            writer.segment([block_of(rows)])
            writer.finish("bytes", "")
        assert read_output(tmp_path / name) == [rows]
    assert (tmp_path / "random").stat().st_size > 9000 * 506
    assert (tmp_path / "alike").stat().st_size < 9000 * 100


@pytest.fixture(params=["msgpack", "arrow"])
def body_kind(request):
    with as_many() if request.param == "arrow" else nullcontext():
        yield


@pytest.mark.usefixtures("body_kind")
def test_every_flipped_bit_of_a_map_output_is_noticed(tmp_path):
    path = tmp_path / "x.mapout"
    write_output(path, [[], [(b"key", 7)]])
    content = path.read_bytes()
    for position in range(len(content)):
        path.write_bytes(flipped(content, position))
        with pytest.raises(CorruptionError):
            read_output(path)


@pytest.mark.usefixtures("body_kind")
def test_every_flipped_bit_of_a_part_is_noticed(tmp_path):
    path = tmp_path / "x.part"
    result = write_part(path, [(b"key", ["key", 7])])
    assert part.verify(path) == part.verify(path, deep=True) == result
    content = path.read_bytes()
    for position in range(len(content)):
        path.write_bytes(flipped(content, position))
        with pytest.raises(CorruptionError):
            list(part.read(path))
        with pytest.raises(CorruptionError):
            part.verify(path)


def flipped(content, position):
    """Flip one bit of a byte: another one for each position."""
    return content[:position] + bytes([content[position] ^ 1 << position % 8]) + content[position + 1 :]


@pytest.mark.usefixtures("body_kind")
@pytest.mark.parametrize("kind", ["map output", "part"])
def test_a_file_that_is_cut_short_anywhere_is_noticed(kind, tmp_path):
    path = tmp_path / "x"
    if kind == "part":
        write_part(path, [(b"key", ["key", 7])])
    else:
        write_output(path, [[(b"key", 7)]])
    read = {"part": part.verify, "map output": read_output}[kind]
    content = path.read_bytes()
    for length in range(0, len(content), 7):
        path.write_bytes(content[:length])
        with pytest.raises(CorruptionError):
            read(path)


def write_part(path, rows):
    with path.open("wb") as file:
        writer = part.Writer(file, "bytes")
        for key, pair in rows:
            writer.add(Block([key], [values.encode(pair)]))
        return writer.finish()


def test_a_part_knows_what_was_written(tmp_path):
    result = write_part(tmp_path / "p", [(b"a", ["a", 1]), (b"a", ["b", 2]), (b"c", ["c", [3]])])
    assert (result.rows, result.size) == (3, (tmp_path / "p").stat().st_size)
    rows = [row for block in part.read(tmp_path / "p") for row in zip(block.keys, block.unpacked(), strict=True)]
    assert rows == [(b"a", ["a", 1]), (b"a", ["b", 2]), (b"c", ["c", [3]])]
    assert part.read_summary(tmp_path / "p").key_type == "bytes"


def test_a_damaged_segment_names_its_file_and_is_no_fault_of_the_user(tmp_path):
    path = tmp_path / "map-3.mapout"
    index = write_output(path, [[], [(b"key", 7)]])
    damaged = bytearray(path.read_bytes())
    damaged[index.segments[1].offset + index.segments[1].length - 2] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(map_output.SegmentCorrupt, match=r"map-3\.mapout") as caught:
        read_output(path)
    assert (caught.value.path, caught.value.offset) == (path, index.segments[1].offset)
    assert (describe(caught.value).kind, describe(caught.value).reason) == ("disruption", "SegmentUnreadable")


def test_a_segment_with_another_segments_bytes_is_noticed(tmp_path):
    write_output(tmp_path / "a", [[(b"key", 7)]])
    write_output(tmp_path / "b", [[(b"key", 8)]])
    right = map_output.segments_of(tmp_path / "a", map_output.read_index(tmp_path / "a"))[0]
    wrong = map_output.SegmentFile(tmp_path / "b", right.offset, right.length, right.rows, right.crc)
    with pytest.raises(map_output.SegmentCorrupt):
        list(map_output.read(wrong))


def test_blocks_are_divided_by_rows_and_by_bytes():
    rows = blocks.MAX_ROWS + 5
    many = list(blocks.cut([Block([b""] * rows, [0] * rows, packed=False)]))
    assert [len(block.keys) for block in many] == [blocks.MAX_ROWS, 5]
    large = [b"x" * (blocks.MAX_BYTES // 2)] * 5
    assert [len(block.keys) for block in blocks.cut([Block(large, [b""] * 5)])] == [2, 2, 1]
    joined = list(blocks.cut(Block([b"k"], [b"v"]) for _ in range(10)))
    assert [len(block.keys) for block in joined] == [10]


def test_a_file_is_there_whole_or_not_at_all(tmp_path):
    path = tmp_path / "out"
    with pytest.raises(RuntimeError):
        write_and_fail(path)
    assert list(tmp_path.iterdir()) == []
    with durable.replacing(path) as file:
        file.write(b"whole")
        assert not path.exists()
    assert path.read_bytes() == b"whole"
    assert list(tmp_path.iterdir()) == [path]


def write_and_fail(path):
    with durable.replacing(path) as file:
        file.write(b"half")
        raise RuntimeError


def test_whoever_reads_an_index_or_a_small_block_does_not_wait_for_polars(tmp_path):
    write_output(tmp_path / "x", [[(b"key", 7)]])
    script = (
        "import sys, pathlib; from mapreduce_worker.engine import local, map_output, merge;"
        "path = pathlib.Path(sys.argv[1]);"
        "segment, = map_output.segments_of(path, map_output.read_index(path));"
        "assert [block.keys for block in map_output.read(segment)] == [[b'key']];"
        "assert 'polars' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script, tmp_path / "x"], check=True)
