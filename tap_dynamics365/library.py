"""The tap as a library: open a service, list its tables, read one."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal, InvalidOperation
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Self

import msgspec
from msgspec import Raw

from tap_dynamics365.connection import open_service
from tap_dynamics365.errors import MetadataError, ServiceError, SettingsError
from tap_dynamics365.extract.reader import TableReader
from tap_dynamics365.extract.table import TableSpec
from tap_dynamics365.odata.json_schema import properties
from tap_dynamics365.odata.page import reading
from tap_dynamics365.services import part as parts
from tap_dynamics365.services.conversion import conversions
from tap_dynamics365.services.describe import Described, describe
from tap_dynamics365.services.registry import complete_url
from tap_dynamics365.settings import JSON_SCHEMA, Settings, filters

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from types import TracebackType

    from tap_dynamics365.extract.range import Range
    from tap_dynamics365.extract.read import TableRead
    from tap_dynamics365.odata.edm import Table as CsdlTable
    from tap_dynamics365.services.conversion import Conversion
    from tap_dynamics365.services.part import Part

__all__ = ["Described", "Dynamics365"]


def _number(text: str) -> Decimal | float:
    try:
        return Decimal(text)
    except InvalidOperation:
        # The exponent has more digits than Decimal takes.
        return float(text)


class _SkippedError(Exception):
    """The service does not let a table be read, or a part of it.

    Args:
        refusal: The refusal.
    """

    def __init__(self, refusal: ServiceError) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


_decode = msgspec.json.Decoder(dict[str, Any], float_hook=_number).decode
_value = msgspec.json.Decoder(str | None).decode
_encode = msgspec.json.Encoder().encode


class Dynamics365:
    """A service of Dynamics 365.

    Requests are signed, retried and throttled as in the tap. Errors are
    `tap_dynamics365.errors.Dynamics365Error`, each with one sentence as its `message`.

    Example:
        >>> with Dynamics365({"service_url": url, "refresh_token": token}) as service:
        ...     for row in service.rows("account", ["name", "revenue"]):
        ...         print(row["name"], row["revenue"])

    Args:
        settings: The settings of the tap by name; see docs/settings.md.

    Raises:
        SettingsError: A setting is missing, misspelt, or contradicts another one.
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._settings = Settings.from_config(settings, JSON_SCHEMA, complete_url=complete_url)
        self._service = open_service(self._settings)
        self._described: dict[str, Described] = {}

    def __enter__(self) -> Self:
        """Return the service, which is closed at the end of the block."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the service."""
        self.close()

    def close(self) -> None:
        """Close the connections to the service."""
        self._service.client.close()

    def tables(self, *patterns: str) -> list[Described]:
        """List tables.

        Args:
            *patterns: Names of tables, with `*` and `?` as wildcards. Without a pattern, the
                setting `tables` applies.

        Returns:
            Each table with its columns and its key, and its definition if the service has one.

        Raises:
            MetadataError: No table matches, or the metadata document is not valid.
            ServiceError: The service refused.
            SignInError: The sign-in host gave no token.
        """
        if patterns:
            settings = replace(self._settings, tables=patterns)
            found = list(describe(self._service, settings, source=""))
        else:
            found = list(describe(self._service, self._settings))
        self._described |= {described.table.name: described for described in found}
        return found

    def rows(self, name: str, columns: Sequence[str] = ()) -> Iterator[dict[str, Any]]:
        """Read all rows of a table that its filter in the setting `filters` leaves, page by page.

        If the service refuses a column in the middle of the table, the read begins again without
        that column, and rows come twice.

        Args:
            name: The name of the table.
            columns: The columns to read; all columns if empty.

        Yields:
            Each row by column. Numbers with a fraction are `Decimal`, dates are text.

        Raises:
            SettingsError: The table does not have one of the columns.
            MetadataError: There is no such table.
            ServiceError: The service refused.
            SignInError: The sign-in host gave no token.
        """
        table, kind = self._table(name), self._service.kind
        known = properties(table)
        wanted = columns or list(known)
        if unknown := [column for column in columns if column not in known]:
            msg = f"The table {table.name!r} has no column {', '.join(map(repr, unknown))}."
            raise SettingsError(msg)
        divided = parts.columns(kind.part_columns, known)
        changed_at = kind.parent_changed_at if kind.parent_changed_at in known else ""
        parent_id = kind.parent_id if kind.parent_id in known else ""
        added = {*divided, parent_id, changed_at}
        # Reading continues after a row by its key.
        asked = dict.fromkeys((*columns, *table.key)) if columns else {}
        spec = TableSpec(
            name=table.name,
            entity_set=table.entity_set,
            place=partial(kind.url, self._service.client.url),
            schema=known,
            columns=tuple(column for column in asked if column not in added),
            row_key=tuple(column for column in table.key if column not in added),
            stream_key=tuple(table.key),
            row_filter=filters.find(self._settings.filters, table.name),
            parent_id=parent_id,
            changed_at=changed_at,
            is_bound=kind.is_bound(table.entity_set),
            parents=lambda: kind.parents(self._service.client, table.entity_set),
        )
        specs = [spec]
        if divided:
            specs = [spec.in_part(part, divided) for part in self._parts if part.is_selected]
        refusals = []
        converted = conversions(kind.conversion, known, self._settings)
        for each in specs:
            try:
                for row in self._rows(each):
                    _convert(row, converted)
                    yield {column: row.get(column) for column in wanted}
            except _SkippedError as error:
                refusals.append(error.refusal)
        if len(refusals) == len(specs):
            raise refusals[0]

    @cached_property
    def _parts(self) -> Sequence[Part]:
        return self._service.kind.parts(self._service.client, self._settings)

    def _rows(self, spec: TableSpec) -> Iterator[dict[str, Any]]:
        """Yield the rows of a table, or of a part of it.

        Raises:
            _SkippedError: The service does not let it be read.
            ServiceError: It failed.
        """
        reader = TableReader.without_state(spec, self._service.client, self._settings)
        reads = reader.reads()
        read = next(reads, None)
        while read is not None:
            try:
                yield from _rows(reader, read)
                read = next(reads, None)
            except ServiceError as error:
                # Another way to read the table, if there is one.
                read = reader.fallback(reads, error)
                if reader.is_skipped:
                    raise _SkippedError(error) from error

    def _table(self, name: str) -> CsdlTable:
        if name not in self._described:
            self.tables(name)
        if name not in self._described:
            msg = f"The service has no table of the name {name!r}."
            raise MetadataError(msg)
        return self._described[name].table


def _rows(reader: TableReader, read: TableRead) -> Iterator[dict[str, Any]]:
    """Yield the rows of a read."""
    for whole in read.first_ranges():
        yield from _rows_of(reader, read, whole)


def _rows_of(reader: TableReader, read: TableRead, whole: Range) -> Iterator[dict[str, Any]]:
    while not whole.done:
        page = read.accept(reader.pages.fetch(read, whole))
        for text in page.rows:
            with reading():
                row = _decode(text)
            # A part of a table is not taken for the whole.
            reader.table.sent(1)
            yield row
        whole.follow(page)


def _convert(row: dict[str, Any], found: Mapping[str, Conversion]) -> None:
    """Convert the values of a row."""
    for name, convert in found.items():
        if isinstance(value := row.get(name), str):
            (new,) = convert([Raw(_encode(value))])
            row[name] = _value(new)
