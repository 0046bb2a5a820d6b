"""Keys of every type, as the properties of the engine draw them; values that are sorted are of these types too."""

from __future__ import annotations

from typing import Any, Final

from hypothesis import strategies as st

WIDE: Final[dict[str, st.SearchStrategy[Any]]] = {
    "str": st.text("aé\0", max_size=3),
    "bytes": st.binary(max_size=2),
    "int": st.integers(-(2**63), 2**63 - 1) | st.integers(-2, 2),
    "bool": st.booleans(),
    "float": st.floats(),
    "tuple": st.tuples(st.text("a\0", max_size=1), st.tuples(st.integers(0, 1), st.binary(max_size=1))),
}
"""All that a type has."""
FEW: Final[dict[str, st.SearchStrategy[Any]]] = {
    "str": st.text("aä\0", max_size=2),
    "bytes": st.binary(max_size=1),
    "int": st.integers(-2, 2),
    "bool": st.booleans(),
    "float": st.sampled_from([0.0, -0.0, 1.5, float("nan")]),
    "tuple": st.tuples(st.text("ab", max_size=1), st.integers(0, 1)),
}
"""So few that the same key comes again and again."""
