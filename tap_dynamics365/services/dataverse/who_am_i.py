"""WhoAmI: the user and the organization that Dataverse sees.

https://learn.microsoft.com/power-apps/developer/data-platform/webapi/reference/whoami
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tap_dynamics365.errors import ServiceError
from tap_dynamics365.redaction import printable
from tap_dynamics365.services.kind import Identity, read_object

if TYPE_CHECKING:
    from tap_dynamics365.odata.client import ODataClient


def who_am_i(client: ODataClient) -> Identity:
    """Read which user the service sees.

    Args:
        client: The client of the service.

    Returns:
        The user. IDs are always readable, names only with the rights to read two tables.

    Raises:
        ServiceError: The service does not accept the token, or does not know the user.
    """
    place = urlsplit(client.url).netloc
    answer = read_object(client, "WhoAmI")
    user_id, organization_id = _text(answer, "UserId"), _text(answer, "OrganizationId")
    user = _row(client, f"systemusers({user_id})?$select=fullname,domainname")
    organization = _row(client, f"organizations({organization_id})?$select=name")
    name, account, called = (
        _text(user, "fullname"),
        _text(user, "domainname"),
        _text(organization, "name"),
    )
    person = f"{name} ({account})" if name and account else name or account
    return Identity(
        user=f"{person}, user {user_id}" if person else f"user {user_id}",
        organization=f"{called}, {organization_id}" if called else organization_id,
        page=f"As {person or user_id}, at {f'{called} ({place})' if called else place}.",
    )


def _text(row: dict[str, Any], name: str) -> str:
    """Return a text; empty if it is missing."""
    return printable(str(row.get(name) or ""))


def _row(client: ODataClient, path: str) -> dict[str, Any]:
    """Read a row; empty if the user may not read it."""
    try:
        return read_object(client, path)
    except ServiceError:
        return {}
