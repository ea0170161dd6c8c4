"""Recorded responses of real organisations, replayed by a server.

The recordings are not part of this project. Without them, the tests are skipped. Hosts, people,
companies and ids in them are invented.
"""

from __future__ import annotations

import gzip
import json
import re
import threading
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from tests.login.program import running, variables
from tests.progress.test_progress import HASTY, ending
from tests.servers.scripted import SECONDS, answer, serving
from tests.tap import Message, Run, Tap, entry, own_metadata
from tools.repository import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sandbox.client import Sandbox
    from tests.servers.scripted import Scripted

FILE = REPOSITORY.parent / "shared" / "recordings" / "dataverse.json.gz"
COUNT = 43
#: Recordings of what the tap never asks for.
NOT_FED = {
    35: "the discovery service, which tells of environments: the tap is given its address",
    42: "RetrieveRecordChangeHistory, an action for one row: the tap reads the table audit",
}
TOKEN = "an-invented-access-token"  # noqa: S105 - an invented one
LABEL = "OData.Community.Display.V1.FormattedValue"
TABLE = "Microsoft.Dynamics.CRM.lookuplogicalname"
MISSING = answer(
    b'{"error":{"code":"0x8006088a","message":"Resource not found for the segment."}}', 404
)
ADA = answer(b'{"value":[{"accountid":"00000000-0000-0000-0000-0000000000ad","name":"Ada"}]}')


@dataclass(frozen=True)
class Recording:
    """One recorded answer.

    Attributes:
        path: Of the request.
        status: Of the answer.
        headers: Of the answer, as far as they were recorded.
        body: Of the answer.
        table: Whose rows are in it, with its key; nothing if there are none.
    """

    path: str
    status: int
    headers: dict[str, str]
    body: str
    table: Message

    @property
    def answer(self) -> bytes:
        """The answer as it was sent."""
        told = {name.replace("-", "_"): value for name, value in self.headers.items()}
        return answer(self.body.encode(), self.status, **told)

    @property
    def page(self) -> str:
        """The body as a page of rows, digit for digit, also where it was the answer to one row."""
        if '"value"' in self.body:
            return self.body
        found = re.fullmatch(
            r'\s*\{\s*("@odata\.context":\s*"[^"]*"),\s*(.*)\}\s*', self.body, re.DOTALL
        )
        assert found
        return f'{{{found[1]},"value":[{{{found[2]}}}]}}'


@pytest.fixture(scope="module")
def recordings() -> list[Recording]:
    """All recordings, by their number."""
    if not FILE.exists():
        pytest.skip(f"{FILE} is not there")
    return [
        Recording(
            each["request"]["path"],
            each["status"],
            each["headers"],
            each["body"],
            each.get("table") or {},
        )
        for each in json.loads(gzip.decompress(FILE.read_bytes()))
    ]


def tap(server: Scripted, **settings: Any) -> Tap:
    """The tap for a service that is the scripted server."""
    return Tap(
        {
            "service_url": f"{server.url}/api/data/v9.2/",
            "access_token": TOKEN,
            "ws_retry_count": 1,
            **settings,
        }
    )


def by_path(answers: dict[str, bytes]) -> Callable[[bytes], bytes]:
    """Answer by a part of the address; what is not known is not found."""

    def handle(request: bytes) -> bytes:
        line = request.partition(b"\r\n")[0].decode()
        return next((said for part, said in answers.items() if part in line), MISSING)

    return handle


def stream(name: str, table: str, key: list[str], columns: dict[str, Message]) -> Message:
    """A catalog's entry, as a person writes it."""
    return {
        "tap_stream_id": name,
        "table_name": table,
        "key_properties": key,
        "replication_method": "FULL_TABLE",
        "schema": {"type": "object", "properties": columns},
        "metadata": [{"breadcrumb": [], "metadata": {"selected": True}}],
    }


ACCOUNT = stream(
    "account",
    "accounts",
    ["accountid"],
    {"accountid": {"type": ["string"]}, "name": {"type": ["string", "null"]}},
)


def test_recordings_are_used_or_have_a_reason_not_to_be(recordings: list[Recording]) -> None:
    fed = {*ROWS, *REFUSALS, *DEFINITIONS, *WHO_AM_I, 25, 27, 29, 31, 32, 34, 36, 39, 40}
    assert len(recordings) == COUNT
    assert fed | set(NOT_FED) == set(range(COUNT))
    assert not fed & set(NOT_FED)


