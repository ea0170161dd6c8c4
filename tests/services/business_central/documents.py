"""A small Business Central: metadata documents by route, and answers by path."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from tests.servers.scripted import Scripted, answer, serving
from tests.tap import Tap

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

API, WEB = "Microsoft.NAV", "NAV"
ENVIRONMENT = "/v2.0/contoso.example/Production/"
STANDARD, WEB_SERVICES = "api/v2.0", "ODataV4"


def prop(name: str, kind: str = "Edm.String") -> str:
    """A column."""
    return f'<Property Name="{name}" Type="{kind}"/>'


def link(name: str, kind: str, *pairs: tuple[str, str], many: bool = True) -> str:
    """A navigation property; a pair has the own column and that of the other row."""
    full = f"Collection({API}.{kind})" if many else f"{API}.{kind}"
    inner = "".join(
        f'<ReferentialConstraint Property="{own}" ReferencedProperty="{other}"/>'
        for own, other in pairs
    )
    return f'<NavigationProperty Name="{name}" Type="{full}">{inner}</NavigationProperty>'


@dataclass(frozen=True)
class EntitySet:
    """An entity set. Its type has the same name with `Type` at its end."""

    name: str
    key: tuple[str, ...] = ("id",)
    parts: tuple[str, ...] = ()
    is_in_company: bool = True

    @property
    def type_name(self) -> str:
        """The name of the type."""
        return f"{self.name}Type"


def document(*sets: EntitySet, namespace: str = API, companies: bool = True) -> bytes:
    """A metadata document.

    Args:
        *sets: The entity sets.
        namespace: The namespace of the types.
        companies: Whether there is a set of companies, whose type leads to the sets.
    """
    all_sets = [*sets]
    if companies and namespace == API:
        links = [link(each.name, each.type_name) for each in sets if each.is_in_company]
        all_sets.insert(0, EntitySet("companies", parts=(prop("name"), *links)))
    if companies and namespace == WEB:
        all_sets.insert(0, EntitySet("Company", ("Name",), is_in_company=False))
    types = ""
    for each in all_sets:
        refs = "".join(f'<PropertyRef Name="{name}"/>' for name in each.key)
        keys = "".join(
            prop(name, "Edm.Guid" if name == "id" else "Edm.String")
            for name in each.key
            if not any(f'Name="{name}"' in part for part in each.parts)
        )
        types += f'<EntityType Name="{each.type_name}"><Key>{refs}</Key>{keys}'
        types += f"{''.join(each.parts)}</EntityType>"
    container = "".join(
        f'<EntitySet Name="{each.name}" EntityType="{namespace}.{each.type_name}"/>'
        for each in all_sets
    )
    return (
        '<edmx:Edmx Version="4.0" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx">'
        f'<edmx:DataServices><Schema Namespace="{namespace}" '
        f'xmlns="http://docs.oasis-open.org/odata/ns/edm">{types}'
        f'<EntityContainer Name="NAV">{container}</EntityContainer></Schema>'
        "</edmx:DataServices></edmx:Edmx>"
    ).encode()


@dataclass(frozen=True)
class Running:
    """The service, and the tap set up for it."""

    server: Scripted
    tap: Tap

    @property
    def asked(self) -> list[str]:
        """The paths of the requests below the environment, decoded, in order."""
        return [
            unquote(request.partition(" ")[2]).partition(ENVIRONMENT)[2]
            for request in self.server.asked
        ]

    def streams(self) -> dict[str, dict[str, Any]]:
        """Discover, and return the streams by name."""
        return {each["tap_stream_id"]: each for each in self.tap.discover()["streams"]}


@contextmanager
def running(
    documents: Mapping[str, bytes],
    answers: Mapping[str, bytes | Sequence[Any]] | None = None,
    *,
    root: str = STANDARD,
    **settings: Any,
) -> Iterator[Running]:
    """Run the service.

    Args:
        documents: The metadata documents, by route.
        answers: Rows or a whole answer, by path below the environment.
        root: The route that `service_url` leads to.
        **settings: Settings of the tap.
    """
    missing = answer(b'{"error": {"code": "BadRequest_NotFound", "message": "No."}}', status=404)

    def respond(request: bytes) -> bytes:
        target = unquote(request.split(b" ", 2)[1].decode()).partition("?")[0]
        path = target.removeprefix(ENVIRONMENT)
        route, _, name = path.rpartition("/")
        if name == "$metadata" and route in documents:
            return answer(documents[route], Content_Type="application/xml")
        found = (answers or {}).get(path, missing)
        return found if isinstance(found, bytes) else answer(json.dumps({"value": found}).encode())

    with serving(respond) as server:
        config = {
            "service_url": f"{server.url}{ENVIRONMENT}{root}/",
            "access_token": "invented-access-token",
            "ws_retry_count": 0,
        }
        yield Running(server, Tap({**config, **settings}))
