"""Table spec: what to extract of a table, as its columns, the service and the settings say."""

from __future__ import annotations

from fnmatch import fnmatchcase
from functools import partial
from typing import TYPE_CHECKING, Any

from tap_dynamics365.extract.read import FULL_TABLE
from tap_dynamics365.extract.table import TableSpec
from tap_dynamics365.services import name_columns
from tap_dynamics365.services import part as parts
from tap_dynamics365.settings import filters

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tap_dynamics365.services.kind import Service
    from tap_dynamics365.settings import Settings

NOT_ANNOTATED: Mapping[str, str] = {}


def table_spec(  # noqa: PLR0913 - what a table is made of
    service: Service,
    settings: Settings,
    name: str,
    entity_set: str,
    *,
    schema: Mapping[str, Any],
    wanted: Iterable[str],
    row_key: Sequence[str],
    stream_key: Sequence[str],
    annotated: Mapping[str, str] = NOT_ANNOTATED,
    method: str = FULL_TABLE,
    replication_key: str | None = None,
    is_virtual: bool = False,
) -> TableSpec:
    """Describe what to extract of a table.

    Args:
        service: The service.
        settings: The settings.
        name: The name of the table.
        entity_set: The name of its rows.
        schema: The JSON Schema of each column.
        wanted: The columns to read; those that the tap fills are not asked for.
        row_key: The columns by which the service identifies rows.
        stream_key: The columns by which the target identifies rows.
        annotated: For columns that are annotations of others: their names in rows.
        method: The replication method.
        replication_key: The column whose value grows with each change, if there is one.
        is_virtual: Whether a data provider fetches the rows from another source.
    """
    kind = service.kind
    changed_at = kind.parent_changed_at if kind.parent_changed_at in schema else ""
    parent_id = kind.parent_id if kind.parent_id in schema else ""
    # The columns that the tap fills, and does not ask for.
    added = {*parts.columns(kind.part_columns, schema), parent_id, changed_at}
    asked = [annotated.get(column, column) for column in wanted if column not in added]
    return TableSpec(
        name=name,
        entity_set=entity_set,
        place=partial(kind.url, service.client.url),
        schema=schema,
        columns=tuple(name_columns.columns(asked)),
        annotations=name_columns.kinds(asked),
        row_key=tuple(column for column in row_key if column not in added),
        stream_key=tuple(stream_key),
        method=method,
        replication_key=replication_key,
        is_virtual=is_virtual,
        partition=kind.partition,
        row_filter=filters.find(settings.filters, name),
        coverage=kind.coverage(settings),
        parent_id=parent_id,
        changed_at=changed_at,
        may_be_sorted=any(
            fnmatchcase(name.lower(), pattern.lower()) for pattern in settings.sorted_tables
        ),
        is_bound=kind.is_bound(entity_set),
        parents=lambda: kind.parents(service.client, entity_set),
    )
