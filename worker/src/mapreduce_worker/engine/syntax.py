"""A program's source as Python: what is wrong with it can be told without running any of it.

Callers: `program`, which is about to import it, and `mapreduce submit`, which is not.
"""

from __future__ import annotations

from mapreduce.errors import ProgramError


def check(source: bytes, shown: str, path: str = "") -> None:
    """Raise `ProgramError` for source that does not compile; `shown` is what people call it, `path` where it lies."""
    try:
        compile(source, path or shown, "exec", dont_inherit=True)
    except SyntaxError as error:
        line = f", line {error.lineno}" if error.lineno else ""
        text = f": {error.text.strip()}" if error.text else ""
        raise ProgramError(f"{shown}{line}: {type(error).__name__}: {error.msg}{text}") from None
    except ValueError as error:
        raise ProgramError(f"{shown} is no Python source: {error}") from None
