"""Raw ceiling: the most that Python can do. It fetches rows, splits them and writes RECORD lines.

It has no schema, selection, state or retries: the minimum cost of a row.
"""

from __future__ import annotations

import sys
from urllib.parse import quote

import msgspec
import requests


class Page(msgspec.Struct):
    """A page of rows that are not decoded."""

    value: list[msgspec.Raw]
    next_link: str | None = msgspec.field(default=None, name="@odata.nextLink")


class Message(msgspec.Struct, gc=False):
    """A RECORD message."""

    stream: str
    record: msgspec.Raw
    type: str = "RECORD"


def main(token_uri: str, secret: str, client: str, query: str) -> None:
    """Read one entity set.

    Args:
        token_uri: URL of the token endpoint.
        secret: The client secret.
        client: The client ID.
        query: URL of the first page.
    """
    session, encoder = requests.Session(), msgspec.json.Encoder()
    decoder = msgspec.json.Decoder(Page)
    grant = {"grant_type": "client_credentials", "client_id": client, "client_secret": secret}
    grant["scope"] = query.partition("/api/")[0] + "/.default"
    token = session.post(token_uri, data=grant, timeout=60).json()["access_token"]
    session.headers["Authorization"] = f"Bearer {token}"
    session.headers["Prefer"] = "odata.maxpagesize=5000"
    link: str | None = quote(query, safe="$,:/?&=%'()")
    while link:
        page = decoder.decode(session.get(link, timeout=60).content)
        lines = encoder.encode_lines([Message("rows", row) for row in page.value])
        sys.stdout.buffer.write(lines)
        link = page.next_link


if __name__ == "__main__":
    main(*sys.argv[1:])
