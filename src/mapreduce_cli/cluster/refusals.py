"""What can be seen to be wrong with a job before a cluster is asked: `submit` refuses it, `validate` tells of it.

Neighbours: `submit.py`, `validate.py`; `mapreduce_worker.gateway.apart`, which refuses such an output at the plan,
whoever made the resource.
"""

from __future__ import annotations

import warnings
from typing import Any, Final

from mapreduce.errors import UsageError
from mapreduce_cli.cluster.manifests import Manifests
from mapreduce_cli.cluster.problems import Refused
from mapreduce_operator.kube import config_maps
from mapreduce_worker.engine import syntax
from mapreduce_worker.gateway import apart

Json = dict[str, Any]

_ANY_NAME: Final = "data"
"""A file as an output may have one, which only a folder or a bare wildcard takes."""


def check(made: Manifests, program: str) -> None:
    """Raise `Refused` or `ProgramError`; `program` is what people call it.

    A program for an image of the user's own is not looked at: that may have another Python.
    """
    spec = made.job["spec"]
    if inside := output_inside(spec):
        raise Refused(inside, hint="choose an output beside the input")
    written = None if spec.get("image") else _source(made)
    if written is not None:
        with warnings.catch_warnings():
            # Whoever runs the program is warned; here only what cannot run matters.
            warnings.simplefilter("ignore")
            syntax.check(written, program)


def output_inside(spec: Json) -> str:
    """Return what is wrong if the output is in a folder that the job reads; empty if it is not, or nobody can tell."""
    try:
        claims = [spec[side]["volume"]["persistentVolumeClaim"]["claimName"] for side in ("input", "output")]
        output, patterns = str(spec["output"]["path"]), [str(path) for path in spec["input"]["paths"]]
    except (KeyError, TypeError):
        return ""
    if claims[0] != claims[1]:
        return ""
    for pattern in patterns:
        if apart.would_match(pattern, f"{output}/{_ANY_NAME}"):
            return apart.inside(pattern, output)
    return ""


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
