"""What people see who report a bug or send a change: issue forms, templates, and badges."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING

import pytest
import yaml

from tap_dynamics365 import __version__
from tools.repository import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

FORMS = sorted((REPOSITORY / ".github" / "ISSUE_TEMPLATE").glob("[!c]*.yml"))
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
KINDS = {"markdown", "input", "dropdown", "textarea"}


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.name)
def test_issue_form_has_what_github_requires(path: Path) -> None:
    """A name, a description, and fields with a kind, an id of their own and a label."""
    form = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert form["name"]
    assert form["description"]
    fields = [each for each in form["body"] if each["type"] != "markdown"]
    assert {each["type"] for each in form["body"]} <= KINDS
    assert len({each["id"] for each in fields}) == len(fields)
    assert all(each["attributes"]["label"] for each in fields)
    assert all(each["attributes"]["options"] for each in fields if each["type"] == "dropdown")
    assert any(each.get("validations", {}).get("required") for each in fields)


def test_issue_form_of_a_bug_asks_for_the_version_as_the_tap_prints_it() -> None:
    (path,) = (path for path in FORMS if path.name == "bug.yml")
    form = yaml.safe_load(path.read_text(encoding="utf-8"))
    (field,) = (each for each in form["body"] if each.get("id") == "version")
    pattern = rf"tap-dynamics365 v{re.escape(__version__)}, Meltano SDK v[\d.]+"
    assert re.fullmatch(pattern, field["attributes"]["placeholder"])


def test_badges_of_the_readme_say_what_pyproject_says() -> None:
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    badge = re.compile(r"^\[!\[(.+?)\]\(https://img\.shields\.io/badge/(\S+)\)\]", re.MULTILINE)
    badges = badge.findall(readme)
    assert len(badges) == 3
    pythons = [
        name.split()[-1] for name in PROJECT["classifiers"] if re.search(r"Python :: 3\.\d+$", name)
    ]
    assert badges[0][0] == f"Python {pythons[0]} to {pythons[-1]}"
    assert badges[0][1] == f"Python-{pythons[0]}_to_{pythons[-1]}-blue"
    assert badges[1][1] == f"license-{PROJECT['license'].replace('-', '--')}-blue"
