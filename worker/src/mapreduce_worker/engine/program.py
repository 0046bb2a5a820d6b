"""Loading a program: a Python file becomes the one class in it that is a job."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from mapreduce.api import Job
from mapreduce.errors import ProgramError
from mapreduce.program import Program, Shape
from mapreduce.reducers import Reducer
from mapreduce_worker.engine import durable, job_checks
from mapreduce_worker.engine.failure import PROGRAM_FOLDER, Interrupted


def load(program: Program, scratch: Path) -> type[Job]:
    """Write the program below `scratch`, import it by path, and return its job.

    Raises `ProgramError`, which says what to change, if the file cannot be imported, holds no
    job or several, or if the job cannot be run.
    """
    job_class = _choose(_import(program, _write(program, scratch)), program)
    job_checks.check(job_class)
    return job_class


def shape(job_class: type[Job]) -> Shape:
    """Return what the master needs to know of a job."""
    reduce = job_class.reduce
    return Shape(
        class_name=job_class.__name__,
        has_reduce=job_class.reduce is not None,
        has_combine=job_class.combine is not None
        or (isinstance(reduce, Reducer) and reduce.folds and not job_class.sort_values),
    )


def _write(program: Program, scratch: Path) -> Path:
    if Path(program.file).name != program.file or program.file in ("", ".", ".."):
        raise ProgramError(f"a program's file is a bare name such as job.py, not {program.file!r}")
    path = scratch / f"{PROGRAM_FOLDER}{program.digest[:16]}" / program.file
    if not path.exists() or path.read_bytes() != program.source:
        path.parent.mkdir(parents=True, exist_ok=True)
        with durable.replacing(path) as file:
            file.write(program.source)
    return path


def _import(program: Program, path: Path) -> ModuleType:
    try:
        code = compile(program.source, str(path), "exec", dont_inherit=True)
    except SyntaxError as error:
        line = f", line {error.lineno}" if error.lineno else ""
        text = f": {error.text.strip()}" if error.text else ""
        raise ProgramError(f"{program.file}{line}: {type(error).__name__}: {error.msg}{text}") from None
    except ValueError as error:
        raise ProgramError(f"{program.file} is no Python source: {error}") from None
    del code
    name = _module_name(program)
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ProgramError(f"{program.file} is no Python file: its name must end in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException as error:
        del sys.modules[name]
        if isinstance(error, Interrupted):
            raise
        raise ProgramError(f"{program.file} cannot be imported: {type(error).__name__}: {error}") from error
    return module


def _module_name(program: Program) -> str:
    """Return the file's own name, unless a module of that name is there already."""
    stem = Path(program.file).stem
    free = stem.isidentifier() and stem not in sys.stdlib_module_names and stem not in sys.modules
    return stem if free else f"mapreduce_program_{program.digest[:16]}"


def _choose(module: ModuleType, program: Program) -> type[Job]:
    jobs = {
        name: value
        for name, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, Job) and value.__module__ == module.__name__
    }
    if program.class_name:
        if program.class_name not in jobs:
            raise ProgramError(
                f"{program.file} has no job named {program.class_name}; it has {', '.join(jobs) or 'no job at all'}"
            )
        return jobs[program.class_name]
    if not jobs:
        raise ProgramError(f"{program.file} has no job: define a class that derives from mapreduce.Job")
    if len(set(jobs.values())) > 1:
        raise ProgramError(
            f"{program.file} has {len(jobs)} jobs: {', '.join(jobs)}; choose one, for example "
            f"{program.file}:{next(iter(jobs))} on the command line, or spec.program.class in the resource"
        )
    return next(iter(jobs.values()))
