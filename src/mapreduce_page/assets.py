"""The page's own files, and what a browser may do with them.

`static/` has a shell with three places, a style and a script; `hack/generators/page` makes them. A live page's shell
names style and script, a report has both in it. Neighbours: `report.py` and whoever serves a live page.
"""

from __future__ import annotations

import base64
import functools
import hashlib
from pathlib import Path
from typing import Final

STYLE: Final = "<!--style-->"
SCRIPT: Final = "<!--script-->"
DATA: Final = "<!--data-->"
_FOLDER: Final = Path(__file__).parent / "static"
_NOTHING_ELSE: Final = (
    "img-src data:; form-action 'self'; base-uri 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
LIVE_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; frame-ancestors 'none'; "
    + _NOTHING_ELSE
)
"""The Content-Security-Policy of a live page."""


@functools.cache
def text(name: str) -> str:
    """Return one of `page.js`, `page.css` and `shell.html`."""
    return (_FOLDER / name).read_text()


def live() -> str:
    """Return the page that asks its server."""
    return _filled('<link rel="stylesheet" href="/page.css">', '<script src="/page.js" defer></script>', "")


def frozen(data: str) -> str:
    """Return the page that shows the data in it; these are characters that no markup is made of."""
    style, script = text("page.css"), text("page.js")
    policy = (
        f"default-src 'none'; script-src 'sha256-{_digest(script)}'; style-src 'sha256-{_digest(style)}'; "
        f"{_NOTHING_ELSE}"
    )
    head = f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n<style>{style}</style>'
    block = f'<script type="application/octet-stream" id="data">{data}</script>'
    return _filled(head, f"<script>{script}</script>", block)


def _filled(style: str, script: str, data: str) -> str:
    """Return the shell with its places filled; what is put in is not looked through for places."""
    before, rest = text("shell.html").split(STYLE, 1)
    between, rest = rest.split(DATA, 1)
    last, after = rest.split(SCRIPT, 1)
    return "".join((before, style, between, data, last, script, after))


def _digest(inline: str) -> str:
    return base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
