"""Features of what is read and written: formats, encodings, compression, the shape of the output."""

from __future__ import annotations

import gzip

import polars as pl
import zstandard

from tests.support.features.case import Case
from tests.support.parquet_files import parquet

LINES = """
import mapreduce as mr

class Lines(mr.Job):
    def map(self, line):
        yield line, 1

    reduce = mr.Sum()
"""

NAMES = """
import mapreduce as mr

class Names(mr.Job):
    def map(self, record):
        yield record["name"], record["size"]

    reduce = mr.Sum()
"""

FIELDS = """
import mapreduce as mr

class Fields(mr.Job):
    def map(self, row):
        yield str(row["name"]), int(row["size"])

    reduce = mr.Sum()
"""

VARIOUS = """
import mapreduce as mr

class Various(mr.Job):
    def map(self, record):
        yield record["name"], record["size"]
"""

PLACES = """
import mapreduce as mr

class Places(mr.Job):
    def map(self, row):
        assert row["name"] == "\\n" + row["size"]
        yield self.input.offset, row["size"]

    def reduce(self, offset, sizes):
        yield offset, " ".join(sizes)
"""

WHOLE = """
import mapreduce as mr

class Whole(mr.Job):
    def map(self, text):
        yield self.input.file, len(text)

    reduce = mr.Sum()
"""

LENGTHS = """
import mapreduce as mr

class Lengths(mr.Job):
    def map(self, line):
        yield len(line), 1

    reduce = mr.Sum()
"""

SORTED = b"a\t2\nb\t1\n"
MANY_LINES = b"".join(b"line %04d\n" % number for number in range(1000))
THREE_LINES = {"a.txt": b"b\na\n", "b.txt": b"a\n"}

