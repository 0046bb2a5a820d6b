"""From a listing of the input to the plan, in pages that fit into reports.

Neighbours: `engine.ranges` makes the listing, `mapreduce.plan` divides it; `operations.py` reports the pages.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from mapreduce import protocol
from mapreduce.errors import InputError, UsageError
from mapreduce.plan import Cut, ListedFile, PlanHeader, Split, make_plan
from mapreduce.protocol import JobContext

PAGE_BYTES: Final = 4 << 20
"""Bytes of one page; a single split may take more."""
MAX_SPLIT_BYTES: Final = protocol.MAX_BODY // 4
"""Bytes of the description of one split: it must fit into an assignment."""

Page = tuple[Split, ...]


class PlanTooLarge(UsageError):
    """The plan has more splits, segments or files a split than the system schedules."""


def plan(
    listing: list[ListedFile], job: JobContext, engine_version: str, cut: Cut | None = None
) -> tuple[PlanHeader, list[Page]]:
    """Return the header and the pages of the plan; raises `PlanTooLarge`, and what `cut` raises."""
    try:
        header, splits = make_plan(listing, job.spec, engine_version, cut)
    except InputError:
        raise
    except UsageError as error:
        raise PlanTooLarge(str(error)) from error
    # The spec that a gateway gets has no program in it, so its digest comes beside it.
    header = msgspec.structs.replace(header, program_digest=job.program_digest)
    return header, list(pages(splits))


def pages(splits: Iterable[Split]) -> Iterator[Page]:
    """Divide splits into pages, by number and by bytes."""
    page: list[Split] = []
    room = PAGE_BYTES
    for split in splits:
        size = len(protocol.encode(split))
        if size > MAX_SPLIT_BYTES:
            raise PlanTooLarge(
                f"{len(split.ranges)} small files in one split are more than can be described; use a smaller splitSize"
            )
        if page and (size > room or len(page) == protocol.PAGE_SPLITS):
            yield tuple(page)
            page, room = [], PAGE_BYTES
        page.append(split)
        room -= size
    if page:
        yield tuple(page)
