"""Whether a job can be run at all: what is missing in it, and what does not go together.

`program.load` calls it, before any record is read. Every refusal says what to write instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from mapreduce.api import Job
from mapreduce.errors import ProgramError
from mapreduce.params import bind
from mapreduce.reducers import Reducer
from mapreduce.spec import InputFormat, Order

_OF_KEYS: Final = frozenset({"partition", "descending"})
"""What says something of keys, and nothing of values."""

_IN_BATCHES: Final[frozenset[InputFormat]] = frozenset({"text", "csv", "parquet"})
"""Formats whose records are columns of types that every file, or the format, tells."""


def check(job_class: type[Job]) -> None:
    """Raise `ProgramError` for a job that cannot be run."""
    name = job_class.__name__
    if job_class.map is None and job_class.map_batch is None:
        raise ProgramError(f"{name} has no map: define def map(self, record)")
    for method in ("map", "map_batch", "combine", "partition", "reduce", "reduce_batch"):
        value = getattr(job_class, method)
        if isinstance(value, (Reducer, type)) and method == "reduce_batch":
            raise ProgramError(f"{name}.reduce_batch must be a method: a built-in reducer is written reduce = mr.Sum()")
        if isinstance(value, type) and issubclass(value, Reducer):
            raise ProgramError(f"{name}.{method} is the class {value.__name__}: write {method} = mr.{value.__name__}()")
        if value is not None and not callable(value):
            raise ProgramError(f"{name}.{method} must be a method or a built-in reducer, not {type(value).__name__}")
        if isinstance(value, Reducer) and method not in ("reduce", "combine"):
            raise ProgramError(f"{name}.{method} cannot be mr.{type(value).__name__}(), which is a reducer")
    sort_values: Any = job_class.sort_values
    if type(sort_values) is not bool and sort_values != "descending":
        raise ProgramError(f'{name}.sort_values must be True, False or "descending", not {sort_values!r:.80}')
    descending: Any = job_class.descending
    if type(descending) is not bool:
        raise ProgramError(f"{name}.descending must be True or False, not {descending!r:.80}")
    if job_class.Params is not None and not isinstance(job_class.Params, type):
        raise ProgramError(f"{name}.Params must be a class, not {type(job_class.Params).__name__}")
    _check_batches(job_class)
    _check_combiner(job_class)
    _check_together(job_class)


def check_format(job_class: type[Job], given: InputFormat) -> None:
    """Raise `ProgramError` for records that do not come in batches."""
    if job_class.map_batch is not None and given not in _IN_BATCHES:
        hint = ""
        if given == "jsonl":
            # Its columns would have other types from batch to batch, by what stands in each.
            hint = "; read the lines as text, and decode them with pl.col('value').str.json_decode(…)"
        raise ProgramError(
            f"{job_class.__name__}.map_batch takes lines of text, csv or parquet, and the input's format is {given}: "
            f"define def map(self, record){hint}"
        )


def check_order(job_class: type[Job], order: Order) -> None:
    """Raise `ProgramError` for a job whose keys cannot have a total order."""
    name = job_class.__name__
    if order == "total" and job_class.partition is not None:
        raise ProgramError(
            f"{name} has partition, but with the order total the ranges of keys say where a key goes: leave "
            "partition out, or the order"
        )
    if order == "total" and job_class.reduce is None and job_class.reduce_batch is None:
        raise ProgramError(
            f"{name} has no reduce, and nothing orders what map yields: reduce = mr.Each() gives every pair, by key; "
            "or leave the order out"
        )


def check_params(job_class: type[Job], params: Mapping[str, str]) -> None:
    """Raise `ProgramError` for parameters that do not fit the job, as every attempt would."""
    bind(job_class.Params, params)


def _check_batches(job_class: type[Job]) -> None:
    """Refuse a job that says twice what is done with records, or with values."""
    for one, other in (("map", "map_batch"), ("reduce", "reduce_batch")):
        if getattr(job_class, one) is not None and getattr(job_class, other) is not None:
            raise ProgramError(
                f"{job_class.__name__} has {one} and {other}: a job has one of them, leave the other out"
            )


def _check_combiner(job_class: type[Job]) -> None:
    """Refuse a built-in reducer as a combiner where what it makes is no value that `reduce` could take."""
    combine, name = job_class.combine, job_class.__name__
    if not isinstance(combine, Reducer):
        return
    what = f"{name}.combine cannot be mr.{type(combine).__name__}()"
    if isinstance(job_class.reduce, Reducer):
        built_in = type(job_class.reduce).__name__
        raise ProgramError(f"{what}: mr.{built_in}() combines by itself, leave combine out")
    if not combine.combines:
        raise ProgramError(
            f"{what}: what it makes of some values is no value that reduce could take; that is so of mr.Sum() (of "
            "integers), mr.Min(), mr.Max() and mr.First()"
        )


def _check_together(job_class: type[Job]) -> None:
    """Refuse what has no meaning beside the rest of the job."""
    name, reduce = job_class.__name__, job_class.reduce
    reduces = reduce is not None or job_class.reduce_batch is not None
    combines, sorts = job_class.combine is not None, bool(job_class.sort_values)
    extras = {"combine": combines, "partition": job_class.partition is not None, "sort_values": sorts}
    extras["descending"] = job_class.descending
    for what, given in extras.items():
        if given and not reduces:
            raise ProgramError(
                f"{name} has {what} but no reduce: define def reduce(self, key, values), or reduce = mr.Sum(); or "
                f"leave {what} out, and what map yields is the output"
            )
        if given and isinstance(reduce, Reducer) and reduce.keys_only and what not in _OF_KEYS:
            raise ProgramError(f"{name} has {what}, but mr.{type(reduce).__name__}() counts keys alone: leave it out")
    if sorts and combines:
        raise ProgramError(f"{name} has sort_values and combine: values that come in their order are not combined")
