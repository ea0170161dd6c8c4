"""Microsoft's own Python client reads from the sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import requests
from azure.core.credentials import AccessToken
from PowerPlatform.Dataverse.client import DataverseClient
from PowerPlatform.Dataverse.core.errors import HttpError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.sandbox.api import Api

# The client insists on https: requests to this host are sent to the sandbox.
HOST = "https://sandbox.crm.dynamics.com"


class _Credential:
    """Gives the token that the test has."""

    def __init__(self, token: str) -> None:
        self.token = token

    def get_token(self, *_scopes: str, **_options: Any) -> AccessToken:
        return AccessToken(self.token, 4_102_444_800)


@pytest.fixture
def client(api: Api, monkeypatch: pytest.MonkeyPatch) -> Iterator[DataverseClient]:
    """The client, its requests led to the sandbox."""
    send = requests.adapters.HTTPAdapter.send

    def rewriting(
        self: requests.adapters.HTTPAdapter,
        request: requests.PreparedRequest,
        **options: Any,
    ) -> requests.Response:
        if request.url:
            request.url = request.url.replace(HOST, api.sandbox.url)
        return send(self, request, **options)

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", rewriting)
    _, _, token = str(api.session.headers["Authorization"]).partition(" ")
    with DataverseClient(HOST, _Credential(token)) as client:
        yield client


def test_it_reads_every_page(client: DataverseClient, api: Api) -> None:
    pages = list(client.records.list_pages("contact", select=["fullname"], page_size=100))
    rows = [row for page in pages for row in page]
    stored = {row["contactid"]: row["fullname"] for row in api.sandbox.rows("contact")}
    assert len(pages) == -(-len(stored) // 100)
    assert {row["contactid"]: row["fullname"] for row in rows} == stored


def test_it_filters_and_sorts(client: DataverseClient, api: Api) -> None:
    found = client.records.list(
        "account",
        filter="statecode eq 0 and numberofemployees gt 1000",
        orderby=["numberofemployees desc", "accountid"],
        include_annotations="*",
    )
    numbers = [row["numberofemployees"] for row in found]
    assert numbers == sorted(numbers, reverse=True)
    stored = api.sandbox.rows("account")
    assert len(numbers) == sum(
        row["statecode"] == 0 and (row["numberofemployees"] or 0) > 1000 for row in stored
    )


def test_it_reads_metadata(client: DataverseClient) -> None:
    table = client.tables.get("new_Project")
    assert table is not None
    assert table["entity_set_name"] == "new_projects"
    assert "account" in {each["LogicalName"] for each in client.tables.list()}
    columns = {each["LogicalName"] for each in client.tables.list_columns("account")}
    assert {"name", "revenue", "primarycontactid"} <= columns
    relations = client.tables.list_table_relationships("opportunity")
    assert "customerid" in {each.get("ReferencingAttribute") for each in relations}


def test_it_understands_the_errors(client: DataverseClient) -> None:
    with pytest.raises(HttpError) as caught:
        client.records.list("account", select=["nothing"])
    assert caught.value.status_code == 400
    assert "Could not find a property named 'nothing'" in str(caught.value)
