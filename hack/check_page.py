"""Fail where the page's sources or its bundle hold what could run text, or reach another place.

Run by `hack/verify`; needs no node. The page shows what users and workers wrote, so it knows only
`textContent`: nothing that takes HTML, style as text, or code as text may stand in it. Sizes are
those of `check_sizes`, told by the layout of the sources.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from hack.check_sizes import FUNCTION_LINES, MODULE_LINES

SOURCES = Path("page/src")
BUNDLE = Path("src/mapreduce_page/static")

TAKES_TEXT_AS_CODE = {
    "HTML as text": r"\b(?:inner|outer|insertAdjacent)HTML\b|\bcreateContextualFragment\b|\bsetHTML\w*|\bsrcdoc\b",
    "a document as text": r"\bdocument\s*\.\s*write|\bDOMParser\b|\bXMLSerializer\b",
    "style as text": r"""\bstyle\s*=\s*["'`]|\bcssText\b|setAttribute\(\s*["'`]style""",
    "code as text": r"""\beval\b|\bnew\s+Function\b|\bFunction\s*\(|\bset(?:Timeout|Interval)\(\s*["'`]""",
    "an address as code": r"""["'`]javascript:""",
    "a script made on the way": r"""createElement\(\s*["'`]script|\bimport(?:Scripts)?\s*\(|\bnew\s+\w*Worker\b""",
    "another place": r"https?://|\b(?:WebSocket|EventSource|sendBeacon|XMLHttpRequest)\b",
    "something kept in the browser": r"\b(?:local|session)Storage\b|\bindexedDB\b|document\.cookie",
}
INLINE = {"the end of the script it stands in": r"</script|<!--"}
HANDLER = {"a handler or style as an attribute": r"\son\w+\s*=|\sstyle\s*="}
_HEAD = re.compile(
    r"^(?P<indent> *)(?:export )?(?:async )?(?:static |private |override )*(?:function\b|constructor\b|get \w+|set \w+|"
    r"(?:const )?\w+(?: = |\()).*\{$"
)


def main() -> int:
    findings = [*in_sources(), *in_bundle()]
    for finding in findings:
        print(finding)
    return 1 if findings else 0


def in_sources() -> Iterator[str]:
    for path in sorted(SOURCES.rglob("*.ts")):
        text = path.read_text(encoding="utf-8")
        yield from refused(path, text, TAKES_TEXT_AS_CODE)
        yield from oversized(path, text.split("\n"))
    for path in sorted(SOURCES.rglob("*.html")):
        yield from refused(path, path.read_text(encoding="utf-8"), TAKES_TEXT_AS_CODE | HANDLER)


def in_bundle() -> Iterator[str]:
    script = BUNDLE / "page.js"
    yield from refused(script, script.read_text(encoding="utf-8"), TAKES_TEXT_AS_CODE | INLINE)
    style = BUNDLE / "page.css"
    yield from refused(
        style, style.read_text(encoding="utf-8"), {"another place": r"https?:|@import|url\((?!\"?data:)"}
    )
    yield from refused(style, style.read_text(encoding="utf-8"), {"the end of the style it stands in": r"</style|<!--"})


def refused(path: Path, text: str, table: dict[str, str]) -> Iterator[str]:
    for what, pattern in table.items():
        for found in re.finditer(pattern, text, re.IGNORECASE if what.startswith("the end") else 0):
            line = text.count("\n", 0, found.start()) + 1
            yield f"{path}:{line}: {found[0]!r} takes {what}; the page must not"


def oversized(path: Path, lines: list[str]) -> Iterator[str]:
    if len(lines) - 1 > MODULE_LINES:
        yield f"{path}: {len(lines) - 1} lines, at most {MODULE_LINES}"
    for number, line in enumerate(lines):
        if not (head := _HEAD.match(line)):
            continue
        closing = head["indent"] + "}"
        size = next((n for n, later in enumerate(lines[number:], 1) if later.startswith(closing)), 0)
        if size > FUNCTION_LINES:
            yield f"{path}:{number + 1}: a function of {size} lines, at most {FUNCTION_LINES}"


if __name__ == "__main__":
    sys.exit(main())
