"""Forms of values, compared with responses recorded from a real environment."""

from __future__ import annotations

import base64
import gzip
import json
import re
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from sandbox.finance_client import running
from tests.sandbox.api import Api

if TYPE_CHECKING:
    from collections.abc import Iterator

CSDL = Path(__file__).parents[4] / "shared" / "csdl"
DOCUMENT = CSDL / "finance-operations-300-rebuilt.xml.gz"
ANSWERS = CSDL / "finance-operations-answers.json.gz"


@pytest.fixture(scope="module")
def answers() -> list[dict[str, Any]]:
    """The recorded responses."""
    if not ANSWERS.exists():
        pytest.skip("the recorded responses are not on this machine")
    text = gzip.decompress(ANSWERS.read_bytes())
    found: list[dict[str, Any]] = json.loads(text, parse_float=Decimal)
    return found


@pytest.fixture(scope="module")
def imitated() -> Iterator[Api]:
    """A client of a sandbox with the document of the environment."""
    with running(rows=306 * 12, csdl=DOCUMENT) as sandbox:
        yield Api(sandbox)


def form(value: object) -> str:
    """The form of a value: its type, and for a date whether it has a time."""
    if isinstance(value, str) and re.fullmatch(r"[\d-]{10}T[\d:]{8}Z", value):
        return "moment"
    return "number" if isinstance(value, int | Decimal) else "text"


def test_values_have_the_forms_of_recorded_ones(
    answers: list[dict[str, Any]], imitated: Api
) -> None:
    compared = 0
    for answer in answers:
        name = urlsplit(answer["path"]).path.rpartition("/")[2]
        invented = imitated.read(f"{name}?cross-company=true")["value"]
        for column in invented[0].keys() & answer["body"]["value"][0].keys():
            forms = [
                {form(row[column]) for row in rows if row.get(column) is not None}
                for rows in (invented, answer["body"]["value"])
            ]
            assert forms[1] <= forms[0], f"{name}/{column}"
            compared += 1
    assert compared > 1_500


def test_dates_without_a_time_are_at_noon_where_recorded_ones_are(
    answers: list[dict[str, Any]], imitated: Api
) -> None:
    for answer in answers:
        name = urlsplit(answer["path"]).path.rpartition("/")[2]
        invented = imitated.read(f"{name}?cross-company=true")["value"]
        for column in invented[0].keys() & answer["body"]["value"][0].keys():
            recorded = {str(row.get(column))[10:] for row in answer["body"]["value"]}
            if recorded == {"T12:00:00Z"}:
                ends = {row[column][10:] for row in invented}
                assert ends <= {"T12:00:00Z", "T23:59:59Z"}, f"{name}/{column}"


def test_etags_have_the_form_of_recorded_ones(answers: list[dict[str, Any]], imitated: Api) -> None:
    pattern = r"'\d+,\d+(;\d+,\d+)*'"
    rows = [row for answer in answers for row in answer["body"]["value"]]
    rows += imitated.read("CustomersV3")["value"]
    for row in rows:
        match = re.fullmatch(r'W/"(.*)"', row["@odata.etag"])
        assert match
        assert re.fullmatch(pattern, base64.b64decode(match[1]).decode())
