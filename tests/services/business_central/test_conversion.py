"""Conversion of values: what a page of the service becomes in records."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_dynamics365.connection import connect
from tap_dynamics365.errors import ServiceError, SettingsError
from tap_dynamics365.odata.page import split
from tap_dynamics365.services.business_central.kind import BUSINESS_CENTRAL
from tap_dynamics365.services.business_central.values import decode_name
from tap_dynamics365.services.conversion import conversions
from tap_dynamics365.settings import JSON_SCHEMA, Settings
from tap_dynamics365.singer.encoder import Encoder, encoder, records
from tests.singer.test_encoder import answer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.tap import Message

URL = "https://api.businesscentral.dynamics.com/v2.0/production/api/v2.0/"
TOKEN = {"access_token": "invented-access-token"}
KEPT = {"keep_blank_dates": True, "keep_encoded_names": True}

TEXT: Message = {"type": ["string", "null"]}
COLUMNS: dict[str, Message] = {
    "text": TEXT,
    "date": {**TEXT, "format": "date"},
    "moment": {**TEXT, "format": "date-time"},
    "guid": {**TEXT, "format": "uuid"},
    "amount": {"type": ["number", "null"]},
    "kind": {**TEXT, "description": "The kind. Enumeration NAV.kind: a, b."},
    "always": {"type": ["string"], "format": "date"},
}
NO_DATE, NO_MOMENT = "0001-01-01", "0001-01-01T00:00:00Z"
NO_ID = "00000000-0000-0000-0000-000000000000"


def sent(
    rows: Sequence[Message],
    columns: dict[str, Message] = COLUMNS,
    key: Sequence[str] = (),
    **settings: Any,
) -> list[Message]:
    """The records of rows, as the tap sends them."""
    given = Settings.from_config({"service_url": URL, **TOKEN, **settings}, JSON_SCHEMA)
    codec = Encoder(
        "table",
        {"properties": columns},
        lambda _: True,
        conversions=conversions(BUSINESS_CENTRAL.conversion, columns, given),
        ids=key,
        stream_key=key,
    )
    body = json.dumps({"value": [*rows]}, ensure_ascii=False)
    return list(records(codec.page(split(answer(body), BUSINESS_CENTRAL.dialect))))


def value(column: str, written: object, **settings: Any) -> object:
    """What becomes of a value between two others."""
    others = {"date": "2026-01-02", "always": "2026-01-02"}
    rows = [others, {**others, column: written}, others]
    first, found, last = sent(rows, **settings)
    assert first["date"] == last["date"] == "2026-01-02"
    return found[column]


@pytest.mark.parametrize(
    ("column", "written"),
    [
        ("date", NO_DATE),
        ("moment", NO_MOMENT),
        ("moment", "0001-01-01T00:00:00.0Z"),
        ("moment", "0001-01-01T00:00:00.0000000Z"),
    ],
)
def test_blank_date_is_null_unless_it_is_kept(column: str, written: str) -> None:
    assert value(column, written) is None
    assert value(column, written, keep_encoded_names=True) is None
    assert value(column, written, keep_blank_dates=True) == written


@pytest.mark.parametrize(
    ("column", "written"),
    [
        ("date", "0001-01-02"),
        ("date", "2001-01-01"),
        ("moment", "0001-01-01T00:00:00.001Z"),
        ("moment", "0001-01-01T00:00:01Z"),
        ("moment", "0001-01-01T00:00:00."),
        ("text", NO_DATE),
        ("text", NO_MOMENT),
        ("text", "_x0020_"),
        ("text", ""),
        ("text", f'"{NO_DATE}"'),
        ("date", f'"{NO_DATE}"'),
        ("guid", NO_ID),
        ("kind", NO_DATE),
        ("kind", ""),
        ("kind", None),
        ("always", NO_DATE),
        ("amount", 1),
    ],
)
def test_other_value_stays(column: str, written: object) -> None:
    assert value(column, written) == written


def test_blank_date_in_the_key_stays() -> None:
    row = {"date": NO_DATE, "moment": NO_MOMENT, "kind": "_x0020_"}
    (found,) = sent([row], key=["date", "kind"])
    assert found == {**dict.fromkeys(COLUMNS), "date": NO_DATE, "kind": " "}


def test_other_type_in_a_converted_column_is_refused_or_text_as_in_any_other() -> None:
    rows: list[Message] = [{"kind": "_x0020_"}, {"kind": 7}, {"kind": {"_x0020_": 1}}]
    assert [row["kind"] for row in sent(rows)] == [" ", "7", '{"_x0020_":1}']
    with pytest.raises(ServiceError, match="The column 'date' of 'table' holds a number"):
        sent([{"date": NO_DATE}, {"date": 7}])


def test_decimal_keeps_its_digits_beside_converted_values() -> None:
    body = '{"value":[{"kind":"_x0020_","date":"0001-01-01","amount":1000.00},{"amount":1000}]}'
    given = Settings.from_config({"service_url": URL, **TOKEN}, JSON_SCHEMA)
    found = conversions(BUSINESS_CENTRAL.conversion, COLUMNS, given)
    codec = Encoder("table", {"properties": COLUMNS}, lambda _: True, conversions=found)
    first, second = records(codec.page(split(answer(body), BUSINESS_CENTRAL.dialect)))
    assert encoder.encode([first["amount"], second["amount"]]) == b"[1000.00,1000]"
    assert (first["kind"], first["date"]) == (" ", None)


def test_values_of_columns_that_are_blank_at_first_arrive() -> None:
    """The first value of a column makes the rows be decoded by another type."""
    rows: list[Message] = [{"text": str(number)} for number in range(600)]
    rows[300] |= {"kind": "Non_x002D_Inventory", "moment": NO_MOMENT}
    rows[599] |= {"kind": "A_x0020_B", "date": NO_DATE, "moment": "2026-01-02T03:04:05Z"}
    found = sent(rows)
    assert [row["text"] for row in found] == [row["text"] for row in rows]
    assert [row["kind"] for row in found if row["kind"]] == ["Non-Inventory", "A B"]
    assert [row["moment"] for row in found if row["moment"]] == ["2026-01-02T03:04:05Z"]
    assert not any(row["date"] for row in found)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("_x0020_", " "),
        ("Inventory", "Inventory"),
        ("Non_x002D_Inventory", "Non-Inventory"),
        ("Cost_x0020_of_x0020_Goods_x0020_Sold", "Cost of Goods Sold"),
        ("Negative_x0020_Adjmt_x002E_", "Negative Adjmt."),
        ("Charge_x0020__x0028_Item_x0029_", "Charge (Item)"),
        ("G_x002f_L", "G/L"),
        ("_x005F_x0020_", "_x0020_"),
        ("_x0020_x0020_", " x0020_"),
        ("_xD83D__xDE00_!", "😀!"),
        ("_xD83D_", "_xD83D_"),
        ("_xDE00__xD83D_", "_xDE00__xD83D_"),
        ("_xD83D__xD83D__xDE00_", "_xD83D_😀"),
        (
            "_X0020_ _x20_ _x00200_ _x002G_ x0020_ _x0020",
            "_X0020_ _x20_ _x00200_ _x002G_ x0020_ _x0020",
        ),
        ("_x0022__x005C__x000A_", '"\\\n'),
        ("Größe_x0020_年", "Größe 年"),
        ("Open,In_x0020_Review", "Open,In Review"),
    ],
)
def test_name_of_a_member_is_decoded_unless_it_is_kept(written: str, meant: str) -> None:
    assert decode_name(written) == meant
    assert value("kind", written) == meant
    assert value("kind", written, keep_blank_dates=True) == meant
    assert value("kind", written, keep_encoded_names=True) == written


def encoded(name: str) -> str:
    """Encode a name as the service does."""
    units = []
    for place, character in enumerate(name):
        begins = character == "_" and name[place + 1 : place + 2] == "x"
        if re.fullmatch(r"\w", character) and not begins:
            units.append(character)
        else:
            pairs = character.encode("utf-16-be").hex().upper()
            units += [f"_x{pairs[at : at + 4]}_" for at in range(0, len(pairs), 4)]
    return "".join(units)


CHARACTERS = st.characters(exclude_categories=["Cs"])
NAMES = st.text(st.one_of(st.sampled_from("_x0020D8 -"), CHARACTERS))


@given(NAMES)
def test_any_name_survives_its_encoding(name: str) -> None:
    assert decode_name(encoded(name)) == name
    assert value("kind", encoded(name)) == name


FRAGMENTS = st.sampled_from(["_x0020_", "_x", "_xD83D_", "_xDE00_", "_x005F_", "x", "0020", "_"])


@given(st.lists(st.one_of(FRAGMENTS, st.text(CHARACTERS, max_size=3))).map("".join))
def test_text_without_an_escape_stays_and_an_escape_never_grows(text: str) -> None:
    found = decode_name(text)
    assert len(found) <= len(text)
    if not re.search("_x[0-9A-Fa-f]{4}_", text):
        assert found == text
    assert value("kind", text) == found
    assert value("text", text) == text


CELLS = {
    "text": st.one_of(st.text(CHARACTERS), st.sampled_from([NO_DATE, "_x0020_"])),
    "date": st.one_of(st.none(), st.dates().map(str)),
    "moment": st.one_of(
        st.sampled_from([NO_MOMENT, "0001-01-01T00:00:00.00Z"]),
        st.datetimes().map(lambda moment: f"{moment.isoformat()}Z"),
    ),
    "kind": st.one_of(st.none(), st.sampled_from(["_x0020_", "Item"]), NAMES.map(encoded)),
}
BLANKS = {
    "date": re.compile("0001-01-01"),
    "moment": re.compile(r"0001-01-01T00:00:00(\.0+)?Z"),
}
ROWS = st.lists(st.fixed_dictionaries({}, optional=CELLS), max_size=120)


@given(ROWS)
def test_rows_of_any_values_are_converted_value_by_value(rows: list[Message]) -> None:
    for row, found in zip(rows, sent(rows), strict=True):
        for column in COLUMNS:
            written = row.get(column)
            if column == "kind" and written is not None:
                assert found[column] == decode_name(written)
            elif column in BLANKS and written and BLANKS[column].fullmatch(written):
                assert found[column] is None
            else:
                assert found[column] == written
    assert sent(rows, **KEPT) == [{name: row.get(name) for name in COLUMNS} for row in rows]


@pytest.mark.parametrize("name", KEPT)
@pytest.mark.parametrize(
    "url",
    [
        "https://invented.crm4.dynamics.com/api/data/v9.2/",
        "https://invented.operations.dynamics.com/data/",
        "https://gateway.example/odata/",
    ],
)
def test_setting_for_another_service_is_refused(url: str, name: str) -> None:
    def settings(*, value: bool) -> Settings:
        return Settings.from_config({"service_url": url, **TOKEN, name: value}, JSON_SCHEMA)

    with pytest.raises(SettingsError, match=f"Don't set {name} to true: only Business Central"):
        connect(settings(value=True))
    assert connect(settings(value=False))
