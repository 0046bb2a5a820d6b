"""Bad records: what is left out, and the file that keeps it, is the same in every mode."""

from __future__ import annotations

from tests.support.features import formats
from tests.support.features.case import Case

NUMBERS = """
import mapreduce as mr

class Numbers(mr.Job):
    def map(self, line):
        for word in line.split():
            self.counters["numbers"] += 1
            yield word, int(word)

    reduce = mr.Sum()
"""

ROWS = """
import mapreduce as mr

class Rows(mr.Job):
    def map(self, row):
        yield row["name"], row["size"]
        if row["size"] < 0:
            raise ValueError("a negative size")
"""

_RAISED = rb"""{"file":"a.txt","offset":4,"reason":"UserCodeFailed","message":"ValueError: invalid literal for int() with base 10: 'x'","record":"2 x","traceback":"Traceback (most recent call last):\n  File \"job.py\", line 8, in map\n    yield word, int(word)\nValueError: invalid literal for int() with base 10: 'x'\n"}
{"file":"b.txt","offset":0,"reason":"RecordUndecodable","message":"byte 0xff at offset 0 of b.txt is not valid UTF-8 (invalid start byte); with encoding errors set to replace such bytes become U+FFFD","record":"/w==","base64":true}
{"file":"b.txt","offset":4,"reason":"RecordTooLong","message":"the record at byte 4 of b.txt is longer than 9 bytes, which is the limit (maxRecordBytes)","record":"7 7 7 7 7","cut":true}
"""  # noqa: E501 - the lines of the file

_ROWS = rb"""{"file":"a.jsonl","offset":22,"reason":"RecordMalformed","message":"the line at offset 22 of a.jsonl is not valid JSON: Expecting value, in column 9","record":"{\"name\":"}
{"file":"a.jsonl","offset":31,"reason":"UserCodeFailed","message":"KeyError: 'name'","record":"{\"size\":3}","traceback":"Traceback (most recent call last):\n  File \"job.py\", line 6, in map\n    yield row[\"name\"], row[\"size\"]\nKeyError: 'name'\n"}
{"file":"a.jsonl","offset":42,"reason":"UserCodeFailed","message":"ValueError: a negative size","record":"{\"name\":\"n\",\"size\":-1}","traceback":"Traceback (most recent call last):\n  File \"job.py\", line 8, in map\n    raise ValueError(\"a negative size\")\nValueError: a negative size\n"}
"""  # noqa: E501 - the lines of the file

_FIELDS = rb"""{"file":"a.csv","offset":14,"reason":"RecordMalformed","message":"the row at offset 14 of a.csv has 3 fields, but the first line of the file names 2 columns","record":"b,2,3"}
{"file":"a.csv","offset":20,"reason":"RecordMalformed","message":"the row at offset 20 of a.csv is not valid CSV: in the field that begins in character 1, a quote stands neither at the beginning nor at the end; a field that holds quotes is in quotes itself, and they are written twice in it","record":"c\"d\",4"}
{"file":"a.csv","offset":27,"reason":"UserCodeFailed","message":"ValueError: invalid literal for int() with base 10: 'x'","record":"\"e\nf\",x","traceback":"Traceback (most recent call last):\n  File \"job.py\", line 6, in map\n    yield str(row[\"name\"]), int(row[\"size\"])\nValueError: invalid literal for int() with base 10: 'x'\n"}
{"file":"a.csv","offset":39,"reason":"RecordMalformed","message":"the row at offset 39 of a.csv is not valid CSV: in the field that begins in character 3, the quote is not closed","record":"h,\"8\ni,9"}
"""  # noqa: E501 - the lines of the file

CASES = [
    Case(
        feature="bad rows skipped",
        program=formats.FIELDS,
        files={"a.csv": b'name,size\na,1\nb,2,3\nc"d",4\n"e\nf",x\ng,7\nh,"8\ni,9'},
        options={"skip-bad-records": "9", "format": "csv"},
        output={"output.tsv": b"a\t1\ng\t7\n"},
        bad_records=_FIELDS,
    ),
    Case(
        feature="bad records skipped",
        program=NUMBERS,
        files={"a.txt": b"1 2\n2 x\n2\n", "b.txt": b"\xff\n3\n7 7 7 7 7 7 7\n1\n"},
        options={"skip-bad-records": "3", "split-size": "6", "max-record": "9"},
        output={"output.tsv": b"1\t2\n2\t4\n3\t3\n"},
        counters={"numbers": 5},
        bad_records=_RAISED,
    ),
    Case(
        feature="bad records skipped without reduce",
        program=ROWS,
        files={
            "a.jsonl": b'{"name":"a","size":1}\n{"name":\n{"size":3}\n{"name":"n","size":-1}\n{"name":"z","size":2}'
        },
        options={"skip-bad-records": "9", "format": "jsonl"},
        output={"output.tsv": b"a\t1\nz\t2\n"},
        bad_records=_ROWS,
    ),
]
