"""Output as parquet: the rows in columns of their types, in bytes that depend on the rows alone."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import hypothesis.strategies as st
import polars as pl
import pytest
from hypothesis import given

from mapreduce import jsonl, keys, values
from mapreduce.errors import CorruptionError
from mapreduce_worker.engine import blocks, merge, parquet_footer, parquet_out, part
from mapreduce_worker.engine.columns import of_lists
from mapreduce_worker.engine.data_file import Style
from tests.support import budget

PARQUET = Style(format="parquet")
_scalars = [
    st.text(max_size=4),
    st.binary(max_size=4),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.none(),
]
_columns = st.lists(st.one_of(_scalars), max_size=8) | st.sampled_from(_scalars).flatmap(
    lambda kind: st.lists(kind | st.none(), max_size=8)
)


def write_part(path: Path, rows, *, size=100):
    """Write rows (group key, value of the output) into a part, in blocks of `size`."""
    with path.open("wb") as file:
        writer = part.Writer(file, "int")
        for at in range(0, len(rows), size):
            some = rows[at : at + size]
            packed = [values.encode(pair) for _, pair in some]
            writer.add(blocks.of_packed([keys.encode(key) for key, _ in some], packed))
        writer.finish()
    return path


def written(folder: Path, rows, *, parts=1, size=100):
    """Return the file of rows, of which every one has its number as its group key, in so many parts."""
    numbered = list(enumerate(rows))
    made = [write_part(folder / f"part-{one}", numbered[one::parts], size=size) for one in range(parts)]
    out = folder / "out.parquet"
    (result,) = merge.merge_files([(made, out)], lambda *_: None, PARQUET)
    content = out.read_bytes()
    assert (result.size, result.checksum) == (len(content), f"sha256:{hashlib.sha256(content).hexdigest()}")
    assert result.records == len(rows)
    return content


def naive(column):
    """Return what a reader of the file finds for a column of values."""
    kinds = {type(value) for value in column if value is not None}
    large = any(type(value) is int and not -(2**63) <= value < 2**63 for value in column)
    if len(kinds) <= 1 and kinds <= {str, bytes, bool, int, float} and not large:
        return column
    return [None if value is None else jsonl.field(values.decode(values.encode(value))).decode() for value in column]


@budget.examples(100)
@given(_columns, st.integers(1, 3), st.integers(1, 4))
def test_columns_have_the_type_of_their_values_or_are_text(column, parts, size):
    with TemporaryDirectory() as folder:
        content = written(
            Path(folder), [(value, number) for number, value in enumerate(column)], parts=parts, size=size
        )
    found = pl.read_parquet(content)
    assert found.columns == ["key", "value"]
    assert found["value"].to_list() == list(range(len(column)))
    # NaN is no value that equals itself.
    assert repr(found["key"].to_list()) == repr(naive(column))


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        (["a", None], pl.String),
        ([b"\xff"], pl.Binary),
        ([True, False], pl.Boolean),
        ([-(2**63), 2**63 - 1, None], pl.Int64),
        ([0.0, -0.0, float("inf")], pl.Float64),
        ([None], pl.String),
        ([], pl.String),
        ([1, 2.0], pl.String),
        ([True, 1], pl.String),
        ([1, 2**63], pl.String),
        ([None, 2**64], pl.String),
        ([[1, "a"], {"b": None}], pl.String),
    ],
)
def test_the_type_of_a_column_is_the_one_that_all_its_values_have(tmp_path, column, kind):
    content = written(tmp_path, [(number, value) for number, value in enumerate(column)])
    assert pl.read_parquet_schema(content)["value"] == kind
    assert pl.read_parquet(content)["value"].to_list() == naive(column)


ROWS = [(f"word {number % 97} {'x' * (number % 13)}", number if number % 7 else None) for number in range(3000)]


def test_the_bytes_are_the_same_for_any_number_of_parts_and_any_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet_out, "GROUP_ROWS", 700)
    made = set()
    for parts, size in ((1, 100), (5, 7), (8, 1000), (1, 100)):
        made.add(written(tmp_path, ROWS, parts=parts, size=size))
    assert len(made) == 1
    (content,) = made
    assert pl.read_parquet(content).rows() == ROWS


_THREADS = """
import sys
from pathlib import Path
from mapreduce_worker.engine import merge, parquet_out
from tests.unit.engine.test_parquet_output import PARQUET, ROWS, written
parquet_out.GROUP_ROWS = 700
written(Path(sys.argv[1]), ROWS, parts=3)
"""


def test_the_bytes_are_the_same_for_any_number_of_threads(tmp_path):
    made = []
    for threads in ("1", "4"):
        folder = tmp_path / threads
        folder.mkdir()
        environment = os.environ | {"POLARS_MAX_THREADS": threads, "PYTHONPATH": str(Path.cwd())}
        subprocess.run([sys.executable, "-c", _THREADS, folder], env=environment, check=True)
        made.append((folder / "out.parquet").read_bytes())
    assert made[0] == made[1]
    assert pl.read_parquet(made[0]).rows() == ROWS


def test_groups_have_so_many_rows_and_fewer_where_rows_are_long(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet_out, "GROUP_ROWS", 1000)

    def groups():
        written(tmp_path, ROWS)
        with (tmp_path / "out.parquet").open("rb") as file:
            return [group.rows for group in parquet_footer.read(file, "out").groups]

    assert groups() == [1000, 1000, 1000]
    monkeypatch.setattr(parquet_out, "GROUP_BYTES", 2000)
    assert max(groups()) < 150


def test_all_files_of_an_output_have_the_same_columns(tmp_path):
    first = write_part(tmp_path / "a", [(1, ("x", 1))])
    second = write_part(tmp_path / "b", [(2, ("y", "one"))])
    outs = [tmp_path / "a.parquet", tmp_path / "b.parquet", tmp_path / "c.parquet"]
    third = write_part(tmp_path / "c", [])
    parts = [first, second, third]
    list(merge.merge_files([([each], out) for each, out in zip(parts, outs, strict=True)], lambda *_: None, PARQUET))
    assert [pl.read_parquet(out).rows() for out in outs] == [[("x", "1")], [("y", '"one"')], []]
    assert len({str(pl.read_parquet_schema(out)) for out in outs}) == 1


@pytest.mark.parametrize("key", [lambda number: number, lambda number: (number, "x"), lambda number: f"{number:05}"])
@pytest.mark.parametrize(
    "value", [float, lambda number: "x" * (number % 5), lambda number: [number] if number else None]
)
@pytest.mark.parametrize("columns", [True, False])
def test_values_of_a_part_with_their_group_keys_are_the_same_file_as_pairs(tmp_path, key, value, columns):
    """As a built-in reducer makes parts: the group key is not written twice."""
    rows = [(key(number), value(number)) for number in range(300)]
    kind = keys.type_of(rows[0][0])
    encoded = [keys.encode(one) for one, _ in rows]
    made = []
    for own in (True, False):
        held = [each for _, each in rows] if own else [list(pair) for pair in rows]
        with (tmp_path / "part").open("wb") as file:
            writer = part.Writer(file, kind, own=own)
            packed = blocks.of_packed(encoded, list(map(values.encode, held)))
            writer.add(of_lists(encoded, held) if own and columns else packed)
            writer.finish()
        list(merge.merge_files([([tmp_path / "part"], tmp_path / "out")], lambda *_: None, PARQUET))
        made.append((tmp_path / "out").read_bytes())
    assert made[0] == made[1]


def test_what_a_job_without_reduce_yields_stays_in_its_order(tmp_path):
    parts = [write_part(tmp_path / "a", [(9, ("z", 1))]), write_part(tmp_path / "b", [(1, ("y", 2))])]
    out = tmp_path / "out.parquet"
    list(merge.merge_files([(parts, out)], lambda *_: None, Style(format="parquet", by_key=False)))
    assert pl.read_parquet(out).rows() == [("z", 1), ("y", 2)]


class Unwanted(Exception):
    """Raised by whoever watches the progress."""


def test_what_ends_the_merge_comes_out_as_it_is_and_no_file_stays(tmp_path):
    made = write_part(tmp_path / "a", list(enumerate(ROWS)))
    calls = []

    def progress(records, size):
        calls.append((records, size))
        # Behind the look at the types, in the midst of the rows that are written.
        if calls.count((100, 0)) > 1:
            raise Unwanted

    with pytest.raises(Unwanted):
        list(merge.merge_files([([made], tmp_path / "out.parquet")], progress, PARQUET))
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_damaged_part_is_told_and_no_file_stays(tmp_path):
    made = write_part(tmp_path / "a", list(enumerate(ROWS)))
    content = bytearray(made.read_bytes())
    content[len(content) // 2] ^= 1
    made.write_bytes(content)
    with pytest.raises(CorruptionError, match=r"^a, .* bytes before the end of its blocks"):
        list(merge.merge_files([([made], tmp_path / "out.parquet")], lambda *_: None, PARQUET))
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
