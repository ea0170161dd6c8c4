"""Column list: the columns of a table, and what its first rows say of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_dynamics365.commands import listing
from tap_dynamics365.planning import sample
from tap_dynamics365.services.describe import with_choices
from tap_dynamics365.singer import overview

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tap_dynamics365.commands.listing import Row

# Headings of the lists, by the names of their values in JSON.
COLUMNS = {"name": "column", "kind": "type", "label": "label", "description": "description"}
SIZES = {
    "name": "column",
    "kind": "type",
    "label": "label",
    "filled": "filled",
    "bytes_per_row": "bytes per row",
    "share_of_bytes": "share of bytes",
}


def columns(config: Mapping[str, Any], name: str, *, sizes: bool) -> list[Row]:
    """List the columns of a table.

    Args:
        config: The settings of the tap.
        name: The name of the table.
        sizes: Whether to read the first rows of the table, in one page.

    Returns:
        What is known of each column. With `sizes`, also `sampled_rows`, and of these rows `filled`,
        `bytes_per_row` and `share_of_bytes`.

    Raises:
        MetadataError: There is no such table, or the metadata document is not valid.
        ServiceError: The service refused.
        SettingsError: A setting is missing or wrong.
        SignInError: The sign-in host gave no token.
    """
    service, settings, described = listing.one_table(config, name)
    found = overview.of_columns(with_choices(service, described))
    if sizes:
        known, _ = sample.read(service, settings, described.table)
        nothing = dict.fromkeys(sample.Measured._fields)
        for row in found:
            measured = known.columns.get(row["name"])
            row["sampled_rows"] = known.rows
            row.update(measured._asdict() if measured else nothing)
    return found


def in_text(found: Sequence[Row]) -> Iterator[str]:
    """Write the columns of a table as text.

    Args:
        found: The columns.

    Yields:
        The lines.
    """
    if not found or "sampled_rows" not in found[0]:
        yield from listing.in_text(found, COLUMNS)
        return
    yield from listing.in_text([_written(row) for row in found], SIZES, right=tuple(SIZES)[3:])
    rows = found[0]["sampled_rows"]
    yield ""
    if rows:
        yield f"Of the first {rows:,} {'row' if rows == 1 else 'rows'}, before compression."
    else:
        yield "The table has no rows that you may read."


def _written(row: Row) -> Row:
    if row["filled"] is None:
        return row
    return row | {
        "filled": f"{row['filled']:.0%}",
        "bytes_per_row": round(row["bytes_per_row"]),
        "share_of_bytes": f"{row['share_of_bytes']:.1%}",
    }
