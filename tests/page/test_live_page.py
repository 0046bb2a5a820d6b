"""The page as a server gives it: it asks again and again, and shows what changed."""

from __future__ import annotations

from collections.abc import Callable

from tests.page.conftest import Scene
from tests.support import page_samples as samples
from tests.support.browser import Tab
from tests.support.page_server import Answers, serving

Show = Callable[[Scene], None]
COUNT = "document.querySelector('.phase-count')?.textContent"
JOB = "#team/wordcount/progress"


def later(update: samples.Json, rev: int, **head: object) -> samples.Json:
    """Return an update that tells nothing new but of the job's head."""
    empty: samples.Json = {name: [] for name in samples.COLUMNS}
    usage: samples.Json = {"row": [], "at": [], "cpu": [], "mem": []}
    told = {"full": False, "rev": rev, "workers": [], "attempts": empty, "usage": usage}
    return update | told | {"rate": None, "groups": None, "partitions": None, "head": update["head"] | head}


def progressed(update: samples.Json, done: int) -> samples.Json:
    maps, reduces = update["head"]["phases"]
    return later(update, done, phases=[maps | {"done": done}, reduces])


def test_progress_moves_by_itself(show: Show) -> None:
    async def scene(tab: Tab) -> None:
        first = samples.job(100, 4, phase="Mapping")
        answers = Answers(lambda since: progressed(first, since + 1) if since >= 50 else first | {"rev": 50})
        async with serving(answers) as address:
            await tab.open(f"{address}/{JOB}")
            await tab.until(f"{COUNT} === '50 / 100'")
            await tab.until(f"{COUNT} === '52 / 100'")

            assert {request.removeprefix(address)[:5] for request in tab.requests} <= {"/", "/#tea", "/stat", "/api/"}

    show(scene)


def test_an_attempt_that_is_told_later_appears_in_the_table(show: Show) -> None:
    async def scene(tab: Tab) -> None:
        first = samples.job(10, 2, phase="Mapping", workers=2, slots=1)
        row = len(first["attempts"]["row"])
        lost = samples.columns([(row, 0, 9, 1, 0, 1, 0, 900, 905, 400, 3, 0, 0, 0, 0, 0, -1)])
        answers = Answers(lambda since: later(first, 2) | {"attempts": lost} if since else first)
        async with serving(answers) as address:
            await tab.open(f"{address}/#team/wordcount/tasks?q=map-9")
            await tab.until("document.querySelector('.trows .trow:not([hidden]) .outcome.lost')")

    show(scene)


def test_what_a_server_that_began_anew_tells_takes_the_place_of_all(show: Show) -> None:
    async def scene(tab: Tab) -> None:
        answers = Answers(lambda since: samples.job(40, 4, phase="Mapping"))
        async with serving(answers) as address:
            await tab.open(f"{address}/{JOB}")
            await tab.until(f"{COUNT} === '20 / 40'")
            answers.job = lambda since: samples.job(80, 4, phase="Mapping") | {"boot": "c"}
            await tab.until(f"{COUNT} === '40 / 80'")

    show(scene)


def test_a_server_that_is_away_is_told_and_asked_again(show: Show) -> None:
    async def scene(tab: Tab) -> None:
        answers = Answers(lambda since: samples.job(40, 4, phase="Mapping"))
        async with serving(answers) as address:
            await tab.open(f"{address}/{JOB}")
            await tab.until(f"{COUNT} === '20 / 40'")
            answers.away = True
            await tab.until("!document.querySelector('.trouble').hidden")
            assert await tab.value(COUNT) == "20 / 40"
            answers.away = False
            await tab.until("document.querySelector('.trouble').hidden")
        # The browser itself notes refused requests.
        assert all("503" in trouble for trouble in tab.troubles)
        tab.troubles.clear()

    show(scene)


def test_the_list_of_jobs_leads_to_a_job_and_back(show: Show) -> None:
    async def scene(tab: Tab) -> None:
        row: samples.Json = {
            "ns": "team",
            "name": "wordcount",
            "uid": "u",
            "phase": "Mapping",
            "maps": [20, 40],
            "reduces": [0, 4],
        }
        row |= {"workers": [3, 4], "retries": 2, "began": 1_795_000_000_000, "ended": -1, "reason": "", "live": True}
        jobs = {"v": 1, "boot": "b", "now": 1_795_000_060_000, "jobs": [row, row | {"name": "other"}], "more": False}
        async with serving(Answers(lambda since: samples.job(40, 4, phase="Mapping"), jobs)) as address:
            await tab.open(f"{address}/")
            await tab.until("document.querySelectorAll('.jobs tbody tr').length === 2")
            await tab.press("/", *"wordc", "Escape")
            await tab.until("document.querySelectorAll('.jobs tbody tr').length === 1")
            await tab.press("j", "Enter")
            await tab.until(f"{COUNT} === '20 / 40'")
            await tab.value("document.querySelector('.up').click()")
            await tab.until("document.querySelectorAll('.jobs tbody tr').length === 2")

    show(scene)


def test_a_token_is_asked_for_and_kept_nowhere_that_a_script_can_read(show: Show) -> None:
    async def scene(tab: Tab) -> None:
        answers = Answers(lambda since: samples.job(40, 4, phase="Mapping"), token="secret")
        async with serving(answers) as address:
            await tab.open(f"{address}/{JOB}")
            await tab.until("document.activeElement?.id === 'token'")
            await tab.press(*"wrong", "Enter")
            await tab.until(
                "document.querySelector('.login [role=alert]').textContent === 'this token is not accepted'"
            )
            await tab.press(*"secret", "Enter")
            await tab.until(f"{COUNT} === '20 / 40'")

            assert (
                await tab.value("document.cookie + JSON.stringify(localStorage) + location.href.includes('secret')")
                == "{}false"
            )
        assert all("401" in trouble for trouble in tab.troubles)
        tab.troubles.clear()

    show(scene)
