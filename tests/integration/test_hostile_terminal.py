"""Nothing that others write acts on a terminal: file names, keys, tracebacks, counters, printed lines."""

import json
import re
from pathlib import Path

import pytest

from tests.support import hostile
from tests.support.local_runs import PATIENCE
from tests.support.terminals import Terminal

FILE = "\x1b[2J\x1b]0;renamed\x07\u202egpj.<img src=x onerror=alert(1)>\r\x9b2J.txt"
PROGRAM = """
import json, os
import mapreduce as mr

TEXTS = json.loads({texts!a})
LONG = "x" * {long}
HERE = os.environ.get("HERE", "")

class Hostile(mr.Job):
    def map(self, line):
        if HERE == "printed":
            for text in (LONG, *TEXTS):
                print(text)
        if HERE in ("map", "printed"):
            raise ValueError("\\n".join((*TEXTS, {surrogates!a}, LONG)))
        for text in TEXTS:
            self.counters[text] += 1
            yield text, 1

    def reduce(self, key, values):
        if HERE == "reduce":
            raise ValueError(key)
        yield key, sum(values)
"""
RICH = re.compile(r"\x1b\[(?:[0-9;]*m|\?25[lh]|1A|2K)")
"""What rich writes to draw bars: colours, the cursor's visibility, one line up, the line empty."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A program and a file, both hostile; the output is `out`."""
    texts, surrogates = json.dumps(list(hostile.ALL.values())), hostile.SURROGATES
    program = PROGRAM.format(texts=texts, surrogates=surrogates, long=len(hostile.LONG_LINE))
    (tmp_path / "job.py").write_text(program)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / FILE).write_text("one\n")
    return tmp_path


def shown(folder: Path, status: int, *words: str, here: str = "") -> str:
    """Run a command on a terminal; return what was written to it."""
    terminal = Terminal(folder, *words, HERE=here, PYTHONHASHSEED="0")
    text = terminal.rest()
    assert terminal.process.wait(PATIENCE) == status, text
    return text


def acting(text: str) -> set[str]:
    """Return the characters that are no text, but for the terminal's own line ends."""
    return {character for character in text.replace("\r\n", "") if not character.isprintable()}


@pytest.mark.parametrize("here", ["map", "printed", "reduce"])
def test_a_run_that_fails_shows_others_words_as_text_and_so_do_its_logs_and_a_replay(folder: Path, here: str) -> None:
    lines = shown(folder, 1, "run", "job.py", "in", "--output", "out", "--progress", "lines", here=here)
    logs = shown(folder, 0, "logs", "./out")
    for text in (lines, logs):
        assert acting(text) == set()
        assert "\\x1b[2J" in text
    (events,) = folder.glob(".out.*/_history/events.ndjson")
    assert logs.count(" failed on ") == events.read_text().count('"event":"Failed"')
    # What the program prints itself goes where it wants: it runs here.
    again = shown(folder, 1, "replay", "./out", "--task", "map-0", "--no-pdb", here="map")
    assert acting(again) == set()
    assert "\\x1b]0;renamed\\x07" in again


def test_bars_let_nothing_through_but_what_draws_them(folder: Path) -> None:
    text = shown(folder, 1, "run", "job.py", "in", "--output", "out", here="map")
    assert "━" in text
    assert "\\x1b[2J" in text
    assert acting(RICH.sub("", text).replace("\r", "").replace("\n", "")) == set()
    assert "\x1b[31mred" not in text


def test_a_replay_that_ends_well_shows_counters_as_text(folder: Path) -> None:
    assert acting(shown(folder, 0, "run", "job.py", "in", "--output", "out", "--progress", "lines")) == set()
    again = shown(folder, 0, "replay", "./out", "--task", "map-0")
    assert acting(again) == set()
    assert "\\x1b[31mred\\x1b[0m: 1" in again
