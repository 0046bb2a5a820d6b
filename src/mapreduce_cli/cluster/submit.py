"""`mapreduce submit`: a job for the cluster, from a resource or from a program with options."""

from __future__ import annotations

from typing import Any, Final

import click
from click.core import ParameterSource

from mapreduce_cli import options, programs, progress, terminal
from mapreduce_cli.cluster import creation, following, jobs, manifests, refusals, request, volumes
from mapreduce_cli.cluster.commands import Asked, command, pairs
from mapreduce_cli.cluster.manifests import Manifests
from mapreduce_cli.cluster.problems import Refused
from mapreduce_cli.cluster.request import ClusterOptions

_EPILOG: Final = """
\b
Examples:
  mapreduce submit job.py --input pvc:data/texts --output pvc:data/counts --wait
  mapreduce submit job.py --input 'configmap:texts/*.txt' --output pvc:data/ --param least=3
  mapreduce submit wordcount-job.yaml --name wordcount-2
  mapreduce submit job.py --input pvc:data/texts --output pvc:data/counts --dry-run > job.yaml

\b
A place is pvc:CLAIM/path or, for input, configmap:NAME/pattern; paths are files, folders or
patterns with *, ?, [] and **. An output path that ends with a slash gets the job's name.
"""

MIN_TTL: Final = 10
"""Seconds that a job must stay after its end for it to be seen, looks that failed included."""

_FOR_RESOURCES: Final = {"source", "name", "wait", "shown", "dry_run", "namespace", "context", "kubeconfig", "as_json"}


@command("submit", epilog=_EPILOG)
@click.argument("source", metavar="PROGRAM|FILE.yaml")
@click.option("--input", "inputs", metavar="PLACE", multiple=True, help="What to read; may be repeated, on one volume.")
@click.option(
    "--output", metavar="pvc:CLAIM/path", help="The directory to make; it must not exist, unless with --overwrite."
)
@click.option("--name", metavar="NAME", default="", help="The job's name.  [default: the program's, with five letters]")
@click.option("--wait", is_flag=True, help="Show progress; return with the job's exit status when it is over.")
@click.option("--dry-run", is_flag=True, help="Print the resource as YAML, and submit nothing.")
@progress.option
@options.of_job
@click.option("--workers", metavar="N", type=click.IntRange(min=1), help="Worker Pods.  [default: 2]")
@click.option("--slots", metavar="N", type=click.IntRange(min=1), help="Tasks at once in a worker.")
@click.option("--image", metavar="IMAGE", default="", help="The workers' image, built FROM the worker image.")
@click.option("--memory", metavar="SIZE", type=options.Size(), help="Memory of each worker, such as 1Gi.")
@click.option("--cpu", metavar="CPUS", default="", help="CPU that each worker asks for, such as 500m.")
@click.option(
    "--env", metavar="NAME=VALUE", multiple=True, callback=pairs, help="A variable for the program; may be repeated."
)
@click.option("--deadline", metavar="SECONDS", type=click.IntRange(min=1), help="The longest that it may take.")
@click.option("--ttl", metavar="SECONDS", type=click.IntRange(min=0), help="Delete the job this long after its end.")
@click.option("--suspend", is_flag=True, help="Do not begin before `mapreduce resume`.")
def submit(
    asked: Asked, source: str, name: str, *, wait: bool, dry_run: bool, shown: progress.Choice, **given: Any
) -> None:
    """Run a job on the cluster.

    PROGRAM is job.py, job.py:Class, or an installed module of the image, with the options that
    `mapreduce run` has. Or a resource: FILE.yaml, or - for stdin, with ConfigMaps and
    PersistentVolumeClaims beside the job.
    """
    is_resource = manifests.is_resource(source)
    made = _from_file(source, name) if is_resource else _from_program(source, name, given)
    refusals.check(made, f"the program of {source}" if is_resource else source)
    lives = made.job["spec"].get("ttlSecondsAfterFinished")
    if wait and isinstance(lives, int) and lives < MIN_TTL:
        raise Refused(
            f"--wait cannot see the end of a job that is deleted {lives} s after it",
            hint=f"let it live for at least {MIN_TTL} s, or do not wait",
        )
    if dry_run:
        _show(asked, made)
        return
    namespace = made.job["metadata"].get("namespace") or asked.namespace
    created = creation.create(asked.api, namespace, made)
    if not wait:
        if asked.json:
            terminal.document({"job": {"name": jobs.name(created), "namespace": namespace, "uid": jobs.uid(created)}})
        else:
            terminal.say(f"{jobs.name(created)}: submitted")
        return
    terminal.note(f"{jobs.name(created)}: submitted")
    following.to_its_end(asked, created, shown)


def _from_file(path: str, name: str) -> Manifests:
    context = click.get_current_context()
    typed = [
        parameter.opts[-1]
        for parameter in context.command.params
        if parameter.name not in _FOR_RESOURCES
        and context.get_parameter_source(str(parameter.name)) is ParameterSource.COMMANDLINE
    ]
    if typed:
        raise Refused(f"{', '.join(typed)}: a resource says that itself", hint=f"change {path}")
    found = manifests.read(path)
    metadata = found.job["metadata"]
    if name:
        metadata["name"] = request.check_name(name)
    elif metadata.get("generateName") and not metadata.get("name"):
        metadata["name"] = request.fresh_name(str(metadata["generateName"]), creation.token())
    if not metadata.get("name"):
        raise Refused(f"{path}: the job has no name", hint="add metadata.name, or --name")
    return found


def _from_program(text: str, name: str, given: dict[str, Any]) -> Manifests:
    inputs, output = given.pop("inputs"), given.pop("output")
    if not inputs or not output:
        raise Refused("a program needs --input and --output", hint="--input pvc:CLAIM/path --output pvc:CLAIM/path")
    names = ClusterOptions.__struct_fields__
    said = {word: given.pop(word) for word in names}
    cluster = ClusterOptions(**{word: value for word, value in said.items() if value is not None})
    chosen = options.read(given)
    program = programs.read(text, chosen.files)
    return request.build(
        request.check_name(name) if name else request.fresh_name(request.stem(program), creation.token()),
        program,
        [volumes.parse(place) for place in inputs],
        volumes.parse(output, ("pvc",)),
        chosen,
        cluster,
    )


def _show(asked: Asked, made: Manifests) -> None:
    documents = [*made.beside, made.job]
    if asked.json:
        terminal.document({"documents": documents})
    else:
        click.echo(manifests.dump(documents), nl=False)
