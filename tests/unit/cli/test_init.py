"""`mapreduce init`: the new job runs, and its own test can fail."""

import json
import os
import subprocess
import sys

import pytest
import yaml

from mapreduce_cli import newjob
from mapreduce_cli.main import cli
from tests.support.fake_cluster import run, run_json


@pytest.fixture
def made(tmp_path):
    folder = tmp_path / "My First_Job"
    assert run("init", str(folder)).exit_code == 0
    return folder


def run_its_tests(folder):
    """Run the job's test with plain pytest: it may need no plug-in of this environment."""
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    environment = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=60)


def test_the_new_jobs_test_passes(made):
    done = run_its_tests(made)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout


def test_the_new_jobs_test_fails_when_the_job_is_broken(made):
    program = made / "job.py"
    program.write_text(program.read_text().replace(".lower()", ""))
    assert run_its_tests(made).returncode == 1


def test_the_resource_holds_the_same_program_and_its_claim_and_name(made):
    job = yaml.safe_load((made / "job.yaml").read_text())
    claim = yaml.safe_load((made / "claim.yaml").read_text())
    assert job["metadata"]["name"] == "my-first-job"
    assert job["spec"]["program"]["inline"] == (made / "job.py").read_text()
    named = job["spec"]["output"]["volume"]["persistentVolumeClaim"]["claimName"]
    assert named == claim["metadata"]["name"] == "my-first-job-data"


def test_every_command_that_its_readme_names_exists(made):
    rows = [line.split() for line in (made / "README.md").read_text().split("\n") if line.startswith("    mapreduce ")]
    assert {row[1] for row in rows} == {"run", "cp", "validate", "submit", "cat"}
    assert {row[1] for row in rows} <= set(cli.list_commands(None))  # type: ignore[arg-type]  # the context is unused


def test_nothing_of_the_template_is_left_unsaid(made):
    for folder, _, names in os.walk(made):
        for name in names:
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                assert "@" not in file.read(), name


def test_a_folder_that_is_not_empty_is_not_touched(tmp_path):
    (tmp_path / "mine").write_text("x")
    done = run("init", str(tmp_path))
    assert done.exit_code == 2
    assert "is not empty" in done.stderr
    assert os.listdir(tmp_path) == ["mine"]
    assert run_json("init", str(tmp_path))["error"]["reason"] == "Refused"


def test_an_empty_folder_will_do(tmp_path):
    made = json.loads(run("init", str(tmp_path), "--json").stdout)
    assert sorted(os.listdir(tmp_path)) == sorted({name.split("/")[0] for name in made["files"]})


@pytest.mark.parametrize(
    ("folder", "name"), [("Word Count", "word-count"), ("x" * 50, "x" * 40), ("___", "job"), ("été", "t")]
)
def test_names_of_folders_become_names_of_jobs(folder, name):
    assert newjob.job_name(folder) == name
