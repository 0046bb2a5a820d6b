"""Whether a job can be run at all: what is missing in it, and what does not go together.

`program.load` calls it, before any record is read. Every refusal says what to write instead.
"""

from __future__ import annotations

from collections.abc import Mapping

from mapreduce.api import Job
from mapreduce.errors import ProgramError
from mapreduce.params import bind
from mapreduce.reducers import Reducer


def check(job_class: type[Job]) -> None:
    """Raise `ProgramError` for a job that cannot be run."""
    name = job_class.__name__
    if job_class.map is None:
        raise ProgramError(f"{name} has no map: define def map(self, record)")
    for method in ("map", "combine", "partition", "reduce"):
        value = getattr(job_class, method)
        if isinstance(value, type) and issubclass(value, Reducer):
            raise ProgramError(f"{name}.{method} is the class {value.__name__}: write {method} = mr.{value.__name__}()")
        if value is not None and not callable(value):
            raise ProgramError(f"{name}.{method} must be a method or a built-in reducer, not {type(value).__name__}")
        if isinstance(value, Reducer) and method != "reduce":
            raise ProgramError(f"{name}.{method} cannot be mr.{type(value).__name__}(), which is a reducer")
    if type(job_class.sort_values) is not bool:
        raise ProgramError(f"{name}.sort_values must be True or False, not {job_class.sort_values!r:.80}")
    if job_class.Params is not None and not isinstance(job_class.Params, type):
        raise ProgramError(f"{name}.Params must be a class, not {type(job_class.Params).__name__}")
    _check_together(job_class)


def check_params(job_class: type[Job], params: Mapping[str, str]) -> None:
    """Raise `ProgramError` for parameters that do not fit the job, as every attempt would."""
    bind(job_class.Params, params)


def _check_together(job_class: type[Job]) -> None:
    """Refuse what has no meaning beside the rest of the job."""
    name, reduce = job_class.__name__, job_class.reduce
    combines, sorts = job_class.combine is not None, job_class.sort_values
    extras = {"combine": combines, "partition": job_class.partition is not None, "sort_values": sorts}
    for what, given in extras.items():
        if given and reduce is None:
            raise ProgramError(
                f"{name} has {what} but no reduce: define def reduce(self, key, values), or reduce = mr.Sum(); or "
                f"leave {what} out, and what map yields is the output"
            )
        if given and isinstance(reduce, Reducer) and reduce.keys_only and what != "partition":
            raise ProgramError(f"{name} has {what}, but mr.{type(reduce).__name__}() counts keys alone: leave it out")
    if sorts and combines:
        raise ProgramError(f"{name} has sort_values and combine: values that come in their order are not combined")
