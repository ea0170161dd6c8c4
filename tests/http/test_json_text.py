"""JSON that is repaired before it is passed on: half characters, odd numbers, other encodings."""

from __future__ import annotations

import json
import math
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import DecodeError

from sandbox.faults.body import GARBAGE
from tap_dynamics365.errors import Failure, ServiceError
from tap_dynamics365.http.json_text import readable
from tap_dynamics365.singer.encoder import encoder
from tests.singer.test_encoder import answer, rows, written
from tests.tap import Message, Tap, entry, in_one_mode, reads, select

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.client import Sandbox

HALF = re.compile("[\ud800-\udfff]")

# Values as JSON writes them, and as they arrive.
TEXTS = {
    "high half": (r"cut \ud83d", "cut \ufffd"),
    "high half in upper case": (r"\uD83D", "\ufffd"),
    "high half before an escape": (r"\ud83d\n", "\ufffd\n"),
    "high half before another character": (r"\ud83d\u0041", "\ufffdA"),
    "low half": (r"\ude00!", "\ufffd!"),
    "halves in reverse order": (r"\ude00\ud83d", "\ufffd\ufffd"),
    "high half before a pair": (r"\ud83d\ud83d\ude00", "\ufffd😀"),
    "pair before a low half": (r"\uD83D\uDE00\ude00", "😀\ufffd"),
    "pair": (r"\ud83d\uDE00", "😀"),
    "escaped backslash": (r"\\ud83d", r"\ud83d"),
    "half behind an escaped backslash": (r"\\\ud83d", "\\\ufffd"),
    "escaped quotation mark": (r"\"\ud83d\"", '"\ufffd"'),
    "control characters as they are": ("a\x01\tb", "a\x01\tb"),
    "line break as it is": ("a\nb", "a\nb"),
    "escape of JavaScript": (r"\x41 \'\u00e9\'", "x41 'é'"),
    "escape of too few digits": (r"\u12", "u12"),
    "escaped line break": ("a\\\nb", "a\nb"),
    "escape behind an escaped backslash": (r"\\\x\\x", r"\x\x"),
}

PAGE = (
    '{"@odata.context":"TEXT","value":['
    '{"a":"TEXT","b":{"TEXT":["TEXT"]},"TEXT":"TEXT","c":"größe"},{"a":"x"}]}'
)


@pytest.mark.parametrize(("written", "arrives"), TEXTS.values(), ids=TEXTS)
def test_text_with_half_a_character_anywhere_arrives_repaired(written: str, arrives: str) -> None:
    page = answer(PAGE.replace("TEXT", written))
    assert rows(page, ["a", "b", "c", "d"]) == [
        {"a": arrives, "b": {arrives: [arrives]}, "c": "größe", "d": None},
        {"a": "x", "b": None, "c": None, "d": None},
    ]


def test_half_a_character_without_an_escape_arrives_as_replacement() -> None:
    page = answer('{"value":[{"a":"ü\ud83d!","b":"\ud83d\ude00"}]}'.encode(errors="surrogatepass"))
    assert rows(page, ["a", "b"]) == [{"a": "ü\ufffd!", "b": "😀"}]


def test_numbers_that_json_does_not_have_arrive_as_null() -> None:
    page = answer('{"value":[{"a":NaN,"b":[Infinity,-Infinity],"c":"NaN Infinity"}]}')
    assert rows(page, ["a", "b", "c"]) == [{"a": None, "b": [None, None], "c": "NaN Infinity"}]


NUMBERS = {
    "01": "1",
    "-007.50": "-7.50",
    "00": "0",
    ".5": "0.5",
    "-.50": "-0.50",
    "1.": "1",
    "1.e5": "1e5",
    "+1": "1",
    "+0.10E-2": "0.10E-2",
    "1.2.3": "null",
    "1e": "null",
    "undefined": "null",
    "+Infinity": "null",
}


