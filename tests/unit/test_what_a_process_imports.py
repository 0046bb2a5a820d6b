"""What each kind of process has imported once it can begin: a library more is paid for by every start."""

import gc
import os
import ssl
import subprocess
import sys

import pytest

from mapreduce import starting

LATER = ("polars", "zstandard")
"""What only larger jobs, or compressed ones, need."""
OTHERS = ("kopf", "kubernetes", "numpy", "pyarrow", "pytest", "requests", "urllib3", "yaml")
SCREEN = ("click", "rich")


def imported(*modules: str) -> set[str]:
    """Return what a new interpreter holds that has imported these."""
    code = f"import {', '.join(modules)}, sys; print(*sys.modules)"
    return set(subprocess.check_output([sys.executable, "-P", "-c", code], text=True).split())


def test_a_slot_brings_no_network_no_screen_and_no_library_for_large_blocks() -> None:
    found = imported("mapreduce_worker.slots.process")
    assert "mapreduce_worker.engine.map_task" in found
    assert not found & {*LATER, *OTHERS, *SCREEN, "aiohttp", "asyncio", "email", "logging", "random", "ssl", "tempfile"}


@pytest.mark.parametrize("shell", ["mapreduce_worker.agent", "mapreduce_worker.gateway.shell"])
def test_a_worker_and_a_gateway_bring_nothing_of_the_engine_that_only_slots_run(shell: str) -> None:
    found = imported("mapreduce_worker.__main__", shell)
    assert shell in found
    assert not found & {*LATER, *OTHERS, *SCREEN, "mapreduce_operator", "mapreduce_worker.engine.map_task"}


def test_the_nursery_has_all_that_its_copies_need_and_no_library_for_large_blocks() -> None:
    found = imported("mapreduce_worker.nursery")
    copies = ("mapreduce_worker.__main__", "mapreduce_worker.agent", "mapreduce_worker.client")
    assert imported(*copies, "mapreduce_worker.gateway.shell", "mapreduce_worker.slots.warm") <= found
    assert not found & {*LATER, *OTHERS, *SCREEN, "mapreduce_operator", "mapreduce_cli"}


def test_a_nursery_is_forked_from_with_one_thread() -> None:
    code = "import mapreduce_worker.nursery, os; print(len(os.listdir('/proc/self/task')))"
    assert subprocess.check_output([sys.executable, "-P", "-c", code], text=True) == "1\n"


def test_the_command_line_starts_a_nursery_before_it_has_a_network() -> None:
    found = imported("mapreduce_cli.main", "mapreduce_cli.run", "mapreduce_operator.drivers.beginning")
    assert not found & {*LATER, *OTHERS, "aiohttp", "asyncio", "rich"}
    parts = {"mapreduce_operator", "mapreduce_operator.drivers", "mapreduce_operator.drivers.beginning"}
    assert {name for name in found if name.startswith("mapreduce_operator")} == parts


def test_the_command_line_brings_no_network_before_it_knows_its_subcommand() -> None:
    found = imported("mapreduce_cli.main")
    assert "click" in found
    assert not found & {*LATER, *OTHERS, "aiohttp", "asyncio", "rich"}


def test_a_run_on_this_machine_brings_no_kubernetes_and_no_drawing_of_bars() -> None:
    found = imported("mapreduce_cli.main", "mapreduce_cli.run", "mapreduce_cli.local")
    assert "mapreduce_operator.core.master" in found
    assert not found & {*LATER, *OTHERS, "rich", "mapreduce_worker.engine.map_task", "mapreduce_cli.sequential"}


def test_while_a_process_imports_no_authorities_are_read_and_nothing_is_collected(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    with starting.imports():
        assert not gc.isenabled()
        assert ssl.create_default_context().get_ca_certs() == []
    assert gc.isenabled()
    assert "SSL_CERT_FILE" not in os.environ


def test_a_file_of_authorities_that_was_named_before_is_named_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/etc/ours.pem")
    with pytest.raises(ImportError), starting.imports():
        raise ImportError
    assert os.environ["SSL_CERT_FILE"] == "/etc/ours.pem"
    assert gc.isenabled()
