"""Loop over pages with Microsoft's Python client for Dataverse."""

import json
import sys
from pathlib import Path

import requests
from azure.core.credentials import AccessToken, TokenCredential
from PowerPlatform.Dataverse.client import DataverseClient


class Credential(TokenCredential):
    """Credential of an application at the sandbox.

    Args:
        given: The settings.
    """

    def __init__(self, given: dict[str, str]) -> None:
        self._given = given

    def get_token(self, *_scopes: str, **_options: object) -> AccessToken:
        """Request a token."""
        grant = {"grant_type": "client_credentials"}
        grant |= {name: self._given[name] for name in ("client_id", "client_secret", "scope")}
        answer = requests.post(self._given["token_uri"], data=grant, timeout=60).json()
        return AccessToken(answer["access_token"], 2**33)


def main(path: str) -> None:
    """Read the tables of a configuration file.

    Args:
        path: Path of the file.
    """
    given = json.loads(Path(path).read_text(encoding="utf-8"))
    client, rows = DataverseClient("https://sandbox.crm.dynamics.com", Credential(given)), 0
    for table in given["tables"]:
        pages = client.records.list_pages(
            table["name"],
            select=table["columns"],
            orderby=["modifiedon asc", f"{table['name']}id asc"],
            page_size=5000,
        )
        rows += sum(len(list(page)) for page in pages)
    print("rows", rows)


if __name__ == "__main__":
    main(sys.argv[1])
