"""A job's output and its input must be apart: what one run writes, the next one would read; and a job that replaces an
output must not read from it, for what it read would go with the older output.

Neighbours: `operations.py` and the sequential mode ask when the input is listed, and `mapreduce_cli.cluster.refusals`
before there is a plan; `swapping.py` replaces.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from glob import has_magic
from pathlib import Path

from mapreduce import paths
from mapreduce.plan import ListedFile
from mapreduce.spec import Compression, JobSpec, Merge, OutputFormat
from mapreduce_worker.engine import ranges
from mapreduce_worker.gateway.reservation import OutputInside


def require_apart(root_input: Path, root_output: Path, spec: JobSpec, listing: Sequence[ListedFile]) -> None:
    """Raise `OutputInside` if the input names the output, or if the job replaces an output that its input is inside of.

    The listing is that of the spec's inputs below `root_input`. Two volumes have nothing in common.
    """
    if not os.path.samefile(root_input, root_output):
        return
    output = posixpath.normpath(spec.output)
    if spec.overwrite == "replace":
        _require_kept(root_input, root_output, output, listing)
    if wrong := inside(spec.inputs, spec.output, spec.merge, (spec.output_format, spec.output_compression)):
        raise OutputInside(f"{wrong}; choose an output beside it")


def _require_kept(root_input: Path, root_output: Path, output: str, listing: Sequence[ListedFile]) -> None:
    """Raise `OutputInside` if a file of the input is in the output that is to be replaced."""
    replaced = os.path.join(os.path.realpath(root_output / posixpath.dirname(output)), posixpath.basename(output))
    for file in listing:
        real = os.path.realpath(root_input / file.path)
        if real.startswith(f"{replaced}/") or file.path.startswith(f"{output}/"):
            raise OutputInside(
                f"the input {file.path!r} is inside the output {output!r}, which this job replaces: "
                "it would be removed; choose another output"
            )


def inside(patterns: Iterable[str], output: str, merge: Merge, style: tuple[OutputFormat, Compression]) -> str:
    """Return what people are told of an output whose data files a pattern of its own input would take; empty if
    none would."""
    for pattern in patterns:
        if any(would_match(pattern, f"{posixpath.normpath(output)}/{made}") for made in _made(merge, style)):
            return f"the output {output!r} lies in the input {pattern!r}: the next run would read it"
    return ""


def would_match(pattern: str, path: str) -> bool:
    """Tell whether a pattern of the input would take the file, if it were there; see `ranges.list_files`."""
    names = [name for name in path.split("/") if name not in ("", ".")]
    reached = {0}
    """How many of the names the steps so far can stand for."""
    for step in (step for step in pattern.split("/") if step not in ("", ".")):
        if step == ranges.ANY_DEPTH:
            reached = {end for begin in reached for end in range(begin, len(names) + 1) if _is_plain(names[begin:end])}
        else:
            reached = {at + 1 for at in reached if at < len(names) and _fits(step, names[at])}
    return any(_is_plain(names[at:]) for at in reached)


def _fits(step: str, name: str) -> bool:
    if not has_magic(step):
        return step == name
    return fnmatchcase(name, step) and (not ranges.is_hidden(name) or step[0] == name[0])


def _is_plain(names: Sequence[str]) -> bool:
    return not any(map(ranges.is_hidden, names))


def _made(merge: Merge, style: tuple[OutputFormat, Compression]) -> tuple[str, ...]:
    """Return names as the job's data files will have them."""
    if merge == "none":
        return (paths.part_file("reduce", 0, *style), paths.part_file("map", 0, *style))
    return (paths.output_file(*style),)
