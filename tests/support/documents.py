"""The Markdown of this repository as its tests read it: blocks, links, anchors.

Only as much of Markdown as the documents use: fenced blocks, headings with `#`, inline links.
Neighbours: `tutorial` (runs the commands of a document), `guide` (runs its Python), `blocks` (looks at the rest).
"""

from __future__ import annotations

import re
import urllib.parse
from pathlib import Path

import msgspec

ROOT = Path(__file__).parents[2]
_LINK = re.compile(r"(?<!!)\[(?:[^\[\]]|\[[^\]]*\])*\]\(([^()\s]+)\)")
_FENCE = re.compile(r"^( *)(```+)(.*)$")
_NOT_RUN = re.compile(r"^ *<!-- not run: (.+) -->$")


class Block(msgspec.Struct, frozen=True):
    """A fenced block. line: of its first line of text, from 1; section: the heading of level 2 it stands below.

    not_run: the reason, where the line above it is `<!-- not run: REASON -->`.
    """

    language: str
    text: str
    line: int
    section: str
    not_run: str = ""


def all_files() -> list[Path]:
    """Return every document whose links are for readers: at the top, in docs, examples and hack."""
    found = [*ROOT.glob("*.md"), *(path for folder in ("docs", "examples", "hack") for path in _below(folder))]
    return sorted(found)


def _below(folder: str) -> list[Path]:
    return list((ROOT / folder).rglob("*.md"))


def covered() -> list[Path]:
    """Return every document whose blocks are held to the rule that `blocks` tells."""
    top = [ROOT / name for name in ("README.md", "CONTRIBUTING.md")]
    return [*top, *sorted(_below("docs")), *sorted((ROOT / "helm").rglob("*.md"))]


def blocks(text: str) -> list[Block]:
    """Return the fenced blocks in their order; raises `ValueError` for one that does not end."""
    found: list[Block] = []
    section = fence = language = above = not_run = ""
    begin = 0
    rows: list[str] = []
    for number, row in enumerate(text.split("\n"), start=1):
        mark = _FENCE.match(row)
        if fence:
            if mark and mark[2] == fence and not mark[3].strip():
                found.append(Block(language, "".join(f"{line}\n" for line in rows), begin, section, not_run))
                fence = ""
            else:
                rows.append(row)
        elif mark:
            fence, language, begin, rows = mark[2], mark[3].strip(), number + 1, []
            reason = _NOT_RUN.match(above)
            not_run = reason[1] if reason else ""
        elif row.startswith("## "):
            section = row.removeprefix("## ").strip()
        above = row
    if fence:
        raise ValueError(f"the block of line {begin} does not end")
    return found


def indented(text: str) -> list[int]:
    """Return the lines, from 1, at which a block begins that is indented and not fenced: nobody can say what it is."""
    found = []
    rows, fence = ["", *text.split("\n")], ""
    for number, row in enumerate(rows):
        mark = _FENCE.match(row)
        if mark and not fence:
            fence = mark[2]
        elif fence:
            if mark and mark[2] == fence and not mark[3].strip():
                fence = ""
        elif row.startswith("    ") and row.strip() and not rows[number - 1].strip():
            found.append(number)
    return found


def links(text: str) -> list[str]:
    """Return the targets of the inline links, outside of blocks and code."""
    return _LINK.findall(re.sub(r"(`+)[^`].*?\1", "`code`", _prose(text)))


def anchors(text: str) -> set[str]:
    """Return the names by which the headings of a document can be linked, as GitHub makes them."""
    found: set[str] = set()
    for heading in re.findall(r"^#{1,6} +(.*?)[ #]*$", _prose(text), re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        name = base = re.sub(r"[^\w\- ]", "", plain.lower()).strip().replace(" ", "-")
        count = 0
        while name in found:
            count += 1
            name = f"{base}-{count}"
        found.add(name)
    return found


def broken_links(path: Path) -> list[str]:
    """Return the relative links of a document that lead nowhere, each with the reason."""
    text = path.read_text(encoding="utf-8")
    found = []
    for link in links(text):
        if re.match(r"[a-z][a-z0-9+.-]*:", link):
            continue
        target, _, anchor = urllib.parse.unquote(link).partition("#")
        there = path.parent / target if target else path
        if not there.exists():
            found.append(f"{link}: there is no such file")
        elif anchor and (there.suffix != ".md" or anchor not in anchors(there.read_text(encoding="utf-8"))):
            found.append(f"{link}: there is no such heading")
    return found


def _prose(text: str) -> str:
    """Return the text without its blocks, fenced or indented."""
    rows, fence, before = [], "", ""
    for row in text.split("\n"):
        mark = _FENCE.match(row)
        if mark and not fence:
            fence = mark[2]
        elif fence:
            if mark and mark[2] == fence and not mark[3].strip():
                fence = ""
        elif not (row.startswith("    ") and (not before.strip() or before.startswith("    "))):
            rows.append(row)
        before = row
    return "\n".join(rows)
