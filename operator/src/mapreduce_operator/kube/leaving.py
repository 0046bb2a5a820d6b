"""A deleted job: whether it has files that a core must remove, and how long that may take.

Neighbours: `reconcile.py` (asks, and lets the job go), `inputs.py`, `programs.py`.
"""

from __future__ import annotations

from typing import Final

from mapreduce_operator.kube import inputs, objects, programs, resource
from mapreduce_operator.kube.client import Api, JsonObject
from mapreduce_operator.kube.errors import Forbidden, InvalidSpec
from mapreduce_operator.kube.resource import ParsedJob
from mapreduce_operator.kube.running import Shared

CLEANING_BUDGET: Final = 60.0
"""Seconds after which a deleted job is let go, even if its files could not be removed."""
CLAIM_GOES_TOO: Final = 10.0
"""The same, where the output's claim is being deleted as well."""


async def budget(api: Api, parsed: ParsedJob | None) -> float:
    """Return how long a deleted job may be kept: files go with their claim, where that goes too."""
    if parsed is None:
        return CLEANING_BUDGET
    claim = await inputs.output_claim(api, parsed)
    if claim is None:
        return 0.0
    return CLAIM_GOES_TOO if objects.is_deleted(claim) else CLEANING_BUDGET


async def prepare(shared: Shared, body: JsonObject) -> ParsedJob | None:
    """Make what the Pods need that remove the job's files; return the job, or None if there are no files.

    Raises `ApiError`.
    """
    try:
        program = await programs.find(shared.api, body)
        # Cleaning needs no program, and the one that the job ran with may be gone by now.
        files = program.files if isinstance(program, programs.Found) else {}
        parsed = resource.parse(body, files, shared.defaults)
        if await budget(shared.api, parsed) == 0:
            return None
        await objects.prepare(shared.api, shared.writer, resource.owner(body), shared.platform)
    except (InvalidSpec, Forbidden):
        # There never were files, or the namespace is going away with them.
        return None
    return parsed