# Rows, of which all are read in one run.

#: What the first record of each recording has, among others; numbers by their digits.
ROWS: dict[int, Message] = {
    0: {
        "revenue": Decimal("12345678.0000"),
        "openrevenue": Decimal("0.0000000000"),
        "exchangerate": Decimal("1.0000000000"),
        "address2_line1": None,
    },
    1: {
        "inv_multiselectoptionset": "742070000,742070001",
        "inv_dateonly": "1968-09-02T00:00:00Z",
        "inv_decimal": 2000000,
        "inv_file": None,
        "inv_image_url": None,
    },
    2: {
        "systemuserid": "64335f72-c189-e711-8104-5065f38b3241",
        "ownerid": "64335f72-c189-e711-8104-5065f38b3241",
        "organizationid": "d4689bf7-d129-4c9e-a404-1461887cbe79",
        "address1_composite": "Blvd. Inventado No. 7 Col. La Muestra\r\n"
        "52970 Estado de Mexico, Mexico State\r\nMX",
    },
    4: {"ir_visit_date": "2019-12-02", "ir_statusname": "Scheduled", "ir_status": 100000000},
    5: {
        "msdyn_copilotinteractionid": "2b96edc4-83db-ee11-904c-000d3a100664",
        "versionnumber": 7002510,
        "msdyn_name": None,
    },
    6: {"cra0f_favoritespecies": "238080000,238080001,238080002", "cra0f_species": 238080001},
    # A navigation property that v8.2 took for a column.
    7: {"name": "Coho Winery (sample)", "createdby": None},
    9: {
        "inv_accounttypename": "PRIVATE",
        "inv_logonmodesname": "VRS",
        "createdon": "2022-01-26T05:44:34Z",
    },
    10: {
        "_owningbusinessunit_value": "0023a615-8193-e711-8111-5065f38a6ad1",
        "owningbusinessunitname": None,
        "createdbyname": "Invented Sys Ops",
        "defra_name": "\xa0 BS1 5AH ",
    },
    11: {
        "defra_availablefrom": "2017-03-31T23:00:00Z",
        "defra_advertisedprice": Decimal("6.0"),
        "defra_newadvertisedprice": Decimal("7.2"),
    },
    12: {
        "iscustomizable": {
            "Value": True,
            "CanBeChanged": True,
            "ManagedPropertyLogicalName": "iscustomizableanddeletable",
        },
        "overwritetime": "1900-01-01T00:00:00Z",
    },
    13: {
        "versionnumber": 638751518483842799,
        "partitionid": "Device-ABC-1234",
        "contoso_value": 80,
    },
    14: {
        "m365_name": "Review.doc",
        "m365_graphdriveitemid": "d6ad63ac-ec83-d0b3-270e-8ad676622027",
    },
    15: {
        "objecttypecode": "contact",
        "useridname": "FirstName LastName",
        "objectidtype": "contact",
        "objectidname": None,
    },
    16: {
        "totalamount": Decimal("4990.0000000000"),
        "exchangerate": Decimal("1.000000000000"),
        "estimatedclosedate": "2023-06-25",
    },
    17: {"path": "https://oc-cdn.invented.example/"},
    18: {"name": "Test Account 1"},
    19: {"name": "Litware, Inc. (sample)"},
    20: {
        "_regardingobjectid_value": "93f0349c-6752-e711-80fa-5065f38ba391",
        "regardingobjectidname": "Test",
        "inv_casetype": "incident",
    },
    21: {"address1_stateorprovince": "TX"},
    41: {
        "inv_application_inv_site_inv_site": [
            {"inv_siteid": "83bb1109-268f-ec11-b400-000d3a8728b2"},
            {"inv_siteid": "9c65b74f-fd8f-ec11-b400-000d3a872ae7"},
        ]
    },
}
#: Records in each recording with more than one.
COUNTS = {4: 4, 5: 2, 14: 2, 19: 2}
#: Columns that are annotations of others, and columns that are not in the rows.
ANNOTATED = {
    4: {"ir_statusname": f"ir_status@{LABEL}"},
    9: {
        "inv_accounttypename": f"inv_accounttype@{LABEL}",
        "inv_logonmodesname": f"inv_logonmodes@{LABEL}",
    },
    10: {
        "owningbusinessunitname": f"_owningbusinessunit_value@{LABEL}",
        "createdbyname": f"_createdby_value@{LABEL}",
    },
    15: {
        "useridname": f"_userid_value@{LABEL}",
        "objectidname": f"_objectid_value@{LABEL}",
        "objectidtype": f"_objectid_value@{TABLE}",
    },
    20: {
        "regardingobjectidname": f"_regardingobjectid_value@{LABEL}",
        "inv_casetype": f"_inv_case_value@{TABLE}",
    },
}
WITHOUT_VALUES = {7: ["createdby"]}
KINDS = {
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    dict: "object",
    list: "array",
}


