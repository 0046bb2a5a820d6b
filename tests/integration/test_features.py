"""Each feature gives the same bytes, written out by hand, with worker processes and in one process."""

import json
from pathlib import Path

import pytest

from tests.support.features import formats
from tests.support.features.case import Case, arguments
from tests.support.features.cases import CASES
from tests.support.local_runs import succeeded, write_program

MODES = {"sequential": ("--sequential",), "local": ("--workers", "2")}


@pytest.mark.parametrize(
    ("case", "mode"),
    [
        pytest.param(case, mode, marks=pytest.mark.feature(case.feature, mode), id=f"{case.name}-{mode}")
        for case in CASES
        for mode in MODES
    ],
)
def test_the_feature_gives_the_bytes_that_it_must(tmp_path: Path, case: Case, mode: str) -> None:
    program = write_program(tmp_path, case.program)
    for folder, files in (("in", case.files), (".", case.side_files)):
        for name, content in files.items():
            path = tmp_path / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    succeeded(tmp_path, program, *case.inputs, "--output", "out", *arguments(case), *MODES[mode])
    found = {path.name: formats.plain(path.name, path.read_bytes()) for path in data_files(tmp_path / "out")}
    assert found == case.output
    bad = tmp_path / "out" / "_bad_records.jsonl"
    assert (bad.read_bytes() if bad.exists() else b"") == case.bad_records
    manifest = json.loads((tmp_path / "out" / "_manifest.json").read_bytes())
    assert manifest.get("counters", {}) == case.counters


def data_files(output: Path) -> list[Path]:
    """Return the files of an output that hold its records."""
    return sorted(path for path in output.iterdir() if path.is_file() and not path.name.startswith("_"))