CASES = [
    Case(
        feature="text",
        program=LINES,
        files={"a.txt": b"\xef\xbb\xbfone\r\ntwo\x0b\x0c\x1c\x85".replace(b"\x85", b"\xc2\x85") + b"\n\x00\nlast"},
        output={"output.tsv": b"\x00\t1\nlast\t1\none\t1\ntwo\x0b\x0c\x1c\xc2\x85\t1\n"},
    ),
    Case(
        feature="jsonl",
        program=NAMES,
        files={"a.jsonl": b'{"name":"x","size":1}\n\n{"name":"y","size":2.5}\r\n', "b.jsonl": b'{"name":"x","size":3}'},
        options={"format": "jsonl"},
        output={"output.tsv": b"x\t4\ny\t2.5\n"},
    ),
    Case(
        feature="csv",
        program=FIELDS,
        files={
            "a.csv": b'\xef\xbb\xbfname,size\r\nx,1\r\n"y, or ""why""\nnot",2\r\n\r\nx,3\r\n',
            "b.csv": b"size,name\n4,z",
            "c.csv.gz": gzip.compress(b"name,size,more\nx,5,\n", mtime=0),
        },
        options={"format": "csv"},
        output={"output.tsv": b'x\t9\ny, or "why"\\nnot\t2\nz\t4\n'},
    ),
    Case(
        feature="csv divided",
        program=PLACES,
        files={"a.csv": b"name,size\n" + b"".join(b'"\n%04d",%04d\n' % (row, row) for row in range(60))},
        options={"format": "csv", "split-size": "170"},
        output={"output.tsv": b"".join(b"%d\t%04d\n" % (10 + 13 * row, row) for row in range(60))},
    ),
    Case(
        feature="parquet",
        program=FIELDS,
        files={
            "a.parquet": parquet([("x", 1), ("y", 2), (None, 3)]),
            "b.parquet": parquet([("x", 4), ("Ä\n", 5)]),
            "none.parquet": parquet([]),
        },
        options={"format": "parquet", "split-size": "1Ki"},
        output={"output.tsv": "None\t3\nx\t5\ny\t2\nÄ\\n\t5\n".encode()},
    ),
    Case(
        feature="parquet divided",
        program=PLACES,
        # Long rows: a range is longer than the footer that is sent with it.
        files={
            "a.parquet": parquet(
                [(f"\n{row:0400}", f"{row:0400}") for row in range(60)],
                rows=20,
                compression="uncompressed",
                statistics=False,
            )
        },
        options={"format": "parquet", "split-size": "1"},
        output={"output.tsv": b"".join(b"%d\t%0400d\n" % (row, row) for row in range(60))},
    ),
    Case(
        feature="wholefile",
        program=WHOLE,
        files={"a.txt": b"one\ntwo\n", "empty.txt": b"", "deep/b.txt": b"x"},
        options={"format": "wholefile"},
        output={"output.tsv": b"a.txt\t8\ndeep/b.txt\t1\nempty.txt\t0\n"},
    ),
    Case(
        feature="gzip input",
        program=LINES,
        files={"a.txt.gz": gzip.compress(b"b\na\n", mtime=0) + gzip.compress(b"a\n", mtime=0), "b.txt": b"a\n"},
        output={"output.tsv": b"a\t3\nb\t1\n"},
    ),
    Case(
        feature="zstd input",
        program=LINES,
        files={"a.txt.zst": zstandard.compress(b"b\na\n") + zstandard.compress(b"a"), "b.txt": b"b\n"},
        output={"output.tsv": b"a\t2\nb\t2\n"},
    ),
    Case(
        feature="encoding errors replaced",
        program=LINES,
        files={"a.txt": b"a\xff\n"},
        options={"encoding-errors": "replace"},
        output={"output.tsv": "a\ufffd\t1\n".encode()},
    ),
    Case(
        feature="records as bytes",
        program=LINES,
        files={"a.txt": b"\xff\xfe\n"},
        options={"encoding-errors": "bytes"},
        output={"output.tsv": b"//4=\t1\n"},
    ),
    Case(
        feature="several paths",
        program=LINES,
        files={"x/a.txt": b"a\n", "y/b.log": b"b\n", "y/c.txt": b"c\n", "z.txt": b"a\n"},
        inputs=("in/x", "in/*.txt", "in/**/*.log"),
        output={"output.tsv": b"a\t2\nb\t1\n"},
    ),
    Case(
        feature="a line of five megabytes",
        program=LENGTHS,
        files={"a.txt": b"short\n" + b"x" * 5_000_000 + b"\nshort\n"},
        output={"output.tsv": b"5\t2\n5000000\t1\n"},
    ),
    Case(
        feature="many small files",
        program=LINES,
        files={f"{number:03}.txt": b"b\n" if number % 3 == 0 else b"a\n" for number in range(300)},
        options={"split-size": "100"},
        output={"output.tsv": b"a\t200\nb\t100\n"},
    ),
    Case(
        feature="jsonl output",
        program=LINES,
        files=THREE_LINES,
        options={"output-format": "jsonl"},
        output={"output.jsonl": b'{"key":"a","value":2}\n{"key":"b","value":1}\n'},
    ),
    Case(
        feature="output in parts",
        program=LINES,
        files=THREE_LINES,
        options={"merge": "none", "reducers": "1"},
        output={"part-r-00000.tsv": SORTED},
    ),
    Case(
        feature="gzip output",
        program=LINES,
        files=THREE_LINES,
        options={"compress": "gzip"},
        output={"output.tsv.gz": SORTED},
    ),
    Case(
        feature="zstd output",
        program=LINES,
        files=THREE_LINES,
        options={"compress": "zstd"},
        output={"output.tsv.zst": SORTED},
    ),
    Case(
        feature="order: total",
        program=LINES,
        files={"b.txt": MANY_LINES, "a.txt": MANY_LINES},
        options={"order": "total", "reducers": "4"},
        output={"output.tsv": MANY_LINES.replace(b"\n", b"\t2\n")},
    ),
    Case(
        feature="order: total, a file a range",
        program=LINES,
        files={"b.txt": MANY_LINES, "a.txt": MANY_LINES},
        options={"order": "total", "merge": "none", "reducers": "2"},
        output={
            "part-r-00000.tsv": MANY_LINES[:5000].replace(b"\n", b"\t2\n"),
            "part-r-00001.tsv": MANY_LINES[5000:].replace(b"\n", b"\t2\n"),
        },
    ),
    *(
        Case(
            feature=f"shuffle compression: {codec}",
            program=LINES,
            files={"a.txt": MANY_LINES, "b.txt": MANY_LINES},
            options={"shuffle-compression": codec},
            output={"output.tsv": MANY_LINES.replace(b"\n", b"\t2\n")},
        )
        for codec in ("none", "zstd")
    ),
    Case(
        feature="parquet output",
        program=LINES,
        files=THREE_LINES,
        options={"output-format": "parquet"},
        output={"output.parquet": b"key String value Int64\n('a', 2)\n('b', 1)\n"},
    ),
    Case(
        feature="parquet output in parts",
        program=VARIOUS,
        files={"a.jsonl": b'{"name":"x","size":1}\n{"name":"y","size":null}\n{"name":"z","size":[true,2.5]}'},
        options={"format": "jsonl", "output-format": "parquet", "merge": "none", "split-size": "30"},
        output={
            "part-m-00000.parquet": b"key String value String\n('x', '1')\n('y', None)\n",
            "part-m-00001.parquet": b"key String value String\n('z', '[true,2.5]')\n",
            "part-m-00002.parquet": b"key String value String\n",
        },
    ),
]


def plain(name: str, content: bytes) -> bytes:
    """Return what a data file says, decompressed; of parquet the columns with their types, and a line for each row."""
    if name.endswith(".parquet"):
        frame = pl.read_parquet(content)
        head = " ".join(f"{column} {dtype}" for column, dtype in frame.schema.items())
        return "".join(f"{line}\n" for line in [head, *frame.rows()]).encode()
    if name.endswith(".gz"):
        return gzip.decompress(content)
    if name.endswith(".zst"):
        return zstandard.ZstdDecompressor().decompressobj().decompress(content)
    return content
