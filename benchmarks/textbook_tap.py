"""Textbook tap: a plain tap, written as the documentation of the Meltano SDK teaches.

It has a `RESTStream` with a JSONPath for the records, an OAuth authenticator, and a paginator that
follows next links. It has no optimizations.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import parse_qsl

from singer_sdk import RESTStream, Tap
from singer_sdk import typing as th
from singer_sdk.authenticators import OAuthAuthenticator
from singer_sdk.pagination import BaseHATEOASPaginator
from typing_extensions import override

if TYPE_CHECKING:
    from urllib.parse import ParseResult

    import requests
    from singer_sdk.helpers.types import Context


class ClientCredentials(OAuthAuthenticator):
    """Authenticator with the grant of client credentials."""

    @property
    @override
    def oauth_request_body(self) -> dict[str, str]:
        return {
            "grant_type": "client_credentials",
            "client_id": self.client_id or "",
            "client_secret": self.client_secret or "",
            "scope": self.oauth_scopes or "",
        }


class NextLinks(BaseHATEOASPaginator):
    """Paginator that follows next links."""

    @override
    def get_next_url(self, response: requests.Response) -> str | None:
        link: str | None = response.json().get("@odata.nextLink")
        return link


class Rows(RESTStream["ParseResult"]):
    """The rows of a table."""

    records_jsonpath = "$.value[*]"
    replication_key = "modifiedon"
    is_sorted = True

    @property
    @override
    def url_base(self) -> str:
        base: str = self.config["service_url"]
        return base

    @cached_property
    def authenticator(self) -> ClientCredentials:
        """The authenticator; one token for all requests."""
        return ClientCredentials(
            client_id=self.config["client_id"],
            client_secret=self.config["client_secret"],
            auth_endpoint=self.config["token_uri"],
            oauth_scopes=self.config["scope"],
        )

    @property
    @override
    def http_headers(self) -> dict[str, str]:
        return {**super().http_headers, "Prefer": "odata.maxpagesize=5000"}

    @override
    def get_new_paginator(self) -> NextLinks:
        return NextLinks()

    @override
    def get_url_params(
        self, context: Context | None, next_page_token: ParseResult | None
    ) -> dict[str, Any]:
        if next_page_token:
            return dict(parse_qsl(next_page_token.query))
        parameters = {"$orderby": f"modifiedon asc,{self.primary_keys[0]} asc"}
        if start := self.get_starting_timestamp(context):
            parameters["$filter"] = f"modifiedon ge {start:%Y-%m-%dT%H:%M:%SZ}"
        return parameters


class TextbookTap(Tap):
    """Tap of the tables in its settings."""

    name = "tap-textbook"
    config_jsonschema: ClassVar[dict[str, Any]] = th.PropertiesList(
        th.Property("service_url", th.StringType, required=True),
        th.Property("token_uri", th.StringType, required=True),
        th.Property("client_id", th.StringType, required=True),
        th.Property("client_secret", th.StringType, required=True, secret=True),
        th.Property("scope", th.StringType, required=True),
        th.Property(
            "tables",
            th.ArrayType(th.ObjectType(additional_properties=True)),
            required=True,
            description="Name, entity set, key, and column schemas of each table",
        ),
    ).to_dict()

    @override
    def discover_streams(self) -> list[Rows]:
        streams = []
        for table in self.config["tables"]:
            schema = {"type": "object", "properties": table["columns"]}
            stream = Rows(self, name=table["name"], schema=schema, path=table["set"])
            stream.primary_keys = (table["key"],)
            streams.append(stream)
        return streams


if __name__ == "__main__":
    TextbookTap.cli()
