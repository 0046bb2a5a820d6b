"""Every example does what its README says: its own command, word for word, gives the expected output."""

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("0*"))
WHOLE_JOB = "wordcount-job.yaml"
"""The resource of the first example, by its older name; the others' is job.yaml."""


def shown(example: Path, mode: str) -> list[pytest.MarkDecorator]:
    """Return the feature that only this example shows."""
    return [pytest.mark.feature("a module as the program", mode)] if example.name == "07-own-image" else []


@pytest.mark.parametrize(
    ("example", "mode"),
    [
        pytest.param(example, option, marks=shown(example, mode), id=f"{example.name}-{mode}")
        for example in EXAMPLES
        for mode, option in (("local", ""), ("sequential", "--sequential"))
    ],
)
def test_the_command_of_the_readme_gives_the_expected_output(tmp_path: Path, example: Path, mode: str) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    readme = (example / "README.md").read_text()
    command = re.search(r"^    ((?:\w+=\S+ )?mapreduce run .*)$", readme, re.MULTILINE)
    assert command is not None
    done = subprocess.run(
        ["/bin/sh", "-c", f"{command[1]} {mode}"],
        cwd=tmp_path,
        env=os.environ | {"PATH": f"{ROOT / '.venv/bin'}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (expected,) = example.glob("expected.*")
    output = tmp_path / shlex.split(command[1])[-1]
    assert (output / f"output{expected.suffix}").read_bytes() == expected.read_bytes()


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_the_resource_holds_the_same_program_and_the_same_input(example: Path) -> None:
    (resource,) = [path for name in ("job.yaml", WHOLE_JOB) if (path := example / name).exists()]
    documents = list(yaml.safe_load_all(resource.read_text()))
    data = {document["metadata"]["name"]: document["data"] for document in documents if document["kind"] == "ConfigMap"}
    (job,) = [document for document in documents if document["kind"] == "MapReduceJob"]
    name = job["metadata"]["name"]
    input_map = job["spec"]["input"]["volume"]["configMap"]["name"]
    assert data[input_map] == {path.name: path.read_text() for path in (example / "input").iterdir()}
    program = job["spec"]["program"]
    if "inline" in program:
        assert program["inline"] == (example / "job.py").read_text()
    elif "configMap" in program:
        assert data[f"{name}-program"] == {path.name: path.read_text() for path in example.glob("*.py")}
    else:
        module = program["module"].partition(":")[0].replace(".", "/")
        assert (example / f"{module}.py").exists()