def described(number: int, recording: Recording) -> Message:
    """The catalog's entry for the rows of a recording, with the columns that were asked for."""
    told = recording.table
    kinds: dict[str, str] = {}
    for row in json.loads(recording.page)["value"]:
        for name, value in row.items():
            if "@" in name or name in told.get("not_asked", ()):
                continue
            if value is not None:
                kinds[name] = KINDS[type(value)]
            kinds.setdefault(name, "string")
    kinds |= dict.fromkeys(told.get("types", {}), "number")
    annotated = ANNOTATED.get(number, {})
    kinds |= dict.fromkeys([*annotated, *WITHOUT_VALUES.get(number, [])], "string")
    key = told["key"]
    columns = {
        name: {"type": [kind] if name in key else [kind, "null"]} for name, kind in kinds.items()
    }
    made = stream(f"{told['name']}_{number}", f"recording{number}", key, columns)
    made["metadata"] += [
        {"breadcrumb": ["properties", name], "metadata": {"annotation": annotation}}
        for name, annotation in annotated.items()
    ]
    return made


@dataclass(frozen=True)
class Synced:
    """A run over all recordings of rows.

    Attributes:
        run: What it left.
        asked: The request lines.
        catalog: What it was given.
    """

    run: Run
    asked: list[str]
    catalog: Message


@pytest.fixture(scope="module")
def synced(recordings: list[Recording]) -> Synced:
    """Read the rows of all recordings, each as a table of its own."""
    catalog = {"streams": [described(number, recordings[number]) for number in ROWS]}

    def handle(request: bytes) -> bytes:
        line = request.partition(b"\r\n")[0].decode()
        if "$skiptoken" in line:
            return answer(b'{"value":[]}')
        found = re.search(r"/recording(\d+)\?", line)
        return answer(recordings[int(found[1])].page.encode()) if found else MISSING

    with serving(handle) as server:
        run = tap(server).sync(catalog=catalog)
        return Synced(run, server.asked, catalog)


@pytest.mark.parametrize("number", ROWS)
def test_recorded_rows_arrive_as_they_were_sent(
    recordings: list[Recording], synced: Synced, number: int
) -> None:
    told = recordings[number].table
    name = f"{told['name']}_{number}"
    records = synced.run.records(name)
    assert len(records) == COUNTS.get(number, 1)
    columns = set(entry(synced.catalog, name)["schema"]["properties"])
    assert all(set(record) == columns for record in records)
    first = {column: records[0][column] for column in ROWS[number]}
    assert [*map(str, first.values())] == [*map(str, ROWS[number].values())]
    assert not [text for text in synced.run.logged("WARNING") if name in text]
    assert not columns & {"@odata.etag", *told.get("not_asked", ())}


def test_recorded_links_are_followed_on_the_origin_that_is_set(
    recordings: list[Recording], synced: Synced
) -> None:
    pages = [json.loads(recordings[number].page) for number in ROWS]
    followed = {
        re.sub(r"https://[^/]+", "GET ", page["@odata.nextLink"])
        for page in pages
        if "@odata.nextLink" in page
    }
    # A link within a row, to more of what is expanded, is none of the page.
    assert len(followed) == 2
    assert followed == {line for line in synced.asked if "$skiptoken" in line}


# Refusals, each of which is a run's only answer, or its first.

