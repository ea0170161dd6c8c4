"""Every value of real entities arrives as the service sent it.

The documents and recorded answers are not part of this project. Without them, the tests are
skipped. Hosts, people and companies in the answers are invented.
"""

from __future__ import annotations

import gzip
import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from jsonschema import Draft202012Validator

from sandbox import finance_client
from tests.servers.scripted import answer
from tests.services.finance_operations.service import running as service
from tests.services.finance_operations.test_reads import as_sent, told_apart
from tests.singer.test_discovery import DOCUMENTS
from tests.tap import Message, Run, Tap, entry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sandbox.finance_client import FinanceSandbox

SETS = 306
ANSWERS = 29
# Recorded values of columns that the document has.
VALUES = 4_000
# Sets with an enumeration in the key, with enough rows for one that has no member.
MANY = {
    "DeliveryModeProductLinesV2": 160,
    "RetailTillLayoutZones": 60,
    "ReceiptProfileLines": 60,
    "BrazilianElectronicReportingParameters": 60,
    "LTMParameters": 60,
}
PAGE = 3
JSON = msgspec.json.Encoder(decimal_format="number")


def found(name: str) -> Path:
    """A file beside the project; the test is skipped if it is not there."""
    path = DOCUMENTS / name
    if not path.exists():
        pytest.skip(f"{path} is not there")
    return path


@pytest.fixture(scope="module")
def environment() -> Iterator[FinanceSandbox]:
    """A sandbox with the unusual entities of an environment, and small pages."""
    document = found("finance-operations-300-rebuilt.xml.gz")
    with finance_client.running(rows=SETS * 4, csdl=document, sizes=MANY) as sandbox:
        sandbox.configure(page_size_cap=PAGE)
        yield sandbox


def assert_fits(run: Run, stream: str) -> None:
    """Assert that the records of a stream have the types that the schema tells."""
    validator = Draft202012Validator(run.schemas[stream]["schema"])
    for record in run.records(stream):
        plain = {k: float(v) if isinstance(v, Decimal) else v for k, v in record.items()}
        assert not [*validator.iter_errors(plain)], stream


def test_every_value_of_every_unusual_entity_arrives(environment: FinanceSandbox) -> None:
    settings = {**environment.settings, "cross_company": True, "tables": ["*"]}
    run = Tap({**settings, "emit_activate_version_messages": True}).sync()
    tables, companies = environment.tables(), environment.switches()["reached_companies"]
    assert len(tables) == len(run.counts) == SETS
    for table in tables:
        name = table["name"]
        expected = as_sent(environment.rows(name), table["key"], companies)
        assert told_apart(run.records(name)) == told_apart(expected), name
        assert_fits(run, name)
    for name in MANY:
        key = run.schemas[name]["key_properties"]
        assert any("" in [row[column] for column in key] for row in run.records(name)), name
    activated = [m["stream"] for m in run.messages if m["type"] == "ACTIVATE_VERSION"]
    growing = {name for name in run.schemas if run.schemas[name].get("bookmark_properties")}
    assert len(activated) == len({*activated}) == SETS - len(growing)


def recorded() -> dict[str, list[Message]]:
    """The rows of the recorded answers by entity set, with their exact numbers."""
    text = gzip.decompress(found("finance-operations-answers.json.gz").read_bytes())
    answers = json.loads(text, parse_float=Decimal)
    return {
        each["path"].partition("?")[0].rpartition("/")[2]: each["body"]["value"] for each in answers
    }


def test_every_value_of_recorded_answers_arrives(way: dict[str, Any]) -> None:
    """The answers are of another version than the document: some columns are in one of them."""
    document = gzip.decompress(found("finance-operations-300-rebuilt.xml.gz").read_bytes())
    answers = recorded()
    assert len(answers) == ANSWERS
    bodies = {name: answer(JSON.encode({"value": rows})) for name, rows in answers.items()}
    settings = {**way, "cross_company": True, "tables": [*answers]}
    with service(bodies, data=document, **settings) as running:
        catalog = running.tap.discover()
        run = running.tap.sync(catalog=catalog)
    compared = 0
    for name, rows in answers.items():
        columns = entry(catalog, name)["schema"]["properties"]
        # No answer has a null in a key.
        expected = [{column: row.get(column) for column in columns} for row in rows]
        assert told_apart(run.records(name)) == told_apart(expected), name
        assert_fits(run, name)
        compared += sum(len(columns.keys() & row) for row in rows)
    assert compared > VALUES