@pytest.mark.parametrize(("number", "arrives"), NUMBERS.items(), ids=NUMBERS)
def test_number_in_a_form_that_json_does_not_have_keeps_its_value_or_is_null(
    number: str, arrives: str
) -> None:
    page = '\ufeff{{"value":[{{"a":{0},"b":[{0}, {0} ],"c":"%s"}}]}}' % number  # noqa: UP031 - braces
    repaired, (_,) = readable(page.format(number).encode())
    assert repaired.decode() == page.format(arrives).removeprefix("\ufeff")


@pytest.mark.parametrize(
    ("text", "arrives"),
    [
        (b"caf\xe9", "caf\ufffd"),
        (b"\xe9\\n\xfc", "\ufffd\n\ufffd"),
        ("größe".encode() + b"\xe9", "größe\ufffd"),
    ],
)
def test_text_in_another_encoding_arrives_with_replacements(text: bytes, arrives: str) -> None:
    page = answer(b'{"value":[{"a":"%s","b":"\xc3\xa9"}]}' % text)
    assert rows(page, ["a", "b"]) == [{"a": arrives, "b": "é"}]


# Surrogates are drawn more often than by chance.
TEXT = st.text(st.characters() | st.characters(categories=["Cs"]), max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | TEXT | st.integers() | st.floats(),
    lambda parts: st.lists(parts, max_size=3) | st.dictionaries(TEXT, parts, max_size=3),
    max_leaves=6,
)


def as_read(value: object) -> object:
    """Return a value as it arrives: without annotations, NaN, infinity and half characters."""
    match value:
        case str():
            # Two halves in a row are a pair.
            paired = value.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
            return HALF.sub("\ufffd", paired)
        case bool():
            return value
        case int() | float():
            return Decimal(str(value)) if math.isfinite(value) else None
        case dict():
            return {as_read(name): as_read(part) for name, part in value.items() if "@" not in name}
        case list():
            return [as_read(part) for part in value]
        case _:
            return value


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(VALUES, max_size=3), st.booleans())
def test_value_of_any_type_arrives_unchanged(values: list[Any], is_ascii: bool) -> None:  # noqa: FBT001
    page = {"value": [{"a": value, "b": [value]} for value in values]}
    body = json.dumps(page, ensure_ascii=is_ascii).encode(errors="surrogatepass")
    # As a target reads it.
    lines = encoder.encode(rows(answer(body), ["a", "b"]))
    got = json.loads(lines, parse_int=Decimal, parse_float=Decimal)
    wanted = [{"a": as_read(value), "b": [as_read(value)]} for value in values]
    assert got == wanted


ODD = json.dumps({"value": [{"name": "größe", "size": 1.5, "of": [None, {"a": ""}]}] * 2})
ODD_BODIES = [
    ODD.encode(),
    ODD.replace("1.5", ".5").encode(),
    ODD.replace("o", r"\x").encode("latin-1"),
]


@given(st.sampled_from(ODD_BODIES), st.data())
def test_body_that_is_damaged_in_the_transfer_is_not_repaired(
    body: bytes, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(body) - 1))
    for broken in (body[:at], body[:at] + GARBAGE + body[at + len(GARBAGE) :]):
        with pytest.raises((DecodeError, UnicodeDecodeError)):
            readable(broken)


@given(st.binary() | st.text('"\\{}[]:,.+-eE01ux \xe9').map(lambda text: text.encode("latin-1")))
def test_body_that_is_repaired_is_json(body: bytes) -> None:
    try:
        repaired, _ = readable(body)
    except (DecodeError, UnicodeDecodeError):
        return
    json.loads(repaired)


def nested(depth: int) -> str:
    """Write nested arrays."""
    return "[" * depth + "]" * depth


def test_values_nested_deeper_than_python_can_read_are_refused_in_a_sentence() -> None:
    page = answer(f'{{"value":[{{"a":{nested(200_000)}}}]}}')
    with pytest.raises(ServiceError, match="its values are nested too deeply") as caught:
        rows(page, ["a"])
    assert caught.value.failure is Failure.FATAL


