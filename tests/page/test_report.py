"""A report in a browser, as a file: what it shows, by mouse and by keyboard."""

from __future__ import annotations

from collections.abc import Callable

from tests.page.conftest import Scene
from tests.support import page_samples as samples
from tests.support.browser import Tab

Show = Callable[[Scene], None]
Written = Callable[[samples.Json], str]

ROWS = "document.querySelectorAll('.trows .trow:not([hidden])').length"
FIRST = "document.querySelector('.trows .trow:not([hidden]) .task').textContent"
# How many pixels of the Gantt have the colour of an outcome.
PAINTED = """(outcome => {
  const canvas = document.querySelector('.gantt canvas:not(.swatch)') ?? document.querySelector('.gantt .uplot canvas');
  const style = getComputedStyle(document.documentElement).getPropertyValue('--' + outcome).trim();
  const wanted = [1, 3, 5].map(at => parseInt(style.slice(at, at + 2), 16));
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  let found = 0;
  for (let i = 0; i < data.length; i += 4) found += wanted.every((value, at) => data[i + at] === value);
  return found;
})"""


def test_a_failed_job_says_why_at_once(show: Show, written: Written) -> None:
    async def scene(tab: Tab) -> None:
        await tab.open(written(samples.report(samples.job(60, 8, phase="Failed"))))
        await tab.until("document.querySelector('.cause pre')")

        assert await tab.text(".job-title .chip") == "Failed"
        cause = await tab.text(".cause")
        assert "map-3 failed 4 times: ValueError: invalid literal" in cause
        assert "yield fields[0], int(fields[2])" in cause
        assert "line 40117 has 3 fields" in cause

    show(scene)


def test_a_report_asks_for_nothing_but_itself(show: Show, written: Written) -> None:
    async def scene(tab: Tab) -> None:
        address = written(samples.report(samples.job(200, 8)))
        for view in ("progress", "gantt", "tasks", "partitions", "failures", "counters", "workers"):
            await tab.open("about:blank")
            await tab.open(f"{address}#/x/{view}")
            await tab.until("document.querySelector('.view')?.firstElementChild")

        assert {request.partition("#")[0] for request in tab.requests} - {"about:blank"} == {address}

    show(scene)


def test_the_gantt_paints_finished_failed_and_lost_attempts(show: Show, written: Written) -> None:
    async def scene(tab: Tab) -> None:
        await tab.open(written(samples.report(samples.job(300, 12))) + "#/x/gantt")
        await tab.until(f"document.querySelector('.gantt .uplot canvas') && {PAINTED}('finished') > 10000")

        assert await tab.value(f"{PAINTED}('failed')") > 50
        assert await tab.value(f"{PAINTED}('lost')") > 50
        assert await tab.value(f"{PAINTED}('output-lost')") == 0

    show(scene)


def test_a_filter_leaves_one_row_and_enter_opens_its_traceback(show: Show, written: Written) -> None:
    async def scene(tab: Tab) -> None:
        await tab.open(written(samples.report(samples.job(60, 8, phase="Failed"))) + "#/x/tasks")
        await tab.until(f"{ROWS} > 5")
        await tab.press("/", *"map-3", "Escape")
        await tab.until(f"{ROWS} === 1 && {FIRST} === 'map-3'")
        await tab.press("j", "Enter")
        await tab.until("document.querySelector('.detail:not([hidden]) pre')")

        assert "ValueError: invalid literal" in await tab.text(".detail pre")
        assert await tab.value("document.querySelectorAll('.detail tbody tr').length") == 4
        await tab.until("location.hash.includes('q=map-3') && location.hash.includes('open=map-3')")
        await tab.press("Escape")
        await tab.until("document.querySelector('.detail').hidden")

    show(scene)


def test_an_address_opens_the_view_the_filter_and_the_task(show: Show, written: Written) -> None:
    async def scene(tab: Tab) -> None:
        await tab.open(written(samples.report(samples.job(60, 8))) + "#team/wordcount/tasks?q=reduce-5&open=reduce-5")
        await tab.until(f"{ROWS} === 1 && {FIRST} === 'reduce-5'")

        assert await tab.text(".detail h3") == "reduce-5"
        assert "skew" in await tab.text(".trows .flags")

    show(scene)


def test_a_column_orders_the_rows(show: Show, written: Written) -> None:
    async def scene(tab: Tab) -> None:
        await tab.open(written(samples.report(samples.job(60, 8))) + "#/x/tasks")
        await tab.until(f"{ROWS} > 5")
        await tab.value("document.querySelector('.thead .tries button').click()")

        assert await tab.value("document.querySelector('.thead .tries').getAttribute('aria-sort')") == "descending"
        tries = (
            "[...document.querySelectorAll('.trows .trow:not([hidden])')].sort((a, b) => a.dataset.at - b.dataset.at)"
        )
        shown = await tab.value(f"{tries}.map(row => Number(row.querySelector('.tries').textContent))")
        assert shown == sorted(shown, reverse=True)
        assert shown[0] > 1

    show(scene)


def test_the_whole_way_by_keyboard(show: Show, written: Written) -> None:
    async def scene(tab: Tab) -> None:
        await tab.open(written(samples.report(samples.job(60, 8, phase="Failed"))))
        await tab.until("document.querySelector('.tab')")
        await tab.press("?")
        await tab.until("document.querySelector('dialog').open")
        await tab.press("Escape")
        await tab.until("!document.querySelector('dialog').open")
        await tab.press("5")
        await tab.until("document.querySelector('.group-head')")
        await tab.press("j", "Enter")
        await tab.until("document.querySelector('.group-body:not([hidden]) pre')")
        await tab.press("2")
        await tab.until("document.querySelector('.gantt .uplot canvas')")
        await tab.press("j", "ArrowRight", "+", "Enter")
        await tab.until("document.querySelector('.detail:not([hidden]) tbody tr')")

        assert "finished, on wordcount-worker-0 slot 0" in await tab.text(".gantt-told")

    show(scene)
