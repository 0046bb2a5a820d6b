"""Texts that others may write to play tricks: on a terminal, on a page, or on who reads a file.

Each may come as a key, a file's name, a printed line, an exception's message, a counter, a parameter, or a word of a
worker that lies. Whoever shows them shows them as text. Neighbours: the tests of the command line and of the page.
"""

from __future__ import annotations

from typing import Final

TERMINAL: Final[dict[str, str]] = {
    "clears the screen": "\x1b[2J\x1b[H",
    "colours": "\x1b[31mred\x1b[0m",
    "renames the window": "\x1b]0;renamed\x07",
    "links elsewhere": "\x1b]8;;https://elsewhere.invalid\x1b\\here\x1b]8;;\x1b\\",
    "asks the terminal": "\x1b[6n\x1bP$q\x1b\\",
    "8-bit controls": "\x9b2J\x9d0;renamed\x9c",
    "rings and deletes": "a\x07b\x08c\x7fd",
    "goes back in its line": "the job failed\rthe job succeeded",
    "leaves its line": "up\x0bdown\x0cout\x85next\u2028line\u2029paragraph",
    "NUL": "before\x00after",
    "runs from right to left": "user\u202etxt.exe\u202c \u2066isolated\u2069 \u200fmark",
    "is not seen": "zero\u200bwidth\u200d\u2060\ufeff\u00ad tag\U000e0041",
}
"""What acts on a terminal, or looks other than it is."""

PAGE: Final[dict[str, str]] = {
    "script": "<script>alert(1)</script>",
    "ends a script": "</script><script>alert(1)</script>",
    "ends a comment": "--><img src=x onerror=alert(1)>",
    "image": '<img src=x onerror="alert(1)">',
    "attribute": "\" onmouseover=\"alert(1)\" x=\"' onfocus='alert(1)' autofocus y='",
    "link": "javascript:alert(1)",
    "entity": "&lt;b&gt;&amp;amp;&#0;",
    "template": "${alert(1)}{{alert(1)}}<%= alert(1) %>",
    "style": "</style><style>*{display:none}</style>",
    "SVG": "<svg/onload=alert(1)><math><mtext></p><style><img src=x onerror=alert(1)>",
}
"""What acts on a page, if it is taken for HTML."""

SURROGATES: Final = "lone \udc80 and \ud800 halves"
"""No text of a message: what decodes bytes by the system's rules may still hold it."""

LONG_LINE: Final = "x" * (1 << 20)
"""A line of 1 MiB."""

ALL: Final[dict[str, str]] = TERMINAL | PAGE
"""What any text field of a message or of a history can hold."""
