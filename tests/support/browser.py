"""A headless Chromium, driven by its own debugging protocol over a WebSocket.

Only what the tests of the page need: open, evaluate, press keys, take pictures; and a record of everything that a page
must not do (errors, refused content, requests to elsewhere). Neighbours: `page_samples` (what is shown).
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import os
import shutil
import signal
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

PROGRAMS = ("chromium-headless-shell", "chromium", "google-chrome")
_KEYS = {
    "Enter": ("Enter", 13, "\r"),
    "Escape": ("Escape", 27, ""),
    "ArrowDown": ("ArrowDown", 40, ""),
    "ArrowUp": ("ArrowUp", 38, ""),
    "ArrowLeft": ("ArrowLeft", 37, ""),
    "ArrowRight": ("ArrowRight", 39, ""),
    "Tab": ("Tab", 9, ""),
}


def program() -> str | None:
    """Return the browser of this machine, if there is one."""
    return next((found for name in PROGRAMS if (found := shutil.which(name))), None)


class Failed(Exception):
    """The page threw, or the browser refused a command."""


class Tab:
    """One page. `troubles`: errors and warnings, as text; `requests`: the address of everything it asked for."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.troubles: list[str] = []
        self.requests: list[str] = []
        self._socket = socket
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._loaded = asyncio.Event()
        self._reader = asyncio.create_task(self._read())

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command of the protocol and return its result."""
        number = next(self._numbers)
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._answers[number] = answer
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        return await asyncio.wait_for(answer, 60)

    async def begin(self) -> None:
        """Have the browser tell what happens."""
        for domain in ("Page", "Runtime", "Log", "Network"):
            await self.call(f"{domain}.enable")

    async def open(self, address: str) -> None:
        """Go to an address and wait until it is loaded."""
        self._loaded.clear()
        await self.call("Page.navigate", url=address)
        await asyncio.wait_for(self._loaded.wait(), 60)

    async def value(self, expression: str) -> Any:
        """Evaluate JavaScript and return what it comes to; promises are awaited."""
        told = await self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if error := told.get("exceptionDetails"):
            raise Failed(error.get("exception", {}).get("description", error["text"]))
        return told["result"].get("value")

    async def until(self, expression: str, seconds: float = 20) -> None:
        """Evaluate again and again until it is true, as JavaScript sees it."""
        end = time.monotonic() + seconds
        while not await self.value(f"!!({expression})"):
            if time.monotonic() > end:
                body = await self.value("document.body.innerText.slice(0, 2000)")
                raise Failed(f"not true within {seconds} s: {expression}\ntroubles: {self.troubles}\npage: {body}")
            await asyncio.sleep(0.05)

    async def text(self, selector: str) -> str:
        """Return the text of the first element that fits, as it is in the document."""
        return str(await self.value(f"document.querySelector({selector!r})?.textContent ?? ''"))

    async def press(self, *keys: str) -> None:
        """Press keys one after the other: characters, or names such as Enter."""
        for key in keys:
            name, code, text = _KEYS.get(key, (key, ord(key[0].upper()), key))
            event = {"key": name, "windowsVirtualKeyCode": code}
            await self.call("Input.dispatchKeyEvent", type="keyDown", **event, **({"text": text} if text else {}))
            await self.call("Input.dispatchKeyEvent", type="keyUp", **event)

    async def click(self, x: float, y: float) -> None:
        """Click at a point of the window."""
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            button = {} if kind == "mouseMoved" else {"button": "left", "clickCount": 1}
            await self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **button)

    async def scheme(self, name: str, width: int = 1280, height: int = 900) -> None:
        """Turn the page light or dark, in a window of this size."""
        await self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}])
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        await self.call("Emulation.setDeviceMetricsOverride", **size)

    async def picture(self) -> bytes:
        """Return what is seen as a PNG."""
        told = await self.call("Page.captureScreenshot", format="png")
        return base64.b64decode(told["data"])

    async def _read(self) -> None:
        async for message in self._socket:
            told = msgspec.json.decode(message.data)
            if answer := self._answers.pop(told.get("id", 0), None):
                if error := told.get("error"):
                    answer.set_exception(Failed(str(error)))
                else:
                    answer.set_result(told["result"])
            else:
                self._heard(told.get("method", ""), told.get("params", {}))

    def _heard(self, method: str, told: dict[str, Any]) -> None:
        if method == "Page.loadEventFired":
            self._loaded.set()
        elif method == "Network.requestWillBeSent":
            self.requests.append(told["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            details = told["exceptionDetails"]
            self.troubles.append(details.get("exception", {}).get("description", details["text"]))
        elif (
            method == "Log.entryAdded"
            and told["entry"]["level"] in {"error", "warning"}
            and not _of_tests(told["entry"])
        ):
            self.troubles.append(told["entry"]["text"])
        elif method == "Runtime.consoleAPICalled" and told["type"] in {"error", "warning", "assert"}:
            self.troubles.append(str([argument.get("value") for argument in told["args"]]))


@contextlib.asynccontextmanager
async def browser(*arguments: str) -> AsyncIterator[Tab]:
    """Start a browser of its own, with nothing in its profile; ends it and removes that."""
    found = program()
    assert found, "no Chromium: hack/cluster/packages.sh chromium-headless-shell:chromium-headless-shell"
    # Chromium's own sandbox cannot begin as root.
    rights = ["--no-sandbox"] if os.geteuid() == 0 else []
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = await asyncio.create_subprocess_exec(
            *(found, "--headless", "--disable-gpu", "--remote-debugging-port=0", f"--user-data-dir={profile}"),
            *("--no-first-run", "--disable-dev-shm-usage", "--hide-scrollbars", *rights, *arguments, "about:blank"),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            # What is found may be a script, whose end is not that of the browser which it started.
            start_new_session=True,
        )
        try:
            port = await _port(Path(profile) / "DevToolsActivePort")
            async with aiohttp.ClientSession() as session:
                pages = await (await session.get(f"http://127.0.0.1:{port}/json")).json()
                async with session.ws_connect(pages[0]["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                    tab = Tab(socket)
                    await tab.begin()
                    yield tab
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()


def _of_tests(entry: dict[str, Any]) -> bool:
    """Whether it is about how a test looks at pixels, which the page never does."""
    return "willReadFrequently" in entry["text"]


async def _port(told: Path) -> int:
    """Return the port that the browser writes down once it listens."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if lines := _lines(told):
            return int(lines[0])
        await asyncio.sleep(0.05)
    raise Failed("the browser did not begin within 60 s")


def _lines(path: Path) -> list[str]:
    return path.read_text().split() if path.exists() else []
