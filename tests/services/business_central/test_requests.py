"""Requests to Business Central: headers, sign-in, limits, and settings that are refused."""

from __future__ import annotations

import base64
import json
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from sandbox.business_central.service import CLOUD
from tap_dynamics365.connection import connect
from tap_dynamics365.settings import JSON_SCHEMA, Settings
from tests.servers import ntlm
from tests.servers.scripted import answer, serving
from tests.tap import Tap, choose

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.central_client import CentralSandbox
    from tap_dynamics365.services.kind import Service
    from tests.tap import Message

USER = "SANDBOX"
ACCESS_KEY = "sandbox-access-key-not-real"
DEBUG = {"TAP_DYNAMICS365_LOGLEVEL": "DEBUG", "LOGLEVEL": "DEBUG"}
# Headers that only Dataverse knows.
FOREIGN = ("odata.include-annotations", "odata.track-changes")


def tap_of(central: CentralSandbox, **settings: Any) -> Tap:
    """The tap for the companies, which are a table without a company of its own."""
    return Tap({**central.settings, "tables": ["companies"]}).but(**settings)


def on_premises(central: CentralSandbox, **settings: Any) -> Tap:
    """The tap for the companies of the on-premises server."""
    basic = {"authentication_method": "basic", "user": USER, "password": ACCESS_KEY}
    url = central.on_premises_url
    return Tap({"service_url": url, "tables": ["companies"], **basic, **settings})


def service_requests(central: CentralSandbox) -> list[Message]:
    """The requests to the service, without those of the sign-in."""
    return [each for each in central.requests() if "oauth2" not in each["path"]]


def open_central(central: CentralSandbox, **settings: Any) -> Service:
    """Open the service with the client of the tap."""
    return connect(Settings.from_config({**central.settings, **settings}, JSON_SCHEMA))


def test_requests_are_in_english_and_go_to_the_replica(central: CentralSandbox) -> None:
    tap = tap_of(central, fetch_size=2)
    tap.sync()
    assert tap.run("--test").status == 0
    headers = [request["headers"] for request in service_requests(central)]
    assert len(headers) > 6
    assert {each["accept-language"] for each in headers} == {"en-US"}
    assert {each["data-access-intent"] for each in headers} == {"ReadOnly"}
    assert not [each for each in headers if any(word in str(each) for word in FOREIGN)]
    pages = [r for r in service_requests(central) if r["path"].endswith("/companies")]
    assert {r["headers"]["prefer"] for r in pages if "$top" not in r["query"]} == {
        "odata.maxpagesize=2",
        "odata.maxpagesize=1",
    }


def test_requests_on_premises_name_no_replica(central: CentralSandbox) -> None:
    on_premises(central).sync()
    headers = [request["headers"] for request in service_requests(central)]
    assert {each["accept-language"] for each in headers} == {"en-US"}
    assert not [each for each in headers if "data-access-intent" in each]


def test_table_whose_pages_write_is_read_again_and_so_from_then_on(
    central: CentralSandbox,
) -> None:
    central.configure(writing_pages=["companies"])
    run = tap_of(central, fetch_size=2).sync()
    assert run.counts == {"companies": 5}
    assert not run.logged("WARNING")
    pages = [r for r in service_requests(central) if r["path"].endswith("/companies")]
    intents = [page["headers"]["data-access-intent"] for page in pages]
    assert intents[0] == "ReadOnly"
    assert len(intents) > 3
    assert set(intents[1:]) == {"ReadWrite"}


def test_table_whose_pages_write_is_known_in_further_companies(central: CentralSandbox) -> None:
    central.configure(writing_pages=["customers"])
    one = tap_of(central, tables=["customers"], max_parallel_requests=1)
    run = one.sync()
    pages = [r for r in service_requests(central) if r["path"].endswith("/customers")]
    assert [page["status"] for page in pages].count(400) == 1
    central.configure(writing_pages=[])
    assert run.counts == one.sync().counts


def test_table_whose_pages_never_can_write_fails_after_one_repetition(
    central: CentralSandbox,
) -> None:
    central.fault(
        "/companies",
        count=None,
        status=400,
        code="Internal_ServerError",
        message="Cannot insert a record. Current connection intent is Read-Only.",
        error_form="central",
    )
    run = tap_of(central).run()
    assert "connection intent is Read-Only" in run.refusal()
    assert central.hits() == [2]


@pytest.mark.parametrize("behavior", ["cut", "refused"])
def test_pages_that_are_larger_than_the_service_allows_are_not_requested(
    central: CentralSandbox, behavior: str
) -> None:
    central.configure(oversized_page=behavior)
    run = tap_of(central, fetch_size=50_000).sync()
    assert not run.logged("WARNING")
    pages = [r for r in service_requests(central) if r["path"].endswith("/companies")]
    sizes = {r["headers"]["prefer"] for r in pages if "$top" not in r["query"]}
    assert sizes == {"odata.maxpagesize=20000"}


