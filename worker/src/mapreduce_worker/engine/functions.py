"""Plain functions as a job: a module with a top-level `map` is one, without any class.

    def map(line):
        return [(word, 1) for word in line.split()]

    def reduce(word, counts):
        yield word, sum(counts)

`combine`, `partition`, `setup`, `teardown`, `sort_values`, `Params` and built-in reducers have the
same names and meanings as in a class. A function whose first parameter is called `job` gets the job there,
as a method gets `self`: for parameters, counters and the rest. Neighbour: `program`.
"""

from __future__ import annotations

import functools
import inspect
from types import FunctionType, ModuleType
from typing import Any, Final

from mapreduce.api import Job

NAME: Final = "map"
"""What such a job is chosen by, where a file has several."""
_CALLED: Final = ("map", "combine", "partition", "reduce", "setup", "teardown")
_VALUES: Final = ("sort_values", "Params")


def job_of(module: ModuleType) -> type[Job] | None:
    """Return the job that a module's functions make, or None if it has no function `map`."""
    found = vars(module)
    if not isinstance(found.get("map"), FunctionType):
        return None
    members: dict[str, Any] = {name: found[name] for name in _VALUES if name in found}
    for name in _CALLED:
        value = found.get(name)
        # A module that imports the standard library's `reduce` has no reduce by that.
        if value is not None and value is not functools.reduce:
            members[name] = _as_method(value) if isinstance(value, FunctionType) else value
    return type("Functions", (Job,), members | {"__module__": module.__name__, "__doc__": module.__doc__})


def _as_method(function: FunctionType) -> Any:
    first = next(iter(inspect.signature(function).parameters), "")
    return function if first == "job" else staticmethod(function)
