"""Words and their letters."""

import re

WORD = re.compile(r"[^\W\d_]+")


def words(text):
    """Return the words of a text, in lower case."""
    return WORD.findall(text.lower())