def test_app_that_is_not_registered_is_refused_once_more_with_a_new_token(
    central: CentralSandbox,
) -> None:
    central.configure(app_not_registered=True)
    message = tap_of(central).run("--discover").refusal()
    assert "Authentication_InvalidCredentials" in message
    for words in (
        "Microsoft Entra applications",
        "state Enabled",
        "permission sets",
        "API.ReadWrite.All has admin consent",
        "audience",
        "CorrelationId: ",
    ):
        assert words in message
    assert [request["status"] for request in service_requests(central)] == [401, 401]


def test_basic_extracts_all_rows_and_is_named_in_the_log(central: CentralSandbox) -> None:
    run = on_premises(central).sync()
    assert run.counts == {"companies": 5}
    assert f"Signing in as {USER} with Basic." in run.logged("INFO")
    assert on_premises(central).run("--test").status == 0


def test_basic_with_a_wrong_key_is_refused_with_one_request(central: CentralSandbox) -> None:
    secret = "invented-wrong-key"  # noqa: S105 - invented, and says so
    tap = on_premises(central, password=secret)
    tap.environment.update(DEBUG)
    run = tap.run("--discover")
    message = run.refusal()
    assert "The credentials provided are incorrect." in message
    assert "Check user and password" in message
    assert "web service access key" in message
    assert [request["status"] for request in service_requests(central)] == [401]
    pair = base64.b64encode(f"{USER}:{secret}".encode()).decode()
    assert secret not in run.log
    assert pair not in run.log


def test_basic_keeps_the_key_out_of_the_log_if_the_server_repeats_it(
    central: CentralSandbox,
) -> None:
    central.fault("/companies", echo=True, count=None)
    tap = on_premises(central, ws_retry_count=0)
    tap.environment.update(DEBUG)
    run = tap.run()
    pair = base64.b64encode(f"{USER}:{ACCESS_KEY}".encode()).decode()
    assert run.status == 1
    assert pair not in run.log + run.output
    assert ACCESS_KEY not in run.log + run.output


def test_basic_sends_user_and_key_in_utf_8(central: CentralSandbox) -> None:
    settings = on_premises(central, user="Jörg", password="schlüssel-€").settings  # noqa: S106
    signer = connect(Settings.from_config(settings, JSON_SCHEMA)).client.signer
    request = signer(_Request())  # type: ignore[arg-type]  # has all that is used
    pair = base64.b64decode(request.headers["Authorization"].removeprefix("Basic "))
    assert pair.decode() == "Jörg:schlüssel-€"


def test_ntlm_extracts_all_rows(central: CentralSandbox) -> None:
    windows = {"ntlm_domain": ntlm.DOMAIN, "user": ntlm.USER, "password": ntlm.PASSWORD}
    with ntlm.running(central, CLOUD) as front:
        url = f"{front}{urlsplit(central.service_url).path}"
        given = {"service_url": url, "authentication_method": "NTLM", **windows}
        run = Tap({**given, "tables": ["companies"]}).sync()
    assert run.counts == {"companies": 5}
    assert [line for line in run.logged("INFO") if "with NTLM" in line]


class _Request:
    """A request without anything."""

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}


def test_basic_online_is_refused(central: CentralSandbox) -> None:
    basic = {"authentication_method": "Basic", "user": USER, "password": ACCESS_KEY}
    run = Tap({"service_url": central.service_url, **basic}).run("--discover")
    assert "ended basic authentication on 1 October 2022" in run.refusal()
    assert not central.requests()


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"replication_method": "LOG_BASED"}, ("tracks no changes", "FULL_TABLE")),
        ({"replication_method": "log_based"}, ("emit_activate_version_messages",)),
        ({"metadata_streams": True}, ("only Dataverse describes its tables in streams",)),
        ({"show_name_columns": True}, ("only Dataverse sends labels and names",)),
        ({"cross_company": True}, ("only Finance & Operations has it",)),
    ],
    ids=str,
)
def test_setting_of_another_service_is_refused(
    central: CentralSandbox, setting: dict[str, Any], words: tuple[str, ...]
) -> None:
    message = tap_of(central, **setting).run("--discover").refusal()
    assert next(iter(setting)) in message
    assert all(each in message for each in words)


def test_log_based_in_the_catalog_is_refused_with_the_way_out(central: CentralSandbox) -> None:
    tap = tap_of(central)
    catalog = choose(tap.discover(), "companies", replication_method="LOG_BASED")
    message = tap.run(catalog=catalog).refusal()
    assert "'companies'" in message
    assert "FULL_TABLE with emit_activate_version_messages" in message


@pytest.mark.parametrize(("wanted", "most"), [(None, 4), (1, 1), (4, 4), (5, 5), (6, 5), (52, 5)])
def test_no_more_requests_than_the_service_works_on_are_sent(
    central: CentralSandbox, wanted: int | None, most: int
) -> None:
    limit = open_central(central, max_parallel_requests=wanted).client.concurrency
    assert limit.maximum == most
    assert limit.limit == min(4, most)


def test_more_requests_than_the_service_works_on_are_warned_of_once(
    central: CentralSandbox,
) -> None:
    run = tap_of(central, max_parallel_requests=8).sync()
    (warning,) = run.logged("WARNING")
    assert "works on 5 requests of a user at a time" in warning
    assert "max_parallel_requests" in warning
    assert not tap_of(central, max_parallel_requests=5).sync().logged("WARNING")


