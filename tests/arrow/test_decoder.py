"""Decoding of rows into record batches: random values of all types, and those that do not fit."""

from __future__ import annotations

import base64
import json
import math
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal, localcontext
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from tap_dynamics365.arrow.columns import Columns
from tap_dynamics365.arrow.decoder import BLOCK_BYTES, BatchDecoder, Layout
from tap_dynamics365.arrow.types import arrow_type
from tap_dynamics365.errors import ServiceError
from tap_dynamics365.extract.order import inspect_keys
from tap_dynamics365.odata.edm import Collection, Column, Complex, Enumeration, Primitive, Table
from tap_dynamics365.odata.key_scale import Moments
from tap_dynamics365.odata.page import RawPage
from tap_dynamics365.services.describe import Described
from tap_dynamics365.services.table_definition import ColumnDefinition, TableDefinition

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_dynamics365.extract.page import Keys
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


@pytest.mark.parametrize(("declared", "places"), [(2, 10), (16, 16), (40, 38), (None, 20)])
def test_decimal_places_of_a_type_hold_those_that_are_declared(
    declared: int | None, places: int
) -> None:
    column = Column("amount", Primitive("Edm.Decimal"), scale=declared)
    assert arrow_type(column)[0] == pa.decimal128(38, places)


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
        ("moment", '"2026-01-31T12:00:00.0000000+02:00"', datetime(2026, 1, 31, 12, tzinfo=EAST)),
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


def test_page_of_several_blocks_with_a_longer_row_comes_out_unchanged() -> None:
    """Arrow's threads read blocks of the page side by side."""
    lengths = [1, BLOCK_BYTES // 2, 3, 3 * BLOCK_BYTES, *[BLOCK_BYTES // 7] * 9, 2]
    texts = [chr(ord("a") + at) * length for at, length in enumerate(lengths)]
    rows = [f'{{"text":"{text}","money":{at}.0{at}}}' for at, text in enumerate(texts)]
    found = decoded(rows, "text", "money")
    assert found["text"] == texts
    assert found["money"] == [Decimal(f"{at}.0{at}") for at in range(len(rows))]


def test_row_that_is_no_object_is_refused_in_a_sentence() -> None:
    with pytest.raises(ServiceError, match="not a page of rows"):
        decoded(["[1]"], "id")


def test_batch_is_counted_by_its_size() -> None:
    rows = [Raw(b'{"id":"x","text":"' + b"y" * 1000 + b'"}')] * 10
    page = decoder("id", "text").page(RawPage(b"", rows))
    assert 10_000 < page.size < 20_000
    assert decoder("id").page(RawPage(b"", [])).pieces == ()
    assert isinstance(page.pieces[0].content, pa.RecordBatch)


def layout(**options: Any) -> BatchDecoder:
    """Make a decoder of `text` whose key is `id` and `choice`."""
    shown, hidden = COLUMNS.chosen(["id", "text", "choice"]), COLUMNS.chosen(["moment"])
    made = Layout(table="table", columns=shown, hidden=hidden, row_key=["id", "choice"], **options)
    return BatchDecoder(made, COLUMNS.arrow_schema(shown), "moment")


def test_row_without_a_value_of_its_key_is_refused() -> None:
    with pytest.raises(ServiceError, match=r"a row of 'table' without a value of 'choice'"):
        decoded(['{"id":"1","choice":null}'], made=layout())


def test_key_that_is_null_is_filled_as_in_the_tap() -> None:
    row = '{"id":"1","text":"a"}'
    assert decoded([row], made=layout(partition="choice"))["choice"] == ["1"]
    assert decoded([row], made=layout(blank_if_null=["choice"]))["choice"] == [""]


def test_values_are_converted_before_they_are_typed() -> None:
    def convert(values: Sequence[Raw]) -> list[Raw]:
        return [Raw(b"null") if value == Raw(b'"0001-01-01"') else value for value in values]

    columns = COLUMNS.chosen(["day", "text"])
    made = BatchDecoder(
        Layout(table="table", columns=columns, conversions={"day": convert}),
        COLUMNS.arrow_schema(columns),
    )
    texts = ['"0001-01-01"', '"2026-01-31"', "null", '"0001-01-01"', '"2026-01-31"']
    day = date(2026, 1, 31)
    rows = [f'{{"day":{text}}}' for text in texts]
    assert decoded(rows, made=made)["day"] == [None, day, None, None, day]
    # Value by value, after one that Arrow's reader does not take.
    assert decoded([*rows, '{"text":{}}'], made=made)["day"] == [None, day, None, None, day, None]
    assert decoded([*rows, '{"day":"2026-01-31T00:00:00Z"}'], made=made)["day"][-1] == day
    assert decoded(rows, made=made)["day"] == [None, day, None, None, day]


def test_keys_of_a_page_are_inspected_for_the_bookmark() -> None:
    made = layout(blank_if_null=["choice"], inspect_keys=partial(inspect_keys, scale=Moments))

    def keys(*values: str) -> Keys:
        raw = [Raw(f'{{"id":"1"{value}}}'.encode()) for value in values]
        return made.page(RawPage(b"", raw)).pieces[0].keys

    first, last = "2026-01-31T00:00:00Z", "2026-02-01T00:00:00Z"
    found = keys(f',"moment":"{first}"', f',"moment":"{last}"')
    assert (found.last, found.out_of_order, found.has_nulls) == (last, None, False)
    assert keys(f',"moment":"{last}"', f',"moment":"{first}"').out_of_order == first
    assert (keys(',"moment":null').is_absent, keys(',"moment":null').has_nulls) == (False, True)
    assert keys("").is_absent
