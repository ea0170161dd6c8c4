"""Reference list: how tables refer to each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_dynamics365.commands import listing
from tap_dynamics365.services import references

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tap_dynamics365.commands.listing import Row

HEADINGS = {"table": "table", "columns": "columns", "target": "refers to", "name": "by"}


def read(config: Mapping[str, Any], patterns: Sequence[str]) -> list[Row]:
    """List the references between tables.

    Args:
        config: The settings of the tap.
        patterns: Names of tables, with `*` and `?` as wildcards. Without one, the setting `tables`
            applies.

    Returns:
        The references: `table`, `columns`, `target`, and the navigation property, if there is one,
        as `name`.

    Raises:
        MetadataError: No table matches, or the metadata document is not valid.
        ServiceError: The service refused.
        SettingsError: A setting is missing or wrong.
        SignInError: The sign-in host gave no token.
    """
    service, _, found = listing.describe_tables(config, patterns)
    return [
        each._asdict() | {"name": each.name or None} for each in references.read(service, found)
    ]


def in_text(found: Sequence[Row]) -> Iterator[str]:
    """Write references as text.

    Args:
        found: The references.

    Yields:
        The lines.
    """
    if not found:
        yield "No table refers to another one, or the service does not say so."
        return
    yield from listing.in_text(found, HEADINGS)
