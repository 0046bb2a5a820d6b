"""A word count of half a gigabyte of real text on this machine, with or without a killer, against the reference.

    python -m bench.corpus                 # every readable text below the system's share and Python's folders
    python -m bench.corpus --kills 12      # the same while random processes of the run are killed with -9

The output must equal the naive reference byte for byte, and the history must obey the rules.
"""

from __future__ import annotations

import argparse
import codecs
import importlib.util
import os
import pathlib
import random
import signal
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from collections.abc import Iterator
from typing import Any

from mapreduce import history, testing
from tests.support import history_checker

ROOT = pathlib.Path(__file__).parents[1]
PROGRAM = ROOT / "bench" / "word_count.py"
TARGET = 500_000_000
TEXT = {
    ".py",
    ".txt",
    ".md",
    ".rst",
    ".html",
    ".h",
    ".c",
    ".json",
    ".xml",
    ".pl",
    ".pm",
    ".el",
    ".tcl",
    ".po",
    ".css",
    "",
}


def gather(corpus: pathlib.Path, target: int) -> int:
    """Copy real text into `corpus`, again and again until it has `target` bytes; return its bytes."""
    sources = [path for folder in ("/usr/share", sysconfig.get_path("stdlib")) for path in readable(folder)]
    total = 0
    for turn in range(100):
        for number, source in enumerate(sources):
            content = source.read_bytes()
            (corpus / f"{turn:02d}-{number:06d}.txt").write_bytes(content)
            total += len(content)
            if total >= target:
                return total
    return total


def readable(folder: str) -> Iterator[pathlib.Path]:
    """Yield the text files below a folder, in a fixed order."""
    for parent, _, names in sorted(os.walk(folder)):
        for name in sorted(names):
            path = pathlib.Path(parent, name)
            if path.suffix in TEXT and path.is_file() and not path.is_symlink() and os.access(path, os.R_OK):
                content = path.open("rb").read(4096)
                if content and b"\0" not in content:
                    yield path


def below(pid: int) -> list[int]:
    """Return the processes below `pid`, at any depth."""
    table: dict[int, list[int]] = {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            table.setdefault(int(fields[1]), []).append(int(entry.name))
    found, todo = [], [pid]
    while todo:
        children = table.get(todo.pop(), [])
        found += children
        todo += children
    return found


class Killer:
    """Kills a random process of the run with -9 every few seconds, so many times."""

    def __init__(self, pid: int, kills: int, seed: int) -> None:
        self.killed: list[str] = []
        self._pid, self._kills = pid, kills
        self._chance = random.Random(seed)
        threading.Thread(target=self._work, daemon=True).start()

    def _work(self) -> None:
        while len(self.killed) < self._kills:
            time.sleep(self._chance.uniform(0.5, 2.5))
            victims = below(self._pid)
            if not victims:
                continue
            victim = self._chance.choice(victims)
            try:
                command = pathlib.Path(f"/proc/{victim}/cmdline").read_bytes().replace(b"\0", b" ").decode()
                os.kill(victim, signal.SIGKILL)
            except OSError:
                continue
            self.killed.append(command.strip()[-60:])


def reference(corpus: pathlib.Path) -> bytes:
    """Return what the naive reference makes of the corpus."""
    loading: Any = importlib.util.spec_from_file_location("word_count", PROGRAM)
    module = importlib.util.module_from_spec(loading)
    loading.loader.exec_module(module)

    def lines() -> Iterator[str]:
        for path in sorted(corpus.iterdir()):
            rows = path.read_bytes().removeprefix(codecs.BOM_UTF8).split(b"\n")
            for row in rows if rows[-1] else rows[:-1]:
                yield row.removesuffix(b"\r").decode(errors="replace")

    return testing.run_tsv(module.WordCount, lines())


def main() -> None:
    """Run, compare, print what was seen; exit status 1 where anything is not as it must be."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--bytes", type=int, default=TARGET)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        corpus, out = pathlib.Path(folder, "corpus"), pathlib.Path(folder, "out")
        corpus.mkdir()
        say(f"input: {gather(corpus, options.bytes)} bytes in {len(list(corpus.iterdir()))} files")
        command = [sys.executable, "-m", "mapreduce_cli", "run", PROGRAM, corpus, "--output", out]
        command += ["--encoding-errors", "replace", "--workers", str(options.workers)]
        begin = time.monotonic()
        run = subprocess.Popen([str(word) for word in command])
        killer = Killer(run.pid, options.kills, options.seed)
        status = run.wait()
        say(f"exit status {status} after {time.monotonic() - begin:.1f} s; killed {len(killer.killed)}:")
        for command_line in killer.killed:
            say(f"  {command_line}")
        events = history.parse((out / "_history" / "events.ndjson").read_bytes())
        maps = len({event["task"] for event in events if str(event.get("task", "")).startswith("map-")})
        lost = len(history_checker.named(events, "Lost", "Failed", "WorkerLost"))
        busy = history_checker.most_workers_busy_at_once(events)
        say(f"{maps} maps; at most {busy} workers busy at once; {lost} events of loss")
        broken = history_checker.check(events, maps=maps, reduces=8)
        output, wanted = (out / "output.tsv").read_bytes(), reference(corpus)
        equal = output == wanted
        for ours, theirs in [
            pair for pair in zip(output.split(b"\n"), wanted.split(b"\n"), strict=False) if len(set(pair)) > 1
        ][:3]:
            say(f"  ours {ours!r:.120}, the reference {theirs!r:.120}")
        say(f"equal to the naive reference: {equal}; rules of the history broken: {broken}")
    sys.exit(0 if equal and not broken and not status and maps >= 20 and busy > 1 else 1)


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
