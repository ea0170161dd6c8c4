"""Check of a release: `make release-check` builds the package, and tries it as users get it.

The steps: build source distribution and wheel; check what a package index shows; install the wheel
into a new environment, and run its programs there. docs/releasing.md describes them.
"""

from __future__ import annotations

import argparse
import email
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from zipfile import ZipFile

from tools.repository import REPOSITORY

if TYPE_CHECKING:
    from email.message import Message

NAME = "tap-dynamics365"
UV = Path(sys.executable).with_name("uv")
PROGRAMS = Path("Scripts" if os.name == "nt" else "bin")
# No account of GitHub can have this name, because it begins with a hyphen.
PLACEHOLDER = "-owner-"
LINK = re.compile(r"\]\(([^)\s]+)\)")


class ReleaseError(RuntimeError):
    """The package must not be released."""


def output(*command: str | Path) -> str:
    """Run a program.

    Args:
        command: Its command line.

    Returns:
        Its standard output.

    Raises:
        ReleaseError: It failed.
    """
    # Settings of the caller must not change what the tap prints.
    own = {name: each for name, each in os.environ.items() if not name.startswith("TAP_")}
    done = subprocess.run(  # noqa: S603 - uv, and programs of the package
        [*command], cwd=REPOSITORY, env=own, capture_output=True, text=True, check=False
    )
    if done.returncode:
        text = f"{' '.join(map(str, command))} failed:\n{done.stdout}{done.stderr}"
        raise ReleaseError(text)
    return done.stdout


def build(folder: Path) -> Path:
    """Build the source distribution, and from it the wheel.

    Args:
        folder: Where to; what was in it is removed.

    Returns:
        The wheel.
    """
    shutil.rmtree(folder, ignore_errors=True)
    output(UV, "build", "--quiet", "--out-dir", folder, REPOSITORY)
    (wheel,) = folder.glob("*.whl")
    return wheel


def metadata(wheel: Path) -> Message:
    """Read the metadata of a wheel, whose body is the README."""
    with ZipFile(wheel) as archive:
        (name,) = (each for each in archive.namelist() if each.endswith(".dist-info/METADATA"))
        return email.message_from_bytes(archive.read(name))


def urls(package: Message) -> dict[str, str]:
    """Return the addresses of the project by label."""
    pairs = (text.partition(", ") for text in package.get_all("Project-URL", ()))
    return {label: url for label, _, url in pairs}


def check_links(package: Message) -> None:
    """Check that the links of the README work outside the repository.

    Args:
        package: Metadata of the package.

    Raises:
        ReleaseError: Some do not.
    """
    links = LINK.findall(str(package.get_payload()))
    relative = sorted({link for link in links if not link.startswith("https://")})
    if relative:
        msg = f"Links of README.md have no address on the package index: {', '.join(relative)}."
        raise ReleaseError(msg)
    repository = urls(package)["Repository"]
    own = [link for link in links if link.startswith(f"{repository}/blob/")]
    version = f"{repository}/blob/v{package['Version']}/"
    if not own or not all(link.startswith(version) for link in own):
        msg = f"Links of README.md do not lead to {version}: look at pyproject.toml."
        raise ReleaseError(msg)


def check_owner(package: Message, repository: str | None) -> None:
    """Check that the addresses of the package are those of the repository that releases it.

    Args:
        package: Metadata of the package.
        repository: Owner and name of the repository, or None outside GitHub.

    Raises:
        ReleaseError: They are of another one.
    """
    for label, url in urls(package).items():
        if repository and not f"{url}/".startswith(f"https://github.com/{repository}/"):
            msg = (
                f"{label} is {url}, but the repository is {repository}: write its owner into "
                "pyproject.toml, and run make hub."
            )
            raise ReleaseError(msg)


def check_installation(wheel: Path, sbom: Path | None = None) -> list[str]:
    """Install a wheel into a new environment, and run its programs there.

    Args:
        wheel: The wheel.
        sbom: Where to write the list of the packages in that environment; None for nowhere.

    Returns:
        What the tap prints as its version, and the number of its settings.

    Raises:
        ReleaseError: Something failed, or it is another version.
    """
    version = metadata(wheel)["Version"]
    with TemporaryDirectory(prefix="release-") as name:
        environment = Path(name, "venv")
        output(UV, "venv", "--quiet", "--python", sys.executable, environment)
        output(UV, "pip", "install", "--quiet", "--python", environment, wheel)
        programs = environment / PROGRAMS
        printed = output(programs / NAME, "--version").strip()
        if version not in printed:
            msg = f"The wheel is of version {version}, and its program prints {printed}."
            raise ReleaseError(msg)
        about = json.loads(output(programs / NAME, "--about", "--format=json"))
        for other in (f"{NAME}-login", "dynamics365"):
            output(programs / other, "--help")
        if sbom:
            sbom.parent.mkdir(exist_ok=True)
            output(
                *(REPOSITORY / ".venv-release" / PROGRAMS / "cyclonedx-py", "environment"),
                *("--pyproject", REPOSITORY / "pyproject.toml", "--output-reproducible"),
                *("--output-file", sbom, programs / "python"),
            )
    return [printed, f"{len(about['settings']['properties'])} settings"]


def main() -> None:
    """Check the release."""
    parser = argparse.ArgumentParser(description="Build the package, and check it.")
    parser.add_argument("--folder", type=Path, default=REPOSITORY / "dist")
    parser.add_argument("--sbom", action="store_true", help="list the packages of an installation")
    options = parser.parse_args()
    wheel = build(options.folder)
    package = metadata(wheel)
    check_links(package)
    check_owner(package, os.environ.get("GITHUB_REPOSITORY"))
    sbom = options.folder / "sbom" / "sbom.cdx.json" if options.sbom else None
    lines = check_installation(wheel, sbom)
    if f"/{PLACEHOLDER}/" in urls(package)["Repository"]:
        lines.append("The owner of the repository is not set yet: see docs/releasing.md.")
    sys.stdout.write("\n".join([wheel.name, *lines, ""]))


if __name__ == "__main__":
    try:
        main()
    except ReleaseError as error:
        sys.exit(str(error))
