"""requirements.lock: the versions of all packages that the Docker image has."""

from __future__ import annotations

import re
import tomllib

import pytest
from packaging.requirements import Requirement

from tools.repository import REPOSITORY

LOCK = REPOSITORY / "requirements.lock"
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
# What the image has: the dependencies, every way to sign in, and the page.
IMAGE = ("azure", "certificate", "configure", "ntlm")
DEPENDENCIES = [*PROJECT["dependencies"], *(each for name in IMAGE for each in EXTRAS[name])]
HASH = re.compile(r" --hash=sha256:[0-9a-f]{64}\b")


def locked() -> dict[str, tuple[Requirement, int]]:
    """The requirements in the lock by name, with the number of their hashes."""
    text = re.sub(r"^\s*#.*\n", "", LOCK.read_text(encoding="utf-8"), flags=re.MULTILINE)
    found = {}
    for line in text.replace("\\\n", "").splitlines():
        requirement = Requirement(HASH.sub("", line))
        found[requirement.name] = requirement, len(HASH.findall(line))
    return found


def test_lock_has_one_version_with_hashes_for_each_package() -> None:
    for requirement, hashes in locked().values():
        assert re.fullmatch(r"==[\w.]+", str(requirement.specifier)), requirement
        assert hashes, requirement


@pytest.mark.parametrize("dependency", DEPENDENCIES)
def test_lock_has_a_version_that_pyproject_allows(dependency: str) -> None:
    wanted = Requirement(dependency)
    found, _ = locked()[wanted.name]
    (version,) = found.specifier
    assert wanted.specifier.contains(version.version)
    # On every system and every Python.
    assert found.marker is None


def test_lock_names_no_package_index() -> None:
    text = LOCK.read_text(encoding="utf-8")
    assert "# " in text
    assert not re.search(r"://|--(extra-)?index-url|--find-links", text)
