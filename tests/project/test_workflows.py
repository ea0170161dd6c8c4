"""Workflows of continuous integration: actions, supported Pythons, and the smoke test."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tools.repository import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

WORKFLOWS = sorted((REPOSITORY / ".github" / "workflows").glob("*.yml"))
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
VERSION = "Programming Language :: Python :: 3."
# From the oldest to the newest.
PYTHONS = [name.split()[-1] for name in PROJECT["classifiers"] if name.startswith(VERSION)]


def jobs(name: str) -> dict[str, Any]:
    """Return the jobs of a workflow."""
    (path,) = (path for path in WORKFLOWS if path.name == name)
    found: dict[str, Any] = yaml.safe_load(path.read_text())["jobs"]
    return found


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflow_pins_each_action_to_a_commit_and_names_its_version(path: Path) -> None:
    used = re.findall(r"\buses: *(.*)", path.read_text())
    assert used
    for action in used:
        assert re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflow_gives_each_job_a_time_limit_and_named_permissions(
    path: Path,
) -> None:
    workflow = yaml.safe_load(path.read_text())
    assert workflow["permissions"] == {}
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"] <= 20
        assert job["permissions"]


def test_workflow_tests_each_supported_python_on_linux() -> None:
    job = jobs("test.yml")["test"]
    assert job["strategy"]["matrix"]["python"] == PYTHONS
    assert PROJECT["requires-python"] == f">={PYTHONS[0]}"
    assert job["runs-on"] == "ubuntu-latest"
    assert job["steps"][-1]["run"] == ".ci/run"


def test_workflow_smoke_test_runs_on_windows_and_macos_without_make() -> None:
    job = jobs("test.yml")["smoke"]
    assert job["strategy"]["matrix"]["os"] == ["windows-latest", "macos-latest"]
    assert job["strategy"]["matrix"]["python"] == [PYTHONS[0], PYTHONS[-1]]
    commands = [step["run"] for step in job["steps"] if "run" in step]
    assert commands[-1] == "python -m tests.project.smoke"
    assert not [command for command in commands if "make" in command]


def test_workflow_builds_the_image_and_runs_the_tap_in_it() -> None:
    job = jobs("test.yml")["image"]
    commands = [step["run"] for step in job["steps"] if "run" in step]
    head = (REPOSITORY / "Dockerfile").read_text().splitlines()
    assert f"#   {commands[0]}" in head
    assert commands[1] == "docker run --rm tap-dynamics365 --version"


def test_release_is_published_without_a_password() -> None:
    """Trusted publishing: the job may sign in to the package index as this workflow."""
    publish = jobs("release.yml")["publish"]
    assert publish["permissions"] == {"id-token": "write"}
    assert publish["environment"] == "release"
    assert "secrets." not in yaml.safe_dump(jobs("release.yml"))
    (step,) = (each for each in publish["steps"] if "pypi-publish" in each["uses"])
    assert step["with"] == {"attestations": True}


def test_release_is_checked_and_attested_before_it_is_published() -> None:
    release = jobs("release.yml")
    steps = [
        each.get("run") or each["uses"].partition("@")[0] for each in release["build"]["steps"]
    ]
    assert "make release-check" in steps
    assert steps[-1] == "actions/attest-sbom"
    assert release["publish"]["needs"] == "build"


def test_code_and_workflows_are_analyzed_each_week() -> None:
    text = (REPOSITORY / ".github" / "workflows" / "codeql.yml").read_text()
    assert re.search(r'cron: "\d+ \d+ \* \* \d"', text)
    assert jobs("codeql.yml")["analyze"]["strategy"]["matrix"]["language"] == ["python", "actions"]
    makefile = (REPOSITORY / "Makefile").read_text()
    assert "zizmor --offline --quiet .github" in makefile
    assert jobs("audit.yml")["audit"]["steps"][-1]["run"] == "make audit"


def test_workflow_runs_the_tests_in_spark_with_each_version_of_the_documentation() -> None:
    job = jobs("spark.yml")["spark"]
    versions = job["strategy"]["matrix"]["spark"]
    page = (REPOSITORY / "docs" / "spark.md").read_text()
    *others, last = versions
    assert f"Spark {', '.join(others)} and {last}" in page.replace("\n", " ")
    assert f"SPARK ?= {last}\n" in (REPOSITORY / "Makefile").read_text()
    assert job["steps"][-1]["run"] == ".ci/run spark-test"


def test_smoke_test_of_this_installation_reads_all_rows() -> None:
    command = [sys.executable, "-m", "tests.project.smoke"]
    done = subprocess.run(  # noqa: S603  - our own module
        command, cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    version, settings, rows = done.stdout.splitlines()
    assert version.startswith("tap-dynamics365 v")
    assert re.fullmatch(r"\d+ settings", settings)
    assert re.fullmatch(r"\d{3} rows of \d\d tables", rows)
