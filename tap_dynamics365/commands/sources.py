"""Sources: the settings of a command, from the files and variables that the tap reads too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from tap_dynamics365.login import config
from tap_dynamics365.settings import environment
from tap_dynamics365.settings.config_schema import CONFIG_SCHEMA
from tap_dynamics365.singer import input_files

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

# As a file, it stands for the environment variables.
ENVIRONMENT = "ENV"


def read_settings(files: Sequence[str], folder: Path | None = None) -> dict[str, Any]:
    """Read the settings of the tap.

    Args:
        files: The values of the option `--config`. Without any, variables are read, as with `ENV`.
        folder: The folder whose file .env is read. By default, the working folder.

    Returns:
        Values by setting name.

    Raises:
        InputError: A file can't be read, or a variable has an invalid value.
    """
    if not files or ENVIRONMENT in files:
        return config.configured(files, folder)
    environment.warn(CONFIG_SCHEMA)
    return input_files.read_config(files)


def read_catalog(path: str | None) -> dict[str, Any] | None:
    """Read a catalog.

    Args:
        path: The path of the file; None if there is none.

    Returns:
        The catalog, if there is one.

    Raises:
        InputError: The file can't be read, or is no catalog.
    """
    if path is None:
        return None
    catalog: dict[str, Any] = msgspec.json.decode(input_files.read(path, "catalog"))
    return catalog