SKIPPED = "Skipped 'account', which can't be read."
#: What the tap says, and whether the table is skipped.
REFUSALS = {
    22: (True, r"SystemUser With Id = 9252f055-.* Does Not Exist \(0x80040217\)"),
    23: (
        False,
        r"not a member of the organization\..*add an application user with a security role",
    ),
    24: (
        False,
        r"\(Id = \{0\}\) is disabled\..*Enable the user in the Power Platform admin center",
    ),
    26: (True, r"Resource not found for the segment 'ontacts' \(0x8006088a\)"),
    28: (True, r"accessMode=0\), is missing prvReadinv_articledudossier .*'Article du séjour'"),
    30: (False, r"answered 400 to /api/data/v9\.2/accounts: error"),
}


@pytest.mark.parametrize("number", REFUSALS)
def test_recorded_refusal_is_reported_in_the_services_words(
    recordings: list[Recording], number: int
) -> None:
    is_skipped, words = REFUSALS[number]
    with serving(recordings[number].answer) as server:
        run = tap(server).run(catalog={"streams": [ACCOUNT]})
    assert len(server.asked) == 1
    assert run.status == 1
    assert run.output.count('"RECORD"') == 0
    assert "Traceback" not in run.log
    (line,) = (
        text for level in ("WARNING", "ERROR") for text in run.logged(level) if "/api" in text
    )
    assert re.search(words, line), line
    assert line.startswith(SKIPPED) == is_skipped


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (25, r"exceeded the limit of 8000 over .*\(0x80072322\) Trying again in 1 s"),
        (29, r"Sandbox Worker processes .* \(0x8004418d\) Trying again in 1 s"),
    ],
)
def test_recorded_refusal_that_is_transient_is_retried(
    recordings: list[Recording], number: int, words: str
) -> None:
    with serving(recordings[number].answer, ADA) as server:
        run = tap(server).sync(catalog={"streams": [ACCOUNT]})
    assert len(server.asked) == 2
    (warning,) = run.logged("WARNING")
    assert re.search(words, warning), warning
    assert "System.ServiceModel" not in warning
    assert len(run.records("account")) == 1


def test_recorded_refusal_of_a_column_costs_only_that_column(
    recordings: list[Recording],
) -> None:
    columns = {
        **ACCOUNT["schema"]["properties"],
        "inv_departmentname": {"type": ["string", "null"]},
    }
    wider = stream("account", "accounts", ["accountid"], columns)
    with serving(recordings[27].answer, ADA) as server:
        run = tap(server).sync(catalog={"streams": [wider]})
    assert ["inv_departmentname" in line for line in server.asked] == [True, False]
    (record,) = run.records("account")
    assert (record["name"], record["inv_departmentname"]) == ("Ada", None)
    (warning,) = run.logged("WARNING")
    assert "inv_departmentname" in warning


# Tokens.


def test_recorded_token_of_version_1_signs_requests(recordings: list[Recording]) -> None:
    with serving(by_path({"/token": recordings[31].answer, "/accounts?": ADA})) as server:
        run = signing_in(server).sync(catalog={"streams": [ACCOUNT]})
    assert len(run.records("account")) == 1
    assert b"Authorization: Bearer eyJ0-invented\r\n" in server.requests[1]
    assert "eyJ0-invented" not in run.log


def test_recorded_refusal_of_a_token_says_what_to_check(recordings: list[Recording]) -> None:
    with serving(by_path({"/token": recordings[32].answer})) as server:
        sentence = signing_in(server).run(catalog={"streams": [ACCOUNT]}).refusal()
    assert "AADSTS500011" in sentence
    assert "the tenant named Invented & Son, Inc." in sentence
    assert "check service_url" in sentence
    assert len(server.asked) == 1


def signing_in(server: Scripted) -> Tap:
    """The tap as an app that asks the scripted server for a token."""
    return tap(
        server,
        access_token=None,
        token_uri=f"{server.url}/invented-tenant/oauth2/token",
        client_id="invented-client",
        client_secret="invented~secret",  # noqa: S106 - an invented one
    ).but(access_token=None)


# Descriptions of tables.

