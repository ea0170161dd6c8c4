"""Discovery: what it finds, and what it costs.

`REWRITE_GOLDEN=1 pytest tests/singer/test_discovery.py` rewrites the files in tests/golden/. Review
the difference before you commit.
"""

from __future__ import annotations

import json
import os
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import jsonschema
import pytest

from sandbox import client
from tests.tap import (
    EXECUTABLE,
    Message,
    Tap,
    entry,
    in_one_mode,
    own_metadata,
    reads,
)
from tools.repository import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.client import Sandbox

pytestmark = in_one_mode

GOLDEN = Path(__file__).parents[1] / "golden"
# Real documents, too large and not ours to keep here; how many tables each has.
DOCUMENTS = REPOSITORY.parent / "shared" / "csdl"
TABLES = {
    "dataverse-v9.xml.gz": 327,
    "dataverse-v8.2-annotated-german.xml.gz": 248,
    "business-central-v2.xml.gz": 87,
}
LARGEST = "dataverse-v9.xml.gz"


def column(schema: Message, metadata: Message) -> str:
    """A column in one line."""
    words = [*schema.pop("type")]
    items = schema.pop("items", None)
    description = schema.pop("description", "")
    title = schema.pop("title", "")
    words += [f"{name}={value}" for name, value in schema.items()]
    if items:
        words.append(f"of {json.dumps(items)}")
    if metadata["inclusion"] != "available":
        words.append(metadata["inclusion"])
    return " ".join(words) + f" '{title}'" + (f": {description}" if description else "")


def readable(catalog: Message) -> Message:
    """A catalog with one line for each column, to compare."""
    tables = {}
    for stream in json.loads(json.dumps(catalog["streams"])):
        metadata = {tuple(item["breadcrumb"]): item["metadata"] for item in stream["metadata"]}
        schema = stream.pop("schema")
        del stream["metadata"]
        table = {
            **stream,
            "title": schema.get("title"),
            "description": schema.get("description"),
            "metadata": metadata[()],
            "columns": {
                name: column(found, metadata["properties", name])
                for name, found in schema["properties"].items()
            },
        }
        tables[stream["tap_stream_id"]] = table
    return tables


# The part of a description that depends on the kind of column.
FACTS = re.compile(
    r" ?(Maximum length: \d+\.|Decimal places: \d+\.|A date without|The same in all) ?.*$"
)


def without_facts(catalog: Message) -> Message:
    """A catalog without what descriptions tell of kinds of columns."""
    found = readable(catalog)
    for table in found.values():
        for name, words in table["columns"].items():
            table["columns"][name] = FACTS.sub("", words).removesuffix(":")
    return found


def assert_golden(name: str, found: Message) -> None:
    """What is found is what the file holds."""
    path = GOLDEN / f"{name}.json"
    if os.environ.get("REWRITE_GOLDEN"):
        path.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    assert found == json.loads(path.read_text())


def test_catalog_of_all_tables_is_the_golden_file(catalog: Message) -> None:
    assert_golden("catalog", readable(catalog))


def test_catalog_of_some_tables_is_the_golden_file(tap: Tap) -> None:
    found = readable(tap.but(tables=["TEAM*", "new_gr?ße"]).discover())
    assert_golden("catalog-of-some-tables", found)


def test_catalog_is_the_same_each_time(tap: Tap, catalog: Message) -> None:
    assert tap.discover() == catalog


def test_discovery_takes_three_requests(service: Sandbox, tap: Tap) -> None:
    tap.discover()
    paths = [request["path"].rpartition("/")[2] for request in service.requests()]
    assert paths == ["token", "$metadata", "RetrieveMetadataChanges(Query=@p1)"]
    assert not reads(service.requests())
    compressed = [request["headers"]["accept-encoding"] for request in service.requests()[1:]]
    assert all("gzip" in each for each in compressed)


def test_stdout_of_discovery_is_only_the_catalog(tap: Tap) -> None:
    run = tap.run("--discover")
    assert [*json.loads(run.output)] == ["streams"]


def test_patterns_are_case_insensitive_and_one_without_a_match_is_logged(tap: Tap) -> None:
    run = tap.but(tables=["Account", "NEW_*", "nosuch*"]).run("--discover")
    names = {stream["tap_stream_id"] for stream in json.loads(run.output)["streams"]}
    assert {"account", "new_project", "new_größe"} <= names
    assert all(name == "account" or name.startswith("new_") for name in names)
    (warning,) = run.logged("WARNING")
    assert "'nosuch*'" in warning


