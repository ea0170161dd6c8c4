"""Decoding of rows into record batches: random values of all types, and those that do not fit."""

from __future__ import annotations

import base64
import json
import math
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal, localcontext
from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw

from tap_dynamics365.arrow.columns import Columns
from tap_dynamics365.arrow.decoder import BatchDecoder, Layout
from tap_dynamics365.errors import ServiceError
from tap_dynamics365.odata.edm import Collection, Column, Complex, Enumeration, Primitive, Table
from tap_dynamics365.odata.page import RawPage
from tap_dynamics365.services.describe import Described
from tap_dynamics365.services.table_definition import ColumnDefinition, TableDefinition

if TYPE_CHECKING:
    from tap_dynamics365.odata.edm import EdmType

TYPES: dict[str, EdmType] = {
    "id": Primitive("Edm.Guid"),
    "text": Primitive("Edm.String"),
    "small": Primitive("Edm.Byte"),
    "whole": Primitive("Edm.Int32"),
    "big": Primitive("Edm.Int64"),
    "money": Primitive("Edm.Decimal"),
    "amount": Primitive("Edm.Decimal"),
    "measure": Primitive("Edm.Double"),
    "is": Primitive("Edm.Boolean"),
    "day": Primitive("Edm.Date"),
    "moment": Primitive("Edm.DateTimeOffset"),
    "local": Primitive("Edm.DateTimeOffset"),
    "birthday": Primitive("Edm.DateTimeOffset"),
    "time": Primitive("Edm.TimeOfDay"),
    "bytes": Primitive("Edm.Binary"),
    "choice": Enumeration("X.Choice", ("A", "B")),
    "object": Complex((Column("a", Primitive("Edm.String")),)),
    "list": Collection(Primitive("Edm.Decimal")),
    "other": Primitive("Edm.Geography"),
}
DEFINITION = TableDefinition(
    name="table",
    columns=(
        ColumnDefinition(name="money", kind="MoneyType", precision=2),
        ColumnDefinition(name="moment", kind="DateTimeType", behavior="UserLocal"),
        ColumnDefinition(name="local", kind="DateTimeType", behavior="TimeZoneIndependent"),
        ColumnDefinition(name="birthday", kind="DateTimeType", behavior="DateOnly"),
    ),
)
TABLE = Table("table", "tables", ("id",), tuple(Column(n, t) for n, t in TYPES.items()))
COLUMNS = Columns.of(Described(TABLE, DEFINITION), has_names=False)


def decoder(*names: str, **options: Any) -> BatchDecoder:
    """Make the decoder of some columns."""
    columns = COLUMNS.chosen(names, **options)
    return BatchDecoder(Layout(table="table", columns=columns), COLUMNS.arrow_schema(columns))


def decoded(
    rows: list[str], *names: str, made: BatchDecoder | None = None, **options: Any
) -> dict[str, Any]:
    """Decode rows, and return the values of each column."""
    raw = [Raw(row.encode()) for row in rows]
    page = (made or decoder(*names, **options)).page(RawPage(b",".join(raw), raw))
    (piece,) = page.pieces
    piece.content.validate(full=True)
    assert piece.rows == piece.content.num_rows == len(rows)
    return piece.content.to_pydict()


def one(name: str, value: str, **options: Any) -> Any:  # noqa: ANN401 - a value of any type
    """Decode one value of a column, in a row of its own and after others."""
    first = decoded([f'{{"{name}":{value}}}'], name, **options)[name]
    after = decoded([f'{{"{name}":null}}', "{}", f'{{"{name}":{value}}}'], name, **options)[name]
    assert repr(after) == repr([None, None, *first])
    return first[0]


def number(value: Decimal) -> str:
    return format(value, "f")


