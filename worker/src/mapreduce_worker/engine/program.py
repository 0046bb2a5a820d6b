"""Loading a program: a Python file, or a module of the installation, becomes the one job in it.

Neighbours: `program_files` (files on the disk), `functions` (plain functions as a job), `job_checks`
(what cannot be run). Callers: slots, `--sequential`, `mapreduce validate`.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import msgspec

from mapreduce.api import Job
from mapreduce.errors import ProgramError
from mapreduce.program import Program, Shape
from mapreduce.reducers import Reducer
from mapreduce_worker.engine import functions, job_checks, program_files, syntax
from mapreduce_worker.engine.failure import Interrupted
from mapreduce_worker.engine.options import TaskOptions


def load(program: Program, scratch: Path) -> type[Job]:
    """Write the program and its side files below `scratch`, import it, and return its job.

    The side files stand in a folder of their own, where an `import` finds them. Raises
    `ProgramError`, which says what to change, if the program cannot be imported, holds no job or
    several, or if the job cannot be run.
    """
    module = _import_module(program) if program.module else _import_file(program, scratch)
    job_class = _choose(module, program)
    job_checks.check(job_class)
    return job_class


def ready(program: Program, scratch: Path, options: TaskOptions) -> tuple[type[Job], TaskOptions]:
    """Load the program; return its job, and the options with its side files.

    Raises `ProgramError` also for parameters, a format of the input, and an order that do not fit the job.
    """
    job_class = load(program, scratch)
    job_checks.check_params(job_class, options.params)
    job_checks.check_format(job_class, options.format)
    job_checks.check_order(job_class, options.order)
    return job_class, msgspec.structs.replace(options, files=program_files.places(program, scratch))


def shape(job_class: type[Job]) -> Shape:
    """Return what the master needs to know of a job."""
    reduce = job_class.reduce
    folds = isinstance(reduce, Reducer) and reduce.folds and not job_class.sort_values
    return Shape(
        class_name=job_class.__name__,
        has_reduce=reduce is not None or job_class.reduce_batch is not None,
        has_combine=job_class.combine is not None or folds,
    )


def _import_module(program: Program) -> ModuleType:
    name = program.module
    try:
        return importlib.import_module(name)
    except BaseException as error:  # a user's module may raise anything, SystemExit too
        if isinstance(error, Interrupted):
            raise
        if isinstance(error, ModuleNotFoundError) and error.name and f"{name}.".startswith(f"{error.name}."):
            raise ProgramError(
                f"there is no module {name} where the program runs: the worker's image, or this installation, must "
                f"have it ({error}); a file is named with its ending, .py"
            ) from None
        raise ProgramError(f"the module {name} cannot be imported: {type(error).__name__}: {error}") from error


def _import_file(program: Program, scratch: Path) -> ModuleType:
    path = program_files.write(program, scratch)
    # As it was given: a syntax error has no traceback worth showing.
    syntax.check(program.source, program.file, str(path))
    name = _module_name(program)
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ProgramError(f"{program.file} is no Python file: its name must end in .py")
    module = importlib.util.module_from_spec(spec)
    program_files.let_import(program, scratch)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException as error:  # a user's file may raise anything, SystemExit too
        del sys.modules[name]
        if isinstance(error, Interrupted):
            raise
        raise ProgramError(f"{program.file} cannot be imported: {type(error).__name__}: {error}") from error
    return module


def _module_name(program: Program) -> str:
    """Return the file's own name, unless a module of that name is there already."""
    stem = Path(program.file).stem
    return stem if stem.isidentifier() and not program_files.owner(stem) else f"mapreduce_program_{program.digest[:16]}"


def _choose(module: ModuleType, program: Program) -> type[Job]:
    label, wanted = program.file or program.module, program.class_name
    everything = {
        name: value
        for name, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, Job) and value is not Job
    }
    jobs = {name: value for name, value in everything.items() if value.__module__ == module.__name__}
    plain = functions.job_of(module)
    if plain is not None:
        jobs[functions.chosen_by(plain)] = plain
    if wanted:
        found = jobs.get(wanted) or everything.get(wanted)
        if found is None:
            raise ProgramError(f"{label} has no job named {wanted}; it has {', '.join(jobs) or 'no job at all'}")
        return found
    if not jobs:
        raise ProgramError(f"{label} has no job: define a class that derives from mapreduce.Job, or a function map")
    if len(set(jobs.values())) > 1:
        raise ProgramError(
            f"{label} has {len(jobs)} jobs: {', '.join(jobs)}; choose one, for example "
            f"{label}:{next(iter(jobs))} on the command line, or spec.program.class in the resource"
        )
    return next(iter(jobs.values()))