@pytest.mark.parametrize("depth", [100, 2_000, 5_000, 20_000])
def test_values_nested_deeply_are_exact_or_refused_in_a_sentence(depth: int) -> None:
    """The depth that can be read differs between versions of Python."""
    try:
        found = written(nested(depth))
    except ServiceError as error:
        assert "its values are nested too deeply" in str(error)  # noqa: PT017 - there may be none
        assert depth > 100
    else:
        assert found == nested(depth)


@in_one_mode
def test_table_with_half_a_character_is_read_with_one_warning(
    service: Sandbox, tap: Tap, catalog: Message
) -> None:
    cut = [(r'("fullname":"[^"]*[aeiou])[^"]*"', r'\1\\ud83d"')]
    service.fault("contacts", substitute=cut, count=None)
    service.fault("leads", substitute=cut, count=None)
    chosen = select(catalog, {"contact": ["fullname"], "lead": ["fullname"], "account": ["name"]})
    run = tap.sync(catalog=chosen)
    for stream in ("contact", "lead"):
        wanted = {row[f"{stream}id"]: row["fullname"] for row in service.rows(stream)}
        got = {row[f"{stream}id"]: row["fullname"] for row in run.records(stream)}
        assert got.keys() == wanted.keys()
        halved = [name for name in got.values() if name and name.endswith("\ufffd")]
        assert len(halved) > len(got) // 2
        for name in halved:
            assert any(full and full.startswith(name[:-1]) for full in wanted.values())
    # Nothing that a target can't encode reaches it.
    assert not re.search(r"\\u[dD][89a-fA-F]", run.output)
    warnings = run.logged("WARNING")
    assert sorted(warnings) == [
        f"Rows of '{stream}' hold values that can't be passed on as the service wrote them: "
        "halves of surrogate pairs, such as of an emoji that was cut, are replaced by U+FFFD."
        for stream in ("contact", "lead")
    ]


@in_one_mode
def test_table_with_values_that_json_does_not_have_is_read_with_one_warning_each(
    service: Sandbox, tap: Tap, catalog: Message
) -> None:
    odd = [
        ('"name":"', r""" "name":"\\'\\x""".lstrip()),
        (r'"numberofemployees":(?=\d)', '"numberofemployees":0'),
        (r'"revenue":(?=\d)', '"revenue":+'),
        ('"fax":null', '"fax":undefined'),
    ]
    columns = ["name", "numberofemployees", "revenue", "fax"]
    chosen = select(catalog, {"account": columns})
    tap.sync(catalog=chosen)
    asked = len(reads(service.requests()))
    service.fault("accounts", substitute=odd, count=None)
    run = tap.sync(catalog=chosen)
    assert len(reads(service.requests())) == 2 * asked
    wanted = {row["accountid"]: row for row in service.rows("account")}
    assert len(run.records("account")) == len(wanted)
    for row in run.records("account"):
        was = wanted[row["accountid"]]
        name = None if was["name"] is None else f"'x{was['name']}"
        number = None if was["revenue"] is None else Decimal(str(was["revenue"]))
        assert [row[column] for column in columns] == [
            name,
            was["numberofemployees"],
            number,
            was["fax"],
        ]
    warnings = run.logged("WARNING")
    assert len(warnings) == len(set(warnings)) == 3
    assert all(line.startswith("Rows of 'account' hold values") for line in warnings)
    for told in ("backslash", "undefined", "numbers in a form"):
        assert told in "".join(warnings)


@in_one_mode
def test_discovery_with_half_a_character_in_labels_succeeds(
    service: Sandbox, tap_for: Callable[..., Tap]
) -> None:
    cut = [(r'"Label":"([A-Z])[^"]*"', r'"Label":"\1\\ud83d"')]
    tap = tap_for(service, tables=["contact"])
    for no_functions in (0, 404):
        service.configure(no_metadata_changes=no_functions)
        service.fault("RetrieveMetadataChanges|EntityDefinitions", substitute=cut, count=None)
        found = entry(tap.discover(), "contact")
        assert found["schema"]["title"] == "C\ufffd"
        service.clear_faults()
