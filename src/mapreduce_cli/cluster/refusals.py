"""What can be seen to be wrong with a job before a cluster is asked: `submit` refuses it, `validate` tells of it.

Neighbours: `submit.py`, `validate.py`; `mapreduce_worker.gateway.apart`, which refuses such an output at the plan,
whoever made the resource.
"""

from __future__ import annotations

import sys
import warnings
from typing import Any, Final

import msgspec

from mapreduce.errors import ProgramError, UsageError
from mapreduce_cli import terminal
from mapreduce_cli.cluster.manifests import Manifests
from mapreduce_cli.cluster.problems import Refused
from mapreduce_operator.kube import config_maps, fields
from mapreduce_worker.engine import syntax
from mapreduce_worker.gateway import apart

Json = dict[str, Any]

IMAGE_PYTHON: Final = (3, 13)
"""The Python of the worker image: what an older one here does not take, that one may."""


def check(made: Manifests, program: str) -> None:
    """Raise `Refused` or `ProgramError`; `program` is what people call it.

    A program for an image of the user's own is not looked at: that may have another Python. Where the one here is
    older than the worker image's, or has no room for it, what it does not take is told on stderr alone.
    """
    spec = made.job["spec"]
    if inside := output_inside(spec):
        raise Refused(inside, hint="choose an output beside the input")
    written = None if spec.get("image") else _source(made)
    if written is not None:
        _check_source(written, program)


def _check_source(source: bytes, program: str) -> None:
    try:
        with warnings.catch_warnings():
            # Whoever runs the program is warned; here only what cannot run matters.
            warnings.simplefilter("ignore")
            syntax.check(source, program)
    except ProgramError as error:
        if sys.version_info[:2] >= IMAGE_PYTHON:
            raise
        here, image = (".".join(map(str, version)) for version in (sys.version_info[:2], IMAGE_PYTHON))
        terminal.note(f"note: {error}; this is Python {here}, and the worker image's {image} may take it: not refused")
    except (RecursionError, MemoryError) as error:
        # How deep is too deep, each Python says for itself.
        what = f"{program} is nested too deeply to be compiled here ({type(error).__name__})"
        terminal.note(f"note: {what}; the worker image's Python may have room for it: not refused")


def output_inside(spec: Json) -> str:
    """Return what is wrong if the output is in a folder that the job reads; empty if it is not, or nobody can tell."""
    try:
        claims = [spec[side]["volume"]["persistentVolumeClaim"]["claimName"] for side in ("input", "output")]
        output, patterns = (
            msgspec.convert(spec["output"], fields.Output),
            [str(path) for path in spec["input"]["paths"]],
        )
    except (KeyError, TypeError, msgspec.ValidationError):
        # The API server tells what is wrong with it.
        return ""
    if claims[0] != claims[1]:
        return ""
    style = (fields.OUTPUT_FORMATS[output.format], fields.COMPRESSIONS[output.compression])
    return apart.inside(patterns, output.path, fields.MERGES[output.merge], style)


def _source(made: Manifests) -> bytes | None:
    """Return the source of the program, if it is in the resource or beside it."""
    program = made.job["spec"].get("program")
    if not isinstance(program, dict):
        return None
    if isinstance(program.get("inline"), str):
        return str(program["inline"]).encode()
    named = program.get("configMap")
    if not isinstance(named, dict):
        return None
    for document in made.beside:
        if document["kind"] == "ConfigMap" and document["metadata"]["name"] == named.get("name"):
            try:
                return config_maps.files_of(document).get(str(named.get("key")))
            except UsageError:
                # The operator tells what is wrong with it.
                return None
    return None
