"""CSV by the simplest code that can tell it, character by character: what the reader is compared with."""

from __future__ import annotations

from typing import Literal

Place = Literal["begin", "plain", "quoted", "behind"]


def fields(record: str) -> list[str]:
    """Return the fields of a record without its end; raises `ValueError` where it is not as RFC 4180 has it."""
    found, place = [""], _begin()
    for character in record:
        if place == "quoted":
            place = "behind" if character == '"' else "quoted"
            found[-1] += "" if place == "behind" else character
        elif character == ",":
            found.append("")
            place = "begin"
        elif character == '"' and place == "begin":
            place = "quoted"
        elif character == '"' and place == "behind":
            found[-1] += '"'
            place = "quoted"
        elif character in '"\r' or place == "behind":
            raise ValueError(f"{character!r} must not stand here")
        else:
            found[-1] += character
            place = "plain"
    if place == "quoted":
        raise ValueError("the quote is not closed")
    return found


def _begin() -> Place:
    return "begin"


def records(content: bytes) -> list[tuple[int, bytes]]:
    """Return the records of a file, with their offsets, without their ends."""
    found: list[tuple[int, bytes]] = []
    at, inside = 0, False
    for here, byte in enumerate(content):
        inside ^= byte == ord('"')
        if byte == ord("\n") and not inside:
            found.append((at, content[at:here]))
            at = here + 1
    if at < len(content):
        found.append((at, content[at:]))
    return [(begin, record.removesuffix(b"\r")) for begin, record in found]


def naive(content: bytes, limit: int) -> tuple[list[tuple[int, dict[str, str]]], list[int]]:
    """Return the rows with their offsets, and the offsets of those that are bad; the header is right."""
    (_, header), *rows = records(content)
    columns = fields(header.decode())
    good: list[tuple[int, dict[str, str]]] = []
    bad: list[int] = []
    for at, record in rows:
        try:
            if len(record) > limit:
                raise ValueError("too long")
            if record:
                good.append((at, dict(zip(columns, fields(record.decode()), strict=True))))
        except ValueError:
            bad.append(at)
    return good, bad
