"""SECURITY.md: promises that can be checked by reading the code."""

from __future__ import annotations

import ast
import re
import tomllib
from typing import TYPE_CHECKING

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from tap_dynamics365.settings.config_schema import CONFIG_SCHEMA
from tools.repository import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PACKAGE = REPOSITORY / "tap_dynamics365"
FILES = sorted(PACKAGE.rglob("*.py"))
# Modules that run programs, or create objects from what they read; and the files that may use one.
MODULES = {"dill", "marshal", "multiprocessing", "pickle", "pty", "shelve", "subprocess", "yaml"}
# They open the browser, and ask git whether it ignores a file.
MAY_IMPORT = {"login/web_browser.py": {"subprocess"}, "config_files/git.py": {"subprocess"}}
CALLS = {
    "__import__",
    "compile",
    "eval",
    "exec",
    "mktemp",
    "os.execv",
    "os.popen",
    "os.spawnv",
    "os.system",
    "tempfile.mktemp",
}


def name(node: ast.expr) -> str:
    """The dotted name of a called function, such as `os.system`."""
    match node:
        case ast.Name():
            return node.id
        case ast.Attribute():
            return f"{name(node.value)}.{node.attr}"
        case _:
            return ""


def imported(tree: ast.AST) -> Iterator[str]:
    """Name the modules that a file imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_code_executes_nothing_and_verifies_tls(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    allowed = MAY_IMPORT.get(path.relative_to(PACKAGE).as_posix(), set())
    assert set(imported(tree)) & MODULES <= allowed
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            assert name(node.func) not in CALLS
            for keyword in node.keywords:
                assert keyword.arg not in {"shell", "verify"}
        if isinstance(node, ast.Attribute):
            assert node.attr not in {"CERT_NONE", "check_hostname", "_create_unverified_context"}
        if isinstance(node, ast.Assign) and any(name(t).endswith(".verify") for t in node.targets):
            # A path of certificates, or True.
            assert "False" not in ast.unparse(node.value)


def test_settings_turn_no_verification_off() -> None:
    verification = re.compile(r"verif|insecure|tls|ssl", re.IGNORECASE)
    assert not [setting for setting in CONFIG_SCHEMA["properties"] if verification.search(setting)]


def test_dependencies_have_a_lower_and_an_upper_bound() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"].values()
    for dependency in [*project["dependencies"], *(each for extra in extras for each in extra)]:
        # Of cryptography the newest is the one to have, and pyarrow has a new major version every
        # few months.
        bounded = re.fullmatch(r"[\w-]+(>=[\d.]+,<\d+|~=[\d.]+)", dependency)
        assert bounded or dependency.startswith(("cryptography>=", "pyarrow>="))


# By dependency: the first version without a vulnerability known at the time of writing.
SOUND = {
    "cryptography": "50.0.0",
    "filelock": "3.20.3",
    "jinja2": "3.1.6",
    "pyjwt": "2.13.0",
    "requests": "2.33.0",
    "urllib3": "2.7.0",
}


@pytest.mark.parametrize("name", SOUND)
def test_dependency_with_a_known_vulnerability_is_not_accepted(name: str) -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"].values()
    every = [*project["dependencies"], *(each for extra in extras for each in extra)]
    (found,) = [each for each in map(Requirement, every) if each.name == name]
    (oldest,) = [bound.version for bound in found.specifier if bound.operator == ">="]
    assert Version(oldest) >= Version(SOUND[name])
