"""What users, files and workers wrote stays text, in every view."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.page.conftest import Scene
from tests.support import page_samples as samples
from tests.support.browser import Tab

VIEWS = ("progress", "gantt", "tasks", "partitions", "failures", "counters", "workers")
HARMLESS = r"/^[^\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]*$/u"


@pytest.mark.parametrize("view", VIEWS)
def test_hostile_text_stays_text(
    show: Callable[[Scene], None], written: Callable[[samples.Json], str], view: str
) -> None:
    async def scene(tab: Tab) -> None:
        await tab.call(
            "Page.addScriptToEvaluateOnNewDocument", source="window.hit = 0; window.alert = () => { hit += 1 }"
        )
        await tab.open(f"{written(samples.hostile())}#/x/{view}")
        await tab.until("document.querySelector('.view')?.textContent.length > 40")
        if view == "failures":
            await tab.press("j", "Enter")
            await tab.until("document.querySelector('.group-body:not([hidden]) pre')")

        assert await tab.value("hit") == 0
        assert (
            await tab.value("document.querySelectorAll('#page img, #page svg, #page script, #page style').length") == 0
        )
        assert await tab.value(f"{HARMLESS}.test(document.body.textContent)")
        assert await tab.value(
            "[...document.querySelectorAll('[title], [aria-label]')].every(element =>"
            f"{HARMLESS}.test(element.title + element.ariaLabel))"
        )
        assert await tab.text("h1") == f"job {samples.HOSTILE[0]}"
        assert await tab.value(
            "[...document.querySelectorAll('a')].every(link => link.getAttribute('href')[0] === '#')"
        )
        if view not in {"gantt", "tasks"}:
            assert samples.HOSTILE[1] in await tab.text(".view")

    show(scene)