def test_patterns_without_any_match_are_refused_in_one_sentence(tap: Tap) -> None:
    run = tap.but(tables=["nosuch*", "Accounts"]).run("--discover")
    assert run.refusal() == (
        "No table matches 'nosuch*' of the setting tables. No table matches 'Accounts' of the "
        "setting tables. Did you mean account?"
    )
    assert not run.output


def test_private_tables_are_in_the_catalog_but_not_selected(catalog: Message) -> None:
    left_out = {
        stream["tap_stream_id"]
        for stream in catalog["streams"]
        if not own_metadata(stream)["selected"]
    }
    assert left_out == {"principalobjectaccess", "new_externalorder"}


def test_users_and_teams_have_their_usual_keys(catalog: Message) -> None:
    assert entry(catalog, "systemuser")["key_properties"] == ["systemuserid"]
    assert entry(catalog, "team")["key_properties"] == ["teamid"]


@pytest.mark.parametrize("status", [400, 403, 404, 405, 501])
def test_catalog_without_the_function_is_the_same(
    service: Sandbox, tap: Tap, catalog: Message, status: int
) -> None:
    service.configure(no_metadata_changes=status)
    run = tap.run("--discover")
    assert not run.logged("WARNING")
    found = json.loads(run.output)
    assert without_facts(found) == without_facts(catalog)


@pytest.mark.parametrize("status", [403, 404])
def test_discovery_without_definitions_continues_with_a_warning(
    service: Sandbox, tap: Tap, catalog: Message, status: int
) -> None:
    service.configure(no_metadata_changes=501)
    service.fault("EntityDefinitions", status=status, count=None)
    run = tap.run("--discover")
    assert run.status == 0
    found = json.loads(run.output)
    assert len(found["streams"]) == len(catalog["streams"])
    assert entry(found, "systemuser")["key_properties"] == ["ownerid"]
    (warning,) = run.logged("WARNING")
    assert str(status) in warning


@pytest.mark.parametrize("name", TABLES)
def test_discovery_of_a_real_services_document_finds_all_tables(
    name: str, tap_for: Callable[..., Tap]
) -> None:
    path = DOCUMENTS / name
    if not path.exists():
        pytest.skip(f"{path} is not there")
    rows = 2
    with client.running(rows=TABLES[name] * rows, csdl=path) as service:
        tap = tap_for(service)
        catalog = tap.discover()
        assert len(catalog["streams"]) == TABLES[name]
        declared = {table["name"]: table for table in service.tables()}
        for stream in catalog["streams"]:
            table = declared[stream["tap_stream_id"]]
            key = table["key"] if len(table["key"]) != 1 else [table["primary_id"]]
            assert stream["key_properties"] == key
        run = tap.sync(catalog=catalog)
        assert len(service.requests()) < 2 * TABLES[name]
        stored = {name: table["rows"] for name, table in declared.items() if table["rows"]}
    assert run.counts == {name: stored[name] for name in run.schemas if name in stored}
    assert sum(run.counts.values()) > TABLES[name]
    for stream, message in run.schemas.items():
        validator = jsonschema.Draft202012Validator(message["schema"])
        for row in run.records(stream):
            validator.validate(row)


# Runs a program, and logs what it used. It runs in a separate process, because Linux counts the
# memory of the parent process as the program's.
USAGE = """
import resource, subprocess, sys
status = subprocess.call(sys.argv[1:])
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
print(usage.ru_maxrss, usage.ru_utime + usage.ru_stime, file=sys.stderr)
sys.exit(status)
"""


def test_discovery_of_a_large_organization_fits_in_150_mb(tap_for: Callable[..., Tap]) -> None:
    path = DOCUMENTS / LARGEST
    if not path.exists():
        pytest.skip(f"{path} is not there")
    with client.running(rows=0, csdl=path) as service:
        tap = tap_for(service)
        run = replace(tap, command=(sys.executable, "-c", USAGE, *EXECUTABLE)).run("--discover")
        requests = len(service.requests())
    assert run.status == 0, run.log
    kilobytes, seconds = map(float, run.log.splitlines()[-1].split())
    sys.stdout.write(
        f"--discover of {TABLES[LARGEST]} tables: {seconds:.2f} s of processor time, "
        f"{kilobytes / 1024:.0f} MB, {requests} requests\n"
    )
    assert len(json.loads(run.output)["streams"]) == TABLES[LARGEST]
    assert kilobytes / 1024 < 150
    assert requests <= 5
