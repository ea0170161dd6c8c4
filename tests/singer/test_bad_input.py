"""Malformed input: catalogs, states and URLs are refused in one sentence, without a traceback."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tap_dynamics365.errors import Dynamics365Error
from tap_dynamics365.tap import TapDynamics365
from tests.tap import Message, Tap, choose, entry, in_one_mode, reads, select

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox.client import Sandbox

SECRET = "s3cr3t~of/mine"  # noqa: S105 - an invented one
NOWHERE = {"service_url": "http://127.0.0.1:9/api/data/v9.2/", "access_token": SECRET}

#: What a file holds instead of what it should; None is no file at all.
FILES: dict[str, bytes | None] = {
    "missing": None,
    "empty": b"",
    "cut off": b'{"access_token": "' + SECRET.encode(),
    "no JSON": b"access_token: " + SECRET.encode(),
    "an array": json.dumps([SECRET]).encode(),
    "a text": json.dumps(SECRET).encode(),
    "a number": b"5",
    "null": b"null",
    "not UTF-8": b"\xff\xfe{}",
    "too deep": b"[" * 100_000,
}
CATALOGS: dict[str, Any] = {
    "no streams": {},
    "streams that are none": {"streams": 5},
    "a stream that is none": {"streams": [5]},
    "a stream without a name": {"streams": [{"schema": {"properties": {}}, "metadata": []}]},
    "a stream without a schema": {"streams": [{"tap_stream_id": "x", "metadata": []}]},
    "a stream without metadata": {
        "streams": [{"tap_stream_id": "x", "schema": {"properties": {}}}]
    },
    "a column without a type": {
        "streams": [{"tap_stream_id": "x", "schema": {"properties": {"a": {}}}, "metadata": []}]
    },
    "a type that JSON Schema has not": {
        "streams": [
            {
                "tap_stream_id": "x",
                "schema": {"properties": {"a": {"anyOf": [{"type": "decimal"}]}}},
                "metadata": [],
            }
        ]
    },
}
STATES: dict[str, Any] = {
    "bookmarks that are none": {"bookmarks": 5},
    "a bookmark that is none": {"bookmarks": {"contact": 5}},
    "a value that is none": {"bookmarks": {"contact": {"replication_key_value": {}}}},
    "partitions that are none": {"bookmarks": {"contact": {"partitions": 5}}},
    "a beginning that is none": {"bookmarks": {"contact": {"replication_key_began": {}}}},
    "an overlap that is none": {"bookmarks": {"contact": {"replication_key_overlap": []}}},
    "a delta token that is none": {"bookmarks": {"contact": {"delta_token": 5}}},
    "a version that is none": {"bookmarks": {"contact": {"version": "new"}}},
    "a metadata version that is none": {"bookmarks": {"contact": {"metadata_version": [1]}}},
}


def refusal(folder: Path, option: str, content: bytes | None) -> str:
    """Run the tap with a file that is refused, and return the message."""
    path = folder / "given.json"
    if content is not None:
        path.write_bytes(content)
    (folder / "catalog.json").write_text('{"streams": []}')
    tap = Tap({**NOWHERE})
    options = [f"--{option}", str(path)]
    if option == "state":
        options += ["--catalog", str(folder / "catalog.json")]
    run = tap.run(*options)
    sentence = run.refusal()
    assert run.output == ""
    assert str(path) in sentence
    assert SECRET not in run.log
    return sentence


@pytest.mark.parametrize("option", ["config", "catalog", "state"])
@pytest.mark.parametrize("content", FILES.values(), ids=FILES.keys())
def test_input_file_that_cannot_be_read_is_refused_in_one_sentence(
    tmp_path: Path, option: str, content: bytes | None
) -> None:
    assert f"--{option}" in refusal(tmp_path, option, content)


@pytest.mark.parametrize("option", ["config", "catalog"])
def test_input_file_that_is_not_json_is_refused_with_the_place(tmp_path: Path, option: str) -> None:
    without_comma = f'{{\n "access_token": "{SECRET}"\n "tables": []\n}}'.encode()
    sentence = refusal(tmp_path, option, without_comma)
    assert sentence.endswith("is not JSON: Expecting ',' delimiter in line 3, column 2.")
    sentence = refusal(tmp_path, option, without_comma[: without_comma.index(b'"tables')])
    assert sentence.endswith("is not JSON: it may be cut off.")


@pytest.mark.parametrize("catalog", CATALOGS.values(), ids=CATALOGS.keys())
def test_catalog_that_is_malformed_is_refused_in_one_sentence(
    tmp_path: Path, catalog: Message
) -> None:
    assert "--discover" in refusal(tmp_path, "catalog", json.dumps(catalog).encode())


@pytest.mark.parametrize("state", STATES.values(), ids=STATES.keys())
def test_state_that_is_malformed_is_refused_in_one_sentence(tmp_path: Path, state: Message) -> None:
    assert "STATE" in refusal(tmp_path, "state", json.dumps(state).encode())


@in_one_mode
@pytest.mark.parametrize("setting", ["flattening_max_depth", "flattening_max_key_length"])
@pytest.mark.parametrize("value", [-1, 0])
def test_flattening_out_of_bounds_ends_without_a_traceback(
    tap: Tap, catalog: Message, setting: str, value: int
) -> None:
    flattening = {"flattening_enabled": True, "flattening_max_depth": 1, setting: value}
    run = tap.but(**flattening).run(catalog=select(catalog, {"team": None}))
    assert "Traceback" not in run.log
    assert run.status in {0, 1}


@in_one_mode
@pytest.mark.parametrize(
    "maps",
    [
        {"x": "1 +"},
        {"x": "nothing_like_it(name)"},
        {"__filter__": "1 +"},
        {"__key_properties__": ["nothing_like_it"]},
    ],
    ids=["no expression", "an unknown function", "no filter", "an unknown key"],
)
def test_stream_maps_that_are_invalid_are_refused_in_one_sentence(
    service: Sandbox, tap: Tap, catalog: Message, maps: Message
) -> None:
    assert service.rows("team")
    run = tap.but(stream_maps={"team": maps}).run(catalog=select(catalog, {"team": None}))
    assert "stream_maps" in run.refusal()


@in_one_mode
@pytest.mark.parametrize("slash", ["", "/", "//"], ids=["none", "one", "two"])
def test_service_url_with_any_slashes_at_its_end_is_accepted(
    service: Sandbox, tap: Tap, slash: str
) -> None:
    url = service.service_url.rstrip("/") + slash
    run = tap.but(service_url=url, tables=["team"]).run("--discover")
    assert run.status == 0, run.log
    assert '"teamid"' in run.output


@in_one_mode
@pytest.mark.parametrize("path", ["", "/api/data/v1.0/", "/main.aspx"])
@pytest.mark.parametrize("option", ["--discover", "--catalog"])
def test_service_url_of_another_path_is_refused_in_one_sentence(
    service: Sandbox, tap: Tap, catalog: Message, path: str, option: str
) -> None:
    wrong = tap.but(service_url=service.url + path, tables=["team"])
    if option == "--discover":
        run = wrong.run(option)
        assert "service_url" in run.refusal()
    else:
        run = wrong.run(catalog=select(catalog, {"team": None}))
        assert run.refusal()
    assert run.output.count("RECORD") == 0


@in_one_mode
def test_service_url_of_a_web_page_is_refused_in_one_sentence(service: Sandbox, tap: Tap) -> None:
    service.fault(r"\$metadata", html=True, count=None)
    assert "text/html" in tap.run("--discover").refusal()


@in_one_mode
def test_stream_that_the_service_does_not_have_is_named_in_a_warning(
    service: Sandbox, tap: Tap, catalog: Message
) -> None:
    chosen = select(catalog, {"team": None})
    unknown = json.loads(json.dumps(entry(chosen, "team")))
    unknown["tap_stream_id"], unknown["table_name"] = "invented", "inventeds"
    chosen["streams"].append(unknown)
    run = tap.run(catalog=chosen)
    assert any("'invented'" in line for line in run.logged("WARNING"))
    assert "Traceback" not in run.log
    assert run.counts == {"team": len(service.rows("team"))}


@in_one_mode
def test_stream_that_the_catalog_does_not_have_keeps_its_bookmark(
    service: Sandbox, tap: Tap, catalog: Message
) -> None:
    bookmark = {"replication_key": "modifiedon", "replication_key_value": "2026-01-01T00:00:00Z"}
    state = {"bookmarks": {"invented": bookmark}}
    run = tap.sync(catalog=select(catalog, {"team": None}), state=state)
    assert run.state["bookmarks"]["invented"] == bookmark
    assert len(reads(service.requests())) == 1


@pytest.mark.parametrize("value", ["soon", "", "0001", -1, 10**30, True])
@pytest.mark.parametrize("key", ["modifiedon", "versionnumber"])
def test_bookmark_that_is_no_value_of_its_key_ends_without_a_traceback(
    tap: Tap, catalog: Message, key: str, value: object
) -> None:
    chosen = choose(catalog, "contact", replication_key=key)
    bookmark = {"replication_key": key, "replication_key_value": value}
    run = tap.run(catalog=chosen, state={"bookmarks": {"contact": bookmark}})
    assert "Traceback" not in run.log
    assert run.status in {0, 1}


# Each key of the catalog's metadata that the tap or the SDK reads, with values of wrong types.
METADATA = (
    "inclusion",
    "selected",
    "selected-by-default",
    "table-key-properties",
    "valid-replication-keys",
    "replication-key",
    "replication-method",
    "forced-replication-method",
    "schema-name",
    "is-view",
    "row-count",
    "database-name",
    "view-key-properties",
)
WRONG: tuple[Any, ...] = (
    5,
    1.5,
    True,
    "invented",
    ["modifiedon"],
    [["a"]],
    [None],
    {"a": 1},
    {},
    [],
)


def streams(entry: Message) -> None:
    """Set up the stream of an entry, as a run does before it sends anything."""
    tap = TapDynamics365(config=NOWHERE, catalog={"streams": [entry]})
    for stream in tap.streams.values():
        json.dumps([stream.primary_keys, stream.replication_key])


def refused_or_set_up(entry: Message, case: object) -> None:
    """See that an entry makes a stream, or is refused in one sentence."""
    try:
        streams(entry)
    except Dynamics365Error as error:
        message = error.message
    else:
        return
    assert len(message.splitlines()) == 1, case


def small_entry() -> Message:
    """A catalog entry of a table of three columns."""
    columns: Message = {
        "teamid": {"type": ["string"], "format": "uuid"},
        "name": {"type": ["string", "null"]},
        "modifiedon": {"type": ["string", "null"], "format": "date-time"},
    }
    metadata = [
        {"breadcrumb": ["properties", name], "metadata": {"inclusion": "available"}}
        for name in columns
    ]
    own = {"inclusion": "available", "selected": True, "table-key-properties": ["teamid"]}
    return {
        "tap_stream_id": "team",
        "table_name": "teams",
        "replication_key": "modifiedon",
        "replication_method": "INCREMENTAL",
        "key_properties": ["teamid"],
        "schema": {"properties": columns},
        "metadata": [{"breadcrumb": [], "metadata": own}, *metadata],
    }


@pytest.mark.parametrize("key", METADATA)
@pytest.mark.parametrize("item", [0, 1], ids=["of a table", "of a column"])
@pytest.mark.parametrize("method", ["INCREMENTAL", "FULL_TABLE"])
def test_metadata_of_a_wrong_type_is_refused_or_ignored(key: str, item: int, method: str) -> None:
    for value in WRONG:
        found = small_entry()
        found["replication_method"] = method
        found["metadata"][item]["metadata"][key] = value
        refused_or_set_up(found, value)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("table-key-properties", 5),
        ("table-key-properties", True),
        ("table-key-properties", [["a"]]),
        ("replication-key", ["modifiedon"]),
    ],
)
def test_key_in_metadata_of_a_wrong_type_is_refused_in_one_sentence(
    key: str, value: object
) -> None:
    found = small_entry()
    found["metadata"][0]["metadata"][key] = value
    run = Tap(NOWHERE).run(catalog={"streams": [found]})
    assert "'team'" in run.refusal()
    assert run.output == ""
