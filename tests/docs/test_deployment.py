"""docs/deployment.md: the Dockerfile, and the examples for Airflow and GitHub Actions."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tap_dynamics365.settings.config_schema import CONFIG_SCHEMA
from tests.documents import Document
from tools.repository import REPOSITORY

PAGE = Document(REPOSITORY / "docs" / "deployment.md")
EXAMPLES = REPOSITORY / "examples"
PYPROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT["project"]
PIPELINE = "meltano run tap-dynamics365 target-postgres"
PYTHON = "Programming Language :: Python :: "


def instructions() -> list[tuple[str, str]]:
    """The instructions of the Dockerfile, without comments."""
    text = re.sub(r"^#.*\n", "", (REPOSITORY / "Dockerfile").read_text(), flags=re.MULTILINE)
    lines = text.replace("\\\n", " ").splitlines()
    return [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1]) for line in lines if line]


def stages() -> list[list[tuple[str, str]]]:
    """The instructions of the Dockerfile by stage."""
    made: list[list[tuple[str, str]]] = []
    for name, value in instructions():
        if name == "FROM":
            made.append([])
        made[-1].append((name, value))
    return made


def copied() -> list[str]:
    """What the first stage copies from the repository."""
    return [name for key, value in stages()[0] if key == "COPY" for name in value.split()[:-1]]


def installations() -> list[str]:
    """The commands of the first stage that install."""
    return [value for key, value in stages()[0] if key == "RUN"]


def test_image_has_a_supported_python_in_both_stages() -> None:
    bases = {stage[0][1].split()[0] for stage in stages()}
    assert len(stages()) == 2
    (base,) = bases
    found = re.fullmatch(r"python:(3\.\d+)-slim", base)
    assert found
    assert f"{PYTHON}{found[1]}" in PROJECT["classifiers"]


def test_image_runs_the_tap_as_a_user_who_is_not_root() -> None:
    """The user exists, and nothing after it needs root."""
    last = stages()[-1]
    assert re.search(r"useradd .*--uid 10001 tap$", dict(last)["RUN"])
    assert dict(last)["USER"] == "10001"
    after = [name for name, _ in last[[name for name, _ in last].index("USER") + 1 :]]
    assert after == ["WORKDIR", "ENTRYPOINT"]
    program, *arguments = json.loads(dict(last)["ENTRYPOINT"])
    assert program in PROJECT["scripts"]
    assert arguments == ["--config=ENV"]


def test_image_has_the_packages_of_the_lock_and_only_what_was_installed() -> None:
    """The lock has every extra: see project/test_lock.py."""
    dependencies, tap = installations()
    assert dependencies.endswith(
        "install --no-cache-dir --require-hashes --requirement requirements.lock"
    )
    # Nothing but the lock chooses a version, and nothing is missing.
    assert re.search(r"install .*--no-deps \. && /tap/bin/pip check$", tap)
    assert dict(stages()[-1])["COPY"] == "--from=build /tap /tap"
    assert stages()[0][0][1].endswith(" AS build")
    assert dict(stages()[-1])["ENV"] == "PATH=/tap/bin:$PATH"


def test_files_of_the_image_are_those_that_docker_may_see() -> None:
    lines = (REPOSITORY / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    assert {rule[1:] for rule in rules if rule.startswith("!")} == set(copied())


def test_steps_of_the_image_give_an_environment_that_runs_the_tap(tmp_path: Path) -> None:
    """With the files that Docker may see, by uv instead of pip, which has no cache here."""
    source, environment = tmp_path / "source", tmp_path / "environment"
    source.mkdir()
    for name in copied():
        path = REPOSITORY / name
        (shutil.copytree if path.is_dir() else shutil.copy)(path, source / name)
    uv = Path(sys.executable).with_name("uv")
    pip = (uv, "pip", "install", "--quiet", "--python", environment)
    done = ""
    for command in (
        (uv, "venv", "--quiet", "--python", sys.executable, environment),
        (*pip, "--require-hashes", "--requirement", "requirements.lock"),
        (*pip, "--no-deps", "."),
        (uv, "pip", "check", "--quiet", "--python", environment),
        (environment / "bin" / "tap-dynamics365", "--version"),
    ):
        run = subprocess.run(  # noqa: S603 - uv, and the tap
            command, cwd=source, capture_output=True, text=True, check=False
        )
        assert run.returncode == 0, run.stderr
        done = run.stdout
    assert done.startswith("tap-dynamics365 v")


@pytest.mark.parametrize("option", ["--version", "--about", "--help"])
def test_options_work_after_those_of_the_entry_point(option: str) -> None:
    entry = json.loads(dict(stages()[-1])["ENTRYPOINT"])
    command = [Path(sys.executable).with_name(entry[0]), *entry[1:], option]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - the tap
    assert done.returncode == 0, done.stderr
    assert "tap-dynamics365" in done.stdout


def test_commands_for_docker_on_the_page_are_those_of_the_dockerfile() -> None:
    commands, _ = PAGE.blocks("Docker", "sh")
    head = (REPOSITORY / "Dockerfile").read_text().splitlines()[1:3]
    for line in head:
        assert line.removeprefix("#   ") in commands.splitlines()


def keywords(call: ast.Call) -> dict[str, Any]:
    """The arguments of a call that are constants, by name."""
    return {
        each.arg: each.value.value
        for each in call.keywords
        if each.arg and isinstance(each.value, ast.Constant)
    }


def test_example_for_airflow_runs_one_pipeline_at_a_time() -> None:
    tree = ast.parse((EXAMPLES / "airflow" / "dynamics365.py").read_text())
    calls = {
        node.func.id: keywords(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert calls["DAG"]["max_active_runs"] == 1
    assert calls["DAG"]["catchup"] is False
    assert calls["BashOperator"]["bash_command"] == PIPELINE
    assert calls["BashOperator"]["append_env"] is True
    assert "MELTANO_STATE_BACKEND_URI" in ast.unparse(tree)


def test_example_for_github_actions_has_settings_of_the_tap() -> None:
    workflow = yaml.safe_load((EXAMPLES / "github-actions" / "extract.yml").read_text())
    assert workflow["permissions"] == {}
    assert workflow["concurrency"]["cancel-in-progress"] is False
    (job,) = workflow["jobs"].values()
    last = job["steps"][-1]
    assert last["run"] == PIPELINE
    properties = CONFIG_SCHEMA["properties"]
    for variable, value in last["env"].items():
        name = variable.removeprefix("TAP_DYNAMICS365_").lower()
        if name != variable.lower():
            secret = properties[name].get("secret", False)
            assert value.startswith("${{ secrets." if secret else "${{ vars.")
    assert "MELTANO_STATE_BACKEND_URI" in last["env"]
    (meltano,) = PYPROJECT["dependency-groups"]["meltano"]
    installed = [step.get("run", "") for step in job["steps"]]
    assert f'python -m pip install "{meltano.replace("meltano", "meltano[s3]")}"' in installed


def test_actions_in_the_example_are_those_of_this_project() -> None:
    ours = (REPOSITORY / ".github" / "workflows" / "test.yml").read_text()
    example = (EXAMPLES / "github-actions" / "extract.yml").read_text()
    used = re.findall(r"\buses: *(.*)", example)
    assert used
    assert set(used) <= set(re.findall(r"\buses: *(.*)", ours))