MOMENTS = st.datetimes(timezones=st.just(UTC))
# The values of each column: the text in JSON, and what has to come out.
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
VALUES: dict[str, st.SearchStrategy[tuple[str, Any]]] = {
    "id": st.uuids().map(lambda v: (json.dumps(str(v)), str(v))),
    "text": st.tuples(TEXTS, st.booleans()).map(
        lambda v: (json.dumps(v[0], ensure_ascii=v[1]), v[0])
    ),
    "small": st.integers(0, 255).map(lambda v: (str(v), v)),
    "whole": st.integers(-(2**31), 2**31 - 1).map(lambda v: (str(v), v)),
    "big": st.integers(-(2**63), 2**63 - 1).map(lambda v: (str(v), v)),
    "money": st.decimals(-(10**27), 10**27, places=10).map(lambda v: (number(v), v)),
    "amount": st.integers(0, 20).flatmap(
        lambda places: st.decimals(-(10**17), 10**17, places=places).map(lambda v: (number(v), v))
    ),
    "measure": st.floats(allow_nan=False, allow_infinity=False).map(lambda v: (repr(v), v)),
    "is": st.booleans().map(lambda v: (json.dumps(v), v)),
    "day": st.dates().map(lambda v: (json.dumps(v.isoformat()), v)),
    "moment": MOMENTS.map(lambda v: (json.dumps(v.isoformat().replace("+00:00", "Z")), v)),
    "local": MOMENTS.map(
        lambda v: (json.dumps(v.isoformat().replace("+00:00", "Z")), v.replace(tzinfo=None))
    ),
    "birthday": st.tuples(st.dates(), st.sampled_from(["", "T00:00:00Z"])).map(
        lambda v: (json.dumps(v[0].isoformat() + v[1]), v[0])
    ),
    "time": st.times().map(lambda v: (json.dumps(v.isoformat()), v.isoformat())),
    "bytes": st.binary().map(lambda v: (json.dumps(base64.b64encode(v).decode()), v)),
    "choice": st.sampled_from("AB").map(lambda v: (json.dumps(v), v)),
    "object": TEXTS.map(lambda v: (json.dumps({"a": v, "a@odata.type": "x"}), {"a": v})),
    "list": st.lists(st.decimals(-99, 99, places=4)).map(
        lambda v: (f"[{','.join(map(number, v))}]", v)
    ),
    "other": TEXTS.map(lambda v: (json.dumps(v), v)),
}
ABSENT = st.sampled_from([("null", None), ("", None)])
ROWS = st.lists(
    st.fixed_dictionaries(
        {name: values if name == "id" else ABSENT | values for name, values in VALUES.items()}
    ),
    min_size=1,
    max_size=4,
)


@settings(max_examples=300, deadline=None)
@given(ROWS)
def test_values_of_all_types_come_out_with_every_digit(rows: list[dict[str, Any]]) -> None:
    texts = [
        "{" + ",".join(f'"{name}":{text}' for name, (text, _) in row.items() if text) + "}"
        for row in rows
    ]
    found = decoded(texts)
    for name in TYPES:
        values = found[name]
        if name in {"object", "list"}:
            values = [None if v is None else json.loads(v, parse_float=Decimal) for v in values]
        assert values == [row[name][1] for row in rows], name
        # Negative zero, too.
        if name == "measure":
            assert list(map(repr, values)) == [repr(row[name][1]) for row in rows]


@settings(max_examples=300, deadline=None)
@given(st.from_regex(r"-?(0|[1-9][0-9]{0,44})(\.[0-9]{1,30})?(e[+-]?[0-9]{1,2})?", fullmatch=True))
def test_decimal_number_of_any_length_comes_out_exactly_or_is_an_error(text: str) -> None:
    with localcontext(prec=200):
        value = Decimal(text)
        try:
            (found,) = decoded([f'{{"money":{text}}}'], "money")["money"]
        except ServiceError:
            assert abs(value) >= 10**28 or value != value.quantize(Decimal("1e-10"))
        else:
            assert found == value


def test_types_are_those_of_the_documentation() -> None:
    schema = COLUMNS.arrow_schema(COLUMNS.chosen(()))
    found = {field.name: str(field.type) for field in schema}
    strings = dict.fromkeys(["id", "text", "time", "choice", "object", "list", "other"], "string")
    assert found == strings | {
        "small": "int32",
        "whole": "int32",
        "big": "int64",
        "money": "decimal128(38, 10)",
        "amount": "decimal128(38, 20)",
        "measure": "double",
        "is": "bool",
        "day": "date32[day]",
        "moment": "timestamp[us, tz=UTC]",
        "local": "timestamp[us]",
        "birthday": "date32[day]",
        "bytes": "binary",
    }
    assert [field.name for field in schema if not field.nullable] == ["id"]


EAST = timezone(timedelta(hours=2))


