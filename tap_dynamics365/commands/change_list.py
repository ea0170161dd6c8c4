"""Change list: tables and columns that have changed since a file of a project was written."""

from __future__ import annotations

from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from tap_dynamics365.config_files import saved_schema
from tap_dynamics365.connection import open_service
from tap_dynamics365.services.describe import describe
from tap_dynamics365.services.registry import complete_url
from tap_dynamics365.settings import Settings
from tap_dynamics365.settings.config_schema import CONFIG_SCHEMA
from tap_dynamics365.singer import process

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tap_dynamics365.commands.listing import Row


def read(config: Mapping[str, Any], patterns: Sequence[str], file: str) -> list[Row]:
    """List what has changed since a file was written.

    Args:
        config: The settings of the tap.
        patterns: Names of tables, with `*` and `?` as wildcards. Without one, the setting `tables`
            applies.
        file: The path of a catalog or a schema map.

    Returns:
        The changes: `table`, `change` (`new`, `gone` or `changed`), and the columns that are
        `added`, `removed` and `retyped`.

    Raises:
        InputError: The file can't be read, or is neither.
        MetadataError: The metadata document is not valid.
        ServiceError: The service refused.
        SettingsError: A setting is missing or wrong.
        SignInError: The sign-in host gave no token.
    """
    settings = Settings.from_config(config, CONFIG_SCHEMA, complete_url=complete_url)
    process.hide_secrets()
    service = open_service(settings)
    # Reading the tables may refresh a schema map.
    saved = saved_schema.read(Path(file), service, settings)
    wanted = [each.lower() for each in patterns or settings.tables]
    every = describe(service, replace(settings, tables=()))
    changes = saved.changes(table for table, _ in every)
    return [
        msgspec.to_builtins(each)
        for each in changes
        if not wanted or any(fnmatchcase(each.table.lower(), pattern) for pattern in wanted)
    ]


def in_text(found: Sequence[Row]) -> Iterator[str]:
    """Write changes as text: `+` is new, `-` is gone, and `~` is another type.

    Args:
        found: The changes.

    Yields:
        The lines.
    """
    if not found:
        yield "No table and no column has changed."
    for row in found:
        sign = {"new": "+", "gone": "-"}.get(row["change"], "~")
        yield f"{sign} {row['table']}"
        if sign != "~":
            continue
        yield from (f"    + {column}" for column in row["added"])
        yield from (f"    - {column}" for column in row["removed"])
        for column, before, now in row["retyped"]:
            yield f"    ~ {column}: {before or 'unknown'} → {now}"
