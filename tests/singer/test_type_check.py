"""Schema drift check: values of other types are written as text, or refused."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from tap_dynamics365.errors import ServiceError
from tap_dynamics365.odata.page import split
from tap_dynamics365.services.dataverse.kind import DATAVERSE
from tap_dynamics365.singer.encoder import Encoder
from tests.singer.test_encoder import answer
from tests.tap import Message, Tap, entry, in_one_mode, select

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.client import Sandbox

STRING = {"type": ["string", "null"]}


def sent(column: dict[str, Any], *values: str, before: int = 0) -> list[str]:
    """Return how values of a column arrive after a number of rows in which it is null."""
    codec = Encoder("table", {"properties": {"id": STRING, "c": column}}, lambda _: True)
    rows = ['{"id":"x","c":null}'] * before
    rows += [f'{{"id":"x","c":{value}}}' for value in values]
    page = codec.page(split(answer(f'{{"value":[{",".join(rows)}]}}'), DATAVERSE.dialect))
    lines = [line for piece in page.pieces for line in piece.content.decode().splitlines()]
    found = [re.search(r'"c":(.*)},"time_extracted"', line) for line in lines]
    return [match[1] for match in found if match][before:]


AS_TEXT = [
    ('"a \\"text\\""', '"a \\"text\\""'),
    ("null", "null"),
    ("12345678901.1234000000", '"12345678901.1234000000"'),
    ("-0", '"-0"'),
    ("1E-7", '"1E-7"'),
    ("1e99999999999999999999", '"1e99999999999999999999"'),
    ("true", '"true"'),
    ("false", '"false"'),
    ("[]", '"[]"'),
    ('{"a": 0.10, "a@N.f": 1, "b":["ü"]}', r'"{\"a\":0.10,\"b\":[\"ü\"]}"'),
    ("[1e99999999999999999999]", '"[1e99999999999999999999]"'),
]


@pytest.mark.parametrize(("value", "arrives"), AS_TEXT, ids=[value for value, _ in AS_TEXT])
def test_column_of_text_accepts_any_value_as_text(value: str, arrives: str) -> None:
    assert sent(STRING, value) == [arrives]
    # In any position, and next to texts.
    assert sent(STRING, value, '"x"', value, before=3_777) == [arrives, '"x"', arrives]
    assert sent(STRING, '"x"', value) == ['"x"', arrives]


def announced(*kinds: str, **more: str) -> dict[str, Any]:
    """Make the schema of a column that may be null."""
    return {"type": [*kinds, "null"], **more}


NULL = {"type": "null"}
PARTS = {"a": announced("number")}
REFUSED = [
    (announced("number"), '"7"', "text", "number"),
    (announced("number"), "true", "true or false", "number"),
    (announced("number"), '{"a":1}', "an object", "number"),
    (announced("integer"), '"7"', "text", "integer"),
    (announced("integer"), "[7]", "an array", "integer"),
    (announced("boolean"), '"true"', "text", "boolean"),
    (announced("boolean"), "1", "a number", "boolean"),
    (announced("string", format="date-time"), "7", "a number", "string (date-time)"),
    (announced("string", format="uuid"), "true", "true or false", "string (uuid)"),
    (announced("string", contentEncoding="base64"), "7", "a number", "string"),
    ({"oneOf": [{"type": "string", "format": "date"}, NULL]}, "7", "a number", "string (date)"),
    (announced("number", "boolean"), '"7"', "text", "boolean or number"),
    ({"type": ["null"]}, "7", "a number", "null"),
    ({"type": "null"}, '"x"', "text", "null"),
    ({**announced("object"), "properties": PARTS}, '"x"', "text", "object"),
    ({**announced("object"), "properties": PARTS}, "[1]", "an array", "object"),
    ({**announced("array"), "items": announced("string")}, "7", "a number", "array"),
    (announced("object"), '"x"', "text", "object"),
    ({**announced("object"), "properties": {}}, "7", "a number", "object"),
    (announced("array"), "true", "true or false", "array"),
    ({**announced("array"), "items": announced("object")}, '{"a":1}', "an object", "array"),
    (announced("object", "array"), '"x"', "text", "array or object"),
]


@pytest.mark.parametrize(
    ("column", "value", "found", "wanted"), REFUSED, ids=[f"{r[3]}-{r[2]}" for r in REFUSED]
)
def test_value_of_another_type_is_refused_with_advice(
    column: dict[str, Any], value: str, found: str, wanted: str
) -> None:
    for before in (0, 3_777):
        with pytest.raises(ServiceError) as caught:
            sent(column, value, before=before)
        told = caught.value.message
        assert f"'c' of 'table' holds {found}, but the catalog says {wanted}. " in told
        assert "--discover" in told
        assert "choose string" in told


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ({"type": "number"}, ["7", "0.10", "null"]),
        ({"type": "boolean"}, ["true", "null", "false"]),
        ({"type": ["number", "string"]}, ["7", '"x"', "0.10"]),
        ({"type": ["boolean", "integer"]}, ["7", "true"]),
        ({"anyOf": [{"type": "number"}, {"type": "null"}]}, ["7", "null"]),
        ({"oneOf": [{"type": ["boolean"]}, {"type": "null"}]}, ["true", "null"]),
        ({"allOf": [{"type": ["string", "number"]}, {"type": "number"}]}, ["7"]),
        ({}, ["7", '"x"', "null", "true", '{"a":[0.10]}', "[1]"]),
        ({"anyOf": [{"type": "object"}, {"type": "string"}]}, ['"x"', '{"a":1}', "null"]),
        ({"type": ["object", "array", "null"]}, ['{"a":1}', "[1]", "null"]),
        ({"type": "array"}, ["[1]", "null"]),
        ({"type": "object"}, ['{"a":1}', "null"]),
        ({"type": "null"}, ["null"]),
    ],
    ids=json.dumps,
)
def test_types_of_any_form_in_a_catalog_let_their_values_pass(
    column: dict[str, Any], values: list[str]
) -> None:
    assert sent(column, *values) == values


@pytest.mark.parametrize(
    "column",
    [
        {"type": "number"},
        {"anyOf": [{"type": "integer"}, {"type": "null"}]},
        {"oneOf": [{"type": "boolean"}, {"type": "null"}]},
        {"type": ["string", "number", "null"], "allOf": [{"type": "number"}]},
    ],
    ids=json.dumps,
)
def test_types_of_any_form_in_a_catalog_are_checked(column: dict[str, Any]) -> None:
    with pytest.raises(ServiceError, match="'c' of 'table' holds text"):
        sent(column, '"x"')


@pytest.mark.parametrize("column", [{"type": "string"}, {"anyOf": [STRING, {"type": "null"}]}])
def test_text_declared_in_any_form_accepts_any_value(column: dict[str, Any]) -> None:
    assert sent(column, "0.10", "null", '"x"', "true") == ['"0.10"', "null", '"x"', '"true"']


def test_value_that_fits_one_of_several_types_stays_beside_one_that_becomes_text() -> None:
    values = ['{"a":1}', "7", '"x"', "null", "[1]"]
    column = {"anyOf": [{"type": "object"}, {"type": ["string", "null"]}]}
    assert sent(column, *values) == ['{"a":1}', '"7"', '"x"', "null", '"[1]"']


def test_text_in_a_column_of_numbers_is_found_in_any_row() -> None:
    values = ["1.5"] * 3_777
    with pytest.raises(ServiceError, match="'c' of 'table' holds text"):
        sent(announced("number"), *values, '"x"', *values)


@in_one_mode
def test_types_overridden_in_a_catalog_are_honoured(
    service: Sandbox, tap_for: Callable[..., Tap], catalog: Message, way: dict[str, Any]
) -> None:
    """As by Meltano's `schema` extra, which changes the types that discovery found."""
    names = ["revenue", "numberofemployees", "creditonhold", "name", "exchangerate", "sic"]
    chosen = select(catalog, {"account": names})
    properties = entry(chosen, "account")["schema"]["properties"]
    tap = tap_for(service, **way)
    before = tap.sync(catalog=chosen).records("account")
    properties["revenue"] = {"type": ["string", "null"]}
    properties["numberofemployees"] = {"type": "string"}
    properties["creditonhold"] |= {"type": ["string", "null"]}
    properties["exchangerate"] = {"anyOf": [{"type": "string"}, {"type": "null"}]}
    moment = {"type": "string", "format": "date-time"}
    properties["modifiedon"] = {"anyOf": [moment, {"type": "null"}]}
    properties["sic"] = {"anyOf": [{"type": ["string", "number"]}, {"type": "null"}]}
    run = tap.sync(catalog=chosen)
    schema = run.schemas["account"]["schema"]["properties"]
    assert schema["revenue"] == {"type": ["string", "null"]}
    wanted = {row["accountid"]: row for row in before}
    assert len(wanted) == len(run.records("account"))
    for row in run.records("account"):
        was = wanted[row["accountid"]]
        for name in ("revenue", "numberofemployees", "exchangerate"):
            assert row[name] == (None if was[name] is None else str(was[name]))
        assert (
            row["creditonhold"] == {True: "true", False: "false", None: None}[was["creditonhold"]]
        )
        assert (row["name"], row["sic"]) == (was["name"], was["sic"])
    assert any(row["revenue"] for row in run.records("account"))


@in_one_mode
def test_type_overridden_as_number_fails_only_its_table(
    service: Sandbox, tap_for: Callable[..., Tap], catalog: Message
) -> None:
    chosen = select(catalog, {"account": ["name"], "team": ["name"]})
    entry(chosen, "account")["schema"]["properties"]["name"] = {"type": "number"}
    run = tap_for(service).run(catalog=chosen)
    assert run.status == 1
    (error,) = [text for text in run.logged("ERROR") if "'account' failed" in text]
    assert "'name' of 'account' holds text, but the catalog says number" in error
    assert "choose string" in error
    assert run.counts["team"] == len(service.rows("team"))