@pytest.mark.parametrize(
    ("column", "text", "value"),
    [
        ("measure", '"INF"', math.inf),
        ("measure", '"-INF"', -math.inf),
        ("measure", "1e3", 1000.0),
        ("money", "1.000000000000", Decimal(1)),
        ("money", "1E+2", Decimal(100)),
        ("money", '"2.5"', Decimal("2.5")),
        ("moment", '"2026-01-31T12:00:00.1234560Z"', datetime(2026, 1, 31, 12, 0, 0, 123456, UTC)),
        ("moment", '"2026-01-31T12:00:00"', datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("moment", '"2026-01-31T12:00:00+02:00"', datetime(2026, 1, 31, 12, tzinfo=EAST)),
        ("moment", '"0001-01-01T00:00:00Z"', datetime(1, 1, 1, tzinfo=UTC)),
        ("day", '"0001-01-01"', date(1, 1, 1)),
        ("bytes", '"-_8"', b"\xfb\xff"),
        ("text", "12.50", "12.50"),
        ("text", "true", "true"),
        ("text", '{"b@odata.type":"x","a":1.10}', '{"a":1.10}'),
        (
            "other",
            '{"type":"Point","coordinates":[1.0,2]}',
            '{"type":"Point","coordinates":[1.0,2]}',
        ),
    ],
)
def test_unusual_value_comes_out_unchanged(column: str, text: str, value: object) -> None:
    assert one(column, text) == value


def test_not_a_number_comes_out_as_such() -> None:
    assert math.isnan(one("measure", '"NaN"'))


@pytest.mark.parametrize(
    ("column", "text"),
    [
        ("money", "1.00000000001"),
        ("money", "12345678901234567890123456789"),
        ("amount", '"many"'),
        ("whole", "2147483648"),
        ("whole", "1.5"),
        ("whole", '"1"'),
        ("big", "9223372036854775808"),
        ("is", '"true"'),
        ("is", "1"),
        ("day", '"2026-01-31T01:00:00Z"'),
        ("day", "20260131"),
        ("birthday", '"2026-01-31T01:00:00Z"'),
        ("moment", '"2026-01-31T12:00:00.1234567Z"'),
        ("moment", '"2026-01-31T12:00:000Z"'),
        ("moment", '"soon"'),
        ("measure", '"Infinity"'),
        ("measure", "{}"),
        ("bytes", '"?"'),
    ],
)
def test_value_that_does_not_fit_is_an_error_with_the_way_out(column: str, text: str) -> None:
    with pytest.raises(ServiceError) as error:
        decoded(['{"id":"x"}', f'{{"id":"y","{column}":{text}}}'], "id", column)
    message = error.value.message
    assert message.startswith(f"The column '{column}' of 'table' holds {text}, which does not fit")
    assert f"text=['{column}']" in message
    values = decoded([f'{{"{column}":{text}}}'], column, text=[column])[column]
    assert values == [msgspec.json.decode(text) if text.startswith('"') else text]


def test_decimals_as_text_keep_the_digits_of_the_service() -> None:
    assert one("money", "1.50000000000000", decimals="text") == "1.50000000000000"
    assert one("whole", "5", decimals="text") == 5


def test_column_that_changes_its_form_in_a_later_page_is_decoded_from_then_on() -> None:
    made = decoder("id", "text", "measure")
    pages = [
        ('{"id":"1","text":"a","measure":1}', ["a"], [1.0]),
        ('{"id":"2","text":7,"measure":"INF"}', ["7"], [math.inf]),
        ('{"id":"3","text":"b","measure":2.5}', ["b"], [2.5]),
    ]
    for row, texts, measures in pages:
        found = decoded([row], made=made)
        assert (found["text"], found["measure"]) == (texts, measures)


def test_row_that_is_no_object_is_refused_in_a_sentence() -> None:
    with pytest.raises(ServiceError, match="not a page of rows"):
        decoded(["[1]"], "id")


def test_batch_is_counted_by_its_size() -> None:
    rows = [Raw(b'{"id":"x","text":"' + b"y" * 1000 + b'"}')] * 10
    page = decoder("id", "text").page(RawPage(b"", rows))
    assert 10_000 < page.size < 20_000
    assert decoder("id").page(RawPage(b"", [])).pieces == ()
    assert isinstance(page.pieces[0].content, pa.RecordBatch)
