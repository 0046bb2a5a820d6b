"""What is no pair, though Python would take it apart like one: a word of two letters.

Callers: the reference, and the engine where it costs nothing: at every record that is output, and at the first
pairs of a map attempt; with `skipBadRecords` at every pair.
"""

from __future__ import annotations


def refuse_text(found: object) -> None:
    """Raise `TypeError`, with a hint, for a str or bytes in the place of a pair (key, value)."""
    if isinstance(found, (str, bytes)):
        raise TypeError(
            f"{found!r:.80} is a {type(found).__name__}, and no pair; where the key is all there is, yield a pair such "
            "as (word, 1), or let `reduce = mr.Count()` count what map yields"
        )
