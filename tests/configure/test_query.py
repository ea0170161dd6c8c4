"""Screen Query of the page: rows, pages, JSON and curl, within the service alone."""

from __future__ import annotations

import html
import json
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from tests.configure.client import client_of
from tests.configure.conftest import OTHER_SECRETS, configuring
from tests.sandbox.api import Api

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox.client import Sandbox
    from tests.configure.client import Answer, Client


def ask(client: Client, path: str, **options: str) -> Answer:
    """Run a query."""
    return client.get(f"/query?{urlencode({'path': path, **options})}")


def cells(answer: Answer) -> list[str]:
    """The values that the page shows."""
    return [html.unescape(each) for each in re.findall(r"<td>(.*?)</td>", answer.text, re.DOTALL)]


def block(answer: Answer) -> str:
    """The text that the page offers to copy."""
    found = re.search(r'(?s)<pre tabindex="0" class="block" id="\w+">(.*?)</pre>', answer.text)
    assert found, answer.text
    return html.unescape(found[1])


def path_of(answer: Answer) -> str:
    """The path in the form."""
    found = re.search(r'<input id="path" name="path" value="([^"]*)"', answer.text)
    assert found
    return html.unescape(found[1])


def sent(sandbox: Sandbox) -> list[str]:
    """The paths of the requests to the service."""
    return [each["path"] for each in sandbox.requests() if "/oauth2/" not in each["path"]]


def test_query_shows_values_as_the_service_sent_them(client: Client, own_sandbox: Sandbox) -> None:
    path = "accounts?$select=name,revenue,fax&$filter=revenue ne null&$top=4"
    expected = Api(own_sandbox).read(path)["value"]
    page = ask(client, path)
    assert path_of(page) == path
    assert "<h2>4 rows</h2>" in page.text
    assert {row["name"] for row in expected} < {*cells(page)}
    assert {str(row["revenue"]) for row in expected} < {*cells(page)}
    shown = json.loads(block(ask(client, path, **{"as": "json"})), parse_float=Decimal)
    assert shown == expected


def test_query_shows_markup_as_text(client: Client) -> None:
    page = ask(client, "accounts?$filter=name eq '<script>alert(1)</script>'&$top=1")
    assert "<script>alert" not in page.text
    assert "&lt;script&gt;alert" in page.text


def test_next_page_has_the_following_rows(client: Client, own_sandbox: Sandbox) -> None:
    path = "contacts?$select=contactid"
    found, page, number = [*cells(ask(client, path))], ask(client, path), 1
    assert len(found) == 50
    while following := re.search(r'href="([^"]*)">Next page', page.text):
        number += 1
        page = client.get(html.unescape(following[1]))
        assert f"page {number}</h2>" in page.text
        found += cells(page)
    every = {row["contactid"] for row in own_sandbox.rows("contact")}
    assert len(found) == len(every) > 50
    assert {*found} == every
    before = re.search(r'href="([^"]*)">Page before', page.text)
    assert before
    assert cells(client.get(html.unescape(before[1]))) == found[(number - 2) * 50 :][:50]


def test_next_page_stays_at_the_service_whatever_the_link_names(
    client: Client, own_sandbox: Sandbox
) -> None:
    before = own_sandbox.configure(link_origin="https://elsewhere.example")
    try:
        path = "contacts?$select=contactid&$orderby=contactid"
        first = cells(ask(client, path))
        page = ask(client, path, page="2")
        assert "page 2</h2>" in page.text
        assert not {*cells(page)} & {*first}
    finally:
        own_sandbox.configure(**before)


@pytest.mark.parametrize(
    "path",
    [
        "https://elsewhere.example/",
        "//elsewhere.example/",
        "/api/data/v9.1/accounts",
        "../v9.1/accounts",
        "%2e%2e/%2e%2e/oauth2/token",
        "accounts/..;/../x",
        "$batch",
        "accounts(1)/$value",
        "accounts\nX: y",
    ],
)
@pytest.mark.parametrize("form", ["", "json", "curl"])
def test_query_that_leads_elsewhere_sends_nothing(
    client: Client, own_sandbox: Sandbox, path: str, form: str
) -> None:
    own_sandbox.clear_requests()
    page = ask(client, path, **{"as": form})
    assert page.status == 200
    (notice,) = page.notices
    assert notice.startswith("The query ")
    assert sent(own_sandbox) == []


def test_address_of_a_page_can_not_be_given(client: Client, own_sandbox: Sandbox) -> None:
    own_sandbox.clear_requests()
    for number in ("https://elsewhere.example/", "0", "-1", "99", "²"):
        ask(client, "teams?$select=teamid", page=number)
    assert {each.rpartition("/")[2] for each in sent(own_sandbox)} == {"teams"}


def test_query_that_the_service_refuses_is_a_sentence_above_the_form(client: Client) -> None:
    page = ask(client, "accounts?$select=nope")
    (notice,) = page.notices
    assert "Could not find a property named 'nope'" in notice
    assert path_of(page) == "accounts?$select=nope"


def test_curl_has_no_token_and_sends_nothing(client: Client, own_sandbox: Sandbox) -> None:
    ask(client, "accounts?$top=1")
    own_sandbox.clear_requests()
    command = block(ask(client, "accounts?$filter=name eq 'a''b'", **{"as": "curl"}))
    assert sent(own_sandbox) == []
    assert command.startswith("curl --compressed")
    assert "Bearer $ACCESS_TOKEN" in command
    assert f"{own_sandbox.service_url}accounts?$filter=name%20eq%20%27a%27%27b%27'" in command
    for secret in (*OTHER_SECRETS.values(), own_sandbox.settings["client_secret"]):
        assert secret not in command


def test_query_begins_with_a_table_that_is_chosen(client: Client) -> None:
    client.get("/tables")
    assert "<option>account</option>" in client.get("/query").text
    assert path_of(client.get("/query?table=account")) == "accounts"
    assert client.get("/query?table=nothing").notices == ["The service has no such table."]


def test_query_before_there_are_settings_says_what_is_missing(tmp_path: Path) -> None:
    with configuring(tmp_path, {}) as program:
        client = client_of(program)
        client.open()
        assert "<option>" not in client.get("/query").text
        (notice,) = ask(client, "accounts").notices
        assert "service_url" in notice


@pytest.mark.parametrize(
    ("fixture", "settings", "table"),
    [
        ("finance_sandbox", {"cross_company": True}, "CustomersV3"),
        ("central_sandbox", {"companies": ["CRONUS*"]}, "customers"),
    ],
)
def test_path_of_a_table_of_another_service_can_be_read(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    fixture: str,
    settings: dict[str, Any],
    table: str,
) -> None:
    sandbox: Sandbox = request.getfixturevalue(fixture)
    with configuring(tmp_path, {**sandbox.settings, **settings}) as program:
        client = client_of(program)
        client.open()
        path = path_of(client.get(f"/query?table={table}"))
        assert path.endswith(table)
        page = ask(client, path)
        assert page.notices == []
        assert len(cells(page)) > 50
