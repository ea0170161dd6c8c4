"""Asks Microsoft's own Python client for what the sandbox has; run in the client's environment.

    python outside_client.py http://127.0.0.1:PORT TOKEN

Writes what it got as JSON.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import requests
from azure.core.credentials import AccessToken
from PowerPlatform.Dataverse.client import DataverseClient
from PowerPlatform.Dataverse.core.errors import HttpError

# The client requires https: requests to this host are sent to the sandbox.
HOST = "https://sandbox.crm.dynamics.com"


class _Credential:
    """Gives the token that the test has."""

    def __init__(self, token: str) -> None:
        self.token = token

    def get_token(self, *_scopes: str, **_options: Any) -> AccessToken:
        return AccessToken(self.token, 4_102_444_800)


def lead_to(url: str) -> None:
    """Send the client's requests to the sandbox."""
    send = requests.adapters.HTTPAdapter.send

    def rewriting(
        self: requests.adapters.HTTPAdapter, request: requests.PreparedRequest, **options: Any
    ) -> requests.Response:
        if request.url:
            request.url = request.url.replace(HOST, url)
        return send(self, request, **options)

    requests.adapters.HTTPAdapter.send = rewriting  # type: ignore[method-assign]


def ask(client: DataverseClient) -> dict[str, Any]:
    """Ask for pages, a filtered list, metadata, and what is refused."""
    pages = [
        list(page)
        for page in client.records.list_pages("contact", select=["fullname"], page_size=100)
    ]
    found = client.records.list(
        "account",
        filter="statecode eq 0 and numberofemployees gt 1000",
        orderby=["numberofemployees desc", "accountid"],
        include_annotations="*",
    )
    table = client.tables.get("new_Project")
    relations = client.tables.list_table_relationships("opportunity")
    try:
        client.records.list("account", select=["nothing"])
    except HttpError as error:
        refusal = {"status": error.status_code, "words": str(error)}
    return {
        "pages": [{row["contactid"]: row["fullname"] for row in page} for page in pages],
        "employees": [row["numberofemployees"] for row in found],
        "entity_set": table["entity_set_name"] if table else None,
        "tables": [each["LogicalName"] for each in client.tables.list()],
        "columns": [each["LogicalName"] for each in client.tables.list_columns("account")],
        "lookups": [each.get("ReferencingAttribute") for each in relations],
        "refusal": refusal,
    }


def main() -> None:
    """Write what the client gets."""
    url, token = sys.argv[1:]
    lead_to(url)
    with DataverseClient(HOST, _Credential(token)) as client:
        json.dump(ask(client), sys.stdout)


if __name__ == "__main__":
    main()
