"""Addresses: environments and API routes, online and on-premises."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote

from sandbox.business_central import errors
from sandbox.business_central.companies import ENVIRONMENTS
from sandbox.business_central.csdl import ODATA, STANDARD
from sandbox.identity import tokens

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sandbox.business_central.csdl import Api

#: Name of the server instance on-premises, and its user with a web service access key.
INSTANCE, TENANT = "BC", "default"
USER, ACCESS_KEY = "SANDBOX", "sandbox-access-key-not-real"
ENVIRONMENT = "Production"
#: Path of the service root that the sandbox announces.
PATH = f"/v2.0/{tokens.TENANT}/{ENVIRONMENT}/{STANDARD}/"
DOMAIN = "sandbox.onmicrosoft.com"
PLATFORM = "v2.0"


class Address(NamedTuple):
    """Where a path leads.

    Attributes:
        api: The API route.
        root: Path of the service root, encoded.
        segments: Decoded segments below the service root.
        on_premises: Whether the path is one of the on-premises server.
    """

    api: Api
    root: str
    segments: list[str]
    on_premises: bool


def is_on_premises(path: str) -> bool:
    """Return whether an encoded path is one of the on-premises server."""
    return path.strip("/").partition("/")[0].upper() == INSTANCE


def find(apis: Sequence[Api], path: str) -> Address:
    """Return where the encoded path of a URL leads.

    Raises:
        ServiceError: There is no such environment or API.
    """
    parts = path.strip("/").split("/")
    first = parts[0]
    if first == "v1.0":
        # The former URL version of the platform.
        raise errors.unauthorized()
    if is_on_premises(path):
        start, on_premises = 1, True
    elif first == PLATFORM:
        start, on_premises = _environment(parts), False
    else:
        raise errors.unknown_segment(unquote(first))
    rest = "/".join(parts[start:])
    for api in apis:
        if f"{rest}/".lower().startswith(f"{api.path}/".lower()):
            length = start + api.path.count("/") + 1
            segments = [unquote(part) for part in parts[length:]]
            return Address(api, "/" + "/".join(parts[:length]) + "/", segments, on_premises)
    raise errors.unknown_segment(unquote(parts[start] if len(parts) > start else first))


def _environment(parts: Sequence[str]) -> int:
    """Return the position after the environment; the tenant can be left out."""
    api = [place for place, part in enumerate(parts) if part.lower() in {"api", ODATA.lower()}]
    position = next(iter(api), len(parts))
    names = [unquote(part) for part in parts[1:position]]
    if not names or len(names) > 2:  # noqa: PLR2004  - tenant and environment
        message = ""
        raise errors.no_environment(message)
    if len(names) > 1 and names[0].lower() not in {tokens.TENANT, DOMAIN}:
        raise errors.unauthorized()
    if names[-1].lower() not in {name.lower() for name in ENVIRONMENTS}:
        raise errors.no_environment(names[-1])
    return position


def environments(origin: str) -> list[dict[str, str]]:
    """Return the environments as `/environments/v1.2` lists them.

    Args:
        origin: Scheme, host and port of the service.
    """
    return [
        {
            "aadTenantId": tokens.TENANT,
            "applicationFamily": "BusinessCentral",
            "type": kind,
            "name": name,
            "countryCode": "US",
            "webServiceUrl": origin,
            "webClientLoginUrl": f"{origin}/{tokens.TENANT}/{name}",
            "ringName": "PROD",
        }
        for name, kind in ENVIRONMENTS.items()
    ]