def test_requests_of_many_streams_at_once_are_not_throttled(central: CentralSandbox) -> None:
    central.configure(page_delay_ms=30)
    most, done = [0], threading.Event()

    def watch() -> None:
        while not done.is_set():
            gate = central.gate()
            most.append(gate["working"] + gate["waiting"])

    watcher = threading.Thread(target=watch)
    watcher.start()
    run = tap_of(central, tables=None).run()
    done.set()
    watcher.join()
    assert run.status == 0, run.log
    assert len(run.counts) > 15
    assert 2 <= max(most) <= 4
    assert 429 not in {request["status"] for request in service_requests(central)}


def test_too_many_requests_without_a_time_to_wait_end_well(central: CentralSandbox) -> None:
    """The limits of the service, in a small form: 1 request is worked on, and none waits."""
    central.configure(parallel_requests=1, queued_requests=0, page_delay_ms=200)
    client = open_central(central, max_parallel_requests=4).client
    company = urlsplit(client.url).path + f"companies({central.companies()[0]['id']})/"
    read = client.retrying(client.read_page)
    with ThreadPoolExecutor(2) as pool:
        names = ["customers", "items"]
        pages = list(pool.map(lambda name: read(f"{central.url}{company}{name}"), names))
    assert len(pages) == 2
    statuses = [request["status"] for request in service_requests(central)]
    assert 429 in statuses
    assert statuses.count(200) == 2


def test_too_many_requests_within_minutes_are_waited_for(
    changing_central: CentralSandbox,
) -> None:
    changing_central.configure(requests_in_window=1)
    change = ["POST", "configure", {"requests_in_window": 0}]
    changing_central.fault("/api/v2.0/", skip=2, change=change)
    run = tap_of(changing_central).sync()
    assert run.counts == {"companies": 5}
    (throttled,) = run.logged("WARNING")
    assert "Too many requests reached" in throttled
    assert re.search(r"CorrelationId: [0-9a-f-]{36}\..*Trying again in [5-8] s\.$", throttled)


WIDE, PAGES = 208, 3
LONGEST_QUERY = 8_099


def wide_service(columns: list[str]) -> Callable[[bytes], bytes]:
    """Companies with these columns, on 3 pages."""
    properties = "".join(f'<Property Name="{name}" Type="Edm.String"/>' for name in columns)
    document = (
        '<edmx:Edmx Version="4.0" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx">'
        '<edmx:DataServices><Schema Namespace="Microsoft.NAV"'
        ' xmlns="http://docs.oasis-open.org/odata/ns/edm"><EntityType Name="company">'
        '<Key><PropertyRef Name="id"/></Key>'
        f'<Property Name="id" Type="Edm.Guid" Nullable="false"/>{properties}</EntityType>'
        '<EntityContainer Name="NAV">'
        '<EntitySet Name="companies" EntityType="Microsoft.NAV.company"/>'
        "</EntityContainer></Schema></edmx:DataServices></edmx:Edmx>"
    )

    def serve(request: bytes) -> bytes:
        address = request.split()[1].decode()
        if "$metadata" in address:
            return answer(document.encode())
        if "/companies" not in address:
            return answer(b'{"error": {"code": "BadRequest_ResourceNotFound"}}', 404)
        number = int(address.partition("skiptoken=")[2] or 0)
        page: Message = {"value": [{"id": f"{number:08}-0000-0000-0000-000000000000"}]}
        if number < PAGES - 1:
            query = address.partition("?")[2].partition("&$skiptoken")[0]
            page["@odata.nextLink"] = f"companies?{query}&$skiptoken={number + 1}"
        return answer(json.dumps(page).encode())

    return serve


@pytest.mark.parametrize(
    ("length", "row_filter", "is_named"),
    [
        (20, "", True),
        (20, " or ".join(f"name ne '{'x' * 20}{number}'" for number in range(110)), False),
        (40, "", False),
    ],
    ids=["short names", "short names and a long filter", "long names"],
)
def test_columns_are_named_if_the_url_has_room_for_them(
    length: int, row_filter: str, *, is_named: bool
) -> None:
    columns = [f"column{number}".ljust(length, "x") for number in range(WIDE)]
    filters = {"companies": row_filter} if row_filter else {}
    with serving(wide_service(["name", *columns])) as server:
        url = f"{server.url}/BC/api/v2.0/?tenant=default"
        given = {"access_token": "invented-access-token", "filters": filters}
        run = Tap({"service_url": url, "tables": ["companies"], **given}).sync()
    assert run.counts == {"companies": PAGES}
    assert set(columns) <= run.schemas["companies"]["schema"]["properties"].keys()
    pages = [line.partition("?")[2] for line in server.asked if "/companies?" in line]
    assert len(pages) == PAGES
    assert ["$select" in query for query in pages] == [is_named] * PAGES
    assert all("column207" in query for query in pages) is is_named
    for query in pages:
        assert len(query) <= LONGEST_QUERY
        assert ("$filter" in query) is bool(row_filter)
