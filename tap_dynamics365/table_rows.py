"""Table rows: reads the rows of one table, of all its parts, as Python values."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Raw

from tap_dynamics365.errors import ServiceError, SettingsError
from tap_dynamics365.extract.reader import TableReader
from tap_dynamics365.extract.table_spec import table_spec
from tap_dynamics365.odata.json_schema import properties
from tap_dynamics365.odata.page import reading
from tap_dynamics365.services import part as divisions
from tap_dynamics365.services.conversion import conversions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from tap_dynamics365.extract.range import Range
    from tap_dynamics365.extract.read import TableRead
    from tap_dynamics365.extract.table import TableSpec
    from tap_dynamics365.odata.edm import Table
    from tap_dynamics365.services.conversion import Conversion
    from tap_dynamics365.services.kind import Service
    from tap_dynamics365.services.part import Part
    from tap_dynamics365.settings import Settings


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


def read_rows(
    service: Service,
    settings: Settings,
    table: Table,
    columns: Sequence[str] = (),
    parts: Callable[[], Iterable[Part]] | None = None,
) -> Iterator[dict[str, Any]]:
    """Read all rows of a table that its filter in the setting `filters` leaves, page by page.

    If the service refuses a column in the middle of the table, the read begins again without that
    column, and rows come twice.

    Args:
        service: The service.
        settings: The settings.
        table: The table.
        columns: The columns to read; all columns if empty.
        parts: Returns the parts of the service. By default, the service is asked for them.

    Yields:
        Each row by column. Numbers with a fraction are `Decimal`, dates are text.

    Raises:
        SettingsError: The table does not have one of the columns.
        ServiceError: The service refused.
        SignInError: The sign-in host gave no token.
    """
    kind = service.kind
    known = properties(table)
    wanted = columns or list(known)
    if unknown := [column for column in columns if column not in known]:
        msg = f"The table {table.name!r} has no column {', '.join(map(repr, unknown))}."
        raise SettingsError(msg)
    divided = divisions.columns(kind.part_columns, known)
    spec = table_spec(
        service,
        settings,
        table.name,
        table.entity_set,
        schema=known,
        # Reading continues after a row by its key.
        wanted=dict.fromkeys((*columns, *table.key)) if columns else (),
        row_key=table.key,
        stream_key=table.key,
    )
    specs = [spec]
    if divided:
        every = parts() if parts else kind.parts(service.client, settings)
        specs = [spec.in_part(part, divided) for part in every if part.is_selected]
    refusals = []
    converted = conversions(kind.conversion, known, settings)
    for each in specs:
        try:
            for row in _rows_of_part(service, settings, each):
                _convert(row, converted)
                yield {column: row.get(column) for column in wanted}
        except _SkippedError as error:
            refusals.append(error.refusal)
    if len(refusals) == len(specs):
        raise refusals[0]


def _rows_of_part(
    service: Service, settings: Settings, spec: TableSpec
) -> Iterator[dict[str, Any]]:
    """Yield the rows of a table, or of a part of it.

    Raises:
        _SkippedError: The service does not let it be read.
        ServiceError: It failed.
    """
    reader = TableReader.without_state(spec, service.client, settings)
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
