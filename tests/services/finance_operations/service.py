"""A small Finance & Operations: a metadata document, and answers by entity set."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from tests.servers.scripted import Scripted, answer, serving
from tests.tap import Tap

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

NAMESPACE = "Microsoft.Dynamics.DataEntities"
AX_TYPE = "Microsoft.Dynamics.OData.Core.V1.AXType"
Answer = bytes | dict[str, Any]


def prop(name: str, kind: str, ax_type: str = "", *, nullable: bool = False) -> str:
    """A column with its annotations."""
    annotation = (
        f'<Annotation Term="{AX_TYPE}"><EnumMember>{AX_TYPE}/{ax_type}</EnumMember></Annotation>'
    )
    facet = "" if nullable else ' Nullable="false"'
    return (
        f'<Property Name="{name}" Type="{kind}"{facet}>'
        '<Annotation Term="Microsoft.Dynamics.OData.Core.V1.LabelId" String="@SYS13342"/>'
        f"{annotation if ax_type else ''}</Property>"
    )


def entity(name: str, key: tuple[str, ...], *columns: str) -> str:
    """An entity type."""
    refs = "".join(f'<PropertyRef Name="{column}"/>' for column in key)
    return f'<EntityType Name="{name}"><Key>{refs}</Key>{"".join(columns)}</EntityType>'


COMPANY = prop("dataAreaId", "Edm.String", nullable=True)
CUSTOMER = entity(
    "CustomerV3",
    ("dataAreaId", "CustomerAccount"),
    COMPANY,
    prop("CustomerAccount", "Edm.String", nullable=True),
    prop("OneTime", f"{NAMESPACE}.NoYes", "Enum", nullable=True),
    prop("Zone", f"{NAMESPACE}.Timezone", "Enum", nullable=True),
    prop("CreditLimit", "Edm.Decimal", "Real"),
    prop("PartyRecordId", "Edm.Int64", "Int64"),
    prop("Born", "Edm.DateTimeOffset", "Date"),
    prop("ValidTo", "Edm.DateTimeOffset", "UtcDateTime"),
    prop("Opens", "Edm.Int32", "Time"),
    prop("Packed", "Edm.Binary", "Container", nullable=True),
    prop("SysRecVersion", "Edm.Int32", "Int32"),
)
GROUP = entity(
    "Rate",
    ("dataAreaId", "Kind", "Line"),
    COMPANY,
    prop("Kind", f"{NAMESPACE}.NoYes", "Enum", nullable=True),
    prop("Line", "Edm.Int64", "Int64"),
    prop("ModifiedOn", "Edm.String", nullable=True),
    prop("SysModifiedDateTime", "Edm.DateTimeOffset", "UtcDateTime"),
    prop("CreatedOn", "Edm.DateTimeOffset", "UtcDateTime"),
)
# The sets of these two types bear each other's name.
CHARGE = entity("Charge", ("Id",), prop("Id", "Edm.Guid", "Guid"))
CHARGES = entity("Charges", ("Id",), prop("Id", "Edm.Guid", "Guid"))
ZONES = "".join(f'<Member Name="Z{number}"/>' for number in range(30))
ENUMERATIONS = (
    '<EnumType Name="NoYes"><Member Name="No" Value="0"/><Member Name="Yes" Value="1"/></EnumType>'
    f'<EnumType Name="Timezone">{ZONES}</EnumType>'
)
SETS = {"CustomersV3": "CustomerV3", "Rates": "Rate", "Charge": "Charges", "Charges": "Charge"}


def document(types: str, sets: Mapping[str, str]) -> bytes:
    """A metadata document in the form of the service."""
    container = "".join(
        f'<EntitySet Name="{name}" EntityType="{NAMESPACE}.{kind}"/>' for name, kind in sets.items()
    )
    return (
        '<edmx:Edmx Version="4.0" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx">'
        f'<edmx:DataServices><Schema Namespace="{NAMESPACE}" '
        f'xmlns="http://docs.oasis-open.org/odata/ns/edm">{types}'
        f'<EntityContainer Name="Resources">{container}</EntityContainer></Schema>'
        "</edmx:DataServices></edmx:Edmx>"
    ).encode()


DOCUMENT = document(CUSTOMER + GROUP + CHARGE + CHARGES + ENUMERATIONS, SETS)


def customer(number: int, **columns: Any) -> dict[str, Any]:
    """Invent a customer."""
    return {
        "dataAreaId": "usmf",
        "CustomerAccount": f"US-{number:03}",
        "OneTime": "No",
        "Zone": None,
        "CreditLimit": 0.5,
        "PartyRecordId": 22565421176 + number,
        "Born": "1900-01-01T12:00:00Z",
        "ValidTo": "2154-12-31T23:59:59Z",
        "Opens": 36000,
        "Packed": "AQI=",
        "SysRecVersion": 1,
        **columns,
    }


def rows(*values: dict[str, Any], link: str = "") -> dict[str, Any]:
    """A page of rows."""
    page: dict[str, Any] = {"value": [*values]}
    return {**page, "@odata.nextLink": link} if link else page


@dataclass(frozen=True)
class Running:
    """The service, and the tap set up for it."""

    server: Scripted
    tap: Tap

    @property
    def reads(self) -> list[str]:
        """The decoded targets of requests for rows, in order."""
        targets = [unquote(asked.partition(" ")[2]) for asked in self.server.asked]
        return [target for target in targets if "$metadata" not in target]


@contextmanager
def running(
    answers: Mapping[str, Answer | Callable[[str], Answer]] | None = None,
    *,
    data: bytes = DOCUMENT,
    **settings: Any,
) -> Iterator[Running]:
    """Run the service.

    Args:
        answers: The answer of each entity set, or a function of the decoded target.
        data: The metadata document.
        **settings: Settings of the tap.
    """

    def respond(request: bytes) -> bytes:
        target = unquote(request.split(b" ", 2)[1].decode())
        name = target.partition("?")[0].rpartition("/")[2]
        if name == "$metadata":
            return answer(data, Content_Type="application/xml")
        found = (answers or {}).get(name, rows())
        found = found(target) if callable(found) else found
        return found if isinstance(found, bytes) else answer(json.dumps(found).encode())

    with serving(respond) as server:
        config = {"service_url": f"{server.url}/data", "access_token": "invented-access-token"}
        yield Running(server, Tap({**config, "ws_retry_count": 0, **settings}))
