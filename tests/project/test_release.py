"""The package as it is released: its metadata, its links, and the check before a release."""

from __future__ import annotations

import email
import os
import re
import subprocess
import sys
import tomllib
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tests.documents import Document
from tools import release
from tools.repository import REPOSITORY

if TYPE_CHECKING:
    from email.message import Message
    from pathlib import Path

PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
OWNER = urlsplit(PROJECT["urls"]["Repository"]).path.split("/")[1]
# Written by people, and by `make hub`.
MAY_NAME_THE_OWNER = {"pyproject.toml", "hub/tap-dynamics365.yml"}
# They explain or know the placeholder.
MAY_NAME_THE_PLACEHOLDER = {".github/CODEOWNERS", "docs/releasing.md", "tools/release.py"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this repository."""
    return release.build(tmp_path_factory.mktemp("package") / "dist")


def package(readme: str, owner: str = "invented") -> Message:
    """Metadata of a package of version 1.2.3."""
    url = f"https://github.com/{owner}/tap-dynamics365"
    return email.message_from_string(
        f"Version: 1.2.3\nProject-URL: Repository, {url}\nProject-URL: Issues, {url}/issues\n\n"
        f"{readme}"
    )


def test_release_check_of_this_repository_passes(tmp_path: Path) -> None:
    done = subprocess.run(  # noqa: S603 - our own module
        [sys.executable, "-m", "tools.release", "--folder", tmp_path / "dist"],
        cwd=REPOSITORY,
        # On GitHub, this repository may be a fork.
        env={name: each for name, each in os.environ.items() if name != "GITHUB_REPOSITORY"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    wheel, version, settings, *_ = done.stdout.splitlines()
    assert re.fullmatch(r"tap_dynamics365-[\d.]+-py3-none-any\.whl", wheel)
    assert version.startswith("tap-dynamics365 v")
    assert re.fullmatch(r"\d+ settings", settings)
    assert len([*(tmp_path / "dist").glob("*.tar.gz")]) == 1


def test_readme_of_the_wheel_has_whole_addresses_of_this_version(wheel: Path) -> None:
    """Each link leads to what it leads to in the repository."""
    built = release.metadata(wheel)
    assert built["Description-Content-Type"] == "text/markdown"
    beginning = f"{PROJECT['urls']['Repository']}/blob/v{built['Version']}/"
    links = set(re.findall(r"\]\(([^)]+)\)", str(built.get_payload())))
    own = {link.removeprefix(beginning) for link in links if link.startswith(beginning)}
    written = Document(REPOSITORY / "README.md").links
    assert own == {f"README.md{link}" if link.startswith("#") else link for link in written}
    assert all(link.startswith("https://") for link in links)


def test_wheel_has_the_tap_alone_with_its_types_and_license(wheel: Path) -> None:
    with release.ZipFile(wheel) as archive:
        names = archive.namelist()
    # The second one is what Apache Spark looks for.
    packages = {"tap_dynamics365", "pyspark_dynamics365"}
    assert {name.split("/")[0].partition("-")[0] for name in names} == packages
    assert "tap_dynamics365/py.typed" in names
    assert [name for name in names if name.endswith("licenses/LICENSE")]


def test_wheel_has_the_files_of_the_page_with_their_license(wheel: Path) -> None:
    with release.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    package_files = REPOSITORY / "tap_dynamics365"
    for folder in ("templates", "static"):
        files = [*(package_files / "configure" / folder).iterdir()]
        assert {file.relative_to(REPOSITORY).as_posix() for file in files} <= names
    assert "tap_dynamics365/configure/static/htmx.LICENSE.txt" in names


@pytest.mark.parametrize(
    ("readme", "words"),
    [
        ("[a](docs/usage.md)", "docs/usage.md"),
        ("[a](#install)", "#install"),
        ("[a](http://example.com)", "http://example.com"),
        ("[a](https://github.com/invented/tap-dynamics365/blob/v1.2.2/LICENSE)", "v1.2.3"),
        ("[a](https://example.com)", "v1.2.3"),
    ],
    ids=["relative", "anchor", "unencrypted", "other-version", "none"],
)
def test_release_with_links_that_lead_nowhere_is_refused(readme: str, words: str) -> None:
    with pytest.raises(release.ReleaseError, match=re.escape(words)):
        release.check_links(package(readme))


def test_release_of_another_repository_is_refused() -> None:
    release.check_owner(package(""), "invented/tap-dynamics365")
    release.check_owner(package("", release.PLACEHOLDER), None)
    for owner in ("other", "invented-too", release.PLACEHOLDER):
        with pytest.raises(release.ReleaseError, match="make hub"):
            release.check_owner(package("", owner), "invented/tap-dynamics365")


def test_owner_of_the_repository_is_written_in_pyproject_alone() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    address = re.compile(r"github\.com/([\w.-]+)/tap-dynamics365\b")
    naming, placeholders = set(), set()
    for name in filter(None, listed.stdout.split("\0")):
        path = REPOSITORY / name
        if not path.is_file() or name.startswith("tests/"):
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        if found := set(address.findall(text)):
            assert found == {OWNER}, name
            naming.add(name)
        if release.PLACEHOLDER in text:
            placeholders.add(name)
    assert naming == MAY_NAME_THE_OWNER
    assert placeholders <= MAY_NAME_THE_OWNER | MAY_NAME_THE_PLACEHOLDER


def test_code_owners_are_those_of_the_repository() -> None:
    text = (REPOSITORY / ".github" / "CODEOWNERS").read_text(encoding="utf-8")
    rules = [line.split() for line in text.splitlines() if line and not line.startswith("#")]
    assert rules[0][0] == "*"
    # The owner, or teams of the owner.
    assert {owner.split("/")[0] for _, *owners in rules for owner in owners} == {f"@{OWNER}"}
