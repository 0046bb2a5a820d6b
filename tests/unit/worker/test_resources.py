"""What is read of processes and folders, whatever user code has made of them."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mapreduce_worker import resources
from mapreduce_worker.slots import group

_PR_SET_NAME = 15
_DEEP = 1500


@contextlib.contextmanager
def process_named(name: bytes) -> Iterator[int]:
    """Run a process of this name."""
    named, naming = os.pipe()
    pid = os.fork()
    if pid == 0:
        ctypes.CDLL(None).prctl(_PR_SET_NAME, name, 0, 0, 0)
        os.write(naming, b".")
        signal.pause()
    try:
        os.read(named, 1)
        yield pid
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(named)
        os.close(naming)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("name", [b"\xff\xfe\x80) Z 1", ("ü" * 8).encode()[:15]])
def test_a_process_is_read_whatever_its_name(name):
    with process_named(name) as pid:
        assert resources.cpu_of(pid) >= 0
        assert not group.has_ended(pid)


@pytest.fixture
def deep(tmp_path: Path) -> Iterator[Path]:
    """Folders within each other, a file in the last."""
    folders = [f"{tmp_path}{'/d' * depth}" for depth in range(1, _DEEP + 1)]
    for folder in folders:
        Path(folder).mkdir()
    last = Path(folders[-1], "f")
    last.write_bytes(b"x" * 5000)
    yield tmp_path
    # From below: not every Python removes so deep a tree.
    last.unlink()
    for folder in reversed(folders):
        Path(folder).rmdir()


def test_folders_are_summed_however_deep_they_are(deep):
    assert resources.size_below(str(deep)) >= 5000
