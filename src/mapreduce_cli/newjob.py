"""`mapreduce init`: a folder with a new job that runs, its test, a resource and a README.

The files are in `template/`, as NAME.in so that no tool takes them for ours; what depends on the folder
is `@NAME@` and `@PROGRAM@`. Neighbours:
`mapreduce.testing` (what the test uses), `cluster/` (what the README calls).
"""

from __future__ import annotations

import re
import sys
from importlib import resources
from pathlib import Path
from typing import Final, NoReturn

import click

from mapreduce.words import JOB_NAME_LIMIT
from mapreduce_cli import terminal
from mapreduce_cli.failures import REFUSED, WRONG_USE

_FILES: Final = ("job.py", "test_job.py", "pytest.ini", "claim.yaml", "job.yaml", "README.md", "texts/sample.txt")


@click.command("init")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def init(folder: Path, as_json: bool) -> None:
    """Make a folder with a new job.

    It holds job.py, a word count to begin with; test_job.py, its test for pytest; claim.yaml and
    job.yaml, the same for a cluster; a sample text; and a README that says how each is used.
    """
    try:
        made = create(folder)
    except OSError as error:
        _refuse(f"{folder} cannot be made: {error.strerror or error}", as_json)
    if not made:
        _refuse(f"{folder} is not empty; name a folder that is, or a new one", as_json)
    if as_json:
        terminal.document({"folder": str(folder), "files": made})
        return
    terminal.say(f"{folder} has a new job: {', '.join(made)}")
    terminal.say(f"Next:\n  cd {folder}\n  pytest\n  mapreduce run job.py texts --output counts")


def create(folder: Path) -> list[str]:
    """Write the files; return their names, or none if the folder holds something already. Raises `OSError`."""
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        return []
    names = {"@NAME@": job_name(folder.resolve().name)}
    template = resources.files("mapreduce_cli") / "template"
    program = (template / "job.py.in").read_text(encoding="utf-8")
    names["@PROGRAM@"] = program.replace("\n", "\n      ").replace("      \n", "\n").rstrip()
    for name in _FILES:
        text = (template / f"{name}.in").read_text(encoding="utf-8")
        for mark, value in names.items():
            text = text.replace(mark, value)
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return list(_FILES)


def job_name(folder: str) -> str:
    """Return a folder's name as the name of a job can be."""
    return re.sub(r"[^a-z0-9]+", "-", folder.lower())[:JOB_NAME_LIMIT].strip("-") or "job"


def _refuse(message: str, as_json: bool) -> NoReturn:
    if as_json:
        terminal.document({"error": {"reason": WRONG_USE, "message": message}})
    else:
        terminal.note(f"mapreduce: refused: {message}")
    sys.exit(REFUSED)
