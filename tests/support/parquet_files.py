"""Small parquet files for tests."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import Any

import polars as pl

OF_ARROW_EMPTY = base64.b64decode(
    "UEFSMRUEGSw1ABgGc2NoZW1hFQIAFQAlAhgBYgAWABkcGRwmABwVABkVBhkYAWIVABYAFgAWACYASQwAABYAFgAmABYAACggcGFycXVldC1jcHAtYX"
    "Jyb3cgdmVyc2lvbiAyNi4wLjEZHBwAAABqAAAAUEFSMQ=="
)
"""What pyarrow 26.0.1 writes for a table of a column `b` without rows: one group, which has none, and no page."""
OF_ARROW = base64.b64decode(
    "UEFSMRUAFQ4VDiwVBBUAFQYVBhwAAAACAAAABAEBFQAVDhUOLBUCFQAVBhUGHAAAAAIAAAACAQEVBBksNQAYBnNjaGVtYRUCABUAJQIYAWIAFgYZPB"
    "kcJgAcFQAZJQYAGRgBYhUAFgQWNBY0JghJHBUAFQAVAgA8KQYZJgAEAAAAFjQWBCYIFjQAGRwmABwVABkVBhkYAWIVABYAFgAWACYASQwAABYAFgAm"
    "ABYAABkcJgAcFQAZJQYAGRgBYhUAFgIWNBY0JjxJHBUAFQAVAgA8KQYZJgACAAAAFjQWAiY8FjQAKCBwYXJxdWV0LWNwcC1hcnJvdyB2ZXJzaW9uID"
    "I2LjAuMRkcHAAAANQAAABQQVIx"
)
"""The same of the rows True, False in a group, none in a second one, and True in a third."""


OF_ARROW_WITH_CHECKSUMS = {
    1: base64.b64decode(
        "UEFSMRUAFSwVLBWHgMn0CBwVBhUAFQYVBhwAAAACAAAAAwUBAAAAAAAAAAMAAAAAAAAAFQQZLDUAGAZzY2hlbWEVAgAVBCUCGAFiABYGGRwZHCYA"
        "HBUEGSUGABkYAWIVABYGFl4WXiYISRwVABUAFQIAPCkGGSYCBAAAABZeFgYmCBZeACggcGFycXVldC1jcHAtYXJyb3cgdmVyc2lvbiAyNi4wLjEZ"
        "HBwAAAB6AAAAUEFSMQ=="
    ),
    2: base64.b64decode(
        "UEFSMRUGFSQVJBWio6OdC0wVBhUCFQYVABUEFQASHAAAAAMFAQAAAAAAAAADAAAAAAAAABUEGSw1ABgGc2NoZW1hFQIAFQQlAhgBYgAWBhkcGRwm"
        "ABwVBBklBgAZGAFiFQAWBhZgFmAmCEkcFQAVABUCADwpBhkmAgQAAAAWYBYGJggWYAAoIHBhcnF1ZXQtY3BwLWFycm93IHZlcnNpb24gMjYuMC4x"
        "GRwcAAAAegAAAFBBUjE="
    ),
}
"""What pyarrow 26.0.1 writes for a column `b` of 1, None and 3, by the version of its page, which has a checksum."""


def parquet(table: Sequence[tuple[str | None, Any]], **options: Any) -> bytes:
    """Return a file with the columns `name` and `size`; `options` are those of `written`."""
    names = pl.Series("name", [name for name, _ in table], dtype=pl.String)
    return written(pl.DataFrame([names, pl.Series("size", [size for _, size in table])]), **options)


def written(frame: pl.DataFrame, *, rows: int = 1000, **options: Any) -> bytes:
    """Return a frame as a file, with so many rows in a group."""
    out = io.BytesIO()
    frame.write_parquet(out, row_group_size=rows, **options)
    return out.getvalue()
