"""Encoder: from the bytes of a page to RECORD messages."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tap_dynamics365.errors import Failure, ServiceError
from tap_dynamics365.odata.page import split
from tap_dynamics365.services.dataverse.kind import DATAVERSE
from tap_dynamics365.singer.encoder import Encoder, encoder, records

CONTENT_TYPE = "application/json; odata.metadata=minimal"


def answer(body: str | bytes, content_type: str = CONTENT_TYPE) -> requests.Response:
    """Make the answer of a service."""
    response = requests.Response()
    response.status_code = 200
    response.headers["Content-Type"] = content_type
    response.url = "http://host.invalid/accounts"
    response._content = body.encode() if isinstance(body, str) else body  # noqa: SLF001
    return response


def rows(response: requests.Response, columns: list[str]) -> list[dict[str, Any]]:
    """Read a page whose columns hold whatever JSON there is."""
    schema: dict[str, Any] = {"properties": {name: {} for name in columns}}
    return list(
        records(Encoder("table", schema, lambda _: True).page(split(response, DATAVERSE.dialect)))
    )


def written(literal: str) -> str:
    """Tell how a value arrives in a Singer message."""
    (row,) = rows(answer('{"value":[{"a":%s}]}' % literal), ["a"])  # noqa: UP031 - braces
    return encoder.encode(row).decode().removeprefix('{"a":').removesuffix("}")


@pytest.mark.parametrize(
    "literal",
    [
        "0",
        "-7",
        "12345678901.1234000000",
        "0.0000000000",
        "-0.10",
        "0.1",
        "100.00",
        "922337203685477.5807",
        "9007199254740993",
        "9223372036854775807",
        "-9223372036854775808",
        "18446744073709551616",
        "18446744073709551617.0000000001",
        "-340282366920938463463374607431768211456.50",
        "79228162514264337593543950335",
        "0.12345678901234567890123456789012345678",
    ],
)
def test_number_keeps_its_digits(literal: str) -> None:
    assert written(literal) == literal


@pytest.mark.parametrize(
    "literal", ["1E-7", "1e-7", "1.50E+3", "-2.5e10", "1.7976931348623157E308", "5E-324"]
)
def test_number_with_an_exponent_keeps_its_value(literal: str) -> None:
    assert Decimal(written(literal)) == Decimal(literal)


@pytest.mark.parametrize(
    "literal",
    ["null", "true", "false", '""', '"text"', '"a \\"quoted\\" one"', "[]", "[1,null,[2.50]]"],
)
def test_values_of_other_types_are_unchanged(literal: str) -> None:
    assert written(literal) == literal


@pytest.mark.parametrize(("stream_key", "missing"), [(["e", "t"], ""), (["t"], None)])
def test_null_of_an_enumeration_is_an_empty_text_in_the_key_only(
    stream_key: list[str], missing: str | None
) -> None:
    column = {"type": ["string", "null"], "description": "Enumeration Invented.NoYes: No, Yes."}
    schema = {"properties": {"e": column, "other": column, "t": {"type": ["string"]}}}
    codec = Encoder("table", schema, lambda _: True, ids=["e", "t"], stream_key=stream_key)
    body = '{"value":[{"e":null,"other":null,"t":"1"},{"t":"2"},{"e":"Yes","other":"No","t":"3"}]}'
    found = list(records(codec.page(split(answer(body), DATAVERSE.dialect))))
    assert [row["e"] for row in found] == [missing, missing, "Yes"]
    assert [row["other"] for row in found] == [None, None, "No"]


def test_text_of_any_language_arrives() -> None:
    (row,) = rows(answer('{"value":[{"a":"größe 年 😀","b":"\\ud83d\\ude00\\u0000"}]}'), ["a", "b"])
    assert row == {"a": "größe 年 😀", "b": "😀\0"}


def test_records_have_the_requested_columns_in_their_order() -> None:
    page = answer('{"value":[{"secret":1,"b":2,"a":null,"@odata.etag":"W/1"},{"b":3}]}')
    assert [list(row.items()) for row in rows(page, ["a", "b", "c"])] == [
        [("a", None), ("b", 2), ("c", None)],
        [("a", None), ("b", 3), ("c", None)],
    ]


def test_annotations_are_dropped_at_all_levels() -> None:
    page = answer(
        json.dumps(
            {
                "@odata.context": "…",
                "value": [
                    {
                        "@odata.etag": 'W/"1"',
                        "a": {"@odata.type": "#N.x", "b": 1, "b@odata.type": "#Int64"},
                        "a@odata.type": "#N.x",
                        "c": [{"@odata.id": "…", "d": {"e@N.f": 1, "e": [[{"@g": 1}]]}}, "h@i"],
                    }
                ],
            }
        )
    )
    assert list(rows(page, ["a", "c"])) == [
        {"a": {"b": 1}, "c": [{"d": {"e": [[{}]]}}, "h@i"]},
    ]


def test_page_without_rows_may_have_a_next_page() -> None:
    page = answer('{"value":[],"@odata.nextLink":"https://host/x?$skiptoken=%3C%26+é"}')
    assert list(rows(page, ["a"])) == []
    assert split(page, DATAVERSE.dialect).next_link == "https://host/x?$skiptoken=%3C%26+é"


@pytest.mark.parametrize("body", ['{"value":[]}', '{"value":[],"@odata.nextLink":null}'])
def test_last_page_has_no_link(body: str) -> None:
    assert split(answer(body), DATAVERSE.dialect).next_link is None


NO_PAGES = [
    ("", "application/json"),
    ("   ", "application/json"),
    ("Please try again later.", "text/plain"),
    ('{"value":[{"a":1},{"a":', "application/json"),
    ('{"value":[]} and more', "application/json"),
    (b'{"value":[{"a":"\xff\xfe"}]}', "application/json"),
    (b"\x1f\x8b\x08\x00", "application/octet-stream"),
]


@pytest.mark.parametrize(("body", "content_type"), NO_PAGES)
def test_response_that_is_not_json_is_reported_with_its_content_type(
    body: str | bytes, content_type: str
) -> None:
    with pytest.raises(ServiceError) as caught:
        rows(answer(body, content_type), ["a"])
    assert "/accounts is cut off, or is not JSON" in caught.value.message
    assert content_type in caught.value.message
    assert caught.value.failure is Failure.TRANSIENT


def test_web_page_is_not_transient() -> None:
    with pytest.raises(ServiceError, match="web page") as caught:
        rows(answer("<html><body>Sign in</body></html>"), ["a"])
    assert caught.value.failure is Failure.FATAL


@pytest.mark.parametrize(
    "body",
    ["null", "[]", "1", '"value"', "{}", '{"value":null}', '{"value":{"a":1}}', '{"value":[1]}'],
)
def test_json_that_is_not_a_page_is_reported(body: str) -> None:
    with pytest.raises(ServiceError, match=r"not a page of rows.* service_url") as caught:
        rows(answer(body), ["a"])
    assert caught.value.failure is Failure.FATAL


@pytest.mark.parametrize("body", ["", "<html>", "[]"])
def test_json_that_is_not_a_page_has_no_link(body: str) -> None:
    with pytest.raises(ServiceError):
        split(answer(body), DATAVERSE.dialect)


@pytest.mark.parametrize("link", ["5", '""', '"http://["', "{}", "[]", "true"])
def test_link_that_is_not_valid_means_that_there_is_more(link: str) -> None:
    page = split(answer('{"@odata.nextLink":%s,"value":[]}' % link), DATAVERSE.dialect)  # noqa: UP031 - braces
    assert (page.next_link, page.more, page.is_last) == (None, True, False)
    last = split(answer('{"@odata.nextLink":null,"value":[]}'), DATAVERSE.dialect)
    assert last.is_last


def test_missing_content_type_is_reported() -> None:
    response = answer("oops")
    del response.headers["Content-Type"]
    with pytest.raises(ServiceError, match="no content type"):
        list(rows(response, ["a"]))


class Literal(str):
    """A number as it is written in JSON."""

    __slots__ = ()


DIGITS = st.text("0123456789", min_size=1, max_size=30)
NUMBERS = st.builds(
    lambda sign, whole, fraction: Literal(f"{sign}{whole.lstrip('0') or '0'}.{fraction}"),
    st.sampled_from(["", "-"]),
    DIGITS,
    DIGITS,
)
TEXT = st.text(st.characters(codec="utf-8"), max_size=10)
NAMES = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc"], exclude_characters='@"\\'),
    min_size=1,
    max_size=10,
)
VALUES = st.recursive(
    st.one_of(
        st.none(), st.booleans(), TEXT, NUMBERS, st.integers(-(2**63), 2**63 - 1), st.integers()
    ),
    lambda parts: st.lists(parts, max_size=3) | st.dictionaries(NAMES, parts, max_size=3),
    max_leaves=5,
)


def as_json(value: object) -> str:
    """Write JSON without blanks, literal numbers as they are."""
    match value:
        case Literal():
            return str(value)
        case dict():
            pairs = (f"{as_json(name)}:{as_json(part)}" for name, part in value.items())
            return f"{{{','.join(pairs)}}}"
        case list():
            return f"[{','.join(map(as_json, value))}]"
        case _:
            return json.dumps(value, ensure_ascii=False)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.dictionaries(NAMES, VALUES, max_size=4), max_size=4))
def test_rows_of_any_kind_keep_their_digits(page: list[dict[str, Any]]) -> None:
    columns = list(dict.fromkeys(name for row in page for name in row))
    ordered = [{name: row.get(name) for name in columns} for row in page]
    read = rows(answer(f'{{"value":{as_json(page)}}}'), columns)
    got = [encoder.encode(row).decode() for row in read]
    assert got == [as_json(row) for row in ordered]
