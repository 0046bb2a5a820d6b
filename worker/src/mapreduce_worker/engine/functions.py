"""Plain functions as a job: a module with a top-level `map` is one, without any class.

    def map(line):
        return [(word, 1) for word in line.split()]

    def reduce(word, counts):
        yield word, sum(counts)

`map_batch`, `reduce_batch`, `combine`, `partition`, `setup`, `teardown`, `sort_values`, `descending`, `Params` and
built-in reducers have the same names and meanings as in a class. A function whose first parameter is called `job`
gets the job there, as a method gets `self`: for parameters, counters and the rest. Functions and a `Params` that the
module imports from elsewhere are no part of the job, whatever they are called: a list helper `partition` is no
partitioner.

Neighbour: `program`.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from types import FunctionType, ModuleType
from typing import Any, Final

from mapreduce.api import Job
from mapreduce.reducers import Reducer

_MAPS: Final = ("map", "map_batch")
_CALLED: Final = (*_MAPS, "combine", "partition", "reduce", "reduce_batch", "setup", "teardown")
_VALUES: Final = ("sort_values", "descending", "Params")


def job_of(module: ModuleType) -> type[Job] | None:
    """Return the job that a module's functions make, or None if it has no function `map` or `map_batch`."""
    found = vars(module)
    given = {
        name: found[name] for name in (*_CALLED, *_VALUES) if name in found and not _is_imported(found[name], module)
    }
    if not any(isinstance(_unwrapped(given.get(name)), FunctionType) for name in _MAPS):
        return None
    members: dict[str, Any] = {name: given[name] for name in _VALUES if name in given}
    for name in _CALLED:
        if (value := given.get(name)) is not None:
            members[name] = _as_method(value) if isinstance(_unwrapped(value), FunctionType) else value
    return type("Functions", (Job,), members | {"__module__": module.__name__, "__doc__": module.__doc__})


def chosen_by(job_class: type[Job]) -> str:
    """Return what such a job is chosen by, where a file has several."""
    return "map" if job_class.map is not None else "map_batch"


def _unwrapped(value: Any) -> Any:
    """Return the function beneath decorators such as `functools.lru_cache`; anything else as it is."""
    return inspect.unwrap(value) if callable(value) else value


def _is_imported(value: Any, module: ModuleType) -> bool:
    """Tell whether a function, or a class of parameters, was defined elsewhere; a reducer of ours is meant as it is."""
    value = _unwrapped(value)
    if isinstance(value, type) and issubclass(value, Reducer):
        return False
    defined = isinstance(value, (FunctionType, type))
    return value is functools.reduce or (defined and value.__module__ != module.__name__)


def _as_method(function: Callable[..., Any]) -> Any:
    first = next(iter(inspect.signature(function).parameters), "")
    return function if first == "job" else staticmethod(function)
