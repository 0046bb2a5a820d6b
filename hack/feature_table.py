"""The table of features, as a pytest plugin: which test shows each feature in which mode.

`hack/generators/features` lets pytest collect the tests with this plugin, which runs none of them
and writes the page. A test says what it shows with `pytest.mark.feature(NAME, MODE)`.
"""

from __future__ import annotations

import os
import pathlib

import pytest

MODES = ("sequential", "local", "cluster")

HEAD = """# Features, and the test that shows each

Made by `make update` from the tests' own marks; do not edit. *Sequential*: `mapreduce run --sequential`.
*Local*: `mapreduce run`, with worker processes. *Cluster*: a `MapReduceJob` on kind. Where all three
are shown by one case, it is the same job with the same expected bytes. A dash: there is no such thing in that
mode, as nobody is there to be told of a node that is drained on one machine; or no test of its own.

| feature | sequential | local | cluster |
|---|---|---|---|
"""


def pytest_collection_finish(session: pytest.Session) -> None:
    """Write the page to the file that the environment names."""
    found: dict[str, dict[str, str]] = {}
    for item in session.items:
        for mark in item.iter_markers("feature"):
            name, mode = mark.args
            if mode not in MODES:
                raise pytest.UsageError(f"{item.nodeid}: {mode!r} is none of {', '.join(MODES)}")
            found.setdefault(name, {}).setdefault(mode, item.nodeid)
    rows = [f"| {name} | {' | '.join(_cell(found[name].get(mode)) for mode in MODES)} |\n" for name in sorted(found)]
    pathlib.Path(os.environ["FEATURE_TABLE"]).write_text(HEAD + "".join(rows))


def _cell(test: str | None) -> str:
    if test is None:
        return "-"
    path, _, name = test.partition("::")
    function, _, case = name.removesuffix("]").partition("[")
    case = function if case in ("", "workers", *MODES) else case
    return f"[{pathlib.PurePath(path).parent.name}: {case}](../{path})"
