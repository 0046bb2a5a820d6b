"""What a worker process is told by its environment."""

import os
from pathlib import Path

import pytest

from mapreduce.errors import UsageError
from mapreduce_worker import settings

LEAST = {
    "MAPREDUCE_MASTER": "http://127.0.0.1:8080",
    "MAPREDUCE_ROLE": "worker",
    "MAPREDUCE_SCRATCH": "/scratch",
    "MAPREDUCE_TOKEN_FILE": "/var/token",
}


def test_the_least_that_is_needed():
    read = settings.read(LEAST)
    assert (read.role, read.scratch, read.slots, read.data_host) == ("worker", Path("/scratch"), 1, "127.0.0.1")
    assert (read.sharing, settings.read(LEAST | {"MAPREDUCE_SHARING": "3"}).sharing) == (1, 3)


@pytest.mark.parametrize("name", [name for name in LEAST if name != "MAPREDUCE_TOKEN_FILE"])
def test_what_is_missing_is_named(name):
    with pytest.raises(UsageError, match=name):
        settings.read({other: value for other, value in LEAST.items() if other != name})


def test_a_worker_needs_a_token():
    with pytest.raises(UsageError, match="MAPREDUCE_TOKEN_FILE or MAPREDUCE_TOKEN_FD"):
        settings.read(LEAST | {"MAPREDUCE_TOKEN_FILE": ""})


@pytest.mark.parametrize("url", ["https://master:8443", "http://localhost:1", "http://[::1]:1", "http://127.0.0.2:1"])
def test_a_master_over_tls_or_on_this_machine_is_accepted(url):
    assert settings.read(LEAST | {"MAPREDUCE_MASTER": url}).master == url


@pytest.mark.parametrize(
    "url", ["http://master:8080", "http://10.0.0.1:1", "ftp://127.0.0.1", "master:8443", "https://"]
)
def test_a_master_that_would_get_the_token_in_the_clear_is_refused(url):
    with pytest.raises(UsageError, match="MAPREDUCE_MASTER"):
        settings.read(LEAST | {"MAPREDUCE_MASTER": url})


@pytest.mark.parametrize("value", ["two", "-1", "1.5", "²"])
def test_a_number_that_is_none_is_refused(value):
    with pytest.raises(UsageError, match="MAPREDUCE_SLOTS"):
        settings.read(LEAST | {"MAPREDUCE_SLOTS": value})


def test_a_token_file_is_read_anew_each_time(tmp_path):
    file = tmp_path / "token"
    file.write_text("first\n")
    source = settings.token_source(settings.read(LEAST | {"MAPREDUCE_TOKEN_FILE": str(file)}))
    assert source() == "first"
    file.write_text("second\n")
    assert source() == "second"


def test_a_token_from_a_descriptor_is_read_once():
    reader, writer = os.pipe()
    os.write(writer, b"token")
    os.close(writer)
    source = settings.token_source(settings.read(LEAST | {"MAPREDUCE_TOKEN_FD": str(reader)}))
    assert (source(), source()) == ("token", "token")


def test_the_time_between_sigterm_and_the_end_is_ten_seconds_unless_it_is_told():
    assert settings.read(LEAST).grace == 10.0
    assert settings.read(LEAST | {"MAPREDUCE_GRACE": "25"}).grace == 25.0
