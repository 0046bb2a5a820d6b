"""Browsers for the tests of the page: one a test, which must end without a trouble."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.support.browser import Tab, browser
from tests.support.page_samples import Json, as_file

Scene = Callable[[Tab], Awaitable[None]]


@pytest.fixture
def show() -> Callable[[Scene], None]:
    """Play a scene in a browser; whatever it complains of in the end is a failure."""

    async def play(scene: Scene) -> None:
        async with browser() as tab:
            await tab.scheme("light")
            await scene(tab)
            assert tab.troubles == []

    return lambda scene: asyncio.run(play(scene))


@pytest.fixture
def written(tmp_path: Path) -> Callable[[Json], str]:
    """Write a report into a file; returns its address."""

    def write(told: Json) -> str:
        path = tmp_path / "report.html"
        path.write_text(as_file(told), encoding="utf-8")
        return path.as_uri()

    return write
