"""Project: the folder of the person's project, as the page names it."""

from __future__ import annotations

from pathlib import Path

from tap_dynamics365 import atomic_file
from tap_dynamics365.config_files import catalog_json, config_json, env_file, meltano_yml

# In the order of their importance. A project of Meltano is known by its first one.
FILES = (meltano_yml.NAME, config_json.NAME, catalog_json.NAME, env_file.NAME)


def folder(project: Path) -> str:
    """Write the path of the folder, or of a file in it, as people do: with `~` for the home folder.

    Args:
        project: The path.
    """
    try:
        return str(Path("~") / project.relative_to(Path.home()))
    except (ValueError, RuntimeError):
        # It is elsewhere, or this user has no home folder.
        return str(project)


def files(project: Path) -> str:
    """Name the file that makes the folder a project; without one, the other files of the tap.

    Args:
        project: The folder.
    """
    try:
        there = {each.name for each in project.iterdir()}
    except OSError as error:
        return f"can't be read: {atomic_file.error_text(error)}"
    found = [name for name in FILES if name in there]
    return found[0] if meltano_yml.NAME in found else ", ".join(found) or "no files yet"