DOCUMENT = answer(
    b"""<edmx:Edmx Version="4.0" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx">
    <edmx:DataServices><Schema Namespace="Microsoft.Dynamics.CRM" Alias="mscrm"
    xmlns="http://docs.oasis-open.org/odata/ns/edm">
    <EntityType Name="account"><Key><PropertyRef Name="accountid"/></Key>
      <Property Name="accountid" Type="Edm.Guid"/>
      <Property Name="emailaddress3" Type="Edm.String"/>
      <Property Name="inv_kind" Type="Edm.Int32"/></EntityType>
    <EntityType Name="contact"><Key><PropertyRef Name="contactid"/></Key>
      <Property Name="contactid" Type="Edm.Guid"/></EntityType>
    <EntityType Name="aaduser"><Key><PropertyRef Name="aaduserid"/></Key>
      <Property Name="aaduserid" Type="Edm.Guid"/></EntityType>
    <EntityContainer Name="System">
      <EntitySet Name="accounts" EntityType="mscrm.account"/>
      <EntitySet Name="contacts" EntityType="mscrm.contact"/>
      <EntitySet Name="aadusers" EntityType="mscrm.aaduser"/>
    </EntityContainer></Schema></edmx:DataServices></edmx:Edmx>""",
    Content_Type="application/xml",
)
PROVIDER = "7b075b8b-0cd3-4c85-9b6c-ea5f8548a9aa"
NO_PROVIDER = "7015a531-cc0d-4537-b5f2-c882a1eb65ad"


def of_all_tables(body: str) -> bytes:
    """A recorded answer about one table as an answer about all."""
    one = re.sub(r'^\{"@odata\.context":"[^"]*",', "{", body)
    return answer(f'{{"value":[{one}]}}'.encode())


def discovered(answers: dict[str, bytes], **settings: Any) -> tuple[Message, Run]:
    """What the tap discovers."""
    with serving(by_path({"$metadata": DOCUMENT, **answers})) as server:
        run = tap(server, **settings).run("--discover")
    assert run.status == 0, run.log
    return json.loads(run.output), run


def title_of_email(catalog: Message, _run: Run) -> None:
    columns = entry(catalog, "account")["schema"]["properties"]
    assert columns["emailaddress3"]["title"] == "Email Address 3"


def told_without_a_name(_catalog: Message, run: Run) -> None:
    (warning,) = run.logged("WARNING")
    assert "does not provide table definitions" in warning
    assert "`LogicalName`" in warning


def with_a_provider(catalog: Message, _run: Run) -> None:
    assert own_metadata(entry(catalog, "aaduser"))["selected"] is True


#: Of `EntityDefinitions`.
DEFINITIONS: dict[int, Callable[[Message, Run], None]] = {
    8: title_of_email,
    37: told_without_a_name,
    38: with_a_provider,
}


@pytest.mark.parametrize("number", DEFINITIONS)
def test_recorded_definition_of_a_table_is_understood(
    recordings: list[Recording], number: int
) -> None:
    found = of_all_tables(recordings[number].body)
    catalog, run = discovered({"EntityDefinitions": found})
    assert [each["tap_stream_id"] for each in catalog["streams"]] == [
        "account",
        "contact",
        "aaduser",
    ]
    DEFINITIONS[number](catalog, run)


def test_recorded_virtual_table_without_a_provider_is_not_selected(
    recordings: list[Recording],
) -> None:
    body = recordings[38].body.replace(PROVIDER, NO_PROVIDER)
    catalog, _ = discovered({"EntityDefinitions": of_all_tables(body)})
    assert own_metadata(entry(catalog, "aaduser"))["selected"] is False


def test_recorded_changes_of_metadata_describe_tables_and_are_kept(
    recordings: list[Recording], tmp_path: Path
) -> None:
    told = {"RetrieveMetadataChanges": recordings[36].answer}
    kept = tmp_path / "map.json"
    catalog, run = discovered(told, schema_map=str(kept))
    assert not run.logged("WARNING")
    assert entry(catalog, "contact")["key_properties"] == ["contactid"]
    assert "EntityDefinitions" not in run.log
    assert "74812162!10/09/2022 22:10:22" in kept.read_text()


def test_recorded_batch_of_writes_in_response_to_reads_is_refused(
    recordings: list[Recording], tmp_path: Path
) -> None:
    picklist = (
        '{"LogicalName":"account","MetadataId":"70816501-edb9-4740-a16c-6a5efbc05d84",'
        '"Attributes":[{"LogicalName":"inv_kind","AttributeTypeName":{"Value":"PicklistType"}}]}'
    )
    answers = {"$batch": recordings[39].answer, "EntityDefinitions": of_all_tables(picklist)}
    with serving(by_path({"$metadata": DOCUMENT, **answers})) as server:
        run = tap(server, schema_map=str(tmp_path / "map.json")).run("--discover")
    assert "answered 204 to a request in a batch" in run.refusal()
    assert [line.partition("?")[0] for line in server.asked][-1] == "POST /api/data/v9.2/$batch"


