"""promtool, Prometheus' own judge of metrics, rules and expressions.

Where it is missing its tests are left out, and say so; with CI=true or E2E=1 they fail.
"""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from tests.support.apiserver import PATH


def promtool(*words: str, text: str = "") -> str:
    """Run it on files, or on a text; return what it said. It must be content."""
    path = shutil.which("promtool", path=PATH)
    if path is None:
        if os.environ.get("CI") == "true" or os.environ.get("E2E", "0") not in ("", "0"):
            pytest.fail("promtool is missing, and required here: hack/cluster/promtool.sh")
        pytest.skip("left out: promtool is missing; get it with hack/cluster/promtool.sh")
    done = subprocess.run([path, *words], input=text, capture_output=True, text=True, check=False, timeout=60)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    return said
