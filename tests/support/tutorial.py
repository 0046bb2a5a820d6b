"""Runs the commands of a document as a reader would: block after block, in one shell, word for word.

A block ```sh holds commands, and a block ```text after it what they print. In the latter `…` stands for any text
within a line, and a line of `…` alone for any lines; all else must be there as it is shown. Blocks that say why they
are not run are passed over.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import time
import venv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from tests.support import documents
from tests.support.documents import Block

CLUSTER = "On a cluster"
"""The heading of the half that needs a cluster."""
_PATIENCE = 110.0
_MARK = "\x1e"


class Step(msgspec.Struct, frozen=True):
    """The commands of one block, and what they must print; None if the document does not say."""

    commands: str
    line: int
    shown: str | None = None


class Done(msgspec.Struct, frozen=True):
    """What a step printed, and the seconds that it took."""

    step: Step
    printed: str
    seconds: float


def steps(blocks: Iterable[Block]) -> list[Step]:
    """Return the steps of a document's blocks; raises `ValueError` for output without commands before it."""
    found: list[Step] = []
    for block in blocks:
        if block.not_run:
            continue
        if block.language == "sh":
            found.append(Step(block.text, block.line))
        elif block.language == "text":
            if not found or found[-1].shown is not None:
                raise ValueError(f"line {block.line}: there are no commands that would print this")
            found[-1] = msgspec.structs.replace(found[-1], shown=block.text)
    return found


def read(until: str = "") -> list[Step]:
    """Return the steps of docs/tutorial.md, all or those before a section."""
    blocks = documents.blocks((documents.ROOT / "docs/tutorial.md").read_text(encoding="utf-8"))
    sections = [block.section for block in blocks]
    return steps(blocks[: sections.index(until)] if until else blocks)


def run(steps: Sequence[Step], folder: Path, environment: Mapping[str, str], patience: float = _PATIENCE) -> list[Done]:
    """Run the steps in one `bash -e` in a folder; raises `AssertionError` for the first that fails or prints other."""
    script = folder / "steps.sh"
    script.write_text("\n".join(f"printf '{_MARK}%s\\n' $EPOCHREALTIME\n{step.commands}" for step in steps))
    began = time.monotonic()
    with (folder / "printed").open("w+", encoding="utf-8") as printed:
        shell = subprocess.Popen(
            ["bash", "--noprofile", "--norc", "-e", str(script)],
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        status: int | None = None
        try:
            status = shell.wait(patience)
        except subprocess.TimeoutExpired:
            os.killpg(shell.pid, 9)
            shell.wait()
        printed.seek(0)
        done = _divided(steps, printed.read())
    _judge(done, len(steps), status, time.monotonic() - began)
    return done


def _divided(steps: Sequence[Step], printed: str) -> list[Done]:
    parts = [part.partition("\n") for part in printed.split(_MARK)[1:]]
    begins = [float(begin) for begin, _, _ in parts]
    return [
        Done(step, text, end - begin)
        for step, (_, _, text), begin, end in zip(steps, parts, begins, [*begins[1:], time.time()], strict=False)
    ]


def _judge(done: Sequence[Done], wanted: int, status: int | None, seconds: float) -> None:
    for number, one in enumerate(done, start=1):
        where = f"line {one.step.line}: {one.step.commands.strip()}\n== printed\n{one.printed}"
        if number == len(done) and status != 0:
            raise AssertionError(f"{f'exit {status}' if status else f'not done after {seconds:.0f} s'}: {where}")
        if one.step.shown is not None and not matches(one.step.shown, one.printed):
            raise AssertionError(f"it printed something else: {where}\n== shown\n{one.step.shown}")
    assert len(done) == wanted


def matches(shown: str, printed: str) -> bool:
    """Tell whether what was printed is what is shown, with anything where `…` stands."""
    pattern = ""
    for row in shown.rstrip("\n").split("\n"):
        if row.strip() == "…":
            pattern += r"(?:.*\n)*?"
        else:
            pattern += ".*".join(map(re.escape, row.split("…"))) + r"\n"
    return re.fullmatch(pattern, printed if printed.endswith("\n") else f"{printed}\n") is not None


def stand_in_for_setup(clone: Path) -> None:
    """Make the .venv that `make setup` would make in a clone, from the packages that these tests run with.

    An environment of its own with the clone's code, so that nothing that happens in the clone reaches the
    one of the tests. `make` finds it newer than what it is made from, and leaves it.
    """
    folder = clone / ".venv"
    venv.create(folder, symlinks=True, with_pip=False)
    here = Path(sysconfig.get_path("purelib"))
    there = folder / here.relative_to(sys.prefix)
    code = [str(clone / path) for path in ("src", "operator/src", "worker/src")]
    (there / "clone.pth").write_text("\n".join([*code, str(here)]) + "\n")
    for name, module, function in (("mapreduce", "mapreduce_cli.main", "main"), ("pytest", "pytest", "main")):
        path = folder / "bin" / name
        path.write_text(f"#!{folder}/bin/python\nimport sys\nfrom {module} import {function}\nsys.exit({function}())\n")
        path.chmod(0o755)
    (folder / ".stamp").touch()


def environment(home: Path, **more: str) -> dict[str, str]:
    """Return a newcomer's environment: no virtual environment is active, and none can be set up from a registry."""
    kept = {name: os.environ[name] for name in ("LANG", "LC_ALL", "TZ") if name in os.environ}
    mine = str(Path(sys.prefix) / "bin")
    path = os.pathsep.join(part for part in os.environ["PATH"].split(os.pathsep) if part != mine)
    # Were `make` to set up all the same, it would end here.
    return kept | {"HOME": str(home), "PATH": path, "TMPDIR": str(home), "PYTHON": "false"} | more