# Other responses of the service.


def test_recorded_delta_brings_a_row_without_its_nulls_and_a_deleted_one(
    recordings: list[Recording],
) -> None:
    columns = dict.fromkeys(("name", "accountnumber", "telephone1", "fax"))
    text = {"type": ["string", "null"]}
    tracked = stream(
        "account",
        "accounts",
        ["accountid"],
        {
            "accountid": {"type": ["string"]},
            **dict.fromkeys(columns, text),
            "_sdc_deleted_at": {**text, "format": "date-time"},
        },
    )
    tracked["replication_method"] = "LOG_BASED"
    token = "919042!08/22/2017 08:10:44"  # noqa: S105 - a version and a time
    with serving(recordings[40].answer) as server:
        run = tap(server, emit_activate_version_messages=False).sync(
            catalog={"streams": [tracked]},
            state={"bookmarks": {"account": {"delta_token": token}}},
        )
    assert "$deltatoken=919042%2108%2F22%2F2017%2008%3A10%3A44".lower() in server.asked[0].lower()
    changed, deleted = run.records("account")
    assert {name: changed[name] for name in columns} == {
        "name": "Invented Orton",
        "accountnumber": None,
        "telephone1": "555000",
        "fax": "10101",
    }
    assert deleted["accountid"] == "a77a0831-c686-e711-80e5-00155db19e6d"
    assert deleted["_sdc_deleted_at"]
    assert "919058!08/22/2017 08:21:20" in run.state["bookmarks"]["account"].values()


def test_recorded_row_counts_are_read(recordings: list[Recording], tmp_path: Path) -> None:
    told = threading.Event()
    link = '"@odata.nextLink":"http://invented.example/api/data/v9.2/accounts?$skiptoken=x"'
    row = '{"accountid":"00000000-0000-0000-0000-0000000000ad","name":"Ada"}'

    def handle(request: bytes) -> bytes:
        line = request.partition(b"\r\n")[0].decode()
        if "RetrieveTotalRecordCount" in line:
            return recordings[34].answer
        if "$skiptoken" in line:
            # The run does not end before the number is known.
            told.wait(SECONDS)
            return ADA
        return answer(f'{{"value":[{row}],{link}}}'.encode())

    with serving(handle) as server:
        hasty = Tap(tap(server).settings, command=("-c", HASTY))
        with ending(hasty.start(tmp_path, catalog={"streams": [ACCOUNT]})) as process:
            lines = (line.decode() for line in process.stderr or ())
            assert any("account: 1 of about 19 rows" in line for line in lines)
            told.set()
            process.communicate(timeout=SECONDS)
    assert process.returncode == 0


#: The user who signed in, as the login command shows it.
WHO_AM_I = (3, 33)


@pytest.mark.parametrize("number", WHO_AM_I)
def test_recorded_identity_is_shown_at_sign_in(
    recordings: list[Recording], who_am_i: Sandbox, tmp_path: Path, number: int
) -> None:
    recording = recordings[number]
    who_am_i.fault("WhoAmI", status=200, body=recording.body, headers=recording.headers)
    settings = {
        "service_url": who_am_i.service_url,
        "token_uri": who_am_i.announced["token_uri"],
        "client_id": who_am_i.announced["public_client_id"],
        "token_store": str(tmp_path / "token.json"),
    }
    with running(tmp_path, "--device-code", environment=variables(settings)) as program:
        who_am_i.approve_device(program.expect(r"enter the code:\n\n(\S+)\n")[1])
        assert program.end() == 0
    user = json.loads(recording.body)["UserId"]
    assert f"Signed in as user {user}." in program.shown


@pytest.fixture
def who_am_i(service: Sandbox) -> Iterator[Sandbox]:
    """The sandbox, which wants to be asked every second whether a person has signed in."""
    before = service.configure(device_code_interval=1)
    yield service
    service.configure(**before)
